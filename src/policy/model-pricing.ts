// What clients are told of prices, so that the costs they show are the operator's: `modelPricing` of the settings they are
// served. Which row prices a model is models/' question; that a policy's own `modelPricing` wins is served-settings.ts's.
import type { SettingsDocument } from "../config/mapping.ts";
import type { PriceOverride } from "../config/pricing-schema.ts";
import type { Config } from "../config/schema.ts";
import { pricedModels } from "../models/price-overrides.ts";
import type { ModelDirectory } from "../models/resolve.ts";
import type { Policy } from "./policy.ts";

/**
 * The prices for the people under a policy: the multiplier unless it is 1, and US dollars per million tokens of each model that
 * the policy admits and a row of `pricing.overrides` prices. Undefined when that is nothing, and for people under no policy,
 * who are served no settings at all.
 * @param models of the same configuration
 */
export function createModelPricing(
  config: Pick<Config, "pricing" | "models" | "upstreams">,
  models: ModelDirectory,
): (policy: Policy | undefined) => SettingsDocument | undefined {
  const priced = pricedModels(config, models).map(({ id, rows }) => ({
    id,
    rates: asClientsRead(rows[0]),
  }));
  const { multiplier = 1 } = config.pricing ?? {};

  return (policy) => {
    if (policy === undefined) return undefined;
    const admitted = priced.filter(({ id }) => policy.access.refusalOf(id) === undefined);
    if (multiplier === 1 && admitted.length === 0) return undefined;
    return {
      ...(multiplier !== 1 && { multiplier }),
      ...(admitted.length > 0 && {
        overrides: Object.fromEntries(admitted.map(({ id, rates }) => [id, rates])),
      }),
    };
  };
}

function asClientsRead({ input, output, cache_read, cache_write }: PriceOverride) {
  return { input, output, cacheRead: cache_read, cacheWrite: cache_write };
}
