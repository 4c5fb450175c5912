// The gateway's own metrics, put together: the instruments and what feeds them, and who reads them, Prometheus by its listener
// and collectors every minute. Built only when the configuration names one of them. What each file beside this one knows: names
// and buckets in instruments.ts, what a request adds in request-metrics.ts, audit events in audit-counts.ts, what is asked for
// when somebody reads in gauges.ts; the exporters are export/'s.
import { millisToHrTime } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { AuditEvent } from "../../audit.ts";
import type { Config } from "../../config/schema.ts";
import type { StoreObserver } from "../../store/observed.ts";
import { atMost, type Timer } from "../../timer.ts";
import type { MetricExporter } from "../export/collector-export.ts";
import type { FinishedRequest } from "../requests/finished-request.ts";
import { createAuditCounts } from "./audit-counts.ts";
import { recordEventLoopLag } from "./event-loop-lag.ts";
import { createGauges, type Gauges } from "./gauges.ts";
import { createInstruments } from "./instruments.ts";
import { createModelLabel } from "./model-label.ts";
import { createRequestMetrics } from "./request-metrics.ts";
import { sinceStart } from "./since-start.ts";
import { createTextReader } from "./text-reader.ts";

/** How often collectors are sent all metrics. */
const usualIntervalMs = 60_000;

/** An export that nobody answers is given up by its exporter before this. */
const exportTimeoutMs = 30_000;

export type Metrics = Gauges & {
  /** Counts a request that is over. Never throws. */
  readonly finished: (request: FinishedRequest) => void;
  /** Counts what an audit event tells: a sign-in, a refusal. */
  readonly audited: (event: AuditEvent) => void;
  readonly storeObserved: StoreObserver;
  /** All metrics as they are now, for Prometheus. Rejects without `metrics:` in the configuration. */
  readonly text: () => Promise<string>;
  /** Sends collectors the last of them, for at most this long, and ends all timers. */
  readonly close: (timeoutMs: number) => Promise<void>;
};

export type MetricsOptions = {
  config: Pick<Config, "metrics" | "models">;
  /** Whose metrics they are, as of all that the gateway exports of its own. */
  resource: Resource;
  scope: { readonly name: string; readonly version?: string | undefined };
  /** The gateway's own. */
  version: string;
  /** One for each collector that wants them. */
  exporters: readonly {
    /** The collector's origin. */
    destination: string;
    exporter: MetricExporter;
  }[];
  /** They need not keep the process alive: `close` ends them all. */
  after: Timer;
  /** Milliseconds with fractions, of a clock that is never set: `performance.now`. */
  now: () => number;
  /** A minute unless a test says otherwise. */
  intervalMs?: number;
};

/** Starts its timers, and opens no connection before the first export. */
export function createMetrics(options: MetricsOptions): Metrics {
  const { config, resource, scope, exporters, after, now, intervalMs = usualIntervalMs } = options;
  const scraped = config.metrics === undefined ? undefined : createTextReader({ after, now });
  const startTime = millisToHrTime(performance.timeOrigin);
  const provider = new MeterProvider({
    resource,
    readers: [
      ...(scraped === undefined ? [] : [scraped.reader]),
      ...exporters.map(
        ({ exporter }) =>
          new PeriodicExportingMetricReader({
            exporter: sinceStart(exporter, startTime),
            exportIntervalMillis: intervalMs,
            exportTimeoutMillis: Math.min(exportTimeoutMs, intervalMs),
          }),
      ),
    ],
    // One that fits everything and changes nothing: under a view all readers share one store of series, and without one each
    // has its own, so that every measurement would be taken as often as there are readers.
    views: [{ instrumentName: "*" }],
  });
  const meter = provider.getMeter(scope.name, scope.version);
  const instruments = createInstruments(meter);
  const gauges = createGauges(meter, options.version);
  gauges.observe({
    queues: () =>
      exporters.map(({ destination, exporter: { losses } }) => ({
        destination,
        kind: "metrics",
        waiting: 0,
        losses,
      })),
  });
  const endLag = recordEventLoopLag(instruments.eventLoopLag, { now, after });

  return {
    ...gauges,
    finished: createRequestMetrics(instruments, createModelLabel(config.models)),
    audited: createAuditCounts(instruments),
    storeObserved(operation, seconds, isOk) {
      instruments.storeDuration.record(seconds, { operation, result: isOk ? "ok" : "error" });
    },
    async text() {
      if (scraped === undefined) throw new Error("metrics: is not configured");
      return scraped.text();
    },
    async close(timeoutMs) {
      endLag();
      await scraped?.close();
      await atMost(timeoutMs, provider.shutdown(), after);
    },
  };
}
