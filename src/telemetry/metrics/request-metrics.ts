// What one inference request adds to the metrics, at its end. On the hot path: two or three microseconds in all, most of them the
// SDK's for finding the series of its histograms.
import { centsNumber } from "../../spend/money.ts";
import type { Usage } from "../../spend/usage.ts";
import type { FinishedAttempt, FinishedRequest } from "../requests/finished-request.ts";
import type { Instruments } from "./instruments.ts";

/** That an upstream has no such endpoint is no failure of it. */
const notSupportedStatus = 501;

/** Label of requests that no upstream answered. */
const nobody = "none";

/** The counts of a usage that are tokens, and what each is called in the label `type`. */
const tokenTypes = [
  ["inputTokens", "input"],
  ["outputTokens", "output"],
  ["cacheReadTokens", "cache_read"],
  ["cacheWrite5mTokens", "cache_write_5m"],
  ["cacheWrite1hTokens", "cache_write_1h"],
] as const satisfies readonly (readonly [keyof Usage, string])[];

/**
 * Records a request that is over. Never throws.
 * @param modelLabel what a model is called in a label: one of a bounded number of names
 */
export function createRequestMetrics(
  instruments: Instruments,
  modelLabel: (model: string | undefined) => string,
): (request: FinishedRequest) => void {
  return (request) => {
    const { path, attempts, answeredBy, charged } = request;
    const model = modelLabel(request.model);
    const upstream = answeredBy?.upstream ?? nobody;
    instruments.requests.add(1, path, upstream, model, request.status, request.ending);
    recordFailovers(attempts);
    if (answeredBy !== undefined) recordTimes(request, { path, upstream, model });
    if (charged === undefined) return;

    // What was given up is billed by the upstream that was being asked.
    const billedBy = answeredBy?.upstream ?? attempts.at(-1)?.upstream ?? nobody;
    instruments.spend.add(centsNumber(charged.cost), billedBy, model);
    addTokens(model, charged.usage);
    for (const other of charged.others)
      addTokens(other.model === undefined ? model : modelLabel(other.model), other.usage);
  };

  function recordFailovers(attempts: readonly FinishedAttempt[]): void {
    for (const { upstream, status } of attempts.slice(0, -1)) {
      if (status === notSupportedStatus) continue;
      const reason = status === undefined ? "no_answer" : String(status);
      instruments.failovers.add(1, upstream, reason);
    }
  }

  function recordTimes(
    { path, attempts, headMs, firstByteMs, durationMs }: FinishedRequest,
    labels: { path: string; upstream: string; model: string },
  ): void {
    let awayMs = 0;
    for (const { beganMs, endedMs } of attempts) awayMs += endedMs - beganMs;
    // Sums of fractions may come out below 0 by a hair, and the SDK takes no such time.
    instruments.addedLatency.record(Math.max(0, headMs - awayMs) / 1000, { path });
    if (firstByteMs !== undefined) instruments.timeToFirstByte.record(firstByteMs / 1000, labels);
    instruments.requestDuration.record(durationMs / 1000, labels);
  }

  function addTokens(model: string, usage: Usage): void {
    for (const [name, type] of tokenTypes) {
      const tokens = usage[name];
      if (tokens > 0) instruments.tokens.add(tokens, model, type);
    }
  }
}
