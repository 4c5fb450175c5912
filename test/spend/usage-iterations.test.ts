// Which iterations of a `usage` are billed beside its own counts, and for which model.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { noUsage } from "../../src/spend/usage.ts";
import { othersIn } from "../../src/spend/usage-iterations.ts";

const others = (...iterations: readonly unknown[]) => othersIn({ input_tokens: 1, iterations });
const counts = { input_tokens: 180, output_tokens: 35 };
const usage = { ...noUsage, inputTokens: 180, outputTokens: 35 };
const compaction = { type: "compaction", ...counts };
const compacted = { model: undefined, usage };

test("a compaction is, by the model of the call, in every class of tokens", () => {
  const cached = {
    cache_read_input_tokens: 3,
    cache_creation_input_tokens: 9,
    cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 5 },
  };
  expect(others({ ...compaction, ...cached, model: "claude-opus-5" })).toEqual([
    {
      model: undefined,
      usage: { ...usage, cacheReadTokens: 3, cacheWrite5mTokens: 4, cacheWrite1hTokens: 5 },
    },
  ]);
});

test("an advisor is, by the model that its entry names", () => {
  const advisor = { type: "advisor_message", model: "claude-opus-5", ...counts };
  expect(others(advisor, compaction)).toEqual([{ model: "claude-opus-5", usage }, compacted]);
});

test("an advisor that is not named in a readable way is, as if it were the call's model", () => {
  for (const model of [undefined, null, "", 5, {}, "x".repeat(257)])
    expect(others({ type: "advisor_message", model, ...counts })).toEqual([compacted]);
  expect(others({ type: "advisor_message", model: "x".repeat(256) })?.[0]?.model).toHaveLength(256);
});

test("what is within the counts is not, nor is what nobody knows", () => {
  for (const type of ["message", "fallback_message", "COMPACTION", "", undefined, 5])
    expect(others({ type, model: "claude-opus-5", ...counts })).toEqual([]);
});

describe("an entry that cannot be read", () => {
  test("is skipped, and the others count", () => {
    const unreadable = [
      null,
      5,
      "compaction",
      [compaction],
      { ...compaction, input_tokens: -1 },
      { ...compaction, output_tokens: null },
      { ...compaction, cache_read_input_tokens: "5" },
    ];
    for (const entry of unreadable) expect(others(entry, compaction)).toEqual([compacted]);
  });
});

test("no more than a hundred entries are looked at", () => {
  expect(others(...Array.from({ length: 101 }, () => compaction))).toHaveLength(100);
  const behind = [...Array.from({ length: 100 }, () => ({ type: "message" })), compaction];
  expect(others(...behind)).toEqual([]);
});

test("iterations of an iteration are none", () => {
  expect(others({ ...compaction, iterations: [compaction] })).toEqual([compacted]);
});

test("a usage without a list says nothing of it", () => {
  for (const iterations of [undefined, null, {}, "x", 5])
    expect(othersIn({ iterations })).toBeUndefined();
  for (const value of [undefined, null, "x", [compaction]]) expect(othersIn(value)).toBeUndefined();
  expect(others()).toEqual([]);
});

test("whatever is in the list, every count is a whole number from 0", () => {
  const value = fc.oneof(fc.integer(), fc.double(), fc.constant(null), fc.jsonValue());
  const entry = fc.oneof(
    value,
    fc.record({
      type: fc.constantFrom("compaction", "advisor_message"),
      model: value,
      input_tokens: value,
      cache_creation: value,
    }),
  );
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      for (const { usage: found } of others(...entries) ?? []) {
        const { isFast, ...all } = found;
        expect(isFast).toBe(false);
        for (const count of Object.values(all)) {
          expect(Number.isSafeInteger(count)).toBe(true);
          expect(count).toBeGreaterThanOrEqual(0);
        }
      }
    }),
  );
});
