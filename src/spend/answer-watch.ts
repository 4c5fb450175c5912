// What others than the ledger are told of an answer on its way to the client, such as the telemetry of its request.
import type { OverAnswer } from "./answer-meter.ts";
import type { Money } from "./money.ts";
import type { Metered } from "./usage.ts";

/** What a call used, and what that costs at the operator's prices. */
export type Charged = Metered & { readonly cost: Money };

/** Who watches one answer. None of it may throw. */
export type AnswerWatch = {
  /** Its first bytes are there. */
  readonly begun: () => void;
  /** It is over, whichever way. */
  readonly over: (answer: OverAnswer) => void;
  /** What it came to, once, after it was over: undefined for nothing. */
  readonly charged: (charged: Charged | undefined) => void;
};
