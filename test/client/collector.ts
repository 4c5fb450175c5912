// The organisation's collector: an OTLP receiver that others have written (receiver.mjs), and what it has read so far, as lists.
// What should stand in them is for the telemetry-*.ts.
import { join } from "node:path";

const startSecondsMax = 20;
const lookEveryMs = 100;

export type Attributes = Readonly<Record<string, unknown>>;

/** Who sent something, by its `service.name`. */
export type Sender = "claude-gateway" | "claude-code";

/** What everything has: `attributes` of its own, and those of who sent it. */
type Sent = { attributes: Attributes; resource: Attributes };

/** An event, or another record of a log. Its body is its name. */
export type LogRecord = Sent & { body: string; traceId?: string; spanId?: string };

export type Span = Sent & {
  name: string;
  kind: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
};

/** One value of a metric at one moment; of a histogram, how many values it has counted. */
export type Point = Sent & { metric: string; value: number };

export type Collector = AsyncDisposable & {
  url: string;
  records(sender: Sender): LogRecord[];
  spans(sender: Sender): Span[];
  /** The points of one metric, or of all, in the order of their arrival. */
  points(sender: Sender, metric?: string): Point[];
  /** Everything as it was printed. */
  text(): string;
  /** What the receiver could not read, in its words. */
  complaints(): string;
  /** Waits until enough has arrived, or the time is up. */
  until(isEnough: () => boolean, seconds: number): Promise<void>;
};

/** Needs `node`. */
export async function startCollector(): Promise<Collector> {
  const child = Bun.spawn(["node", join(import.meta.dir, "receiver.mjs")], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const lines: string[] = [];
  let complaints = "";
  const printed = (async () => {
    let rest = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      lines.push(...parts);
    }
  })();
  const complained = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) complaints += text;
  })();

  async function until(isEnough: () => boolean, seconds: number): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!isEnough() && Date.now() < deadline) await Bun.sleep(lookEveryMs);
  }

  await until(() => lines.length > 0 || child.exitCode !== null, startSecondsMax);
  const [first] = lines.splice(0, 1);
  if (first === undefined) {
    child.kill("SIGKILL");
    throw new Error(`the receiver did not start: ${complaints}`);
  }
  const { url }: { url: string } = JSON.parse(first);

  const exports = () => lines.map((line): Exported => JSON.parse(line));
  const isFrom =
    (sender: Sender) =>
    ({ resource }: Sent) =>
      resource["service.name"] === sender;
  return {
    url,
    records: (sender) =>
      exports()
        .flatMap(({ resourceLogs = [] }) =>
          resourceLogs.flatMap(({ resource, scopeLogs }) =>
            scopeLogs.flatMap(({ logRecords }) => logRecords.map(sentBy(resource))),
          ),
        )
        .filter(isFrom(sender)),
    spans: (sender) =>
      exports()
        .flatMap(({ resourceSpans = [] }) =>
          resourceSpans.flatMap(({ resource, scopeSpans }) =>
            scopeSpans.flatMap(({ spans }) => spans.map(sentBy(resource))),
          ),
        )
        .filter(isFrom(sender)),
    points: (sender, metric) =>
      exports()
        .flatMap(({ resourceMetrics = [] }) =>
          resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
            scopeMetrics.flatMap(({ metrics }) => metrics.flatMap(pointsOf).map(sentBy(resource))),
          ),
        )
        .filter((point) => metric === undefined || point.metric === metric)
        .filter(isFrom(sender)),
    text: () => lines.join("\n"),
    complaints: () => complaints,
    until,
    async [Symbol.asyncDispose]() {
      await child.stdin.end();
      await Promise.all([child.exited, printed, complained]);
    },
  };
}

type Resource = { attributes: Attributes };
type Own<Item> = Omit<Item, "resource">;
type Metric = { name: string } & Partial<
  Record<"sum" | "gauge" | "histogram", { dataPoints: DataPoint[] }>
>;
type DataPoint = {
  attributes: Attributes;
  asInt?: number | string;
  asDouble?: number;
  count?: number | string;
};

/** An export as the receiver prints it: attributes as an object, ids in hexadecimal. */
type Exported = {
  resourceLogs?: { resource: Resource; scopeLogs: { logRecords: Own<LogRecord>[] }[] }[];
  resourceSpans?: { resource: Resource; scopeSpans: { spans: Own<Span>[] }[] }[];
  resourceMetrics?: { resource: Resource; scopeMetrics: { metrics: Metric[] }[] }[];
};

function sentBy({ attributes }: Resource) {
  return <Item>(item: Item) => ({ ...item, resource: attributes });
}

function pointsOf({ name, sum, gauge, histogram }: Metric): Own<Point>[] {
  const points = (sum ?? gauge ?? histogram)?.dataPoints ?? [];
  return points.map(({ attributes, asInt, asDouble, count }) => ({
    metric: name,
    attributes,
    value: Number(asInt ?? asDouble ?? count),
  }));
}
