// How many requests may be open at once: further ones are refused, so that a flood waits at the clients and not in memory.
import { ApiError } from "../http/errors.ts";
import { log } from "../log.ts";

/** Milliseconds between two log lines about the bound. */
const logIntervalMs = 60_000;

export type CapacityOptions = {
  openRequestsMax: number;
  /** This one included. */
  openRequests: () => number;
};

/** A check for each request. It throws ApiError `overloaded_error` while there are more than may be open. */
export function createCapacity({ openRequestsMax, openRequests }: CapacityOptions): () => void {
  let loggedAt = -Infinity;
  return () => {
    const open = openRequests();
    if (open <= openRequestsMax) return;
    if (Date.now() - loggedAt >= logIntervalMs) {
      loggedAt = Date.now();
      log.warn(
        `${open} client requests are open, over the bound of ${openRequestsMax} (BUN_CONFIG_MAX_HTTP_REQUESTS): further ones ` +
          "are answered 529 until some finish. Add replicas, or raise the bound. Logged at most once a minute.",
      );
    }
    throw new ApiError("overloaded_error", "the gateway is at capacity", {
      headers: { "retry-after": "1" },
    });
  };
}
