// POST /v1/metrics, /v1/logs, /v1/traces: what clients export (OTLP over HTTP) goes on, as it is, to every configured collector
// that wants the signal. The client is answered before anybody is asked: an error would make it log one on each flush, and a
// collector that is slow or away is no affair of a developer's. With `telemetry.verify_identity` an export says who it is from
// as its bearer does, or does not go on. What waits for a collector is destination.ts's, one send delivery.ts's, and whose an
// export says that it is identity/'s.
import type { TelemetryConfig } from "../../config/schema.ts";
import { type Signal, signals } from "../../config/telemetry-schema.ts";
import { createEgress } from "../../http/egress.ts";
import { createOutbound, type Network } from "../../http/outbound.ts";
import type { HandlerFor } from "../../http/router.ts";
import type { log as operationalLog } from "../../log.ts";
import type { Principal } from "../../session.ts";
import type { Timer } from "../../timer.ts";
import { createCollector } from "../collector.ts";
import { createVouch, type IdentityCounts, unverified } from "../identity/vouch.ts";
import type { TelemetryQueue } from "../metrics/gauges.ts";
import { createDelivery } from "./delivery.ts";
import { createDestination } from "./destination.ts";

/** Bounds of one send. A collector answers with a few bytes. */
const sendTimeoutMs = 10_000;
const answerBytesMax = 64 * 1024;

export type Relay = {
  /** The handler of one signal: always 200 without a body, whether somebody wants the export or not. */
  accept(signal: Signal): HandlerFor<Principal>;
  /** What waits for each collector, and what did not arrive there. */
  readonly queues: () => readonly TelemetryQueue[];
  /** Exports that said they were from somebody else, or could not be read. */
  readonly identity: () => IdentityCounts;
  /** Sends what waits, for at most this long, and nothing from then on. */
  close(timeoutMs: number): Promise<void>;
};

export type RelayOptions = {
  /** The way to collectors. */
  network: Network;
  /** Our own product token. */
  userAgent: string;
  log: Pick<typeof operationalLog, "info" | "warn" | "error">;
  after: Timer;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Builds only: nothing is connected to before the first export. */
export function createRelay(config: TelemetryConfig, options: RelayOptions): Relay {
  const { log, after } = options;
  const egress = createEgress(createOutbound(options.network), {
    timeoutMs: sendTimeoutMs,
    responseBytesMax: answerBytesMax,
  });
  const destinations = (config?.forward_to ?? []).map((entry) => {
    const collector = createCollector(entry, options);
    const { origin } = collector;
    const deliver = createDelivery(collector, { ...options, egress });
    return { entry, origin, ...createDestination(origin, deliver, { log, after }) };
  });

  const vouch = config?.verify_identity ? createVouch({ log, after }) : unverified;

  return {
    accept(signal) {
      const takers = destinations.filter(({ entry }) => entry[signal]);
      if (takers.length === 0) return accepted;
      return async ({ request }, principal) => {
        const body = await bytesOf(request);
        if (body === undefined) return accepted();
        const item = {
          signal,
          body,
          contentType: request.headers.get("content-type") || "application/x-protobuf",
          contentEncoding: request.headers.get("content-encoding") ?? undefined,
        };
        vouch.pass(item, principal, (passed) => {
          for (const taker of takers) taker.enqueue(passed);
        });
        return accepted();
      };
    },
    queues: () =>
      destinations.map(({ origin, depth, losses }) => ({
        destination: origin,
        kind: "relay",
        waiting: depth(),
        losses,
      })),
    identity: () => vouch.counts,
    async close(timeoutMs) {
      const beganMs = performance.now();
      const vouching = vouch.close(timeoutMs);
      if (vouching !== undefined) await vouching;
      const leftMs = Math.max(0, timeoutMs - (performance.now() - beganMs));
      await Promise.all(destinations.map((destination) => destination.close(leftMs)));
    },
  };
}

/** For the boot log: `2 destination(s), signals enabled: metrics, logs`. */
export function describeRelay(config: TelemetryConfig): string {
  const destinations = config?.forward_to ?? [];
  if (destinations.length === 0) return "not configured";
  const enabled = signals.filter((signal) => destinations.some((entry) => entry[signal]));
  return `${destinations.length} destination(s), signals enabled: ${enabled.join(", ") || "none"}`;
}

function accepted(): Response {
  return new Response(null, { status: 200 });
}

/** The body, whose length the listener has checked; undefined when the client hung up before its end. */
async function bytesOf(request: Request): Promise<Uint8Array | undefined> {
  try {
    return await request.bytes();
  } catch (error) {
    if (request.signal.aborted) return undefined;
    throw error;
  }
}
