// What is asked for when somebody reads the metrics.
import { describe, expect, test } from "bun:test";
import type { SetAsideOnPath, TelemetryQueue } from "../../../src/telemetry/metrics/gauges.ts";
import { metricsScene } from "./scene.ts";

const openRequests = "claude_gateway_open_requests";

test("nobody is asked before they are there, and from then on each time", async () => {
  const { observe, read } = metricsScene();
  expect((await read()).series(openRequests)).toEqual([]);
  let open = 3;
  observe({ openRequests: () => open });
  observe({ openStreams: () => 2 });
  expect((await read()).value(openRequests)).toBe(3);
  open = 0;
  const { value } = await read();
  expect(value(openRequests)).toBe(0);
  expect(value("claude_gateway_open_streams")).toBe(2);
});

test("what several say of the same is added up", async () => {
  const { observe, read } = metricsScene();
  observe({ openRequests: () => 3 });
  observe({ openRequests: () => 4 });
  expect((await read()).value(openRequests)).toBe(7);
});

test("spend that is not written yet is told with its age, where spend is counted", async () => {
  const { observe, read } = metricsScene();
  expect((await read()).series("claude_gateway_spend_unwritten_cents")).toEqual([]);
  observe({ unwritten: () => ({ cents: 12.5, seconds: 3.25 }) });
  const { value } = await read();
  expect(value("claude_gateway_spend_unwritten_cents")).toBe(12.5);
  expect(value("claude_gateway_spend_unwritten_seconds")).toBe(3.25);
});

test("one that throws takes nothing with it but its own", async () => {
  const { observe, read } = metricsScene();
  observe({
    openStreams: () => {
      throw new Error("it broke");
    },
    openRequests: () => 1,
  });
  const { value, series } = await read();
  expect(value(openRequests)).toBe(1);
  expect(series("claude_gateway_open_streams")).toEqual([]);
});

describe("an upstream that is set aside", () => {
  const name = "claude_gateway_upstream_set_aside";
  const east = { upstream: "east", upstreamModel: "m", path: "/v1/messages" };
  const labels = { upstream: "east", upstream_model: "m", path: "/v1/messages" };

  test("is 1, and 0 once it is back, for each model and path by itself", async () => {
    const { observe, read } = metricsScene();
    const counting = { ...east, path: "/v1/messages/count_tokens" };
    let now: SetAsideOnPath[] = [east, counting];
    observe({ setAside: () => now });
    expect((await read()).value(name, labels)).toBe(1);
    now = [counting];
    const { value } = await read();
    expect(value(name, labels)).toBe(0);
    expect(value(name, { ...labels, path: counting.path })).toBe(1);
    now = [east];
    expect((await read()).value(name, labels)).toBe(1);
  });

  test("has a series from the first time on", async () => {
    const { observe, read } = metricsScene();
    observe({ setAside: () => [] });
    expect((await read()).series(name)).toEqual([]);
  });

  test("is one of 1,900 at most", async () => {
    const { observe, read } = metricsScene();
    let round = 0;
    observe({
      setAside: () =>
        Array.from({ length: 1_500 }, (_, index) => ({
          ...east,
          upstreamModel: `m${round}-${index}`,
        })),
    });
    await read();
    round += 1;
    expect((await read()).series(name)).toHaveLength(1_900);
  });
});

describe("telemetry", () => {
  const queue = (changes: Partial<TelemetryQueue>): TelemetryQueue => ({
    destination: "https://otel.example.com",
    kind: "relay",
    waiting: 0,
    losses: { refused: 0, failed: 0, dropped: 0 },
    ...changes,
  });
  const depth = "claude_gateway_telemetry_queue";
  const lost = "claude_gateway_telemetry_lost_total";

  test("that waits and that was lost is told by collector and kind", async () => {
    const { observe, read } = metricsScene();
    observe({
      queues: () => [queue({ waiting: 5, losses: { refused: 1, failed: 2, dropped: 3 } })],
    });
    observe({ queues: () => [queue({ kind: "requests", waiting: 6 })] });
    const { value } = await read();
    const relay = { destination: "https://otel.example.com", kind: "relay" };
    expect(value(depth, relay)).toBe(5);
    expect(value(depth, { ...relay, kind: "requests" })).toBe(6);
    expect(value(lost, { ...relay, outcome: "refused" })).toBe(1);
    expect(value(lost, { ...relay, outcome: "failed" })).toBe(2);
    expect(value(lost, { ...relay, outcome: "dropped" })).toBe(3);
  });

  test("for two collectors of one origin is added up", async () => {
    const { observe, read } = metricsScene();
    const losses = { refused: 0, failed: 2, dropped: 0 };
    observe({ queues: () => [queue({ waiting: 5, losses }), queue({ waiting: 6, losses })] });
    const { value } = await read();
    const relay = { destination: "https://otel.example.com", kind: "relay" };
    expect(value(depth, relay)).toBe(11);
    expect(value(lost, { ...relay, outcome: "failed" })).toBe(4);
  });

  test("whose sender was looked into is told by what was found", async () => {
    const { observe, read } = metricsScene();
    observe({ identity: () => ({ corrected: 4, unreadable: 1, dropped: 2 }) });
    const { value } = await read();
    expect(value("claude_gateway_telemetry_identity_total", { outcome: "corrected" })).toBe(4);
    expect(value("claude_gateway_telemetry_identity_total", { outcome: "unreadable" })).toBe(1);
  });
});
