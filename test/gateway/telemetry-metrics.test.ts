// The gateway's own metrics, as Prometheus reads them from their listener and as a collector gets them: that everything that they
// tell of arrives in them. What is a series and what adds to it is tried in telemetry/metrics/.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { ask } from "../support/calls.ts";
import { startRecordCollector } from "../support/collector-of-records.ts";
import { freePort } from "../support/gateway.ts";
import {
  answerInFull,
  fedStream,
  readerOf,
  started,
  stopped,
  used,
} from "../support/metered-answers.ts";
import { startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { model, openSpendScene, person, roundPrices, setCap } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";
import { type Exposition, readExposition } from "../telemetry/metrics/exposition.ts";

const collector = startRecordCollector();
const refusing = startRecordCollector();
refusing.answer = () => new Response("", { status: 400 });
const awayUrl = `http://127.0.0.1:${await freePort()}`;
const spare = startUpstream();

const scene = await openSpendScene((config) => {
  const first = { ...config.upstreams[0], name: "first" };
  config.upstreams = [first, { ...first, name: "second", base_url: spare.url }];
  config.pricing.overrides = ["first", "second"].map((upstream) => ({
    upstream,
    model,
    ...roundPrices,
  }));
  config.failover = { unhealthy_after: 1, set_aside_seconds: 60 };
  config.metrics = { port: 0 };
  config.telemetry = {
    verify_identity: true,
    forward_to: [
      { url: collector.url, metrics: false, gateway_metrics: true },
      { url: `${refusing.url}/key-in-a-path`, metrics: false, requests: true },
      { url: `${awayUrl}/key-in-a-path`, logs: true },
    ],
  };
});
const { gateway, upstream, buy } = scene;
const [, metricsUrl = ""] = /info metrics on (\S+)\n/.exec(gateway.stderr()) ?? [];

afterAll(() => Promise.all([scene.stop(), spare.stop(), collector.stop(), refusing.stop()]));
beforeEach(() => {
  upstream.answer = spare.answer = answerInFull;
});

const scrape = async (): Promise<Exposition> =>
  readExposition(await (await fetch(metricsUrl)).text());

/** How much series have grown since it was made. */
async function growth(): Promise<
  (name: string, labels?: Record<string, string>) => Promise<number>
> {
  const before = await scrape();
  return async (name, labels) =>
    ((await scrape()).value(name, labels) ?? 0) - (before.value(name, labels) ?? 0);
}

/** Waits until a series has a value. */
async function until(name: string, labels: Record<string, string>, value: number): Promise<void> {
  const deadline = Date.now() + 5_000;
  while ((await scrape()).value(name, labels) !== value && Date.now() < deadline)
    await Bun.sleep(20);
  expect((await scrape()).value(name, labels)).toBe(value);
}

const requests = "claude_gateway_requests_total";
const labelsOf = (status: number, more: Record<string, string> = {}) => ({
  path: "/v1/messages",
  upstream: "first",
  model,
  status: String(status),
  ending: "complete",
  ...more,
});

describe("the listener", () => {
  test("is told of in the log, and serves Prometheus' text and nothing else", async () => {
    expect(metricsUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    const answer = await fetch(metricsUrl);
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    const authorization = `Bearer ${await scene.bearer()}`;
    for (const path of ["/v1/models", "/healthz", "/"]) {
      const url = new URL(path, metricsUrl);
      expect((await fetch(url, { headers: { authorization } })).status).toBe(404);
    }
  });

  test("is not the gateway's own port", async () => {
    const authorization = `Bearer ${await scene.bearer()}`;
    const url = `${gateway.url}/metrics`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization } })).status).toBe(404);
    expect(new URL(metricsUrl).port).not.toBe(new URL(gateway.url).port);
  });
});

