// The most that a call may cost, before it is sent: its body as input, `max_tokens` as output, at the dearest of its routes.
import type { ModelRoute } from "../models/resolve.ts";
import { fieldText, fieldValue, type MessagesCall } from "../upstream/request/call.ts";
import type { Money } from "./money.ts";
import type { Prices } from "./price.ts";
import { noUsage } from "./usage.ts";

/** Bytes of a body that are taken for one token. */
const tokenBytes = 4;

/** No model reads more tokens, or writes more: beyond that nobody's budget is held by a number in a body. */
const inputTokensMax = 1_000_000;
const outputTokensMax = 256_000;

export function mostOf(call: MessagesCall, routes: readonly ModelRoute[], prices: Prices): Money {
  const usage = {
    ...noUsage,
    inputTokens: inputTokensOf(call),
    outputTokens: outputTokensOf(call),
    isFast: fieldText(call, "speed") === '"fast"',
  };
  return routes
    .map((route) => prices.costOf(route, call.model, usage))
    .reduce((most, cost) => (cost > most ? cost : most), 0n);
}

/** About as many tokens as the call has the upstream read. */
export function inputTokensOf({ body }: MessagesCall): number {
  return Math.min(Math.ceil(body.length / tokenBytes), inputTokensMax);
}

/** 0 for a call without a `max_tokens` that can be read, which no upstream takes. */
function outputTokensOf(call: MessagesCall): number {
  const asked = fieldValue(call, "max_tokens");
  if (typeof asked !== "number" || !(asked > 0)) return 0;
  return Math.min(Math.ceil(asked), outputTokensMax);
}
