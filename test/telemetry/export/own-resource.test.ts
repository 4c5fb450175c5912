// What the gateway says of itself in its own telemetry.
import { expect, test } from "bun:test";
import { createOwnOrigin } from "../../../src/telemetry/export/own-resource.ts";

const own = (labels: Record<string, string>) =>
  createOwnOrigin({ version: "1.2.3", instanceId: "6f1c", labels });

test("it names itself, its version and its process, and has the operator's labels", () => {
  expect(own({ "team.name": "platform" }).resource.attributes).toEqual({
    "team.name": "platform",
    "service.name": "claude-gateway",
    "service.version": "1.2.3",
    "service.instance.id": "6f1c",
  });
  expect(own({}).scope).toEqual({ name: "claude-gateway", version: "1.2.3" });
});

test("labels do not say otherwise", () => {
  const { attributes } = own({ "service.instance.id": "all", "service.name": "x" }).resource;
  expect(attributes).toMatchObject({
    "service.name": "claude-gateway",
    "service.instance.id": "6f1c",
  });
});

test("the environment has no say in it", () => {
  process.env["OTEL_RESOURCE_ATTRIBUTES"] = "team=environment";
  process.env["OTEL_SERVICE_NAME"] = "environment";
  try {
    const { attributes } = own({}).resource;
    expect(JSON.stringify(attributes)).not.toContain("environment");
  } finally {
    delete process.env["OTEL_RESOURCE_ATTRIBUTES"];
    delete process.env["OTEL_SERVICE_NAME"];
  }
});