describe("of requests it is told", () => {
  test("how many there were, by path, upstream, model and status", async () => {
    const grown = await growth();
    await (await buy("ada", 2)).text();
    await (await buy("ada", 3, { fields: { stream: true } })).text();
    await (await buy("ada", 1, { fields: { model: "gpt-4" } })).text();
    upstream.answer = () => Response.json({}, { status: 400 });
    await (await buy("ada", 1)).text();
    upstream.answer = () => Response.json({ input_tokens: 1 });
    const path = "/v1/messages/count_tokens" as const;
    await (await ask(scene, model, { path })).text();
    expect(await grown(requests, labelsOf(200))).toBe(2);
    expect(await grown(requests, labelsOf(400, { upstream: "none", model: "other" }))).toBe(1);
    expect(await grown(requests, labelsOf(400))).toBe(1);
    expect(await grown(requests, labelsOf(200, { path }))).toBe(1);
  });

  test("that the client had hung up", async () => {
    const grown = await growth();
    upstream.seen.length = 0;
    upstream.answer = () => new Promise(() => undefined);
    const hangUp = new AbortController();
    const call = buy("ada", 1, { signal: hangUp.signal }).catch(() => "gone");
    await untilTrue(() => upstream.seen.length === 1);
    hangUp.abort();
    await call;
    await gateway.audited("inference", { status: 499 });
    expect(await grown(requests, labelsOf(499, { upstream: "none", ending: "abandoned" }))).toBe(1);
  });

  test("how long they took: to the first byte, to the last, and at the gateway itself", async () => {
    const grown = await growth();
    upstream.answer = async (seen) => {
      await Bun.sleep(120);
      return answerInFull(seen);
    };
    await (await buy("ada", 1)).text();
    const path = "/v1/messages";
    const labels = { path, upstream: "first", model };
    for (const name of ["time_to_first_byte", "request_duration"]) {
      expect(await grown(`claude_gateway_${name}_seconds_count`, labels)).toBe(1);
      expect(await grown(`claude_gateway_${name}_seconds_sum`, labels)).toBeGreaterThan(0.11);
      expect(await grown(`claude_gateway_${name}_seconds_bucket`, { ...labels, le: "0.1" })).toBe(
        0,
      );
    }
    expect(await grown("claude_gateway_added_latency_seconds_count", { path })).toBe(1);
    expect(await grown("claude_gateway_added_latency_seconds_sum", { path })).toBeLessThan(0.11);
  });

  test("what they cost, as the ledger has it, and their tokens", async () => {
    const grown = await growth();
    await (await buy("spender", 7)).text();
    await (await buy("spender", 5, { fields: { stream: true } })).text();
    await scene.tables.untilSpent("spender", 12);
    const labels = { upstream: "first", model };
    expect(await grown("claude_gateway_spend_cents_total", labels)).toBeCloseTo(12, 9);
    expect(await grown("claude_gateway_tokens_total", { model, type: "output" })).toBe(12);
  });
});

test("a failover is counted by upstream and status, and who is set aside is told until it is back", async () => {
  const grown = await growth();
  const setAside = "claude_gateway_upstream_set_aside";
  const labels = { upstream: "second", upstream_model: model, path: "/v1/messages" };
  expect((await scrape()).value(setAside, labels)).toBeUndefined();
  // Both, so that either is the first: one that is set aside is asked last, and then answers.
  upstream.answer = spare.answer = () => new Response("", { status: 503 });
  expect((await buy("ada", 1)).status).toBe(502);
  expect(await grown("claude_gateway_failovers_total", { upstream: "first", reason: "503" })).toBe(
    1,
  );
  expect((await scrape()).value(setAside, labels)).toBe(1);
  expect((await scrape()).value(setAside, { ...labels, upstream: "first" })).toBe(1);
  upstream.answer = answerInFull;
  expect((await buy("ada", 1)).status).toBe(200);
  expect((await scrape()).value(setAside, { ...labels, upstream: "first" })).toBe(0);
  expect((await scrape()).value(setAside, labels)).toBe(1);
});

