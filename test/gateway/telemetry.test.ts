// The relay in a running gateway: who may export, what arrives at the collectors, what the log says of one that is away, and
// what happens to exports that wait when the gateway stops.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { freePort } from "../support/gateway.ts";
import { openScene } from "../support/scene.ts";
import { startCollector } from "../telemetry/collector.ts";

const metrics = startCollector();
const logs = startCollector();
const awayPort = await freePort();
const awayUrl = `http://127.0.0.1:${awayPort}/path-with-a-key`;
const collectorKey = "a-key-for-the-collector";

const scene = await openScene((config) => {
  config.limits = { max_request_bytes: 100_000 };
  config.telemetry = {
    forward_to: [
      { url: metrics.url, headers: { authorization: `Bearer ${collectorKey}` } },
      { url: `${logs.url}/otlp/`, metrics: false, logs: true, traces: true },
      { url: awayUrl, headers: { "x-key": collectorKey } },
    ],
  };
});
const { gateway } = scene;

afterAll(async () => {
  await Promise.all([scene.stop(), metrics.stop(), logs.stop()]);
});
beforeEach(() => {
  for (const each of [metrics, logs]) {
    each.received.length = 0;
    each.answer = () => Response.json({});
  }
});

type Sent = {
  method?: string;
  body?: string | Uint8Array<ArrayBuffer>;
  headers?: Record<string, string>;
};

const send = async (path: string, init: Sent = {}) =>
  fetch(gateway.url + path, {
    method: "POST",
    ...init,
    headers: { authorization: `Bearer ${await scene.bearer()}`, ...init.headers },
  });

test("the start says where telemetry goes", () => {
  expect(gateway.stderr()).toContain(
    "info telemetry relay: 3 destination(s), signals enabled: metrics, logs, traces\n",
  );
});

describe("an export", () => {
  test("arrives byte for byte, compressed as it was, and the client hears 200 and nothing", async () => {
    const body = Bun.gzipSync(Buffer.from('{"resourceMetrics":[ ]}'));
    const response = await send("/v1/metrics", {
      body,
      headers: { "content-type": "application/json", "content-encoding": "gzip" },
    });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    const [received] = await metrics.until(1);
    expect(received?.path).toBe("/v1/metrics");
    expect(Buffer.from(received?.body ?? []).equals(body)).toBe(true);
    expect(received?.headers.get("content-type")).toBe("application/json");
    expect(received?.headers.get("content-encoding")).toBe("gzip");
    expect(received?.headers.get("user-agent")).toMatch(/^claude-gateway\//);
    expect(logs.received).toEqual([]);
  });

  test("goes to who wants the signal, with the collector's credential and never the client's", async () => {
    const bearer = await scene.bearer();
    await send("/v1/logs", { body: "l", headers: { cookie: "a=b" } });
    await send("/v1/traces", { body: "t" });
    await send("/v1/metrics", { body: "m" });
    await Promise.all([logs.until(2), metrics.until(1)]);
    const paths = logs.received.map(({ path }) => path).toSorted();
    expect(paths).toEqual(["/otlp/v1/logs", "/otlp/v1/traces"]);
    const headersOf = ({ received }: typeof logs) =>
      received.map(({ headers }) => [headers.get("authorization"), headers.get("cookie")]);
    expect(headersOf(logs)).toEqual([
      [null, null],
      [null, null],
    ]);
    expect(headersOf(metrics)).toEqual([[`Bearer ${collectorKey}`, null]]);
    const all = [...logs.received, ...metrics.received].map(({ headers }) => [...headers]);
    expect(JSON.stringify(all)).not.toContain(bearer);
  });

  test("without a bearer is refused and goes nowhere", async () => {
    for (const signal of ["metrics", "logs", "traces"]) {
      const authorization = "Bearer nobody";
      const response = await send(`/v1/${signal}`, { body: "x", headers: { authorization } });
      expect(response.status).toBe(401);
    }
    await send("/v1/metrics", { body: "last" });
    const [received] = await metrics.until(1);
    expect(Buffer.from(received?.body ?? []).toString()).toBe("last");
    expect(logs.received).toEqual([]);
  });

  test("of another signal, or one that is asked for, is not found", async () => {
    expect((await send("/v1/profiles", { body: "x" })).status).toBe(404);
    expect((await send("/v1/metrics", { method: "GET" })).status).toBe(404);
  });

  test("that is larger than a request may be is refused", async () => {
    expect((await send("/v1/metrics", { body: "x".repeat(100_001) })).status).toBe(413);
  });
});

test("a collector that hangs keeps neither inference nor other exports waiting", async () => {
  metrics.answer = () => new Promise<Response>(() => undefined);
  for (let i = 0; i < 40; i++) {
    expect((await send("/v1/metrics", { body: "x" })).status).toBe(200);
    expect((await send("/v1/logs", { body: "x" })).status).toBe(200);
  }
  await logs.until(40);
  expect((await scene.message()).status).toBe(200);
});

test("of a collector that is away the log says where it is, and nothing of what it should have got", async () => {
  for (let i = 0; i < 5; i++) await send("/v1/metrics", { body: `words of telemetry ${i}` });
  const origin = `http://127\\.0\\.0\\.1:${awayPort}`;
  await gateway.waitForLog(
    new RegExp(`warn telemetry relay: ${origin}: export failed: .* \\(1 so`),
  );
  await gateway.waitForLog(new RegExp(`warn telemetry relay: ${origin} failed 5 times in a row`));
  for (const secret of [collectorKey, "path-with-a-key", "words of telemetry"]) {
    expect(gateway.stderr()).not.toContain(secret);
  }
});

test("a gateway that stops sends what waits first, and does not wait for who hangs", async () => {
  const slow = startCollector();
  const hangs = startCollector();
  slow.answer = async () => {
    await Bun.sleep(50);
    return Response.json({});
  };
  hangs.answer = () => new Promise<Response>(() => undefined);
  const other = await openScene((config) => {
    config.telemetry = { forward_to: [{ url: slow.url }, { url: hangs.url }] };
  });
  const authorization = `Bearer ${await other.bearer()}`;
  for (let i = 0; i < 30; i++) {
    await fetch(`${other.gateway.url}/v1/metrics`, {
      method: "POST",
      body: "x",
      headers: { authorization },
    });
  }
  expect(await other.gateway.stop("SIGTERM")).toBe(0);
  expect(slow.received).toHaveLength(30);
  expect(other.gateway.stderr()).toContain(
    `warn telemetry relay: ${hangs.url}: 30 export(s) not sent before the stop`,
  );
  await Promise.all([other.stop(), slow.stop(), hangs.stop()]);
});
