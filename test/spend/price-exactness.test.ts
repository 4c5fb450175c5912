// What a call costs, to the last digit: compared with arithmetic that knows fractions only, and against what must be true of any
// price. The prices themselves are in price.test.ts.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { checkPricing } from "../../src/config/pricing-checks.ts";
import { cent, moneyOf } from "../../src/spend/money.ts";
import { noUsage, type Usage } from "../../src/spend/usage.ts";
import { listed, longPrompts, pricesOf, route, row, tokenClasses } from "./listed-prices.ts";

/** A number above zero as somebody writes it: `digits / 10^decimals`; and what is read of it. */
type Written = { digits: bigint; decimals: number; value: number };

/** Numbers up to a maximum, with so many decimals at most, of which a `number` keeps every digit. */
function written(max: number, decimals: number): fc.Arbitrary<Written> {
  const digitsMax = BigInt(max) * 10n ** BigInt(decimals);
  return fc
    .bigInt({ min: 1n, max: digitsMax < seventeenDigits ? digitsMax : seventeenDigits })
    .map((digits) => ({ digits, decimals, value: Number(`${digits}e-${decimals}`) }))
    .filter(({ digits, value }) => significantDigits(value) === withoutZeros(String(digits)));
}

/** No `number` tells more apart. */
const seventeenDigits = 10n ** 17n - 1n;

function significantDigits(value: number): string {
  const [mantissa = ""] = value.toExponential().split("e");
  return withoutZeros(mantissa.replace(".", ""));
}

function withoutZeros(digits: string): string {
  return digits.replace(/0+$/, "");
}

const count = fc.oneof(fc.nat({ max: 300_000 }), fc.maxSafeNat());
const fewer = fc.nat({ max: 10_000 });
const usages: fc.Arbitrary<Usage> = fc.record({
  inputTokens: count,
  outputTokens: count,
  cacheReadTokens: count,
  cacheWrite5mTokens: count,
  cacheWrite1hTokens: count,
  webSearches: count,
  isFast: fc.boolean(),
});
const models = fc.constantFrom(...Object.keys(listed));

/** Sums are compared with so many decimals more than money has, which leave no fraction. */
const furtherDecimals = 60;

/** The money for so many tokens, at dollars for a million of them, with `furtherDecimals`. */
function moneyFor(tokens: bigint, dollars: Written, by: Written): bigint {
  // 100 cents a dollar, a millionth for one token.
  const left = furtherDecimals - 4 - dollars.decimals - by.decimals;
  return tokens * dollars.digits * by.digits * cent * 10n ** BigInt(left);
}

/** What list prices come to before they are multiplied, in millionths. */
function listCost(model: string, usage: Usage): bigint {
  const [cents = "", fastFactor = 1n] = listed[model] ?? [];
  const rates = cents.split(" ").map(moneyOf);
  const [input, output, ...cached] = tokenClasses.map((name) => BigInt(usage[name]));
  const tokens = sum([input, output, ...cached].map((used = 0n, at) => used * (rates[at] ?? 0n)));
  const long = longPrompts[model];
  const isLong = long !== undefined && sum([input ?? 0n, ...cached]) > BigInt(long.tokens);
  const factor = (usage.isFast ? fastFactor : 1n) * (isLong ? long.factor : 1n);
  return tokens * factor + BigInt(usage.webSearches) * cent * 1_000_000n;
}

function sum(parts: readonly bigint[]): bigint {
  return parts.reduce((all, part) => all + part, 0n);
}

