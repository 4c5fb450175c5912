// A strict reader of Prometheus' text exposition format, version 0.0.4. It takes less than Prometheus does: what it refuses is
// either wrong or not how the metrics are meant to be written.
// https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format

type Labels = Record<string, string>;
type Sample = { name: string; labels: Labels; value: number };

export type Exposition = {
  /** `counter`, `gauge` or `histogram` of each metric, in their order. */
  types: Record<string, string>;
  /** The value of the one series with these labels and no others; undefined when there is none. */
  value: (name: string, labels?: Labels) => number | undefined;
  /** The labels of every series of a name. */
  series: (name: string) => Labels[];
};

/** @throws Error that quotes the line or names the metric that breaks a rule */
export function readExposition(text: string): Exposition {
  require(text.endsWith("\n"), "it ends with a line break");
  const types: Record<string, string> = {};
  const samples: Sample[] = [];
  let current = "";
  let help = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const [, keyword, name = "", rest = ""] = /^# (\w+) (\S+) (.+)$/.exec(line) ?? [];
    if (line === "") continue;
    if (keyword === "HELP") {
      require(!(name in types), `${name} is described once`);
      help = name;
    } else if (keyword === "TYPE") {
      require(help === name, `${name} has its help before its type`);
      require(/^(counter|gauge|histogram)$/.test(rest), line);
      require((rest === "counter") === name.endsWith("_total"), `the name of ${name} fits ${rest}`);
      types[name] = rest;
      current = name;
    } else {
      const sample = readSample(line);
      const suffix = sample.name.slice(current.length);
      const isOwn = types[current] === "histogram" ? /^_(bucket|sum|count)$/.test(suffix) : !suffix;
      require(sample.name.startsWith(current) && isOwn, `${line} is below its type`);
      samples.push(sample);
    }
  }
  const keys = samples.map(({ name, labels }) => keyOf(name, labels));
  require(new Set(keys).size === keys.length, "no series is there twice");
  for (const [name, type] of Object.entries(types)) {
    if (type === "histogram") checkHistogram(name, samples);
  }

  return {
    types,
    value: (name, labels = {}) =>
      samples.find((sample) => keyOf(sample.name, sample.labels) === keyOf(name, labels))?.value,
    series: (name) => samples.filter((sample) => sample.name === name).map(({ labels }) => labels),
  };
}

function readSample(line: string): Sample {
  const [, name, inBraces = "", number = ""] =
    /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.+)\})? (\S+)$/s.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Labels = {};
  let left = inBraces;
  while (left !== "") {
    const [whole, label = "", value = ""] =
      /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/s.exec(left) ?? [];
    if (whole === undefined || label in labels) throw new Error(`no labels: ${line}`);
    labels[label] = value.replaceAll(/\\(.)/gs, (_, escaped) => (escaped === "n" ? "\n" : escaped));
    left = left.slice(whole.length);
  }
  const value = number === "+Inf" ? Infinity : Number(number);
  require(!Number.isNaN(value), line);
  return { name, labels, value };
}

/** Buckets grow, the last one is `+Inf` and counts everything. */
function checkHistogram(name: string, samples: readonly Sample[]): void {
  const counts = samples.filter((sample) => sample.name === `${name}_count`);
  for (const { labels, value } of counts) {
    const buckets = samples
      .filter((sample) => sample.name === `${name}_bucket`)
      .map((sample) => ({ ...sample, ...withoutBound(sample.labels) }))
      .filter((sample) => keyOf("", sample.series) === keyOf("", labels));
    const bounds = buckets.map(({ bound }) => bound);
    require(bounds.at(-1) === Infinity, `${name} has a bucket +Inf`);
    require(isGrowing(bounds), `the bounds of ${name} grow`);
    require(isGrowing(
      buckets.map((sample) => sample.value),
      true,
    ), `${name} is cumulative`);
    require(buckets.at(-1)?.value === value, `the last bucket of ${name} has everything`);
    const sum = samples.find(
      (sample) => keyOf(sample.name, sample.labels) === keyOf(`${name}_sum`, labels),
    );
    require(sum !== undefined, `${name} has a sum`);
  }
}

function withoutBound({ le = "", ...series }: Labels): { bound: number; series: Labels } {
  return { bound: le === "+Inf" ? Infinity : Number(le), series };
}

function isGrowing(values: readonly number[], maySame = false): boolean {
  return values.every((value, index) => {
    const before = values[index - 1] ?? -Infinity;
    return maySame ? value >= before : value > before;
  });
}

function keyOf(name: string, labels: Labels): string {
  return JSON.stringify([name, Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function require(holds: boolean, rule: string): void {
  if (!holds) throw new Error(`not so: ${rule}`);
}
