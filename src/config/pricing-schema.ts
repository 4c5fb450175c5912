// The shape of `pricing:`: what the operator pays for tokens where that is not the list price. What a shape cannot say is in
// pricing-checks.ts; which row prices a model is decided in models/price-overrides.ts, what clients are told of it in policy/.
import { type Static, Type } from "@sinclair/typebox";
import { closed, list, text } from "./pieces.ts";

const multiplierMax = 10;
const rateMax = 10_000;

/**
 * US dollars per million tokens, as the number that is written. Nobody may compute money with it in floating point: clients
 * are sent it as it is, and the spend meter is to count in whole units of its decimal digits, which `String(rate)` gives back.
 */
const rate = Type.Number({
  exclusiveMinimum: 0,
  maximum: rateMax,
  description: `a number of US dollars per million tokens, greater than 0 and at most ${rateMax}`,
});

/** What one model costs on one upstream. */
const override = Type.Object(
  {
    upstream: text("the name of an upstream"),
    model: text("a model id, as clients or the upstream spell it"),
    input: rate,
    output: rate,
    cache_read: rate,
    /** For five minutes and for an hour alike. */
    cache_write: rate,
  },
  closed,
);

/** The members of a row that are rates. */
export const rateNames = ["input", "output", "cache_read", "cache_write"] as const;

export const pricing = Type.Object(
  {
    /** Of every price, overridden or not: 0.9 is a discount of a tenth. */
    multiplier: Type.Number({
      exclusiveMinimum: 0,
      maximum: multiplierMax,
      default: 1,
      description: `a number greater than 0 and at most ${multiplierMax}`,
    }),
    overrides: list(override),
  },
  closed,
);

export type PriceOverride = Static<typeof override>;
