// What a call costs: its tokens at the operator's price for the model on that upstream, or else at the list price, times the
// multiplier. All of it in whole units of money, so that nothing is rounded; the prices themselves are models/'s and config's.
import { decimalOf } from "../config/decimal.ts";
import type { PriceOverride } from "../config/pricing-schema.ts";
import type { Config } from "../config/schema.ts";
import {
  type ListPrice,
  listPriceOf,
  unknownPrice,
  webSearchDollars,
} from "../models/list-prices.ts";
import { createPriceOverrides } from "../models/price-overrides.ts";
import type { ModelRoute } from "../models/resolve.ts";
import { centDecimals, type Money } from "./money.ts";
import type { Metered, Usage } from "./usage.ts";

export type Prices = {
  /**
   * What a call cost on the route that answered it. Never less for more of anything.
   * @param model as the client wrote it
   * @throws RangeError when a price has more decimals than money, which config/pricing-checks.ts lets no configuration have
   */
  costOf(route: ModelRoute, model: string, usage: Usage): Money;
  /**
   * The same, with what is billed beside it. Whatever the call's own model did besides, it did at the call's own speed; another
   * one has its own prices on the same upstream. Each has a prompt of its own, which may be a long one.
   */
  costOfAll(route: ModelRoute, model: string, metered: Pick<Metered, "usage" | "others">): Money;
};

/** Of one token each, and of one search. */
type Rates = {
  readonly input: Money;
  readonly output: Money;
  readonly cacheRead: Money;
  readonly cacheWrite5m: Money;
  readonly cacheWrite1h: Money;
  readonly webSearch: Money;
};

/** The rates of a model on a route, and what makes all of them dearer. */
type Tariff = {
  readonly rates: Rates;
  readonly fastFactor: bigint;
  readonly longPrompt: { readonly tokens: number; readonly factor: bigint } | undefined;
};

/** Tariffs remembered: one for each route and model that is asked for. */
const tariffsMax = 10_000;

/** A dollar for a million tokens is 10^-4 cents a token. */
const perTokenDecimals = centDecimals - 4;

/** The prices that a configuration makes. */
export function createPrices({ pricing }: Pick<Config, "pricing">): Prices {
  const rowOf = createPriceOverrides(pricing?.overrides ?? []);
  const multiplier = pricing?.multiplier ?? 1;
  const perToken = (dollars: number) => money(dollars, multiplier, perTokenDecimals);
  const webSearch = money(webSearchDollars, multiplier, centDecimals + 2);
  const tariffs = new Map<string, Tariff>();

  function tariffOf(route: ModelRoute, model: string): Tariff {
    // Case never matters; without it, there are no more keys than the operator, the catalog and the providers have ids.
    const key = `${route.upstream}\0${route.upstreamModel}\0${model.toLowerCase()}`;
    const known = tariffs.get(key);
    if (known !== undefined) return known;
    const row = rowOf(route, model);
    const tariff =
      row === undefined ? listed(listPriceOf(route, model) ?? unknownPrice) : overridden(row);
    if (tariffs.size < tariffsMax) tariffs.set(key, tariff);
    return tariff;
  }

  function listed(price: ListPrice): Tariff {
    const { longPrompt } = price;
    return {
      rates: {
        input: perToken(price.input),
        output: perToken(price.output),
        cacheRead: perToken(price.cacheRead),
        cacheWrite5m: perToken(price.cacheWrite5m),
        cacheWrite1h: perToken(price.cacheWrite1h),
        webSearch,
      },
      fastFactor: BigInt(price.fastFactor ?? 1),
      longPrompt: longPrompt && { tokens: longPrompt.tokens, factor: BigInt(longPrompt.factor) },
    };
  }

  /** A row says it all: what the operator pays is the same in fast mode and for long prompts. */
  function overridden(row: PriceOverride): Tariff {
    const cacheWrite = perToken(row.cache_write);
    return {
      rates: {
        input: perToken(row.input),
        output: perToken(row.output),
        cacheRead: perToken(row.cache_read),
        cacheWrite5m: cacheWrite,
        cacheWrite1h: cacheWrite,
        webSearch,
      },
      fastFactor: 1n,
      longPrompt: undefined,
    };
  }

  function costOf(route: ModelRoute, model: string, usage: Usage): Money {
    const { rates, fastFactor, longPrompt } = tariffOf(route, model);
    const tokens =
      BigInt(usage.inputTokens) * rates.input +
      BigInt(usage.outputTokens) * rates.output +
      BigInt(usage.cacheReadTokens) * rates.cacheRead +
      BigInt(usage.cacheWrite5mTokens) * rates.cacheWrite5m +
      BigInt(usage.cacheWrite1hTokens) * rates.cacheWrite1h;
    const isLong = longPrompt !== undefined && promptTokensOf(usage) > longPrompt.tokens;
    const factor = (usage.isFast ? fastFactor : 1n) * (isLong ? longPrompt.factor : 1n);
    return tokens * factor + BigInt(usage.webSearches) * rates.webSearch;
  }

  return {
    costOf,
    costOfAll(route, model, { usage, others }) {
      let cost = costOf(route, model, usage);
      for (const other of others)
        cost +=
          other.model === undefined
            ? costOf(route, model, { ...other.usage, isFast: usage.isFast })
            : costOf(
                { upstream: route.upstream, upstreamModel: other.model },
                other.model,
                other.usage,
              );
      return cost;
    },
  };
}

function promptTokensOf(usage: Usage): number {
  return (
    usage.inputTokens + usage.cacheReadTokens + usage.cacheWrite5mTokens + usage.cacheWrite1hTokens
  );
}

/** `dollars * multiplier`, with the digits that the numbers are written with, in units of 10^-`decimals` of the dollars' own. */
function money(dollars: number, multiplier: number, decimals: number): Money {
  const one = decimalOf(dollars);
  const other = decimalOf(multiplier);
  const exponent = BigInt(decimals + one.exponent + other.exponent);
  return one.digits * other.digits * 10n ** exponent;
}
