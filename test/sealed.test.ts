// What the gateway encrypts to itself.
import { expect, test } from "bun:test";
import { createSealed } from "../src/sealed.ts";
import { otherSpellings } from "./support/spellings.ts";

const secret = "0123456789abcdef0123456789abcdef";
let clockMs = Date.now();
const now = () => clockMs;
const sealed = createSealed<{ a: string }>("refresh token", { secrets: [secret], now });

test("what was sealed opens to the same value, and the text does not show it", async () => {
  const text = await sealed.seal({ a: "idp-refresh-token" });
  expect(await sealed.open(text)).toEqual({ a: "idp-refresh-token" });
  expect(Buffer.from(text, "base64url").toString("latin1")).not.toContain("idp-refresh-token");
});

test("the same value sealed twice gives two texts", async () => {
  expect(await sealed.seal({ a: "x" })).not.toBe(await sealed.seal({ a: "x" }));
});

test("a changed character does not open, wherever it is", async () => {
  const text = await sealed.seal({ a: "x" });
  for (let at = 0; at < text.length; at++) {
    const changed = text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
    expect(await sealed.open(changed)).toBeUndefined();
  }
});

test("no other spelling opens, of any part", async () => {
  // Of 1 to 3 bytes more, so that the parts end at each place in base64.
  for (const a of ["x", "xy", "xyz"]) {
    const text = await sealed.seal({ a });
    const parts = text.split(".");
    for (const [index, part] of parts.entries()) {
      if (part === "") continue;
      for (const spelling of otherSpellings(part))
        expect(await sealed.open(parts.with(index, spelling).join("."))).toBeUndefined();
    }
    for (const more of [" ", "=", "AA"])
      expect(await sealed.open(parts.with(1, more).join("."))).toBeUndefined();
    expect(await sealed.open(text)).toEqual({ a });
  }
});

test("a text sealed for another purpose does not open", async () => {
  const state = createSealed<{ a: string }>("authorization state", { secrets: [secret], now });
  expect(await sealed.open(await state.seal({ a: "x" }))).toBeUndefined();
});

test("a text under an older secret opens until the secret is removed", async () => {
  const next = "f".repeat(32);
  const text = await sealed.seal({ a: "x" });
  expect(await createSealed("refresh token", { secrets: [next, secret], now }).open(text)).toEqual({
    a: "x",
  });
  expect(await createSealed("refresh token", { secrets: [next], now }).open(text)).toBeUndefined();
});

test("a text with a time to live does not open after it", async () => {
  const text = await sealed.seal({ a: "x" }, 600);
  clockMs += 599_000;
  expect(await sealed.open(text)).toEqual({ a: "x" });
  clockMs += 2_000;
  expect(await sealed.open(text)).toBeUndefined();
});

test("texts that are none of ours do not open", async () => {
  for (const text of ["", "x", "a.b.c.d.e", "eyJhbGciOiJkaXIifQ....", "x".repeat(600_000)]) {
    expect(await sealed.open(text)).toBeUndefined();
  }
});
