// Whether the gateway should be sent traffic, as /readyz tells a load balancer: the store answers, or stopped answering
// less than store.readiness_grace_seconds ago.
import { log, messageOf } from "../log.ts";
import type { Store } from "./store.ts";

/** @returns a function that resolves to true when ready. @param now milliseconds since the epoch. */
export function createReadiness(
  store: Pick<Store, "probe">,
  options: { graceSeconds: number; now: () => number },
): () => Promise<boolean> {
  let answeredAt = options.now();
  return async () => {
    try {
      await store.probe();
      answeredAt = options.now();
      return true;
    } catch (error) {
      const silentSeconds = Math.floor((options.now() - answeredAt) / 1000);
      const ready = silentSeconds < options.graceSeconds;
      log.warn(
        `readyz: the store does not answer (${messageOf(error)}), for ${silentSeconds}s; ` +
          (ready ? "still ready" : "not ready") +
          ` (store.readiness_grace_seconds: ${options.graceSeconds})`,
      );
      return ready;
    }
  };
}
