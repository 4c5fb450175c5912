// The environment that makes clients export their telemetry here.
import { describe, expect, test } from "bun:test";
import { telemetryEnvOf, telemetryLabelsOf } from "../../src/policy/telemetry-env.ts";
import { type Edit, edited, load } from "../config/samples.ts";

const envOf = (edit: Edit) => telemetryEnvOf(load(edited(edit)).config);
const labelsOf = (edit: Edit) => telemetryLabelsOf(load(edited(edit)).config);
const url = "https://otel.example";

test("names the gateway and switches off what no collector wants, in this order", () => {
  const env = envOf((c) => (c.telemetry = { forward_to: [{ url }] }));
  expect(Object.entries(env ?? {})).toEqual([
    ["CLAUDE_CODE_ENABLE_TELEMETRY", "1"],
    ["OTEL_METRICS_EXPORTER", "otlp"],
    ["OTEL_LOGS_EXPORTER", "none"],
    ["OTEL_TRACES_EXPORTER", "none"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "https://gateway.example"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"],
  ]);
});

test("one collector that wants a signal is enough for it to be on", () => {
  const env = envOf(
    (c) =>
      (c.telemetry = {
        forward_to: [
          { url, metrics: false },
          { url, metrics: false, logs: true },
          { url, metrics: false, traces: true },
        ],
      }),
  );
  expect(env).toMatchObject({
    OTEL_METRICS_EXPORTER: "none",
    OTEL_LOGS_EXPORTER: "otlp",
    OTEL_TRACES_EXPORTER: "otlp",
  });
});

test("the endpoint is the public URL, path included, without a slash at its end", () => {
  const env = envOf((c) => {
    c.listen.public_url = "https://corp.example/claude//";
    c.telemetry = { forward_to: [{ url }] };
  });
  expect(env?.["OTEL_EXPORTER_OTLP_ENDPOINT"]).toBe("https://corp.example/claude");
});

test("labels come last, in the order of the file", () => {
  const env = envOf(
    (c) =>
      (c.telemetry = {
        forward_to: [{ url }],
        resource_attributes: { team: "plat/form", "cost.center": "42", aa: "x:y" },
      }),
  );
  expect(Object.entries(env ?? {}).at(-1)).toEqual([
    "OTEL_RESOURCE_ATTRIBUTES",
    "team=plat/form,cost.center=42,aa=x:y",
  ]);
});

test("labels for clients that take no environment are the configured ones, or none", () => {
  const labels = { team: "plat/form", aa: "x:y" };
  expect(
    labelsOf((c) => (c.telemetry = { forward_to: [{ url }], resource_attributes: labels })),
  ).toEqual(labels);
  expect(labelsOf((c) => (c.telemetry = { forward_to: [{ url }] }))).toEqual({});
});

describe("nothing is said to clients", () => {
  test.each<[string, Edit]>([
    ["without the section", () => undefined],
    [
      "without a collector",
      (c) => (c.telemetry = { forward_to: [], resource_attributes: { team: "x" } }),
    ],
    [
      "without a public URL",
      (c) => {
        c.listen = { host: "127.0.0.1" };
        c.telemetry = { forward_to: [{ url }] };
      },
    ],
  ])("%s", (_, edit) => {
    expect(envOf(edit)).toBeUndefined();
    expect(labelsOf(edit)).toBeUndefined();
  });
});
