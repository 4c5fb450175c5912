// Counters that are added to on the hot path. The SDK sorts and writes out the labels of each addition to find its series, which
// is most of what it costs; here a series is found by the values of its labels, and the SDK is told the sums when somebody reads.
import { type Meter, ValueType } from "@opentelemetry/api";

/** The values of the labels, in their order; a label whose value is undefined is left out. */
type Values<Names extends readonly string[]> = {
  readonly [index in keyof Names]: string | number | undefined;
};

export type Total<Names extends readonly string[]> = {
  /** @param amount 0 or more */
  add(amount: number, ...values: Values<Names>): void;
};

export type TotalDescription<Names extends readonly string[]> = {
  readonly name: string;
  readonly labels: Names;
  readonly unit: string;
  readonly description: string;
  /** Whether the amounts are whole numbers; they are unless it says otherwise. */
  readonly isWhole?: boolean;
};

/** Series of one counter. Of 2,000 the SDK would put the last ones together as well. */
export const seriesMax = 1_900;

/** The value of every label of what comes after that. */
const tooMany = "other";

export function createTotal<const Names extends readonly string[]>(
  meter: Meter,
  { name, labels, unit, description, isWhole = true }: TotalDescription<Names>,
): Total<Names> {
  const series = new Map<string, { sum: number; labels: Record<string, string | number> }>();

  function seriesOf(values: Values<Names>) {
    const key = values.join("\n");
    const found = series.get(key);
    if (found !== undefined) return found;
    const others = labels.map(() => tooMany);
    if (series.size >= seriesMax && key !== others.join("\n")) return seriesOf(others as never);
    const created = { sum: 0, labels: labelled(labels, values) };
    series.set(key, created);
    return created;
  }

  meter
    .createObservableCounter(name, {
      unit,
      description,
      valueType: isWhole ? ValueType.INT : ValueType.DOUBLE,
    })
    .addCallback((result) => {
      for (const { sum, labels: told } of series.values()) result.observe(sum, told);
    });
  return {
    add(amount, ...values) {
      seriesOf(values).sum += amount;
    },
  };
}

function labelled(
  names: readonly string[],
  values: readonly (string | number | undefined)[],
): Record<string, string | number> {
  const labels: Record<string, string | number> = {};
  for (const [index, name] of names.entries()) {
    const value = values[index];
    if (value !== undefined) labels[name] = value;
  }
  return labels;
}
