// Timers that run when a test says so.
import type { Timer } from "../../src/timer.ts";

export type HandClock = {
  after: Timer;
  /** Lets this much time pass: what is due runs, in order. */
  pass(ms: number): void;
};

export function createHandClock(): HandClock {
  let now = 0;
  const waiting = new Set<{ atMs: number; run: () => void }>();
  return {
    after(ms, run) {
      const entry = { atMs: now + ms, run };
      waiting.add(entry);
      return () => void waiting.delete(entry);
    },
    pass(ms) {
      now += ms;
      const due = [...waiting].filter(({ atMs }) => atMs <= now);
      for (const entry of due.toSorted((a, b) => a.atMs - b.atMs)) {
        if (waiting.delete(entry)) entry.run();
      }
    },
  };
}
