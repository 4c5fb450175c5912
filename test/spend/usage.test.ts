// What a `usage` object of the Messages API says, and which ones say nothing that could be charged.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { noUsage, readUsage, type Usage } from "../../src/spend/usage.ts";

const read = (usage: object): Usage | undefined => readUsage({ input_tokens: 1, ...usage });
const one = { ...noUsage, inputTokens: 1 };

test("every class of tokens is read, and searches", () => {
  expect(
    readUsage({
      input_tokens: 1,
      output_tokens: 2,
      cache_read_input_tokens: 3,
      cache_creation_input_tokens: 9,
      cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
      server_tool_use: { web_search_requests: 6, web_fetch_requests: 7 },
      service_tier: "standard",
      iterations: [{ input_tokens: 100 }],
    }),
  ).toEqual({
    inputTokens: 1,
    outputTokens: 2,
    cacheReadTokens: 3,
    cacheWrite5mTokens: 4,
    cacheWrite1hTokens: 5,
    webSearches: 6,
    isFast: false,
  });
});

test("what is left out is 0, and so is what is null beside the tokens in and out", () => {
  expect(readUsage({})).toEqual(noUsage);
  const nulls = { cache_read_input_tokens: null, cache_creation_input_tokens: null };
  expect(read({ ...nulls, cache_creation: null, server_tool_use: null, speed: null })).toEqual(one);
  expect(read({ cache_creation: {}, server_tool_use: {} })).toEqual(one);
});

describe("cache writes", () => {
  const written = (all: number | undefined, for5m: number, for1h: number) => {
    const usage = read({
      ...(all !== undefined && { cache_creation_input_tokens: all }),
      cache_creation: { ephemeral_5m_input_tokens: for5m, ephemeral_1h_input_tokens: for1h },
    });
    return [usage?.cacheWrite5mTokens, usage?.cacheWrite1hTokens];
  };

  test("that are not said to be for an hour are for 5 minutes", () => {
    expect(written(100, 7, 30)).toEqual([70, 30]);
    expect(read({ cache_creation_input_tokens: 100 })?.cacheWrite5mTokens).toBe(100);
  });

  test("for an hour are no more than there are in all", () => {
    expect(written(100, 7, 300)).toEqual([0, 100]);
  });

  test("are taken from their parts where no sum is given", () => {
    expect(written(undefined, 7, 30)).toEqual([7, 30]);
    expect(written(0, 7, 30)).toEqual([7, 30]);
  });
});

test("fast is what says exactly so", () => {
  expect(read({ speed: "fast" })?.isFast).toBe(true);
  for (const speed of ["FAST", "standard", ""]) expect(read({ speed })?.isFast).toBe(false);
});

describe("nothing of a usage counts", () => {
  const unreadable: unknown[] = ["5", true, {}, [], -1, 0.5, 2 ** 53, 1e300, Number.NaN];
  const fields: ((value: unknown) => object)[] = [
    (value) => ({ input_tokens: value }),
    (value) => ({ output_tokens: value }),
    (value) => ({ cache_read_input_tokens: value }),
    (value) => ({ cache_creation_input_tokens: value }),
    (value) => ({ cache_creation: { ephemeral_5m_input_tokens: value } }),
    (value) => ({ cache_creation: { ephemeral_1h_input_tokens: value } }),
    (value) => ({ server_tool_use: { web_search_requests: value } }),
  ];

  test("with anything but a whole number from 0 for a count", () => {
    for (const field of fields)
      for (const value of unreadable) expect(read(field(value))).toBeUndefined();
  });

  test("with null for the tokens in or out, or for a part of something", () => {
    expect(read({ input_tokens: null })).toBeUndefined();
    expect(read({ output_tokens: null })).toBeUndefined();
    for (const field of fields.slice(4)) expect(read(field(null))).toBeUndefined();
  });

  test("with something of another kind for a group of counts or for the speed", () => {
    for (const value of ["x", 5, []]) {
      expect(read({ cache_creation: value })).toBeUndefined();
      expect(read({ server_tool_use: value })).toBeUndefined();
    }
    for (const value of [5, {}, true]) expect(read({ speed: value })).toBeUndefined();
  });

  test("that is no object", () => {
    for (const value of [null, undefined, 5, "5", [], true])
      expect(readUsage(value)).toBeUndefined();
  });
});

test("whatever is read, every count is a whole number from 0", () => {
  const value = fc.oneof(fc.integer(), fc.double(), fc.constant(null), fc.jsonValue());
  const usage = fc.record(
    {
      input_tokens: value,
      output_tokens: value,
      cache_read_input_tokens: value,
      cache_creation_input_tokens: value,
      cache_creation: fc.oneof(value, fc.record({ ephemeral_1h_input_tokens: value })),
      server_tool_use: fc.oneof(value, fc.record({ web_search_requests: value })),
      speed: value,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(usage, (given) => {
      const { isFast, ...counts } = readUsage(given) ?? noUsage;
      expect(typeof isFast).toBe("boolean");
      for (const count of Object.values(counts)) {
        expect(Number.isSafeInteger(count)).toBe(true);
        expect(count).toBeGreaterThanOrEqual(0);
      }
    }),
  );
});
