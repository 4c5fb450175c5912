// What the shape of `pricing:` cannot say: that somebody reads it, that each row is the only one for an upstream that is there,
// and that spend can be counted exactly with it. A rule passes over what does not have its shape.
import { rateNames } from "./pricing-schema.ts";
import { decimalOf } from "./decimal.ts";
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";
import { nameOf } from "./upstream-checks.ts";

type Settings = Pick<Partly<Written>, "pricing" | "managed" | "upstreams" | "admin">;

type Surroundings = {
  /** What all spellings of one model have in common; of other ids, what their cases have. */
  modelKeyOf: (spelling: string) => string;
};

/**
 * Decimals that a price may have when it is multiplied. Spend is counted in units of 10^-24 cents (spend/money.ts), and dollars
 * per million tokens are a ten-thousandth as many cents per token.
 */
const decimalsMax = 20;

/** Decimals that are left to list prices, which have three at most. */
const listDecimalsMax = 4;

const rules: readonly ((settings: Settings, around: Surroundings) => readonly Finding[])[] = [
  (settings) =>
    when(
      // What does not have its shape may still be meant.
      "pricing" in settings &&
        !("admin" in settings) &&
        (!("managed" in settings) || settings.managed?.policies?.length === 0),
      ["pricing"],
      "has no effect without an admin: block or a managed: block with at least one policy — the spend meter (admin) and the modelPricing pushed to clients (managed) are the only readers",
    ),

  ({ pricing, upstreams }) => {
    const names = upstreams?.map(nameOf);
    // An upstream that could not be read may be the one that is meant.
    if (names === undefined || names.includes(undefined)) return [];
    return (pricing?.overrides ?? []).flatMap((row, index) =>
      when(
        row?.upstream !== undefined && !names.includes(row.upstream),
        ["pricing", "overrides", index, "upstream"],
        `references unknown upstream '${row?.upstream}'`,
      ),
    );
  },

  ({ pricing }, { modelKeyOf }) => {
    const firstSpelling = new Map<string, string>();
    return (pricing?.overrides ?? []).flatMap((row, index) => {
      const { upstream, model } = row ?? {};
      if (upstream === undefined || model === undefined) return [];
      const key = JSON.stringify([upstream, modelKeyOf(model)]);
      const first = firstSpelling.get(key);
      if (first === undefined) firstSpelling.set(key, model);
      return when(
        first !== undefined,
        ["pricing", "overrides", index],
        `duplicates the pricing override for '${first}' on upstream '${upstream}'`,
      );
    });
  },

  ({ pricing }) =>
    when(
      decimalsOf(pricing?.multiplier) > decimalsMax - listDecimalsMax,
      ["pricing", "multiplier"],
      `may have at most ${decimalsMax - listDecimalsMax} decimals, so that spend can be counted exactly; it has ${decimalsOf(pricing?.multiplier)}`,
    ),

  ({ pricing }) => {
    const ofMultiplier = decimalsOf(pricing?.multiplier);
    // It has been spoken of already.
    if (ofMultiplier > decimalsMax - listDecimalsMax) return [];
    return (pricing?.overrides ?? []).flatMap((row, index) =>
      rateNames.flatMap((rate) =>
        when(
          decimalsOf(row?.[rate]) + ofMultiplier > decimalsMax,
          ["pricing", "overrides", index, rate],
          `may have at most ${decimalsMax - ofMultiplier} decimals${ofMultiplier > 0 ? ` beside the ${ofMultiplier} of pricing.multiplier` : ""}, so that spend can be counted exactly; it has ${decimalsOf(row?.[rate])}`,
        ),
      ),
    );
  },
];

/** Every broken rule. */
export function checkPricing(settings: Settings, around: Surroundings): Finding[] {
  return rules.flatMap((rule) => rule(settings, around));
}

/** How many decimals a number has, written out: 2 of 0.25, 7 of 1e-7. */
function decimalsOf(value = 0): number {
  return Math.max(0, -decimalOf(value).exponent);
}
