// What is asked for only when somebody reads the metrics: what is open, what is set aside, what waits for collectors and what
// was lost on the way, and the process itself. Those who know most of it exist later in boot than the instruments do, or never:
// they are given one by one with `observe`, in any order, and what nobody was given for does not appear.
import { type Meter, type Observable, ValueType } from "@opentelemetry/api";
import type { IdentityCounts } from "../identity/vouch.ts";
import type { Losses } from "../losses.ts";
import { seriesMax } from "./total.ts";

/** One upstream and upstream model that is set aside on one path. */
export type SetAsideOnPath = {
  readonly upstream: string;
  readonly upstreamModel: string;
  readonly path: string;
};

/** What waits for one collector, and what of that did not arrive since the start. */
export type TelemetryQueue = {
  /** Its origin, for its path may hold a key. */
  readonly destination: string;
  /** What it is for: `relay` for clients' exports, `requests`, `traces`, `metrics` for our own. */
  readonly kind: "relay" | "requests" | "traces" | "metrics";
  /** Exports or records that wait. */
  readonly waiting: number;
  readonly losses: Readonly<Losses>;
};

/** Each is called whenever the metrics are read, and returns at once. */
export type Observed = {
  readonly openRequests: () => number;
  readonly openStreams: () => number;
  readonly setAside: () => readonly SetAsideOnPath[];
  readonly queues: () => readonly TelemetryQueue[];
  readonly identity: () => IdentityCounts;
  /** Spend that is not in the database, and the age of the oldest of it. */
  readonly unwritten: () => { readonly cents: number; readonly seconds: number };
};

export type Gauges = {
  /** Adds somebody to ask. What several say of the same is added up. */
  readonly observe: (observed: Partial<Observed>) => void;
};

type Labels = Readonly<Record<string, string>>;

/** @param version of the gateway */
export function createGauges(meter: Meter, version: string): Gauges {
  const sources: Partial<Observed>[] = [];

  /** What all who were given say of one matter. */
  function told<Name extends keyof Observed>(name: Name): ReturnType<Observed[Name]>[] {
    return sources.flatMap((source) => {
      const ask = source[name] as (() => ReturnType<Observed[Name]>) | undefined;
      return ask === undefined ? [] : [ask()];
    });
  }

  const gauge = (name: string, unit: string, description: string) =>
    meter.createObservableGauge(name, { unit, description, valueType: ValueType.INT });
  const count = (name: string, unit: string, description: string) =>
    meter.createObservableCounter(name, { unit, description, valueType: ValueType.INT });

  each(
    gauge("claude_gateway_open_requests", "{request}", "Requests whose answer is not finished."),
    () => told("openRequests").map((value) => [value, {}]),
  );
  each(
    gauge("claude_gateway_open_streams", "{stream}", "Streamed answers that are not over."),
    () => told("openStreams").map((value) => [value, {}]),
  );
  each(
    meter.createObservableGauge("claude_gateway_spend_unwritten_cents", {
      unit: "{cent}",
      description: "Spend that is not in the database yet.",
    }),
    () => told("unwritten").map(({ cents }) => [cents, {}]),
  );
  each(
    meter.createObservableGauge("claude_gateway_spend_unwritten_seconds", {
      unit: "s",
      description: "How long the oldest of it has been waiting.",
    }),
    () => told("unwritten").map(({ seconds }) => [seconds, {}]),
  );
  each(
    gauge(
      "claude_gateway_upstream_set_aside",
      "1",
      "1 while an upstream is set aside for a model, 0 once it is not any more.",
    ),
    createSetAside(() => told("setAside").flat()),
  );
  each(
    gauge(
      "claude_gateway_telemetry_queue",
      "{item}",
      "Exports or records that wait for a collector.",
    ),
    () =>
      told("queues")
        .flat()
        .map(({ destination, kind, waiting }) => [waiting, { destination, kind }]),
  );
  each(
    count(
      "claude_gateway_telemetry_lost",
      "{item}",
      "Exports or records that a collector refused, that failed on the way, or that were dropped.",
    ),
    () =>
      told("queues")
        .flat()
        .flatMap(({ destination, kind, losses }) =>
          Object.entries(losses).map(([outcome, lost]) => [lost, { destination, kind, outcome }]),
        ),
  );
  each(
    count(
      "claude_gateway_telemetry_identity",
      "{export}",
      "Clients' exports that were corrected, that could not be read, or that were dropped unread, with telemetry.verify_identity.",
    ),
    () =>
      told("identity").flatMap((counts) =>
        Object.entries(counts).map(([outcome, exports]) => [exports, { outcome }]),
      ),
  );
  each(
    gauge("claude_gateway_build_info", "1", "1, with the version of the gateway and of Bun."),
    () => [[1, { version, bun: Bun.version }]],
  );
  each(gauge("process_resident_memory_bytes", "By", "Resident memory of the process."), () => [
    [process.memoryUsage.rss(), {}],
  ]);
  each(
    meter.createObservableGauge("process_start_time_seconds", {
      unit: "s",
      description: "When the process started, in seconds since the epoch.",
    }),
    () => [[performance.timeOrigin / 1000, {}]],
  );

  return { observe: (observed) => void sources.push(observed) };
}

/** Observes the sum for each set of labels: two collectors may have one origin, and the SDK would keep the last value only. */
function each(instrument: Observable, values: () => readonly (readonly [number, Labels])[]): void {
  instrument.addCallback((result) => {
    const sums = new Map<string, { sum: number; labels: Labels }>();
    for (const [value, labels] of values()) {
      const key = Object.values(labels).join("\n");
      const before = sums.get(key)?.sum ?? 0;
      sums.set(key, { sum: before + value, labels });
    }
    for (const { sum, labels } of sums.values()) result.observe(sum, labels);
  });
}

/** Also a 0 for what was set aside before: the SDK reports the last value that it was told, for ever. */
function createSetAside(
  now: () => readonly SetAsideOnPath[],
): () => readonly (readonly [number, Labels])[] {
  const seen = new Map<string, Labels>();
  return () => {
    const current = new Set<string>();
    for (const { upstream, upstreamModel, path } of now()) {
      const key = [upstream, upstreamModel, path].join("\n");
      current.add(key);
      if (seen.size < seriesMax) seen.set(key, { upstream, upstream_model: upstreamModel, path });
    }
    return [...seen].map(([key, labels]) => [current.has(key) ? 1 : 0, labels]);
  };
}
