// Where strings end that are longer than what is checked byte by byte, and shapes made to exhaust a reader.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { checkedStringBytes } from "../../src/upstream/request/json-tokens.ts";
import { topLevelFinder } from "../../src/upstream/request/top-level.ts";
import { depthMax } from "../../src/upstream/request/walk.ts";

const find = topLevelFinder(["model"]);
const isJson = (text: string) => find(Buffer.from(text)).kind !== "not JSON";

/** The model's value as it is written; undefined where the text is refused or has none. */
function modelIn(text: string): string | undefined {
  const bytes = Buffer.from(text);
  const found = find(bytes);
  if (found.kind !== "object" || found.members.model === undefined) return undefined;
  return bytes.toString("utf8", found.members.model.valueStart, found.members.model.valueEnd);
}

/** One character of a string, as itself or as an escape; text that looks like structure among them. */
const character = fc.oneof(
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom("\\u006D", "\\uD83D\\uDE00", "\\ud800", '\\"', "\\\\", "u", "{", "]", ",", ":"),
);

describe("strings longer than what is checked", () => {
  const filler = "x".repeat(checkedStringBytes);

  test("end where JSON.parse ends them, whatever escapes and structure they hold", () => {
    fc.assert(
      fc.property(fc.array(character, { maxLength: 40 }), (tail) => {
        const text = `{"a":"${filler}${tail.join("")}","model":"m"}`;
        expect(modelIn(text)).toBe('"m"');
      }),
      { numRuns: 2000 },
    );
  });

  test("keep the members behind them in sight for every length around the bound", () => {
    for (let length = checkedStringBytes - 8; length < checkedStringBytes + 8; length++) {
      for (const escape of ["", '\\"', "\\\\", "\\u0041", '\\\\\\"']) {
        const text = `{"a":"${"x".repeat(length)}${escape}","model":"m"}`;
        expect(modelIn(text)).toBe('"m"');
        expect(isJson(text.slice(0, text.indexOf('","model') - 1))).toBe(false);
      }
    }
  });

  test.each([
    '\\u"',
    '\\u1"',
    '\\u12"',
    '\\u123"',
    '\\u\\"',
    '\\u1\\"',
    '\\u12\\\\"',
    '\\u123\\"',
    '\\\\\\u12"',
  ])("are refused when %s would make parsers disagree on their end", (end) => {
    expect(isJson(`{"a":"${filler}${end},"model":"m"}`)).toBe(false);
    expect(isJson(`{"a":"${filler}${end}","model":"m"}`)).toBe(false);
  });

  test.each(["\\\\u12", "\\\\u", "\\u1234", "\\u1234x", "\\\\\\\\u123", "u123", '\\"u12'])(
    "may end in %s",
    (end) => {
      const text = `{"a":"${filler}${end}","model":"m"}`;
      expect(modelIn(text)).toBe(JSON.stringify(JSON.parse(text).model));
    },
  );
});

describe("hostile shapes", () => {
  test("are read as deep as anybody nests, and no deeper", () => {
    const nested = (levels: number) =>
      `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)},"model":"m"}`;
    expect(modelIn(nested(depthMax))).toBe('"m"');
    expect(isJson(nested(depthMax + 1))).toBe(false);
    for (const levels of [100, 1_000_000]) {
      expect(isJson(`${"[".repeat(levels)}${"]".repeat(levels - 1)}}`)).toBe(false);
      expect(isJson('{"a":'.repeat(levels))).toBe(false);
    }
  });

  test("a million keys, escaped ones too, are read in a fraction of a second", () => {
    const keys = Array.from({ length: 500_000 }, (_, index) => `"k${index}":1,"m\\u006fdem":1`);
    const text = `{${keys.join(",")},"model":"m"}`;
    const startedAt = performance.now();
    expect(modelIn(text)).toBe('"m"');
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
