// Operational lines as they leave: one line each, and nothing in it that a terminal would obey.
import { afterAll, describe, expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  faultOf,
  flushLog,
  log,
  oneLine,
  printable,
  setLogDescriptor,
  setLogLevel,
  stderr,
  writeLine,
} from "../src/log.ts";

const directory = mkdtempSync(join(tmpdir(), "log-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** What is in the file after something was logged. */
function written(say: () => void): string {
  const path = join(directory, crypto.randomUUID());
  const file = openSync(path, "w");
  setLogDescriptor(file);
  setLogLevel("debug");
  say();
  setLogDescriptor(stderr);
  setLogLevel("error"); // As support/quiet.ts has it.
  closeSync(file);
  return readFileSync(path, "utf8");
}

/** A terminal clears its screen and takes another title; text runs backwards; C1 says the same in one character. */
const hostile =
  "a\u001b[2J\u001b]0;pwn\u0007b\u009b31mc\u202ed\u2066e\u200bf\ufeffg\u2028h\u2029i\u0085j\tk\u007f";

describe("a message", () => {
  test.each(["debug", "info", "warn", "error"] as const)(
    "of level %s has no control, format or separator character left in its line",
    (level) => {
      const line = written(() => log[level](hostile));
      expect(line).toEndWith("\n");
      expect(line.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      expect(line).toContain(`${level} a\\u{1b}[2J\\u{1b}]0;pwn\\u{7}b\\u{9b}31mc\\u{202e}d`);
    },
  );

  test("with line breaks is one line, so that nobody writes a line of the gateway's", () => {
    const line = written(() => log.warn('a\n[gateway] b\r\n{"evt":"config.load"}\u2028c\u0085d'));
    expect(line.split(/[\n\r\u2028\u0085]/)).toHaveLength(2);
    expect(line).toEndWith('warn a [gateway] b {"evt":"config.load"}\\u{2028}c\\u{85}d\n');
  });

  test("that is long is cut", () => {
    expect(oneLine("x".repeat(4_001))).toBe(`${"x".repeat(4_000)}…`);
    expect(oneLine("x".repeat(4_000))).toBe("x".repeat(4_000));
  });

  test("is followed by the next in a line of its own", () => {
    const lines = written(() => {
      log.info("a");
      flushLog();
      log.info("b");
    });
    expect(lines).toMatch(/^\[gateway\] \S+ info a\n\[gateway\] \S+ info b\n$/);
  });
});

describe("a line of JSON", () => {
  test("has nothing in it that a terminal would obey either, and says the same", () => {
    const event = { evt: "inference", model: `${hostile}\n\u{e0001}\ud83d` };
    const line = written(() => writeLine(JSON.stringify(event)));
    expect(line).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*\n$/u);
    expect(JSON.parse(line)).toEqual(event);
  });

  test("stays as it is in every script", () => {
    const line = '{"email":"grüße@例え.jp","name":"👩"}';
    expect(written(() => writeLine(line))).toBe(`${line}\n`);
  });
});

describe("a fault", () => {
  class Odd extends TypeError {}

  test("is told by its class and the places it comes from, and not by what it says", () => {
    const error = new Odd("a prompt\n    at a.place (in the prompt:1:1)");
    expect(faultOf(error)).toMatch(/^Odd at .*log\.test\.ts:\d+:\d+/);
    expect(faultOf(error)).not.toContain("prompt");
    expect(faultOf(new Error(""))).toMatch(/^Error at /);
  });

  test("is told by its code, when that is one", () => {
    expect(faultOf(Object.assign(new Error("x"), { code: "ECONNRESET" }))).toStartWith(
      "Error ECONNRESET at ",
    );
    expect(faultOf(Object.assign(new Error("x"), { code: "a prompt" }))).not.toContain("prompt");
  });

  test("has three places at most", () => {
    const error = new Error("x");
    error.stack = `Error: x\n${"    at a (b:1:1)\n".repeat(50)}`;
    expect(faultOf(error)).toBe("Error at a (b:1:1) at a (b:1:1) at a (b:1:1)");
  });

  test("that is no error is told by its type", () => {
    expect(faultOf("a prompt")).toBe("a thrown string");
    expect(faultOf(undefined)).toBe("a thrown undefined");
  });
});

describe("printable text", () => {
  test("stays as it is, in every script", () => {
    const text = 'Grüße, 日本語, עברית, 👩 "\\" \u00a0…';
    expect(printable(text)).toBe(text);
  });

  test("has halves of a pair spelled out: encoded they are not the text any more", () => {
    expect(printable("a\ud83db")).toBe("a\\u{d83d}b");
  });

  test("has line breaks spelled out", () => {
    expect(printable("a\nb")).toBe("a\\u{a}b");
  });
});
