// One export to one collector, once: its bytes as the client wrote them, what they are, and the headers that are configured.
// Nothing else of the client's goes along, its bearer least of all. When to send, and what an outcome leads to, is
// destination.ts's.
import type { Signal } from "../../config/telemetry-schema.ts";
import type { Egress } from "../../http/egress.ts";
import { messageOf } from "../../log.ts";
import { type Collector, type Outcome, outcomeOf } from "../collector.ts";

/** What a client sent, and what it said of it. */
export type Export = {
  readonly signal: Signal;
  /** Compressed or not, as `contentEncoding` says: looked into by identity/ only. */
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
};

/** Sends one export; never rejects. The signal cuts it short. */
export type Delivery = (item: Export, signal: AbortSignal) => Promise<Outcome>;

/**
 * @param options.egress bounds the send in time, and the answer in bytes.
 * @param options.userAgent our own product token.
 */
export function createDelivery(
  { origin, credential, headers: configured, urlOf }: Collector,
  { egress, userAgent }: { egress: Egress; userAgent: string },
): Delivery {
  return async (item, signal) => {
    const url = urlOf(item.signal);
    try {
      const proof = await credential?.get();
      const headers = new Headers({ "user-agent": userAgent, ...proof });
      for (const [name, value] of Object.entries(configured)) headers.set(name, value);
      headers.set("content-type", item.contentType);
      if (item.contentEncoding !== undefined) headers.set("content-encoding", item.contentEncoding);
      const answer = await egress.fetch(url, { method: "POST", headers, body: item.body, signal });
      if (answer.status === 401 && proof !== undefined) credential?.refused(proof);
      await finish(answer);
      return outcomeOf(answer.status);
    } catch (error) {
      // Some collectors have their key in the path.
      return { kind: "failed", why: messageOf(error).replaceAll(url, origin) };
    }
  };
}

/** Takes in the answer's body, which nobody reads, so that the connection serves again. The status has said all there is. */
async function finish(answer: Response): Promise<void> {
  await answer.arrayBuffer().catch(() => undefined);
}
