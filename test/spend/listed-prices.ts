// What models cost by their list prices, as measured at the reference gateway and not as the source has it; and how the tests of
// prices put together what they need.
import type { PriceOverride } from "../../src/config/pricing-schema.ts";
import { createPrices } from "../../src/spend/price.ts";
import { noUsage, type Usage } from "../../src/spend/usage.ts";

/** The five classes of tokens, in the order of the tables here. */
export const tokenClasses = [
  "inputTokens",
  "outputTokens",
  "cacheReadTokens",
  "cacheWrite5mTokens",
  "cacheWrite1hTokens",
] as const;

/** Cents for a million tokens of each class; and how much more in fast mode. Measured at the reference gateway. */
export const listed: Readonly<Record<string, readonly [cents: string, fastFactor: bigint]>> = {
  "claude-fable-5": ["1000 5000 100 1250 2000", 1n],
  "claude-fable-5-1": ["1000 5000 25 1250 2000", 1n],
  "claude-fable-5-2": ["800 4000 20 1000 1600", 2n],
  "claude-mythos-5": ["1000 5000 100 1250 2000", 1n],
  "claude-mythos-5-1": ["1000 5000 25 1250 2000", 1n],
  "claude-mythos-5-2": ["800 4000 20 1000 1600", 2n],
  "claude-opus-4": ["1500 7500 150 1875 3000", 1n],
  "claude-opus-4-0": ["1500 7500 150 1875 3000", 1n],
  "claude-opus-4-1": ["1500 7500 150 1875 3000", 1n],
  "claude-opus-4-5": ["500 2500 50 625 1000", 1n],
  "claude-opus-4-6": ["500 2500 50 625 1000", 6n],
  "claude-opus-4-7": ["500 2500 50 625 1000", 6n],
  "claude-opus-4-8": ["500 2500 50 625 1000", 2n],
  "claude-opus-5": ["500 2500 50 625 1000", 2n],
  "claude-opus-5-5": ["400 2000 20 500 800", 2n],
  "claude-3-5-sonnet": ["300 1500 30 375 600", 1n],
  "claude-3-7-sonnet": ["300 1500 30 375 600", 1n],
  "claude-sonnet-4": ["300 1500 30 375 600", 1n],
  "claude-sonnet-4-0": ["300 1500 30 375 600", 1n],
  "claude-sonnet-4-5": ["300 1500 30 375 600", 1n],
  "claude-sonnet-4-6": ["300 1500 30 375 600", 1n],
  "claude-sonnet-5": ["200 1000 20 250 400", 1n],
  "claude-sonnet-5-5": ["200 1000 10 250 400", 1n],
  "claude-3-5-haiku": ["80 400 8 100 160", 1n],
  "claude-haiku-4-5": ["100 500 10 125 200", 1n],
  "claude-haiku-5-5": ["10 50 1 12.5 20", 1n],
  // Models that nobody knows the price of.
  house: ["500 2500 50 625 1000", 1n],
  "claude-opus-6": ["500 2500 50 625 1000", 1n],
  "claude-3-haiku-20240307": ["500 2500 50 625 1000", 1n],
};

/** Prompts of more tokens make the whole call dearer. */
export const longPrompts: Readonly<Record<string, { tokens: number; factor: bigint }>> = {
  "claude-haiku-5-5": { tokens: 100_000, factor: 5n },
};

export const route = (upstreamModel: string, upstream = "a") => ({ upstream, upstreamModel });
export const used = (more: Partial<Usage>): Usage => ({ ...noUsage, ...more });
export const pricesOf = (overrides: PriceOverride[] = [], multiplier = 1) =>
  createPrices({ pricing: { multiplier, overrides } });
export const row = (model: string, more: Partial<PriceOverride> = {}): PriceOverride => ({
  upstream: "a",
  model,
  input: 1,
  output: 2,
  cache_read: 3,
  cache_write: 4,
  ...more,
});
