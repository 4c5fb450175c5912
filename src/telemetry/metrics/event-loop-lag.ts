// How long whoever comes has to wait for the process: JavaScript has one thread, and what keeps it busy keeps everybody waiting.
import type { Histogram } from "@opentelemetry/api";
import type { Timer } from "../../timer.ts";
import { repeat } from "./repeat.ts";

/** Often enough to meet what happens every few seconds, seldom enough to leave an idle process asleep. */
const intervalMs = 250;

/**
 * Records how late a timer runs, until the function that is returned is called.
 * @param options.now milliseconds with fractions, of a clock that is never set: `performance.now`
 */
export function recordEventLoopLag(
  lag: Histogram,
  { now, after }: { now: () => number; after: Timer },
): () => void {
  let dueMs = now() + intervalMs;
  return repeat(
    intervalMs,
    () => {
      // A timer may also run a fraction of a millisecond early.
      lag.record(Math.max(0, now() - dueMs) / 1000);
      dueMs = now() + intervalMs;
    },
    after,
  );
}
