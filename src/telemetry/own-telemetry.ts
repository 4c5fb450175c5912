// The gateway's own telemetry, of all that a configuration asks for: a record of each inference request, spans of it and of its
// attempts, and metrics; each to the collectors that take it. Loads OpenTelemetry's packages, and so is itself loaded only when
// there is something to do (telemetry.ts).
import { observeAudit } from "../audit.ts";
import type { Config } from "../config/schema.ts";
import { observedStore } from "../store/observed.ts";
import { type Collector, type CollectorConfig, createCollector } from "./collector.ts";
import { type Batches, createBatches } from "./export/batches.ts";
import {
  createMetricExporter,
  createRecordSend,
  createSpanSend,
  type Send,
  type SendOptions,
} from "./export/collector-export.ts";
import { createOwnOrigin } from "./export/own-resource.ts";
import type { TelemetryQueue } from "./metrics/gauges.ts";
import { listenForScrapes, type MetricsListener } from "./metrics/listener.ts";
import { createMetrics, type Metrics } from "./metrics/metrics.ts";
import type { FinishedRequest } from "./requests/finished-request.ts";
import { recordOf } from "./requests/records.ts";
import { spansOf } from "./requests/spans.ts";
import { createTraces } from "./requests/trace-context.ts";
import type { Telemetry, TelemetryOptions } from "./telemetry.ts";

export type OwnTelemetry = Omit<Telemetry, "relay">;

/** @throws Error naming metrics.host and metrics.port when the address cannot be bound */
export function openOwnTelemetry(config: Config, options: TelemetryOptions): OwnTelemetry {
  const { version, userAgent, network, log, after, now } = options;
  const origin = createOwnOrigin({
    version,
    instanceId: crypto.randomUUID(),
    labels: config.telemetry?.resource_attributes ?? {},
  });
  const collectors = (config.telemetry?.forward_to ?? []).map((entry) => ({
    entry,
    collector: createCollector(entry, { now }),
  }));
  const sending: SendOptions = { network, userAgent, after };

  /** A queue of requests for each collector that is told of them in some way. What it is told is written when it is sent. */
  function queuesFor(
    kind: TelemetryQueue["kind"],
    item: string,
    takes: (entry: CollectorConfig) => boolean,
    createSend: (collector: Collector) => Send<FinishedRequest[]>,
  ): Queue[] {
    return collectors
      .filter(({ entry }) => takes(entry))
      .map(({ collector }) => {
        const name = collector.origin;
        const send = createSend(collector);
        const batches = createBatches({ name, kind: item, send, log, after });
        return { ...batches, destination: name, kind };
      });
  }

  const records = queuesFor(
    "requests",
    "record",
    ({ requests }) => requests,
    (collector) => {
      const send = createRecordSend(collector, sending);
      return (requests) => send(requests.map((request) => recordOf(request, origin)));
    },
  );
  const spans = queuesFor(
    "traces",
    "trace",
    ({ traces }) => traces,
    (collector) => {
      const send = createSpanSend(collector, sending);
      return (requests) => send(requests.flatMap((request) => spansOf(request, origin)));
    },
  );
  const metricCollectors = collectors.filter(({ entry }) => entry.gateway_metrics);
  const metrics =
    config.metrics !== undefined || metricCollectors.length > 0
      ? createMetrics({
          config,
          ...origin,
          version,
          exporters: metricCollectors.map(({ collector }) => ({
            destination: collector.origin,
            exporter: createMetricExporter(collector, { ...sending, log }),
          })),
          after,
          now: () => performance.now(),
        })
      : undefined;
  const listener = config.metrics && metrics && scrapedAt(config.metrics, metrics);
  if (listener !== undefined) log.info(`metrics on ${listener.url}/metrics`);
  const endCounting = metrics === undefined ? undefined : observeAudit(metrics.audited);
  let openStreams = 0;
  metrics?.observe({
    openStreams: () => openStreams,
    queues: () =>
      [...records, ...spans].map(({ destination, kind, depth, losses }) => ({
        destination,
        kind,
        waiting: depth(),
        losses,
      })),
  });

  return {
    requests: {
      isWatching: true,
      ...createTraces({ isRecorded: spans.length > 0 }),
      streamOpened() {
        openStreams += 1;
        return () => {
          openStreams -= 1;
        };
      },
      finished(request: FinishedRequest) {
        metrics?.finished(request);
        for (const queue of records) queue.add(request);
        // Who began the trace may not want it recorded.
        if (request.trace?.span?.isSampled) for (const queue of spans) queue.add(request);
      },
    },
    observe: (observed) => metrics?.observe(observed),
    observedStore: (store) =>
      metrics === undefined
        ? store
        : observedStore(store, { now: () => performance.now(), observer: metrics.storeObserved }),
    async close(timeoutMs) {
      endCounting?.();
      const closing = [...records, ...spans, ...(metrics === undefined ? [] : [metrics])];
      await Promise.all(closing.map((each) => each.close(timeoutMs)));
      await listener?.close();
    },
  };
}

/** What has timers does not outlive a boot that fails. */
function scrapedAt(config: NonNullable<Config["metrics"]>, metrics: Metrics): MetricsListener {
  try {
    return listenForScrapes(config, metrics.text);
  } catch (error) {
    void metrics.close(0);
    throw error;
  }
}

type Queue = Batches<FinishedRequest> & Pick<TelemetryQueue, "destination" | "kind">;
