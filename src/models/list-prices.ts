// What providers charge for Claude models by their lists, in US dollars per million tokens, as of November 2026. Data, and the
// look-up by a model's name; what an operator pays instead is in price-overrides.ts, what a call costs is the spend meter's.
import { claudeNameIn } from "./names.ts";
import type { ModelRoute } from "./resolve.ts";

/** US dollars per million tokens. */
export type ListPrice = {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  /** For five minutes. */
  readonly cacheWrite5m: number;
  /** For an hour. */
  readonly cacheWrite1h: number;
  /** In fast mode everything costs so many times as much. */
  readonly fastFactor?: number;
  /** When the prompt, what is cached of it included, has more tokens than this, everything costs so many times as much. */
  readonly longPrompt?: { readonly tokens: number; readonly factor: number };
};

/** US dollars for one web search. */
export const webSearchDollars = 0.01;

/** What a model without a list price is taken to cost. */
export const unknownPrice = price(5, 25, 0.5);

const opus4 = price(15, 75, 1.5);
const opus = price(5, 25, 0.5);
const sonnet4 = price(3, 15, 0.3);
const haiku35 = price(0.8, 4, 0.08);
const fable5 = price(10, 50, 1);
const fable51 = price(10, 50, 0.25);
const fable52 = { ...price(8, 40, 0.2), fastFactor: 2 };

/** By the name without date or geography. A minor version that is not here has no price, rather than that of its major one. */
const prices: Readonly<Record<string, ListPrice>> = {
  "claude-fable-5": fable5,
  "claude-fable-5-1": fable51,
  "claude-fable-5-2": fable52,
  "claude-mythos-5": fable5,
  "claude-mythos-5-1": fable51,
  "claude-mythos-5-2": fable52,
  "claude-opus-4": opus4,
  "claude-opus-4-1": opus4,
  "claude-opus-4-5": opus,
  "claude-opus-4-6": { ...opus, fastFactor: 6 },
  "claude-opus-4-7": { ...opus, fastFactor: 6 },
  "claude-opus-4-8": { ...opus, fastFactor: 2 },
  "claude-opus-5": { ...opus, fastFactor: 2 },
  "claude-opus-5-5": { ...price(4, 20, 0.2), fastFactor: 2 },
  "claude-3-5-sonnet": sonnet4,
  "claude-3-7-sonnet": sonnet4,
  "claude-sonnet-4": sonnet4,
  "claude-sonnet-4-5": sonnet4,
  "claude-sonnet-4-6": sonnet4,
  "claude-sonnet-5": price(2, 10, 0.2),
  "claude-sonnet-5-5": price(2, 10, 0.1),
  "claude-3-5-haiku": haiku35,
  "claude-haiku-4-5": price(1, 5, 0.1),
  "claude-haiku-5-5": {
    ...price(0.1, 0.5, 0.01),
    longPrompt: { tokens: 100_000, factor: 5 },
  },
};

/**
 * The name of the Claude model that a call is priced as: the one that the upstream's id names, or else the client's, as long as
 * it has a list price. Undefined when neither does.
 */
export function pricedNameOf(
  { upstreamModel }: Pick<ModelRoute, "upstreamModel">,
  model: string,
): string | undefined {
  // `claude-opus-4-0` is another name of `claude-opus-4`.
  const names = [upstreamModel, model].map((id) => claudeNameIn(id)?.replace(/-0$/, ""));
  return names.find((name) => name !== undefined && Object.hasOwn(prices, name));
}

/** The list price of a call; undefined when the model has none. */
export function listPriceOf(
  route: Pick<ModelRoute, "upstreamModel">,
  model: string,
): ListPrice | undefined {
  const name = pricedNameOf(route, model);
  return name === undefined ? undefined : prices[name];
}

/** With the usual prices of what is written to the cache: a quarter more than input for five minutes, the double for an hour. */
function price(input: number, output: number, cacheRead: number): ListPrice {
  return { input, output, cacheRead, cacheWrite5m: input * 1.25, cacheWrite1h: input * 2 };
}
