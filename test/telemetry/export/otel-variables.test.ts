// OpenTelemetry's environment variables, while something is built that would read them.
import { expect, test } from "bun:test";
import { withoutOtelVariables } from "../../../src/telemetry/export/otel-variables.ts";

const environment = () => ({
  OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer secret",
  otel_lower: "x",
  PATH: "/bin",
  NOT_OTEL_AT_ALL: "y",
});

test("are not there while it is built, and all others are", () => {
  const env = environment();
  const seen = withoutOtelVariables(() => ({ ...env }), env);
  expect(Object.keys(seen)).toEqual(["PATH", "NOT_OTEL_AT_ALL"]);
});

test("are back afterwards, also when building fails", () => {
  const env = environment();
  withoutOtelVariables(() => undefined, env);
  expect(env).toEqual(environment());
  const failing = () => {
    throw new Error("no");
  };
  expect(() => withoutOtelVariables(failing, env)).toThrow("no");
  expect(env).toEqual(environment());
});

test("are those of the process unless another environment is given", () => {
  process.env["OTEL_EXPORTER_OTLP_TEST"] = "x";
  try {
    const seen = withoutOtelVariables(() => process.env["OTEL_EXPORTER_OTLP_TEST"]);
    expect(seen).toBeUndefined();
    expect(process.env["OTEL_EXPORTER_OTLP_TEST"]).toBe("x");
  } finally {
    delete process.env["OTEL_EXPORTER_OTLP_TEST"];
  }
});
