// Work that is done again and again, as long as the metrics are open.
import type { Timer } from "../../timer.ts";

/** Runs something every so many milliseconds, the first time after as many, until the function that is returned is called. */
export function repeat(ms: number, run: () => void, after: Timer): () => void {
  let cancel = after(ms, again);
  function again(): void {
    cancel = after(ms, again);
    run();
  }
  return () => cancel();
}
