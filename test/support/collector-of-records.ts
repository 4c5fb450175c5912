// A collector that reads what the gateway tells of its own: records, spans and metrics, in OTLP/JSON, as plain objects.
import { type Collector, startCollector } from "../telemetry/collector.ts";

export type Attributes = Record<string, unknown>;

export type TakenRecord = {
  name: string;
  attributes: Attributes;
  /** Of who sent it. */
  resource: Attributes;
  severity: string;
  /** Milliseconds since the epoch, with fractions. */
  atMs: number;
  traceId: string | undefined;
  spanId: string | undefined;
};

export type TakenSpan = {
  name: string;
  kind: "server" | "client" | "other";
  attributes: Attributes;
  resource: Attributes;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  traceState: string | undefined;
  fromMs: number;
  toMs: number;
  hasFailed: boolean;
};

export type TakenPoint = { attributes: Attributes; value: number | undefined };

export type RecordCollector = Collector & {
  /** All so far. */
  records(): TakenRecord[];
  spans(): TakenSpan[];
  /** The last of each metric, by name: its points. */
  metrics(): Map<string, TakenPoint[]>;
  /** The bodies of everything that it was ever sent. */
  text(): string;
  /** Waits, at most five seconds, for the record of a request. */
  recordOf(requestId: string): Promise<TakenRecord>;
  /** Waits, at most five seconds, for the spans of a request: its own, and then those of its attempts. */
  spansOf(requestId: string): Promise<[TakenSpan, ...TakenSpan[]]>;
};

/** Milliseconds that a record may take: it waits a second for others. */
const waitMsMax = 5_000;

export function startRecordCollector(): RecordCollector {
  const collector = startCollector();
  const exportsTo = (path: string) =>
    collector.received
      .filter((received) => received.path.endsWith(path))
      .map(({ body }) => JSON.parse(Buffer.from(body).toString()) as Exported);
  const records = () => exportsTo("/v1/logs").flatMap(recordsIn);
  const spans = () => exportsTo("/v1/traces").flatMap(spansIn);
  return Object.assign(collector, {
    records,
    spans,
    metrics: () => new Map(exportsTo("/v1/metrics").flatMap(metricsIn)),
    text: () => collector.received.map(({ body }) => Buffer.from(body).toString()).join("\n"),
    recordOf: (requestId: string) =>
      until(
        () => records().find(({ attributes }) => attributes["request_id"] === requestId),
        `record of ${requestId}`,
      ),
    spansOf: (requestId: string) =>
      until(() => {
        const own = spans().find(({ attributes }) => attributes["request_id"] === requestId);
        if (own === undefined) return undefined;
        const attempts = spans().filter(({ parentSpanId }) => parentSpanId === own.spanId);
        return [own, ...attempts] as [TakenSpan, ...TakenSpan[]];
      }, `spans of ${requestId}`),
  });
}

async function until<Found>(find: () => Found | undefined, what: string): Promise<Found> {
  const deadline = Date.now() + waitMsMax;
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`no ${what}`);
    await Bun.sleep(10);
  }
}

type Value = {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
  arrayValue?: { values: Value[] };
};
type KeyValues = readonly { key: string; value: Value }[];
type Point = {
  attributes: KeyValues;
  asInt?: number | string;
  asDouble?: number;
  count?: number | string;
};
type Grouped<Scopes extends string, Items extends string, Item> = {
  resource: { attributes: KeyValues };
} & Record<Scopes, Record<Items, Item[]>[]>;

/** What of an export of any signal is read here. */
type Exported = {
  resourceLogs?: Grouped<"scopeLogs", "logRecords", LogRecord>[];
  resourceSpans?: Grouped<"scopeSpans", "spans", Span>[];
  resourceMetrics?: Grouped<"scopeMetrics", "metrics", Metric>[];
};
type LogRecord = {
  eventName: string;
  severityText: string;
  timeUnixNano: string;
  traceId?: string;
  spanId?: string;
  attributes: KeyValues;
};
type Span = {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number };
  attributes: KeyValues;
};
type Metric = { name: string } & Partial<
  Record<"sum" | "gauge" | "histogram", { dataPoints: Point[] }>
>;

function recordsIn({ resourceLogs = [] }: Exported): TakenRecord[] {
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs
      .flatMap(({ logRecords }) => logRecords)
      .map(({ eventName, severityText, timeUnixNano, traceId, spanId, attributes }) => ({
        name: eventName,
        attributes: plain(attributes),
        resource: plain(resource.attributes),
        severity: severityText,
        atMs: msOf(timeUnixNano),
        traceId,
        spanId,
      })),
  );
}

function spansIn({ resourceSpans = [] }: Exported): TakenSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        name: span.name,
        kind: kinds.get(span.kind) ?? "other",
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        traceState: span.traceState,
        fromMs: msOf(span.startTimeUnixNano),
        toMs: msOf(span.endTimeUnixNano),
        hasFailed: span.status.code === failedCode,
      })),
  );
}

function metricsIn({ resourceMetrics = [] }: Exported): [string, TakenPoint[]][] {
  return resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics
      .flatMap(({ metrics }) => metrics)
      .map(({ name, sum, gauge, histogram }) => [
        name,
        (sum ?? gauge ?? histogram)?.dataPoints.map(({ attributes, asInt, asDouble, count }) => ({
          attributes: plain(attributes),
          value: Number(asInt ?? asDouble ?? count),
        })) ?? [],
      ]),
  );
}

/** Numbers of OTLP. */
const kinds = new Map([
  [2, "server"],
  [3, "client"],
] as const) as ReadonlyMap<number, "server" | "client">;
const failedCode = 2;

function plain(attributes: KeyValues): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, plainValue(value)]));
}

function plainValue({ stringValue, intValue, doubleValue, boolValue, arrayValue }: Value): unknown {
  if (arrayValue !== undefined) return arrayValue.values.map(plainValue);
  return stringValue ?? boolValue ?? Number(intValue ?? doubleValue);
}

function msOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}
