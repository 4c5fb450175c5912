// Metrics as a whole: what they cost in timers, how late the process is, the store, and the collectors that they are sent to.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createCollector } from "../../../src/telemetry/collector.ts";
import { createMetricExporter } from "../../../src/telemetry/export/collector-export.ts";
import { openNetwork } from "../../support/egress.ts";
import { untilTrue } from "../../support/until-true.ts";
import { type Collector, startCollector } from "../collector.ts";
import { finishedRequest } from "../requests/finished-requests.ts";
import { metricsScene } from "./scene.ts";

describe("the lag of the event loop", () => {
  const name = "claude_gateway_event_loop_lag_seconds";

  test("is how late a timer ran, again and again", async () => {
    const { be, clock, read } = metricsScene();
    be(250);
    clock.pass(250);
    be(290);
    clock.pass(250);
    const { value } = await read();
    expect(value(`${name}_count`)).toBe(2);
    expect(value(`${name}_sum`)).toBeCloseTo(0.04, 9);
  });

  test("is nothing when it ran early", async () => {
    const { be, clock, read } = metricsScene();
    be(249);
    clock.pass(250);
    const { value } = await read();
    expect(value(`${name}_count`)).toBe(1);
    expect(value(`${name}_sum`)).toBe(0);
  });
});

test("operations on the store are told by name and by how they ended", async () => {
  const { storeObserved, read } = metricsScene();
  storeObserved("kv.get", 0.003, true);
  storeObserved("kv.get", 0.5, false);
  const { value } = await read();
  const name = "claude_gateway_store_duration_seconds_sum";
  expect(value(name, { operation: "kv.get", result: "ok" })).toBe(0.003);
  expect(value(name, { operation: "kv.get", result: "error" })).toBe(0.5);
});

test("they are read every minute although nobody scrapes, once more at the close, and no more then", async () => {
  const { clock, observe, close } = metricsScene();
  let collections = 0;
  observe({ openRequests: () => (collections += 1) });
  clock.pass(59_999);
  expect(collections).toBe(0);
  clock.pass(1);
  expect(collections).toBe(1);
  await close(0);
  clock.pass(600_000);
  expect(collections).toBe(2);
});

test("a text that took long is kept for ten times as long, and a quick one is not", async () => {
  const { observe, read, be } = metricsScene();
  let collections = 0;
  let tookMs = 20;
  observe({
    openRequests: () => {
      be(tookMs);
      return (collections += 1);
    },
  });
  const shown = async () => (await read()).value("claude_gateway_open_requests");
  expect([await shown(), await shown()]).toEqual([1, 2]);
  tookMs = 21;
  expect([await shown(), await shown()]).toEqual([3, 3]);
  be(209);
  expect(await shown()).toBe(3);
  be(1);
  expect(await shown()).toBe(4);
});

test("whoever reads them while the gateway stops gets the last of them", async () => {
  const { observe, read, close } = metricsScene();
  let open = 3;
  observe({ openRequests: () => open });
  await close(0);
  open = 7;
  expect((await read()).value("claude_gateway_open_requests")).toBe(3);
});

test("closing them leaves no timer", async () => {
  let timers = 0;
  const { close } = metricsScene({
    after: () => {
      timers += 1;
      return () => void (timers -= 1);
    },
  });
  expect(timers).toBeGreaterThan(0);
  await close(1_000);
  expect(timers).toBe(0);
});