describe("what the configuration admits is counted exactly:", () => {
  const complaints = (pricing: object) =>
    checkPricing({ pricing, admin: {} }, { modelKeyOf: (spelling) => spelling });

  test("rows, with 20 decimals together with the multiplier's", () => {
    const cases = fc.nat({ max: 16 }).chain((decimals) => {
      const rate = fc.nat({ max: 20 - decimals }).chain((most) => written(10_000, most));
      return fc.tuple(written(10, decimals), rate, rate, rate, rate);
    });
    fc.assert(
      fc.property(cases, usages, ([by, input, output, cacheRead, cacheWrite], usage) => {
        const rates = {
          input: input.value,
          output: output.value,
          cache_read: cacheRead.value,
          cache_write: cacheWrite.value,
        };
        const overrides = [row("house", rates)];
        expect(complaints({ multiplier: by.value, overrides })).toEqual([]);

        const writes = BigInt(usage.cacheWrite5mTokens) + BigInt(usage.cacheWrite1hTokens);
        // A cent is as much as 10,000 tokens at a dollar for a million.
        const searches = BigInt(usage.webSearches) * 10_000n;
        const cost = pricesOf(overrides, by.value).costOf(route("house"), "x", usage);
        expect(cost * 10n ** BigInt(furtherDecimals)).toBe(
          moneyFor(BigInt(usage.inputTokens), input, by) +
            moneyFor(BigInt(usage.outputTokens), output, by) +
            moneyFor(BigInt(usage.cacheReadTokens), cacheRead, by) +
            moneyFor(writes, cacheWrite, by) +
            moneyFor(searches, { digits: 1n, decimals: 0, value: 1 }, by),
        );
      }),
    );
  });

  test("list prices, with 16 decimals of the multiplier", () => {
    const multipliers = fc.nat({ max: 16 }).chain((decimals) => written(10, decimals));
    fc.assert(
      fc.property(multipliers, models, usages, (by, model, usage) => {
        expect(complaints({ multiplier: by.value })).toEqual([]);
        const cost = pricesOf([], by.value).costOf(route(model), model, usage);
        expect(cost * 1_000_000n * 10n ** BigInt(by.decimals)).toBe(
          listCost(model, usage) * by.digits,
        );
      }),
    );
  });

  test("and what would not be is not admitted", () => {
    const by = 0.1234567890123456;
    const overrides = [row("house", { input: 0.00001 })];
    expect(() => pricesOf(overrides, by).costOf(route("house"), "x", noUsage)).toThrow(RangeError);
    expect(complaints({ multiplier: by, overrides })).toHaveLength(1);
    expect(complaints({ multiplier: 1e-17 })).toHaveLength(1);
  });
});

describe("whatever a call used,", () => {
  const prices = pricesOf([row("house", { cache_read: 0.01 })], 0.9);
  const cost = (model: string, usage: Usage) => prices.costOf(route(model), model, usage);

  test("it costs more with more of anything, no less in fast mode, and never less than nothing", () => {
    const more = fc.record({
      name: fc.constantFrom(...tokenClasses, "webSearches" as const),
      by: fc.integer({ min: 1, max: 200_000 }),
    });
    fc.assert(
      fc.property(models, usages, more, (model, usage, { name, by }) => {
        fc.pre(Number.isSafeInteger(usage[name] + by));
        const before = cost(model, usage);
        expect(before >= 0n).toBe(true);
        expect(cost(model, { ...usage, [name]: usage[name] + by }) > before).toBe(true);
        expect(cost(model, { ...usage, isFast: true }) >= before).toBe(true);
      }),
    );
  });

  test("nothing costs nothing", () => {
    expect(Object.keys(listed).filter((model) => cost(model, noUsage) !== 0n)).toEqual([]);
  });

  test("two calls cost as much as one that used both, where no prompt is long", () => {
    const part = fc.record({
      inputTokens: fewer,
      outputTokens: fc.nat(),
      cacheReadTokens: fewer,
      cacheWrite5mTokens: fewer,
      cacheWrite1hTokens: fewer,
      webSearches: fewer,
    });
    fc.assert(
      fc.property(models, part, part, fc.boolean(), (model, one, other, isFast) => {
        const both = {
          inputTokens: one.inputTokens + other.inputTokens,
          outputTokens: one.outputTokens + other.outputTokens,
          cacheReadTokens: one.cacheReadTokens + other.cacheReadTokens,
          cacheWrite5mTokens: one.cacheWrite5mTokens + other.cacheWrite5mTokens,
          cacheWrite1hTokens: one.cacheWrite1hTokens + other.cacheWrite1hTokens,
          webSearches: one.webSearches + other.webSearches,
        };
        const apart = cost(model, { ...one, isFast }) + cost(model, { ...other, isFast });
        expect(cost(model, { ...both, isFast })).toBe(apart);
      }),
    );
  });
});
