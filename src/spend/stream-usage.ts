// What the events of a streamed answer come to. A stream tells its usage in parts: what the model read in `message_start`, what
// it wrote in `message_delta`, which counts from the beginning each time it comes. How events are found in the bytes is
// stream-meter.ts's.
import { memberOf } from "../config/mapping.ts";
import { type ToldAnswer, toldWord } from "./told-answer.ts";
import {
  isUnreadable,
  type Metered,
  type OtherUsage,
  toldInPart,
  type ToldUsage,
  toldWhole,
  usageOf,
} from "./usage.ts";
import { tokensOf } from "./usage-estimate.ts";
import { othersIn } from "./usage-iterations.ts";

export type StreamUsage = {
  /** A `message_start`. */
  start(event: unknown): void;
  /** A `message_delta`. */
  delta(event: unknown): void;
  /** An `error`. */
  failed(event: unknown): void;
  /** Characters that the model wrote. */
  wrote(characters: number): void;
  /** What it comes to; undefined when there was nothing of it. */
  sum(): Metered | undefined;
  /** What was said of the answer, but for whether it was whole. */
  told(): Omit<ToldAnswer, "isWhole">;
};

/** Counts that only grow. */
const growing = [
  "inputTokens",
  "cacheReadTokens",
  "cacheWriteTokens",
  "cacheWrite1hTokens",
] as const;

/** Where nothing is told, nothing is added. */
const nothingTold: ToldUsage = {
  inputTokens: undefined,
  outputTokens: undefined,
  cacheReadTokens: undefined,
  cacheWriteTokens: 0,
  cacheWrite1hTokens: undefined,
  webSearches: undefined,
  speed: undefined,
};

/**
 * The usage of one stream. An event without one, or with one that cannot be read, counts as if it were not there; of the latter
 * it is told that there was one.
 *
 * A turn that uses the provider's own tools is several calls to the model, and its `message_delta` then tells more input than
 * its start did: the largest count holds. A further `message_start` begins again. Output is what the last `message_delta` says
 * (a start's is where the model was then), and is estimated by what was written when none came. Of the lists of iterations, too,
 * the last one holds.
 */
export function createStreamUsage(): StreamUsage {
  let isEmpty = true;
  let told = nothingTold;
  let others: readonly OtherUsage[] = [];
  let isAnyUnreadable = false;
  let charactersWritten = 0;
  let errorType: string | undefined;
  /** As they were sent. */
  let id: unknown;
  let model: unknown;
  let stopReason: unknown;

  /** Takes note of a `usage` as it was sent, and as it was read. */
  function note(value: unknown, usage: ToldUsage | undefined): void {
    if (isUnreadable(value, usage)) isAnyUnreadable = true;
    if (usage !== undefined) others = othersIn(value) ?? others;
    isEmpty &&= usage === undefined && !isAnyUnreadable;
  }

  return {
    start(event) {
      const message = memberOf(event, "message");
      id = memberOf(message, "id");
      model = memberOf(message, "model");
      const value = memberOf(message, "usage");
      const usage = toldWhole(value);
      note(value, usage);
      if (usage === undefined) return;
      told = {
        ...usage,
        inputTokens: usage.inputTokens ?? told.inputTokens,
        outputTokens: told.outputTokens,
        webSearches: usage.webSearches ?? told.webSearches,
        speed: usage.speed ?? told.speed,
      };
    },
    delta(event) {
      stopReason = memberOf(memberOf(event, "delta"), "stop_reason") ?? stopReason;
      const value = memberOf(event, "usage");
      const usage = toldInPart(value);
      note(value, usage);
      if (usage === undefined) return;
      const grown = growing.map((count) => [count, larger(told[count], usage[count])]);
      told = {
        ...told,
        ...Object.fromEntries(grown),
        outputTokens: usage.outputTokens ?? told.outputTokens,
        webSearches: usage.webSearches ?? told.webSearches,
      };
    },
    failed(event) {
      errorType = toldWord(memberOf(memberOf(event, "error"), "type")) ?? "other";
    },
    wrote(characters) {
      isEmpty &&= characters === 0;
      charactersWritten += characters;
    },
    sum() {
      if (isEmpty) return undefined;
      const { outputTokens = tokensOf(charactersWritten) } = told;
      return {
        usage: usageOf({ ...told, outputTokens }),
        others,
        isEstimate: told.outputTokens === undefined,
        isUnreadable: isAnyUnreadable,
      };
    },
    told: () => ({
      id: toldWord(id),
      model: toldWord(model),
      stopReason: toldWord(stopReason),
      errorType,
    }),
  };
}

function larger(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}
