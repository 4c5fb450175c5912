// Whether the gateway should be sent traffic, as /readyz tells a load balancer: the store takes a write, or stopped taking any
// less than store.readiness_grace_seconds ago. Reading is not enough: no sign-in and no spend gets into a store that only reads.
//
// Load balancers ask each second, and there may be many of them: the store is asked once for all who ask at the same time, and
// not again while it owes an answer.
import { log, messageOf } from "../log.ts";
import { adviceOn } from "./advice.ts";
import { within } from "./deadline.ts";
import type { Store } from "./store.ts";

/** How long a write may take, in milliseconds. Whoever asks is answered by then. */
const writeMs = 600;
/** For so long, in milliseconds, what was found holds for others who ask. */
const foundMs = 200;
/** Milliseconds between two log lines about the same. */
const logIntervalMs = 30_000;

/**
 * @returns a function that resolves to true when ready, within a second.
 * @param options.now milliseconds; best of a clock that is never set, or grace and log lines follow its jumps
 */
export function createReadiness(
  store: Pick<Store, "probe">,
  options: { graceSeconds: number; now: () => number },
): () => Promise<boolean> {
  const { graceSeconds, now } = options;
  /** The statement under way. It may take longer than anybody waits for it. */
  let write: Promise<void> | undefined;
  let look: Promise<void> | undefined;
  let foundAt = -Infinity;
  let failure: { error: unknown; since: number } | undefined;
  let told: { isReady: boolean; at: number } | undefined;

  return async () => {
    if (write === undefined && Math.abs(now() - foundAt) >= foundMs) {
      write = store.probe().finally(() => (write = undefined));
      look = within(writeMs, write, `no answer within ${writeMs / 1000}s`)
        .then(() => found(undefined), found)
        .finally(() => (look = undefined));
    }
    // Nothing is waited for where the last write is late.
    await look;
    return verdict();
  };

  function found(error: unknown): void {
    foundAt = now();
    if (error !== undefined) {
      failure = { error, since: failure?.since ?? foundAt };
      return;
    }
    if (told !== undefined) log.info(`readyz: the store takes writes again, after ${seconds()}s`);
    failure = told = undefined;
  }

  function verdict(): boolean {
    if (failure === undefined) return true;
    const isReady = seconds() < graceSeconds;
    if (told?.isReady !== isReady || Math.abs(now() - told.at) >= logIntervalMs) {
      told = { isReady, at: now() };
      log.warn(textOf(failure.error, isReady));
    }
    return isReady;
  }

  function textOf(error: unknown, isReady: boolean): string {
    const advice = adviceOn(error);
    return (
      `readyz: the store takes no writes (${messageOf(error)}), for ${seconds()}s; ` +
      `${isReady ? "still ready" : "not ready"} (store.readiness_grace_seconds: ${graceSeconds})` +
      (advice === undefined ? "" : `. ${advice}`)
    );
  }

  /** Since writes began to fail. */
  function seconds(): number {
    return Math.max(0, Math.floor((now() - (failure?.since ?? now())) / 1000));
  }
}
