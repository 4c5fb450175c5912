// One export to one collector, once: its bytes as the client wrote them, what they are, and the headers that are configured.
// Nothing else of the client's goes along, its bearer least of all. When to send, and what an outcome leads to, is
// destination.ts's.
import type { TelemetryConfig } from "../config/schema.ts";
import type { Signal } from "../config/telemetry-schema.ts";
import type { Egress } from "../http/egress.ts";
import { messageOf } from "../log.ts";
import { createGoogleCredential } from "../upstream/google/credentials.ts";

/** What a client sent, and what it said of it. */
export type Export = {
  readonly signal: Signal;
  /** Compressed or not, as `contentEncoding` says: never looked into. */
  readonly body: Uint8Array;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
};

/**
 * `refused`: the collector is there and does not want this export. `failed`: it is not there, or wants nothing. `why` is for
 * the log: it holds no header, nothing of a body and no path.
 */
export type Outcome = { kind: "taken" } | { kind: "refused" | "failed"; why: string };

/** Sends one export; never rejects. The signal cuts it short. */
export type Delivery = (item: Export, signal: AbortSignal) => Promise<Outcome>;

type DestinationConfig = NonNullable<TelemetryConfig>["forward_to"][number];

/** What a collector says of one export that is malformed or too large, and that others need not share. */
const refusals = new Set([400, 413, 415, 422, 431]);

/** Google's library searches for a project, `gcloud` included, unless it is given one. Telemetry is not addressed by project. */
const anyProject = "telemetry";

/**
 * @param options.egress bounds the send in time, and the answer in bytes.
 * @param options.userAgent our own product token.
 * @param options.now milliseconds since the epoch.
 */
export function createDelivery(
  config: DestinationConfig,
  { egress, userAgent, now }: { egress: Egress; userAgent: string; now: () => number },
): Delivery {
  // As requests are made with it and errors name it: a host in lower case, a path without detours.
  const { href, origin } = new URL(config.url);
  const base = href.replace(/\/+$/, "");
  const credential =
    config.auth === undefined
      ? undefined
      : createGoogleCredential(
          { keyFile: undefined, projectId: anyProject },
          { owner: `telemetry to ${origin}`, now },
        );

  return async (item, signal) => {
    const url = `${base}/v1/${item.signal}`;
    try {
      const proof = await credential?.get();
      const headers = new Headers({ "user-agent": userAgent, ...proof });
      for (const [name, value] of Object.entries(config.headers)) headers.set(name, value);
      headers.set("content-type", item.contentType);
      if (item.contentEncoding !== undefined) headers.set("content-encoding", item.contentEncoding);
      const answer = await egress.fetch(url, { method: "POST", headers, body: item.body, signal });
      if (answer.status === 401 && proof !== undefined) credential?.refused(proof);
      await finish(answer);
      return outcomeOf(answer);
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

function outcomeOf({ ok, status }: Response): Outcome {
  if (ok) return { kind: "taken" };
  return { kind: refusals.has(status) ? "refused" : "failed", why: `answered ${status}` };
}
