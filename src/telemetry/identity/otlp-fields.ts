// Where attributes stand in an OTLP export: the numbers and names of the fields that lead to them, from the official definitions
// (opentelemetry-proto 1.11; a test compares). What an attribute may hold is own-attributes.ts's.
//
// Fields that are not here are passed over and stay as they are, those that OTLP may get one day included: only a collector that
// knows later definitions than this table could read attributes in them. Fields of earlier definitions are here, because old
// collectors still read attributes in them: an export that has one is not readable. Attributes nested in the value of an
// attribute, or in the body of a log record, are content and not looked at.
import type { Signal } from "../../config/telemetry-schema.ts";

/** What a field holds: a message on the way to attributes (or several), attributes, or such as nobody writes any more. */
export type Holds = Level | "attributes" | "withdrawn";

export type Field = { readonly number: number; readonly name: string; readonly holds: Holds };

/** One kind of message, and those of its fields that matter here. */
export type Level = {
  readonly byNumber: ReadonlyMap<number, Field>;
  /** By both names that JSON knows: `resourceLogs` and `resource_logs`. */
  readonly byName: ReadonlyMap<string, Field>;
  /** By what a reader that cares about neither case nor underscores makes of them. */
  readonly byFoldedName: ReadonlyMap<string, Field>;
};

/** A JSON name without case and underscores, as Unicode folds case: `ſ` is an `s`. */
export function foldedName(name: string): string {
  return name.toUpperCase().toLowerCase().replaceAll("_", "");
}

/** The `snake_case` in which the definitions write a name. */
export function definedName(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

const resource = level([1, "attributes", "attributes"]);
const scope = level([3, "attributes", "attributes"]);

const logRecord = level([6, "attributes", "attributes"]);

const spanEvent = level([3, "attributes", "attributes"]);
const spanLink = level([4, "attributes", "attributes"]);
const span = level(
  [9, "attributes", "attributes"],
  [11, "events", spanEvent],
  [13, "links", spanLink],
);

const exemplar = level([7, "filteredAttributes", "attributes"], [1, "filteredLabels", "withdrawn"]);
const numberDataPoint = level(
  [7, "attributes", "attributes"],
  [5, "exemplars", exemplar],
  [1, "labels", "withdrawn"],
);
const histogramDataPoint = level(
  [9, "attributes", "attributes"],
  [8, "exemplars", exemplar],
  [1, "labels", "withdrawn"],
);
const exponentialHistogramDataPoint = level(
  [1, "attributes", "attributes"],
  [11, "exemplars", exemplar],
);
const summaryDataPoint = level([7, "attributes", "attributes"], [1, "labels", "withdrawn"]);
const metric = level(
  [5, "gauge", level([1, "dataPoints", numberDataPoint])],
  [7, "sum", level([1, "dataPoints", numberDataPoint])],
  [9, "histogram", level([1, "dataPoints", histogramDataPoint])],
  [10, "exponentialHistogram", level([1, "dataPoints", exponentialHistogramDataPoint])],
  [11, "summary", level([1, "dataPoints", summaryDataPoint])],
  [12, "metadata", "attributes"],
  [4, "intGauge", "withdrawn"],
  [6, "intSum", "withdrawn"],
  [8, "intHistogram", "withdrawn"],
);

/** The request that each signal's exports are. */
export const requests: Readonly<Record<Signal, Level>> = {
  logs: requestOf("Logs", [2, "logRecords", logRecord]),
  metrics: requestOf("Metrics", [2, "metrics", metric]),
  traces: requestOf("Spans", [2, "spans", span]),
};

/** All three signals come in the same wrapping: by resource, then by scope. */
function requestOf(items: "Logs" | "Metrics" | "Spans", item: Entry): Level {
  const byScope = level([1, "scope", scope], item);
  const byResource = level(
    [1, "resource", resource],
    [2, `scope${items}`, byScope],
    [1000, `instrumentationLibrary${items}`, "withdrawn"],
  );
  return level([1, `resource${items}`, byResource]);
}

type Entry = readonly [number: number, name: string, holds: Holds];

function level(...entries: readonly Entry[]): Level {
  const fields = entries.map(([number, name, holds]) => ({ number, name, holds }));
  return {
    byNumber: new Map(fields.map((field) => [field.number, field])),
    byName: new Map(
      fields.flatMap((field) => [
        [field.name, field],
        [definedName(field.name), field],
      ]),
    ),
    byFoldedName: new Map(fields.map((field) => [foldedName(field.name), field])),
  };
}
