// GET /metrics on an address of its own, for Prometheus. It asks nobody who they are, so that it has no other path, and is for
// loopback or a network of the operator's. What a listener is otherwise, is http/listener.ts's.
import type { MetricsConfig } from "../../config/schema.ts";
import type { Admission } from "../../http/admission.ts";
import { listen } from "../../http/listener.ts";
import type { Incoming } from "../../http/request.ts";
import { messageOf } from "../../log.ts";

/** Prometheus' text exposition format. */
const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Nobody has a body to send here. */
const requestBytesMax = 1024;

export type MetricsListener = {
  /** `http://HOST:PORT` as bound. */
  readonly url: string;
  /** Ends it, and with it every scrape that is under way. */
  close(): Promise<void>;
};

/**
 * Binds and serves.
 * @param text the metrics as they are now
 * @throws Error naming metrics.host and metrics.port when the address cannot be bound.
 */
export function listenForScrapes(
  config: NonNullable<MetricsConfig>,
  text: () => Promise<string>,
): MetricsListener {
  async function answer({ request, path }: Incoming): Promise<Response> {
    const isScrape = path === "/metrics" && ["GET", "HEAD"].includes(request.method);
    if (!isScrape) return new Response(null, { status: 404 });
    return new Response(await text(), { headers: { "content-type": contentType } });
  }

  try {
    const listener = listen({
      listen: config,
      limits: { max_request_bytes: requestBytesMax },
      tls: undefined,
      admission: everybody,
      handler: () => Object.assign(answer, { paths: { exact: ["/metrics"], below: [] } }),
    });
    return { url: listener.url, close: async () => void (await listener.drain(0)) };
  } catch (error) {
    // The listener's own error names listen.host and listen.port.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    throw new Error(
      `cannot listen on ${config.host} port ${config.port} (metrics.host, metrics.port): ${messageOf(cause)}`,
      { cause: error },
    );
  }
}

const everybody: Admission = {
  clientOf: () => ({ ip: undefined, unreadable: false, forwarded: false }),
  check: () => undefined,
};
