// What did not arrive at one collector: counted, and said in the log without flooding it.
import type { log as operationalLog } from "../log.ts";

/** Since the start: not taken, failed on the way, or not sent for lack of room or time. */
export type Losses = { refused: number; failed: number; dropped: number };

export type LossLog = Pick<typeof operationalLog, "warn">;

export type LossCounter = {
  readonly losses: Readonly<Losses>;
  /** Counts this many that were lost at once. `why` ends up in the log. */
  readonly lose: (kind: keyof Losses, why: string, count?: number) => void;
  /** Counts as dropped what is left when the gateway stops. */
  readonly leave: (count: number) => void;
};

/** Of each kind of trouble, the first time is logged and then one in so many. */
const loggedEvery = 100;

/** @param times how often there was trouble of the kind, this time included */
export function isLogged(times: number): boolean {
  return times === 1 || times % loggedEvery === 0;
}

/** How such a line ends: with what there was of it until now, and why there are so few lines. */
export function soFar(count: number): string {
  return `(${count} so far; logged at the first and every ${loggedEvery}th)`;
}

/**
 * @param subject what log lines begin with: who sends, and where to.
 * @param item what one of those that are lost is called.
 */
export function createLossCounter(
  { subject, item }: { subject: string; item: string },
  log: LossLog,
): LossCounter {
  const losses: Losses = { refused: 0, failed: 0, dropped: 0 };
  const times: Losses = { refused: 0, failed: 0, dropped: 0 };

  return {
    losses,
    lose(kind, why, count = 1) {
      losses[kind] += count;
      times[kind] += 1;
      if (!isLogged(times[kind])) return;
      const what = count === 1 ? item : `${count} ${item}s`;
      log.warn(`${subject}: ${what} ${kind}: ${why} ${soFar(losses[kind])}`);
    },
    leave(count) {
      if (count === 0) return;
      losses.dropped += count;
      log.warn(`${subject}: ${count} ${item}(s) not sent before the stop`);
    },
  };
}