describe("streams are open", () => {
  const streamed = { fields: { stream: true } };
  const openStream = async (init: object = {}) => {
    const stream = fedStream();
    upstream.answer = () => stream.response;
    stream.send(started(1));
    const response = await buy("ada", 1, { ...streamed, ...init });
    const reader = readerOf(response);
    await reader.until("message_start");
    return { stream, reader };
  };

  test("until they end, and requests are", async () => {
    const one = await openStream();
    const other = await openStream();
    await until("claude_gateway_open_streams", {}, 2);
    await until("claude_gateway_open_requests", {}, 2);
    for (const { stream, reader } of [one, other]) {
      stream.send(used(1), stopped);
      stream.end();
      await reader.until("message_stop");
    }
    await until("claude_gateway_open_streams", {}, 0);
    await until("claude_gateway_open_requests", {}, 0);
  });

  test("until the client leaves, and then the request was abandoned", async () => {
    const grown = await growth();
    const hangUp = new AbortController();
    await openStream({ signal: hangUp.signal });
    await until("claude_gateway_open_streams", {}, 1);
    hangUp.abort();
    await until("claude_gateway_open_streams", {}, 0);
    expect(await grown(requests, labelsOf(200, { ending: "abandoned" }))).toBe(1);
  });

  test("until the upstream breaks off, and then the answer was broken", async () => {
    const grown = await growth();
    const { stream, reader } = await openStream();
    await until("claude_gateway_open_streams", {}, 1);
    stream.breakOff();
    await reader.until("the end that never comes").catch(() => undefined);
    await until("claude_gateway_open_streams", {}, 0);
    expect(await grown(requests, labelsOf(200, { ending: "broken" }))).toBe(1);
  });

  test("never where tokens are counted, however odd the answer", async () => {
    upstream.answer = () =>
      new Response("data: {}\n\n", { headers: { "content-type": "text/event-stream" } });
    await (await ask(scene, model, { path: "/v1/messages/count_tokens" })).text();
    await until("claude_gateway_open_streams", {}, 0);
  });
});

describe("who signs in", () => {
  const flow = deviceFlow(scene);
  const signIns = "claude_gateway_sign_ins_total";
  beforeEach(() => scene.idp.straighten());

  test("is counted, and who renews", async () => {
    const grown = await growth();
    const { refresh_token = "" } = await flow.signIn();
    expect((await flow.refresh(refresh_token)).status).toBe(200);
    expect(await grown(signIns, { event: "mint", result: "success" })).toBe(1);
    expect(await grown(signIns, { event: "refresh", result: "success" })).toBe(1);
  });

  test("and is refused is counted by what it failed at, never by what was said", async () => {
    const grown = await growth();
    scene.idp.bend.claims = (claims) => ({ ...claims, email_verified: false });
    const codes = await flow.begin();
    await flow.comeBack(await flow.confirm(codes.user_code));
    const before = (await scrape()).series(signIns);
    const failed = before.filter(({ result }) => result === "fail");
    expect(failed).toEqual([{ event: "mint", result: "fail", reason: expect.any(String) }]);
    expect(await grown(signIns, failed[0])).toBe(1);
  });
});

test("refusals are counted by event and reason", async () => {
  const grown = await growth();
  const refusals = "claude_gateway_refusals_total";
  const models = (headers: Record<string, string>) =>
    fetch(`${gateway.url}/v1/models`, { headers });
  await models({ authorization: "Bearer junk" });
  await models({});
  await setCap(gateway, person("penniless"), 0);
  await (await buy("penniless", 1)).text();
  await fetch(`${gateway.url}/v1/organizations/spend_limits`, { headers: { "x-api-key": "no" } });
  const reasons = [
    ["auth.denied", "invalid_token"],
    ["auth.denied", "missing_token"],
    ["spend.blocked", "over_limit"],
    ["admin.denied", "invalid_key"],
  ];
  for (const [event = "", reason = ""] of reasons)
    expect([event, reason, await grown(refusals, { event, reason })]).toEqual([event, reason, 1]);
});

