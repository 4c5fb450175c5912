// What README.md lists of telemetry is all that there is, and nothing else: settings, attributes, metrics. The tables have the
// words of the code, so that nobody has to write, or read, both.
import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { emptyResource } from "@opentelemetry/resources";
import { parse } from "yaml";
import { sections } from "../src/config/schema.ts";
import { attributeMeanings } from "../src/telemetry/requests/attributes.ts";
import { recordOf } from "../src/telemetry/requests/records.ts";
import { spansOf } from "../src/telemetry/requests/spans.ts";
import { type Exposition, readExposition } from "./telemetry/metrics/exposition.ts";
import { readme, root, tableOf } from "./support/readme.ts";
import { metricsScene } from "./telemetry/metrics/scene.ts";
import { attempt, finishedRequest } from "./telemetry/requests/finished-requests.ts";

const quoted = (text: string) => `\`${text}\``;

describe("the table of settings", () => {
  const settings = tableOf("| key | default | |").map(([keys = "", , meaning = ""]) => ({
    keys,
    meaning,
  }));
  const { forward_to: collectors } = sections.telemetry.properties;

  test("has every one of a collector, in a row or in that of the collectors", () => {
    const rows = settings.filter(({ keys }) => keys.startsWith("`telemetry.forward_to[]"));
    const text = rows.map(({ keys, meaning }, index) => (index === 0 ? meaning : keys)).join();
    const missing = Object.keys(collectors.items.properties).filter(
      (key) => !new RegExp(`[.\`]${key}[\`:]`).test(text),
    );
    expect(missing).toEqual([]);
  });

  test("has every other one of telemetry and of metrics", () => {
    const text = settings.map(({ keys }) => keys).join();
    const missing = (["telemetry", "metrics"] as const)
      .flatMap((name) => Object.keys(sections[name].properties).map((key) => `${name}.${key}`))
      .filter((key) => !text.includes(key));
    expect(missing).toEqual([]);
  });
});

test("the table of attributes has each one, where it stands and what it means", () => {
  const origin = { resource: emptyResource(), scope: { name: "claude-gateway" } };
  const finished = finishedRequest({ ending: "broken" });
  const { principal } = finished;
  const inMany = { ...principal, groups: Array.from({ length: 65 }, String) };
  const [request, ...attempts] = spansOf(finished, origin);
  const places = {
    R: [recordOf(finished, origin), recordOf({ ...finished, principal: inMany }, origin)],
    S: [request],
    A: attempts,
  };
  const placesOf = (name: string) =>
    Object.entries(places)
      .filter(([, made]) => made.some((each) => each !== undefined && name in each.attributes))
      .map(([place]) => place);

  expect(tableOf("| attribute | | |")).toEqual(
    Object.entries(attributeMeanings).map(([name, meaning]) => [
      quoted(name),
      placesOf(name).join(" "),
      meaning,
    ]),
  );
});

describe("metrics", () => {
  let text: string;
  let exposition: Exposition;
  beforeAll(async () => {
    text = await everything();
    exposition = readExposition(text);
  });

  test("are all here", async () => {
    const sources = await Promise.all(
      ["instruments.ts", "gauges.ts"].map((file) =>
        Bun.file(join(root, "src/telemetry/metrics", file)).text(),
      ),
    );
    const named = sources.flatMap((source) =>
      [...source.matchAll(/"((?:claude_gateway|process)_\w+)"/g)].map(([, name = ""]) => name),
    );
    const measured = Object.entries(exposition.types).map(([name, type]) =>
      type === "counter" ? name.replace(/_total$/, "") : name,
    );
    expect(measured.toSorted()).toEqual(named.toSorted());
  });

  test("are in their table, each with its labels and its description", () => {
    const described = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)];
    expect(tableOf("| metric | labels | |")).toEqual(
      described.map(([, name = "", help = ""]) => [
        quoted(name),
        labelsOf(name).map(quoted).join(", "),
        help.replace(/\.$/, ""),
      ]),
    );
  });

  test("that the text names exist", () => {
    const named = new Set(
      [...readme.matchAll(/\b(?:claude_gateway|process)_\w+\b/g)].map(([name]) => name),
    );
    expect([...named].filter((name) => metricOf(name) === undefined)).toEqual([]);
  });

  test("are asked for in the examples by labels that they have", () => {
    const rules = [...readme.matchAll(/^```yaml\n(groups:\n.*?)^```$/gms)]
      .map(([, block = ""]) => parse(block) as { groups: { rules: { expr: string }[] }[] })
      .flatMap(({ groups }) => groups.flatMap((group) => group.rules));
    expect(rules.length).toBeGreaterThan(0);
    for (const { expr } of rules) {
      const [, by = ""] = /\bby \((.*?)\)/.exec(expr) ?? [];
      const selecting = [...expr.matchAll(/(\w+)=~?"/g)].map(([, label = ""]) => label);
      const known = [...expr.matchAll(/claude_gateway_\w+/g)].flatMap(([name]) => labelsOf(name));
      const unknown = [...by.split(", "), ...selecting].filter(
        (label) => label !== "" && ![...known, ...prometheusLabels].includes(label),
      );
      expect({ expr, unknown }).toEqual({ expr, unknown: [] });
    }
  });

  /** The metric that a series is of: a histogram has three. */
  function metricOf(series: string): string | undefined {
    return Object.keys(exposition.types).find((name) =>
      [name, `${name}_bucket`, `${name}_count`, `${name}_sum`].includes(series),
    );
  }

  /** The names of the labels of a series. */
  function labelsOf(series: string): string[] {
    const metric = metricOf(series) ?? "";
    const isHistogram = exposition.types[metric] === "histogram";
    const [first = {}] = exposition.series(isHistogram ? `${metric}_count` : metric);
    return Object.keys(first);
  }
});

/** Of the target, and of the bounds of buckets. */
const prometheusLabels = ["instance", "le"];

/** The text of metrics in which everything has been measured. */
async function everything(): Promise<string> {
  const { finished, audited, storeObserved, observe, clock, text } = metricsScene();
  const from = { request_id: "r", client_ip: "192.0.2.1" };
  finished(
    finishedRequest({ attempts: [{ ...attempt, outcome: "refused", status: 529 }, attempt] }),
  );
  audited({ evt: "session.mint", result: "fail", err: "it broke", step: "id_token", ...from });
  audited({ evt: "device.callback", result: "browser_mismatch", ...from });
  storeObserved("kv.get", 0.001, true);
  clock.pass(250);
  const losses = { refused: 0, failed: 0, dropped: 0 };
  observe({
    openRequests: () => 0,
    openStreams: () => 0,
    setAside: () => [{ upstream: "east", upstreamModel: "m", path: "/v1/messages" }],
    queues: () => [{ destination: "https://otel.example", kind: "relay", waiting: 0, losses }],
    identity: () => ({ corrected: 0, unreadable: 0, dropped: 0 }),
    unwritten: () => ({ cents: 0, seconds: 0 }),
  });
  return text();
}