describe("collectors", () => {
  let collector: Collector;
  const ends: (() => Promise<void>)[] = [];
  beforeEach(() => {
    collector = startCollector();
  });
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
    await collector.stop();
  });

  const secret = "key-in-the-path";

  /** Metrics that are sent to the collector; every 30 ms unless it is said otherwise. */
  function sent(intervalMs = 30) {
    const warnings: string[] = [];
    const config = { url: `${collector.url}/${secret}`, headers: {}, metrics: false };
    const rest = { logs: false, traces: false, requests: false, gateway_metrics: true };
    const exporter = createMetricExporter(
      createCollector({ ...config, ...rest }, { now: Date.now }),
      {
        network: openNetwork(),
        userAgent: "claude-gateway/1.2.3",
        after: (ms, run) => {
          const timer = setTimeout(run, ms);
          return () => clearTimeout(timer);
        },
        log: { warn: (line) => void warnings.push(line) },
      },
    );
    const scene = metricsScene({
      exporters: [{ destination: collector.url, exporter }],
      intervalMs,
    });
    ends.push(() => scene.close(0));
    return { ...scene, warnings, exporter };
  }

  /** The metrics of an export, by name, each with its data points. */
  function metricsIn(body: Uint8Array): Map<string, { unit: string; points: Point[] }> {
    const { resourceMetrics } = JSON.parse(new TextDecoder().decode(body));
    return new Map(
      resourceMetrics[0].scopeMetrics[0].metrics.map(
        ({ name, unit, sum, gauge, histogram }: Written) => [
          name,
          { unit, points: (sum ?? gauge ?? histogram)?.dataPoints ?? [] },
        ],
      ),
    );
  }
  type Point = {
    asInt?: number | string;
    asDouble?: number;
    count?: number | string;
    startTimeUnixNano?: string;
    timeUnixNano?: string;
    explicitBounds?: number[];
  };
  type Points = { dataPoints: Point[] };
  type Written = { name: string; unit: string; sum?: Points; gauge?: Points; histogram?: Points };

  test("are sent everything, under the same names, as sums since the start", async () => {
    const { finished, observe, read } = sent();
    observe({ openRequests: () => 3 });
    finished(finishedRequest());
    await collector.until(1);
    finished(finishedRequest());
    const had = collector.received.length;
    const received = await collector.until(had + 2);
    const metrics = metricsIn(received.at(-1)!.body);
    expect(received[0]?.path).toBe(`/${secret}/v1/metrics`);
    expect(Number(metrics.get("claude_gateway_requests")?.points[0]?.asInt)).toBe(2);
    expect(metrics.get("claude_gateway_open_requests")?.points[0]?.asInt).toBe(3);
    const latency = metrics.get("claude_gateway_added_latency_seconds");
    expect(latency?.unit).toBe("s");
    expect(Number(latency?.points[0]?.count)).toBe(2);
    expect(latency?.points[0]?.explicitBounds?.[0]).toBe(0.0001);
    const names = Object.keys((await read()).types).map((name) => name.replace(/_total$/, ""));
    expect([...metrics.keys()].toSorted()).toEqual(names.toSorted());
  });

  test("are sent sums that began with the process, also those that are asked for only then", async () => {
    const { finished } = sent();
    finished(finishedRequest());
    const [received] = await collector.until(1);
    const [point] = metricsIn(received!.body).get("claude_gateway_requests")?.points ?? [];
    const startedAt = Math.floor(performance.timeOrigin / 1000);
    expect(Math.floor(Number(point?.startTimeUnixNano) / 1e9)).toBe(startedAt);
    expect(Number(point?.timeUnixNano)).toBeGreaterThan(Number(point?.startTimeUnixNano));
  });

  test("and Prometheus see the same, however often either reads", async () => {
    const { finished, read } = sent();
    const labels = { path: "/v1/messages" };
    const count = "claude_gateway_added_latency_seconds_count";
    finished(finishedRequest());
    await collector.until(2);
    expect((await read()).value(count, labels)).toBe(1);
    finished(finishedRequest());
    expect((await read()).value(count, labels)).toBe(2);
    await collector.until(collector.received.length + 2);
    expect((await read()).value(count, labels)).toBe(2);
    const metrics = metricsIn(collector.received.at(-1)!.body);
    const latency = metrics.get("claude_gateway_added_latency_seconds");
    expect(Number(latency?.points[0]?.count)).toBe(2);
  });

  test("that do not take them are counted and logged at the first time, without their path or answer", async () => {
    collector.answer = () => new Response("canary", { status: 400 });
    const { read, warnings, exporter } = sent();
    await collector.until(3);
    await untilTrue(() => exporter.losses.refused >= 2);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`${collector.url}: export of metrics refused: answered 400`);
    expect(warnings[0]).not.toMatch(/canary|key-in-the-path/);
    const labels = { destination: collector.url, kind: "metrics", outcome: "refused" };
    const refused = (await read()).value("claude_gateway_telemetry_lost_total", labels);
    expect(refused).toBeGreaterThanOrEqual(2);
  });

  test("get the last of them when the gateway stops, and nothing from then on", async () => {
    const { finished, close } = sent(60_000);
    finished(finishedRequest());
    await close(2_000);
    expect(collector.received).toHaveLength(1);
    const metrics = metricsIn(collector.received[0]!.body);
    expect(Number(metrics.get("claude_gateway_requests")?.points[0]?.asInt)).toBe(1);
    finished(finishedRequest());
    expect(collector.received).toHaveLength(1);
  });

  test("that hang do not hold up the stop", async () => {
    collector.answer = () => new Promise(() => undefined);
    const { close, clock } = sent(60_000);
    let isClosed = false;
    const closing = close(1_000).then(() => (isClosed = true));
    await collector.until(1);
    expect(isClosed).toBe(false);
    clock.pass(1_000);
    await closing;
  });
});
