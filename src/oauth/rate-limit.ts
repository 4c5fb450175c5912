// The sign-in counters of rate_limits: so many per client address and window, counted in the store, so that all replicas
// count together (RFC 8628 §5.1).
import { log } from "../log.ts";
import type { KeyValue } from "../store/kv.ts";

export type RateLimit = {
  /** Counts one attempt; false when the address is over the limit. */
  admits(clientIp: string): Promise<boolean>;
};

/** Milliseconds between two log lines about the same limit. */
const logIntervalMs = 60_000;

/**
 * @param options.prefix of the counter's key in the store.
 * @param options.setting the key in rate_limits that a refused person's administrator must know; none where going over the
 * limit refuses nobody.
 */
export function createRateLimit(
  kv: KeyValue,
  options: {
    prefix: string;
    setting?: "device_authorization" | "device_verify";
    max: number;
    windowSeconds: number;
    now: () => number;
  },
): RateLimit {
  let loggedAt = -Infinity;
  return {
    async admits(clientIp) {
      const count = await kv.count(`${options.prefix}${clientIp}`, options.windowSeconds);
      if (count <= options.max) return true;
      if (options.setting !== undefined && options.now() - loggedAt >= logIntervalMs) {
        loggedAt = options.now();
        log.warn(
          `sign-in refused: ${clientIp} went over rate_limits.${options.setting}.max (${options.max} per ${options.windowSeconds}s ` +
            "per client address). People behind one address share it: raise the limit, or list your proxy in " +
            "listen.trusted_proxies. Logged at most once a minute.",
        );
      }
      return false;
    },
  };
}
