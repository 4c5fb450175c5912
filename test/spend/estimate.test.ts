// The most that a call may cost, before it is sent.
import { describe, expect, test } from "bun:test";
import { cent } from "../../src/spend/money.ts";
import { inputTokensOf, mostOf } from "../../src/spend/estimate.ts";
import { createPrices } from "../../src/spend/price.ts";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import { prices, route } from "./core-scene.ts";

const callOf = (body: object | string) =>
  readMessagesCall(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)));

/** Cents at a cent for each token, of which the body comes to some. */
function outputCents(body: object | string): number {
  const call = callOf(body);
  return Number(mostOf(call, [route], prices) / cent) - inputTokensOf(call);
}

describe("the input", () => {
  test("is a token for each four bytes that the body begins", () => {
    const of = (length: number) => inputTokensOf(callOf(`{"model":"m"}${" ".repeat(length - 13)}`));
    expect([of(13), of(16), of(17), of(400)]).toEqual([4, 4, 5, 100]);
  });

  test("is no more than any model reads", () => {
    const call = { ...callOf({ model: "m" }), body: { length: 32 * 1024 * 1024 } as Uint8Array };
    expect(inputTokensOf(call)).toBe(1_000_000);
  });
});

describe("the output", () => {
  test.each([
    [1, 1],
    [64_000, 64_000],
    [1.5, 2],
    [256_001, 256_000],
    [1e300, 256_000],
    [0, 0],
    [-5, 0],
    ["500", 0],
    [null, 0],
    [[500], 0],
  ])("is max_tokens as far as that can be: %j as %i", (asked, expected) => {
    expect(outputCents({ model: "m", max_tokens: asked })).toBe(expected);
  });

  test("is nothing without max_tokens, and with one that is no number", () => {
    expect(outputCents({ model: "m" })).toBe(0);
    expect(outputCents('{"model":"m","max_tokens":1e999}')).toBe(256_000);
    expect(outputCents('{"model":"m","max_tokens":-1e999}')).toBe(0);
  });
});

describe("the price", () => {
  test("is that of the dearest route", () => {
    const price = { output: 0, cache_read: 0, cache_write: 0 };
    const several = createPrices({
      pricing: {
        multiplier: 1,
        overrides: [
          { ...price, upstream: "cheap", model: "m", input: 10_000 },
          { ...price, upstream: "dear", model: "m", input: 30_000 },
          { ...price, upstream: "fair", model: "m", input: 20_000 },
        ],
      },
    });
    const routes = ["cheap", "dear", "fair"].map((upstream) => ({ upstream, upstreamModel: "m" }));
    const call = callOf({ model: "m" });
    expect(mostOf(call, routes, several)).toBe(3n * 4n * cent);
    expect(mostOf(call, routes.slice(0, 1), several)).toBe(4n * cent);
    expect(mostOf(call, [], several)).toBe(0n);
  });

  test("is that of fast mode for a call that asks for it", () => {
    const listed = createPrices({});
    const opus = { upstream: "anthropic", upstreamModel: "claude-opus-4-6" };
    const most = (speed?: unknown) =>
      mostOf(callOf({ model: "claude-opus-4-6", max_tokens: 100_000, speed }), [opus], listed);
    expect(most("fast")).toBeGreaterThan(5n * most());
    expect(most("standard")).toBeLessThan(2n * most());
  });
});
