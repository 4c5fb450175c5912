// How many tokens a call had the model read, where its answer did not say: the upstream that had it is asked, in the background.
import type { OutboundCall, Upstream } from "../upstream/upstream.ts";

/** Asked at once, at most; and how long a count may take, in milliseconds. */
const underWayMax = 100;
const timeoutMs = 10_000;

/** Resolves with undefined when the upstream cannot tell, or too many are being asked. Never rejects. */
export type InputCounts = (
  upstream: Upstream,
  outbound: OutboundCall,
) => Promise<number | undefined>;

export function createInputCounts(): InputCounts {
  let underWay = 0;
  return async (upstream, outbound) => {
    if (underWay >= underWayMax) return undefined;
    underWay += 1;
    try {
      return await upstream.countInput?.(outbound, AbortSignal.timeout(timeoutMs));
    } finally {
      underWay -= 1;
    }
  };
}
