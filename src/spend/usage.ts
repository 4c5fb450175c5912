// What a call used, as the Messages API reports it: how it is told by a `usage` object, and what a reader of answers that finds
// it must offer. What it costs is price.ts's; those readers are json-meter.ts and stream-meter.ts; what `usage` tells of further
// calls to models is usage-iterations.ts's.
import { isMapping, memberOf } from "../config/mapping.ts";
import type { ToldAnswer } from "./told-answer.ts";

/** Token counts of one call: whole numbers from 0. No class is contained in another one. */
export type Usage = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWrite5mTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly webSearches: number;
  /** Served in fast mode, which has prices of its own. */
  readonly isFast: boolean;
};

/** A call that used nothing. */
export const noUsage: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWrite5mTokens: 0,
  cacheWrite1hTokens: 0,
  webSearches: 0,
  isFast: false,
};

/** What the provider bills beside a call's own usage, at the prices of `model`: undefined for that of the call. */
export type OtherUsage = { readonly model: string | undefined; readonly usage: Usage };

/** What a call used. */
export type Metered = {
  readonly usage: Usage;
  /** None, as a rule. */
  readonly others: readonly OtherUsage[];
  /** The answer did not say, or was cut before it said all. */
  readonly isEstimate: boolean;
  /** A `usage` was there that could not be read, so that this may be too little. */
  readonly isUnreadable: boolean;
};

/** Looks at one answer. Takes any bytes, split anywhere, and never throws. */
export type AnswerMeter = {
  /**
   * Returns whether the answer is over with it, as far as what it used goes. The chunk is not changed, and may be kept. What
   * comes after `end` counts for nothing.
   */
  read(chunk: Uint8Array): boolean;
  /** What the call used, by what was read; undefined when that is nothing. To be asked once. */
  end(): Metered | undefined;
  /** What the answer says of itself, as far as it came. To be asked after `end`. */
  told(): ToldAnswer;
};

/** The fields of one `usage` object; undefined where it says nothing. */
export type ToldUsage = {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
  readonly cacheReadTokens: number | undefined;
  /** All cache writes: as their sum is told, or else their parts. */
  readonly cacheWriteTokens: number;
  /** The part of them that is for an hour. */
  readonly cacheWrite1hTokens: number | undefined;
  readonly webSearches: number | undefined;
  readonly speed: string | undefined;
};

/**
 * The `usage` of a whole answer. Undefined when there is none that can be read: a count in it is no whole number from 0 (a
 * negative one would give money back), or the tokens in or out are null. A field that is left out is 0.
 */
export function readUsage(value: unknown): Usage | undefined {
  const told = toldWhole(value);
  return told && usageOf(told);
}

/** Whether it is a `usage` at all that could not be read: null and what is left out are none. */
export function isUnreadable(value: unknown, read: Usage | ToldUsage | undefined): boolean {
  return read === undefined && value !== undefined && value !== null;
}

/** The same, field by field. */
export function toldWhole(value: unknown): ToldUsage | undefined {
  const isUncounted =
    memberOf(value, "input_tokens") === null || memberOf(value, "output_tokens") === null;
  return isUncounted ? undefined : toldInPart(value);
}

/** The fields of a `usage` that need not tell everything: null is nothing said. Undefined when one of them cannot be read. */
export function toldInPart(value: unknown): ToldUsage | undefined {
  if (!isMapping(value)) return undefined;
  const creation = value.cache_creation ?? {};
  const serverTools = value.server_tool_use ?? undefined;
  const speed = value.speed ?? undefined;
  if (!isMapping(creation)) return undefined;
  if (serverTools !== undefined && !isMapping(serverTools)) return undefined;
  if (speed !== undefined && typeof speed !== "string") return undefined;
  const counts = [
    value.input_tokens ?? undefined,
    value.output_tokens ?? undefined,
    value.cache_read_input_tokens ?? undefined,
    value.cache_creation_input_tokens ?? undefined,
    creation.ephemeral_5m_input_tokens,
    creation.ephemeral_1h_input_tokens,
    // Tools were used, and none of them was a search.
    serverTools &&
      (serverTools.web_search_requests === undefined ? 0 : serverTools.web_search_requests),
  ];
  if (!counts.every(isCountOrNothing)) return undefined;
  const [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, ...parts] = counts;
  const [cacheWrite5mTokens = 0, cacheWrite1hTokens, webSearches] = parts;
  return {
    inputTokens,
    outputTokens,
    cacheReadTokens,
    // A sum of 0 beside parts that are not is none.
    cacheWriteTokens: cacheWriteTokens || cacheWrite5mTokens + (cacheWrite1hTokens ?? 0),
    cacheWrite1hTokens,
    webSearches,
    speed,
  };
}

/** What the fields come to. Cache writes that are not told to be for an hour are for 5 minutes. */
export function usageOf(told: ToldUsage): Usage {
  const cacheWrite1hTokens = Math.min(told.cacheWrite1hTokens ?? 0, told.cacheWriteTokens);
  return {
    inputTokens: told.inputTokens ?? 0,
    outputTokens: told.outputTokens ?? 0,
    cacheReadTokens: told.cacheReadTokens ?? 0,
    cacheWrite5mTokens: told.cacheWriteTokens - cacheWrite1hTokens,
    cacheWrite1hTokens,
    webSearches: told.webSearches ?? 0,
    isFast: told.speed === "fast",
  };
}

function isCountOrNothing(value: unknown): value is number | undefined {
  return value === undefined || (Number.isSafeInteger(value) && Number(value) >= 0);
}
