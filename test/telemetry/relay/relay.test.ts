// From a client's request to the collectors that want it: who gets what, and that nobody waits for anybody.
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Signal } from "../../../src/config/telemetry-schema.ts";
import { log } from "../../../src/log.ts";
import { createRelay, describeRelay } from "../../../src/telemetry/relay/relay.ts";
import { load, minimal } from "../../config/samples.ts";
import { startCollector } from "../collector.ts";
import { createHandClock } from "../hand-clock.ts";
import { openNetwork } from "../../support/egress.ts";
import { incomingOf } from "../../support/incoming.ts";

const collectors = [startCollector(), startCollector()] as const;
const [first, second] = collectors;
afterAll(async () => void (await Promise.all(collectors.map((each) => each.stop()))));

beforeEach(() => {
  for (const each of collectors) {
    each.received.length = 0;
    each.answer = () => Response.json({});
  }
});

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

function telemetryOf(destinations: object[]) {
  const config = minimal();
  config["telemetry"] = { forward_to: destinations };
  const env = { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" };
  return load(JSON.stringify(config), { env }).config.telemetry;
}

function open(...destinations: object[]) {
  const clock = createHandClock();
  const relay = createRelay(telemetryOf(destinations), {
    network: openNetwork(),
    userAgent: "claude-gateway/test",
    log,
    after: clock.after,
    now: Date.now,
  });
  close = async () => {
    const closing = relay.close(1);
    clock.pass(1);
    await closing;
  };
  const post = async (signal: Signal, init: RequestInit = {}) => {
    const request = new Request(`http://gateway/v1/${signal}`, { method: "POST", ...init });
    const answer = await relay.accept(signal)(incomingOf(request), {
      sub: "ada",
      email: undefined,
      name: undefined,
      groups: [],
    });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    return request;
  };
  return { relay, clock, post };
}

test("a signal goes to every destination that wants it, and to no other", async () => {
  const { post } = open(
    { url: first.url, logs: true },
    { url: second.url, metrics: false, logs: true, traces: true },
  );
  for (const signal of ["metrics", "logs", "traces"] as const) await post(signal, { body: signal });
  await Promise.all([first.until(2), second.until(2)]);
  const paths = (of: typeof first) => of.received.map(({ path }) => path).toSorted();
  expect(paths(first)).toEqual(["/v1/logs", "/v1/metrics"]);
  expect(paths(second)).toEqual(["/v1/logs", "/v1/traces"]);
});

test("of the client goes along what tells of the body, and nothing else", async () => {
  const { post } = open({ url: first.url });
  const body = Bun.gzipSync(Buffer.from("{}"));
  const headers = {
    authorization: "Bearer of-the-gateway",
    cookie: "a=b",
    "x-c": "1",
    "user-agent": "claude-code/1",
    "content-type": "application/json",
    "content-encoding": "gzip",
  };
  await post("metrics", { body, headers });
  const [received] = await first.until(1);
  expect(Buffer.from(received?.body ?? []).equals(body)).toBe(true);
  expect(Object.fromEntries(received?.headers ?? [])).toEqual({
    accept: "*/*",
    "accept-encoding": expect.any(String),
    connection: "keep-alive",
    "content-encoding": "gzip",
    "content-length": String(body.length),
    "content-type": "application/json",
    host: new URL(first.url).host,
    "user-agent": "claude-gateway/test",
  });
});

test.each([undefined, ""])("a body of which the type is %j counts as protobuf", async (type) => {
  const { post } = open({ url: first.url });
  const headers = type === undefined ? {} : { "content-type": type };
  await post("metrics", { body: new Uint8Array([1]), headers });
  await post("metrics", { headers });
  const received = await first.until(2);
  expect(received.map(({ headers: sent }) => sent.get("content-type"))).toEqual([
    "application/x-protobuf",
    "application/x-protobuf",
  ]);
});

test("an export that nobody wants is not even read", async () => {
  const { post } = open({ url: first.url });
  expect((await post("traces", { body: "x" })).bodyUsed).toBe(false);
  expect((await post("metrics", { body: "x" })).bodyUsed).toBe(true);
  await first.until(1);
});

test("a client that hangs up in the middle of its export has sent none", async () => {
  const { relay } = open({ url: first.url });
  const gone = new AbortController();
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array([1]));
      gone.abort();
      controller.error(new Error("connection reset"));
    },
  });
  const request = new Request("http://gateway", { method: "POST", body, signal: gone.signal });
  const incoming = incomingOf(request);
  const principal = { sub: "ada", email: undefined, name: undefined, groups: [] };
  expect((await relay.accept("metrics")(incoming, principal)).status).toBe(200);
  await relay.close(1_000);
  expect(first.received).toEqual([]);
});

test("a collector that hangs and one that is not there keep nobody waiting", async () => {
  first.answer = () => new Promise<Response>(() => undefined);
  const away = startCollector();
  await away.stop();
  const { post } = open({ url: first.url }, { url: away.url }, { url: second.url });
  for (let i = 0; i < 50; i++) await post("metrics", { body: String(i) });
  await Promise.all([second.until(50), first.until(8)]);
  const numbersAt = ({ received }: typeof first) =>
    received.map(({ body }) => Number(Buffer.from(body).toString())).toSorted((a, b) => a - b);
  expect(numbersAt(second)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(numbersAt(first)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test("what waits is sent before it closes", async () => {
  const { relay, post } = open({ url: first.url });
  for (let i = 0; i < 30; i++) await post("metrics", { body: String(i) });
  await relay.close(60_000);
  expect(first.received).toHaveLength(30);
});

test("without a collector exports are accepted and dropped", async () => {
  const relay = createRelay(undefined, {
    network: openNetwork(),
    userAgent: "",
    log,
    after: createHandClock().after,
    now: Date.now,
  });
  const incoming = { request: new Request("http://gateway", { method: "POST" }) };
  for (const signal of ["metrics", "logs", "traces"] as const) {
    const answer = await relay.accept(signal)(incoming as never, {} as never);
    expect(answer.status).toBe(200);
  }
  await relay.close(1_000);
});

describe("the boot log", () => {
  test.each([
    ["not configured", []],
    ["1 destination(s), signals enabled: metrics", [{}]],
    ["1 destination(s), signals enabled: none", [{ metrics: false }]],
    ["2 destination(s), signals enabled: metrics, traces", [{ metrics: false, traces: true }, {}]],
  ])("says %s", (line, destinations) => {
    const urls = destinations.map((destination) => ({ url: first.url, ...destination }));
    expect(describeRelay(telemetryOf(urls))).toBe(line);
  });

  test("says so without the section, too", () => {
    expect(describeRelay(undefined)).toBe("not configured");
  });
});