test("operations on the store are timed, by which one it was", async () => {
  const now = await scrape();
  const count = "claude_gateway_store_duration_seconds_count";
  const operations = now.series(count).map(({ operation }) => operation);
  for (const operation of ["kv.get", "standings.read", "ledger.apply", "limits.put"])
    expect(operations).toContain(operation);
  expect(now.series(count).every(({ result }) => result === "ok")).toBe(true);
  const sum = now.value("claude_gateway_store_duration_seconds_sum", {
    operation: "standings.read",
    result: "ok",
  });
  expect(sum).toBeGreaterThan(0);
});

describe("telemetry that does not arrive is counted,", () => {
  const lost = "claude_gateway_telemetry_lost_total";

  test("a client's export to a collector that is away", async () => {
    const authorization = `Bearer ${await scene.bearer()}`;
    const headers = { authorization, "content-type": "application/json" };
    const body = '{"resourceLogs":[]}';
    await fetch(`${gateway.url}/v1/logs`, { method: "POST", headers, body });
    await until(lost, { destination: awayUrl, kind: "relay", outcome: "failed" }, 1);
    const queue = "claude_gateway_telemetry_queue";
    expect((await scrape()).value(queue, { destination: awayUrl, kind: "relay" })).toBe(0);
  });

  test("a record that a collector refuses", async () => {
    const labels = { destination: refusing.url, kind: "requests", outcome: "refused" };
    // Those of all requests so far leave in batches, and the last one of them a second after it came.
    const queue = { destination: refusing.url, kind: "requests" };
    await until("claude_gateway_telemetry_queue", queue, 0);
    const before = (await scrape()).value(lost, labels) ?? 0;
    await (await buy("ada", 1)).text();
    await until("claude_gateway_telemetry_queue", queue, 1);
    await until(lost, labels, before + 1);
    await until("claude_gateway_telemetry_queue", queue, 0);
  });
});

test("it says what it is, when it began, what it holds in memory, and how late it runs", async () => {
  const now = await scrape();
  expect(now.series("claude_gateway_build_info")).toEqual([
    { version: expect.stringMatching(/^\d+\.\d+\.\d+/), bun: Bun.version },
  ]);
  expect(now.value("process_resident_memory_bytes")).toBeGreaterThan(10_000_000);
  const startedAt = Number(now.value("process_start_time_seconds")) * 1_000;
  expect(Math.abs(Date.now() - startedAt)).toBeLessThan(120_000);
  expect(now.value("claude_gateway_event_loop_lag_seconds_count")).toBeGreaterThan(0);
  expect(now.value("claude_gateway_telemetry_identity_total", { outcome: "corrected" })).toBe(0);
});

test("nobody is named in it, nor the key in a collector's path", async () => {
  const text = await (await fetch(metricsUrl)).text();
  expect(text.match(/"(?:ada|spender|penniless)|@example|key-in-a-path|gpt-4/)).toBeNull();
});

test("a collector gets the same when the gateway stops, under the same names", async () => {
  const { types } = await scrape();
  expect(collector.metrics().size).toBe(0);
  expect(await gateway.stop()).toBe(0);
  const got = collector.metrics();
  const names = Object.keys(types).map((name) => name.replace(/_total$/, ""));
  expect([...got.keys()].toSorted()).toEqual(names.toSorted());
  const answered = got
    .get("claude_gateway_requests")
    ?.find(({ attributes }) => Bun.deepEquals(attributes, { ...labelsOf(200), status: 200 }));
  expect(answered?.value).toBeGreaterThan(5);
  expect(refusing.received.every(({ path }) => path === "/key-in-a-path/v1/logs")).toBe(true);
});
