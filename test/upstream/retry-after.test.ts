// Which values of `retry-after` say how long, and which say nothing.
import { describe, expect, test } from "bun:test";
import { retryAfterMs } from "../../src/upstream/answer/retry-after.ts";

const now = Date.parse("1994-11-06T08:49:00Z");
const read = (value: string) => retryAfterMs(new Headers({ "retry-after": value }), now);

describe("an answer asks to be left alone", () => {
  test.each([
    ["0", 0],
    ["7", 7_000],
    [" 120 ", 120_000],
    ["1.5", 1_500],
    ["99999999999", 99_999_999_999_000],
  ])("for %j seconds", (value, ms) => expect(read(value)).toBe(ms));

  test.each([
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ])("until %j, whatever the time zone here", (value) => {
    const here = process.env["TZ"];
    process.env["TZ"] = "America/New_York";
    try {
      expect(read(value)).toBe(37_000);
    } finally {
      if (here === undefined) delete process.env["TZ"];
      else process.env["TZ"] = here;
    }
  });

  test("no longer, once the date is past", () =>
    expect(read("Sun, 06 Nov 1994 08:48:59 GMT")).toBe(0));
});

describe("an answer asks for nothing", () => {
  test("without the header", () => expect(retryAfterMs(new Headers(), now)).toBeNull());

  test.each([
    "",
    " ",
    "soon",
    "-5",
    "+5",
    "5.",
    "5,5",
    "1e3",
    "0x10",
    "Infinity",
    "5 seconds",
    "2199-01-01",
    "Mon, 99 Foo 2199 00:00:00 GMT",
    "Monday",
    "9".repeat(400),
  ])("with %j", (value) => expect(read(value)).toBeNull());
});
