// The gateway's own telemetry on its way to one collector: OpenTelemetry's exporters, which write it as OTLP/JSON and try again
// where the collector asks them to, held to our rules of where a connection may go, how long a send may take and what the log
// may say of it. What is gathered into a send is batches.ts's, and for metrics their reader's.
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { PushMetricExporter, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Signal } from "../../config/telemetry-schema.ts";
import { causeOf, lateAnswer } from "../../http/egress.ts";
import { createGuardedAgent } from "../../http/guarded-agent.ts";
import type { Network } from "../../http/outbound.ts";
import type { Timer } from "../../timer.ts";
import type { Proof } from "../../upstream/request/post.ts";
import { type Collector, type Outcome, outcomeOf } from "../collector.ts";
import { createLossCounter, type Losses, type LossLog } from "../losses.ts";
import { withoutOtelVariables } from "./otel-variables.ts";

/** Sends a batch, and again where that helps; never rejects. */
export type Send<Items> = (items: Items) => Promise<Outcome>;

export type SendOptions = {
  /** The way to collectors. */
  network: Network;
  /** Our own product token. The exporters put theirs behind it. */
  userAgent: string;
  after: Timer;
  /** Of one send, with all that is tried again; ten seconds unless a test says otherwise. */
  timeoutMs?: number;
};

export type MetricExporter = PushMetricExporter & {
  /** Of exports, each with all metrics of that moment. */
  readonly losses: Readonly<Losses>;
};

/** Sends log records to `/v1/logs` of the collector. */
export function createRecordSend(
  collector: Collector,
  options: SendOptions,
): Send<ReadableLogRecord[]> {
  return createSend(collector, "logs", (config) => new OTLPLogExporter(config), options);
}

/** Sends spans to `/v1/traces` of the collector. */
export function createSpanSend(collector: Collector, options: SendOptions): Send<ReadableSpan[]> {
  return createSend(collector, "traces", (config) => new OTLPTraceExporter(config), options);
}

/**
 * Sends metrics to `/v1/metrics` of the collector, as sums since the start, when a reader says so. The reader is told that an
 * export failed; why is in the log, at the first and then one in so many.
 */
export function createMetricExporter(
  collector: Collector,
  { log, ...options }: SendOptions & { log: LossLog },
): MetricExporter {
  const send = createSend<ResourceMetrics>(
    collector,
    "metrics",
    (config) => new OTLPMetricExporter(config),
    options,
  );
  const { losses, lose } = createLossCounter(
    { subject: `telemetry export: ${collector.origin}`, item: "export of metrics" },
    log,
  );
  let last = Promise.resolve();

  async function report(metrics: ResourceMetrics, done: Done): Promise<void> {
    const outcome = await send(metrics);
    if (outcome.kind !== "taken") lose(outcome.kind, outcome.why);
    done({ code: outcome.kind === "taken" ? succeeded : failed });
  }

  return {
    export(metrics, done: Done) {
      last = report(metrics, done);
    },
    forceFlush: () => last,
    shutdown: () => last,
    losses,
  };
}

type Config = NonNullable<ConstructorParameters<typeof OTLPLogExporter>[0]>;
type Exporter<Items> = { export(items: Items, done: Done): void };
type Done = (result: { code: number; error?: Error }) => void;

/** `ExportResultCode` of OpenTelemetry, in a package of its own. */
const succeeded = 0;
const failed = 1;

/** A collector answers in well under a second. */
const usualTimeoutMs = 10_000;

/** One under way, and one that is answered and whose end the exporter has not noted yet. */
const concurrencyLimit = 2;

function createSend<Items>(
  collector: Collector,
  signal: Signal,
  build: (config: Config) => Exporter<Items>,
  options: SendOptions,
): Send<Items> {
  const { after, timeoutMs = usualTimeoutMs } = options;
  const url = collector.urlOf(signal);
  const { "user-agent": userAgent = options.userAgent, ...headers } = inLowerCase(
    collector.headers,
  );
  let proof: Proof | undefined;
  let opened = open();

  /** An exporter with connections of its own. */
  function open() {
    const agent = createGuardedAgent(new URL(url), options.network);
    const config: Config = {
      url,
      userAgent,
      timeoutMillis: timeoutMs,
      concurrencyLimit,
      httpAgentOptions: () => agent,
      headers: async () => {
        proof = await collector.credential?.get();
        return { ...proof, ...headers };
      },
    };
    return { agent, exporter: withoutOtelVariables(() => build(config)) };
  }

  /** The exporter's own bound is on silence, once it is connected: a look-up that hangs or an answer that drips passes it. */
  function giveUp(): void {
    opened.agent.destroy();
    opened = open();
  }

  return async (items) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const cancel = after(timeoutMs, () => {
      resolve({ kind: "failed", why: lateAnswer(timeoutMs) });
      giveUp();
    });
    try {
      opened.exporter.export(items, ({ code, error }) => {
        resolve(code === succeeded ? { kind: "taken" } : outcomeOfError(error));
      });
    } catch (error) {
      resolve(outcomeOfError(error));
    }
    const outcome = await promise;
    cancel();
    return outcome;
  };

  function outcomeOfError(error: unknown): Outcome {
    if (!(error instanceof Error) || error.name !== "OTLPExporterError") {
      // Some collectors have their key in the path.
      return { kind: "failed", why: causeOf(error).replaceAll(url, collector.origin) };
    }
    // Its message is the collector's own, and its `data` what the collector answered.
    if (!("code" in error) || typeof error.code !== "number")
      return { kind: "failed", why: "answered 429, 502, 503 or 504, to the last try" };
    if (error.code === 401 && proof !== undefined) collector.credential?.refused(proof);
    return outcomeOf(error.code);
  }
}

function inLowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
