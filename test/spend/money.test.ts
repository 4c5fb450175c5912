// Amounts as text and back: nothing is lost on the way to the database and back, and nothing else is taken for an amount.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  cent,
  centsNumber,
  centsText,
  type Money,
  moneyOf,
  moneyOrZero,
} from "../../src/spend/money.ts";

/** Amounts of every magnitude, negative ones too. */
const amount = fc.bigInt({ min: -(10n ** 50n), max: 10n ** 50n });
const cents = fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n });

test("an amount is the same after it was text", () => {
  fc.assert(
    fc.property(fc.oneof(amount, fc.bigInt({ min: -9n, max: 9n })), (money) => {
      expect(moneyOf(centsText(money))).toBe(money);
    }),
  );
});

test("text of an amount is the shortest that holds it, however long it was", () => {
  const decimals = fc.stringMatching(/^\d{0,24}$/);
  fc.assert(
    fc.property(cents, decimals, fc.nat({ max: 30 }), (whole, fraction, zeros) => {
      const digits = fraction.replace(/0+$/, "");
      const shortest = `${whole}${digits === "" ? "" : `.${digits}`}`;
      const padded = `${whole}.${fraction}0${"0".repeat(zeros)}`;
      expect(centsText(moneyOf(padded))).toBe(shortest);
    }),
  );
});

test("an amount as a number has twelve decimals, as far as a number holds them", () => {
  const numbers = [0n, cent, cent / 10n, cent / 3n, -cent / 3n, 123_456_789n * cent];
  expect(numbers.map(centsNumber)).toEqual([
    0, 1, 0.1, 0.333333333333, -0.333333333333, 123_456_789,
  ]);
});

describe("cents as PostgreSQL writes them", () => {
  test.each<[string, Money, string]>([
    ["0", 0n, "0"],
    ["1", cent, "1"],
    ["-1", -cent, "-1"],
    ["0.0300", (3n * cent) / 100n, "0.03"],
    ["-0.5", -cent / 2n, "-0.5"],
    ["100.03", (10_003n * cent) / 100n, "100.03"],
    ["0.000014999999999999999", 14_999_999_999_999_999_000n, "0.000014999999999999999"],
    ["0.000000000000000000000001", 1n, "0.000000000000000000000001"],
    ["007.10", (71n * cent) / 10n, "7.1"],
    ["-0.00", 0n, "0"],
  ])("%s", (text, money, shortest) => {
    expect(moneyOf(text)).toBe(money);
    expect(centsText(money)).toBe(shortest);
  });

  test("lose the decimals beyond the 24th, towards zero", () => {
    expect(moneyOf(`0.${"9".repeat(30)}`)).toBe(cent - 1n);
    expect(moneyOf(`-0.${"9".repeat(30)}`)).toBe(1n - cent);
    expect(moneyOf(`-0.${"0".repeat(24)}9`)).toBe(0n);
  });
});

// prettier-ignore
test.each([
  "", " ", "-", ".", ".5", "5.", "+1", "1e5", "1_000", "1,5", " 1", "1 ", "1\n", "0x10", "--1", "NaN", "Infinity", "-Infinity", "١",
])("%j is no amount", (text) => {
  expect(() => moneyOf(text)).toThrow(`not an amount of cents: ${text}`);
});

test("what is no amount counts as 0 where somebody else may have written it, and why is told", () => {
  const told: unknown[] = [];
  const tellWhy = (why: unknown) => void told.push(String(why));
  expect([moneyOrZero("NaN"), moneyOrZero("NaN", tellWhy)]).toEqual([0n, 0n]);
  expect(moneyOrZero("-1.5", tellWhy)).toBe((-3n * cent) / 2n);
  expect(told).toEqual(["Error: not an amount of cents: NaN"]);
});

test("what is no amount is repeated only so far", () => {
  expect(() => moneyOf("x".repeat(10_000))).toThrow(/: x{50}$/);
});
