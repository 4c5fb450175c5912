// The gateway's own telemetry on its way to a real collector on this machine: what arrives, what each answer means, and what
// the log may say of it.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeverityNumber, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import {
  type CollectorConfig,
  createCollector,
  type Outcome,
} from "../../../src/telemetry/collector.ts";
import {
  createMetricExporter,
  createRecordSend,
  createSpanSend,
  type SendOptions,
} from "../../../src/telemetry/export/collector-export.ts";
import { createOwnOrigin } from "../../../src/telemetry/export/own-resource.ts";
import type { Timer } from "../../../src/timer.ts";
import { openNetwork } from "../../support/egress.ts";
import { startGoogle, writeFederation } from "../../support/google.ts";
import { portOf } from "../../support/idp.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { untilTrue } from "../../support/until-true.ts";
import { startCollector } from "../collector.ts";

const collector = startCollector();
const google = startGoogle();
const directory = mkdtempSync(join(tmpdir(), "collector-export-"));
const environment = { ...process.env };
const servers: Server[] = [];

beforeEach(() => {
  collector.received.length = 0;
  collector.answer = () => Response.json({});
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
});
afterAll(async () => {
  await Promise.all([collector.stop(), google.stop()]);
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true });
});

const secretPath = "key-in-a-path";
const after: Timer = (ms, run) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};
const usual: SendOptions = {
  network: openNetwork(),
  userAgent: "claude-gateway/test",
  after,
  timeoutMs: 5_000,
};

/** A collector as a checked configuration has it. */
function configured(destination: Partial<CollectorConfig> = {}) {
  const config: CollectorConfig = {
    url: collector.url,
    headers: {},
    metrics: true,
    logs: false,
    traces: false,
    requests: true,
    gateway_metrics: false,
    ...destination,
  };
  return createCollector(config, { now: Date.now });
}

const own = createOwnOrigin({
  version: "1.2.3",
  instanceId: "6f1c",
  labels: { team: "platform" },
});
const context = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  traceFlags: 1,
};
const record: ReadableLogRecord = {
  hrTime: [1_790_000_000, 5],
  hrTimeObserved: [1_790_000_001, 0],
  spanContext: context,
  severityNumber: SeverityNumber.INFO,
  eventName: "claude_gateway.request",
  resource: own.resource,
  instrumentationScope: own.scope,
  attributes: { "gen_ai.request.model": "claude-opus-4-8", "gen_ai.usage.input_tokens": 12 },
  droppedAttributesCount: 0,
};
const span: ReadableSpan = {
  name: "POST /v1/messages",
  kind: SpanKind.SERVER,
  spanContext: () => context,
  startTime: [1_790_000_000, 0],
  endTime: [1_790_000_001, 0],
  duration: [1, 0],
  ended: true,
  status: { code: SpanStatusCode.UNSET },
  attributes: { "http.response.status_code": 200 },
  links: [],
  events: [],
  resource: own.resource,
  instrumentationScope: own.scope,
  droppedAttributesCount: 0,
  droppedEventsCount: 0,
  droppedLinksCount: 0,
};

/** Sends one record there. */
function send(destination: Partial<CollectorConfig> = {}, options: Partial<SendOptions> = {}) {
  return createRecordSend(configured(destination), { ...usual, ...options })([record]);
}

/** Why a batch did not arrive. */
function whyOf(outcome: Outcome): string {
  return outcome.kind === "taken" ? "" : outcome.why;
}

/** The collector's last request: its path and its body, read as the OTLP/JSON it says it is. */
function lastReceived() {
  const { path, headers, body } = collector.received.at(-1) ?? { path: "", headers: new Headers() };
  expect(headers.get("content-type")).toBe("application/json");
  return { path, body: JSON.parse(Buffer.from(body ?? []).toString()) };
}

/** A server that does this with every connection. */
async function serve(connected: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    connected(socket);
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${portOf(server)}`;
}

const resourceOfOurs = {
  attributes: [
    { key: "team", value: { stringValue: "platform" } },
    { key: "service.name", value: { stringValue: "claude-gateway" } },
    { key: "service.version", value: { stringValue: "1.2.3" } },
    { key: "service.instance.id", value: { stringValue: "6f1c" } },
  ],
  droppedAttributesCount: 0,
};
const scopeOfOurs = { name: "claude-gateway", version: "1.2.3" };

describe("what arrives", () => {
  test("is a batch of records, below the collector's path for logs", async () => {
    const url = `${collector.url}/otlp/`;
    const sendRecords = createRecordSend(configured({ url }), usual);
    expect(await sendRecords([record, { ...record, eventName: "second" }])).toEqual({
      kind: "taken",
    });
    const { path, body } = lastReceived();
    expect(path).toBe("/otlp/v1/logs");
    const [{ resource, scopeLogs }, ...otherResources] = body.resourceLogs;
    expect(otherResources).toEqual([]);
    expect(resource).toEqual(resourceOfOurs);
    const [{ scope, logRecords }, ...otherScopes] = scopeLogs;
    expect(otherScopes).toEqual([]);
    expect(scope).toEqual(scopeOfOurs);
    expect(logRecords.map(({ eventName }: ReadableLogRecord) => eventName)).toEqual([
      "claude_gateway.request",
      "second",
    ]);
    expect(logRecords[0]).toMatchObject({
      timeUnixNano: "1790000000000000005",
      traceId: context.traceId,
      spanId: context.spanId,
      attributes: [
        { key: "gen_ai.request.model", value: { stringValue: "claude-opus-4-8" } },
        { key: "gen_ai.usage.input_tokens", value: { intValue: 12 } },
      ],
    });
  });

  test("is a batch of spans, below the path for traces", async () => {
    expect(await createSpanSend(configured(), usual)([span])).toEqual({ kind: "taken" });
    const { path, body } = lastReceived();
    expect(path).toBe("/v1/traces");
    const [{ resource, scopeSpans }] = body.resourceSpans;
    expect(resource).toEqual(resourceOfOurs);
    expect(scopeSpans[0].scope).toEqual(scopeOfOurs);
    expect(scopeSpans[0].spans[0]).toMatchObject({
      traceId: context.traceId,
      spanId: context.spanId,
      name: "POST /v1/messages",
    });
  });

  test("is not compressed, and has the configured headers and ours", async () => {
    await send({ headers: { Authorization: "Bearer tk", "X-Foo": "b" } });
    const headers = Object.fromEntries(collector.received[0]?.headers ?? []);
    expect(headers).toEqual({
      authorization: "Bearer tk",
      connection: "keep-alive",
      "content-type": "application/json",
      host: new URL(collector.url).host,
      "transfer-encoding": "chunked",
      "user-agent": expect.stringMatching(
        /^claude-gateway\/test OTel-OTLP-Exporter-JavaScript\/[\d.]+$/,
      ),
      "x-foo": "b",
    });
  });

  test("names the program that the operator wants it to name", async () => {
    await send({ headers: { "User-Agent": "house/1" } });
    expect(collector.received[0]?.headers.get("user-agent")).toStartWith("house/1 OTel-");
  });

  test("comes one after the other, however fast the collector is", async () => {
    const sendRecords = createRecordSend(configured(), usual);
    for (let round = 0; round < 5; round++) {
      expect(await sendRecords([record])).toEqual({ kind: "taken" });
    }
    expect(collector.received).toHaveLength(5);
  });

  test("is what comes after a batch that cannot be written", async () => {
    const sendRecords = createRecordSend(configured(), usual);
    const broken = { ...record, hrTime: undefined } as unknown as ReadableLogRecord;
    expect((await sendRecords([broken])).kind).toBe("failed");
    expect(await sendRecords([record])).toEqual({ kind: "taken" });
  });
});

describe("the environment", () => {
  test("has no say in where telemetry goes, what is sent along, and how", async () => {
    const elsewhere = startCollector();
    for (const signal of ["", "_LOGS", "_METRICS", "_TRACES"]) {
      const prefix = `OTEL_EXPORTER_OTLP${signal}`;
      process.env[`${prefix}_ENDPOINT`] = elsewhere.url;
      process.env[`${prefix}_HEADERS`] = "x-environment=secret,authorization=Bearer%20secret";
      process.env[`${prefix}_COMPRESSION`] = "gzip";
      process.env[`${prefix}_TIMEOUT`] = "1";
      process.env[`${prefix}_CERTIFICATE`] = join(directory, "not-there.pem");
    }
    process.env["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"] = "delta";
    process.env["OTEL_RESOURCE_ATTRIBUTES"] = "team=environment";
    process.env["OTEL_SDK_DISABLED"] = "true";
    collector.answer = async () => {
      await Bun.sleep(20);
      return Response.json({});
    };
    expect(await send()).toEqual({ kind: "taken" });
    expect(await createSpanSend(configured(), usual)([span])).toEqual({ kind: "taken" });
    const { reader, provider, counter } = meter();
    for (const value of [1, 2]) {
      counter.add(value);
      await reader.forceFlush();
    }
    await provider.shutdown();
    expect(elsewhere.received).toEqual([]);
    const sums = collector.received
      .filter(({ path }) => path === "/v1/metrics")
      .map(({ body }) => valueIn(JSON.parse(Buffer.from(body).toString())));
    expect(sums.slice(0, 2)).toEqual([1, 3]);
    for (const { headers, body } of collector.received) {
      expect([...headers.values()].join()).not.toContain("secret");
      expect(headers.get("content-encoding")).toBeNull();
      expect(Buffer.from(body).toString()).not.toContain("environment");
    }
    expect(process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]).toBe(elsewhere.url);
    await elsewhere.stop();
  });

  test("has no proxy for it", async () => {
    for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"]) {
      process.env[name] = "http://127.0.0.1:1";
    }
    process.env["NODE_USE_ENV_PROXY"] = "1";
    expect(await send()).toEqual({ kind: "taken" });
  });
});

describe("an answer", () => {
  const answering = (answer: () => Response | Promise<Response>, options = {}) => {
    collector.answer = answer;
    return send({ url: `${collector.url}/${secretPath}` }, options);
  };

  test.each([200, 202, 204])("of %d means taken", async (status) => {
    expect(await answering(() => new Response(null, { status }))).toEqual({ kind: "taken" });
  });

  test.each([400, 413, 415, 422, 431])("of %d means that these are not wanted", async (status) => {
    const outcome = await answering(() => new Response("quotes the body", { status }));
    expect(outcome).toEqual({ kind: "refused", why: `answered ${status}` });
  });

  test.each([401, 403, 404, 408, 500, 501])("of %d is a failure", async (status) => {
    const outcome = await answering(() => new Response("quotes the body", { status }));
    expect(outcome).toEqual({ kind: "failed", why: `answered ${status}` });
  });

  test.each([301, 302, 303, 307, 308])("of %d is a failure and leads nowhere", async (status) => {
    const elsewhere = startCollector();
    const outcome = await answering(() => Response.redirect(`${elsewhere.url}/stolen`, status));
    expect(outcome).toEqual({ kind: "failed", why: `answered ${status}` });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.stop();
  });

  test.each([429, 502, 503, 504])("of %d is tried again when it is asked for", async (status) => {
    let left = 2;
    const again = { status, headers: { "retry-after": "0" } };
    const outcome = await answering(() =>
      left-- > 0 ? new Response("quotes the body", again) : Response.json({}),
    );
    expect(outcome).toEqual({ kind: "taken" });
    expect(collector.received).toHaveLength(3);
  });

  test("of 503 to the last is a failure, in time", async () => {
    const outcome = await answering(() => new Response("quotes the body", { status: 503 }), {
      timeoutMs: 300,
    });
    expect(outcome).toEqual({
      kind: "failed",
      why: "answered 429, 502, 503 or 504, to the last try",
    });
  });

  test("whose first line is the collector's own words does not get them into the log", async () => {
    const url = await serve((socket) =>
      socket.once("data", () =>
        socket.end("HTTP/1.1 500 your key is hunter2\r\ncontent-length: 0\r\n\r\n"),
      ),
    );
    expect(await send({ url })).toEqual({ kind: "failed", why: "answered 500" });
  });
});

describe("in time", () => {
  const late = { kind: "failed", why: "ETIMEDOUT: no complete answer within 150 ms" } as const;
  const soon = { timeoutMs: 150 };

  test.each<[string, (socket: Socket) => void]>([
    ["says nothing", () => undefined],
    [
      "drips its answer",
      (socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
        const dripping = setInterval(() => socket.write("x"), 20);
        socket.on("close", () => clearInterval(dripping));
      },
    ],
    [
      "wants to speak something else",
      (socket) =>
        socket.once("data", () =>
          socket.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
        ),
    ],
  ])("a collector that %s is given up, every time", async (_, connected) => {
    const url = await serve(connected);
    const sendRecords = createRecordSend(configured({ url }), { ...usual, ...soon });
    for (let round = 0; round < 4; round++) expect(await sendRecords([record])).toEqual(late);
  });

  test("a look-up without an answer is given up, and asked for again", async () => {
    let lookups = 0;
    const resolve = async () => {
      lookups += 1;
      return lookups <= 3 ? new Promise<never>(() => undefined) : ["127.0.0.1"];
    };
    const network = openNetwork({ resolve, lookUpMs: 1 });
    const url = `http://otel.example:${new URL(collector.url).port}`;
    const sendRecords = createRecordSend(configured({ url }), { ...usual, ...soon, network });
    const why = "ETIMEDOUT: no address of otel.example within 1 ms";
    for (let round = 0; round < 3; round++)
      expect(await sendRecords([record])).toEqual({ kind: "failed", why });
    expect(await sendRecords([record])).toEqual({ kind: "taken" });
  });

  test("a connection that is given up is closed", async () => {
    let isOpen = false;
    const url = await serve((socket) => {
      isOpen = true;
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
      const dripping = setInterval(() => socket.write("x"), 20);
      socket.resume().on("close", () => {
        clearInterval(dripping);
        isOpen = false;
      });
    });
    const sent = send({ url }, soon);
    await untilTrue(() => isOpen);
    await sent;
    await untilTrue(() => !isOpen);
  });
});

describe("a failure names no path", () => {
  test("when nobody is there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((listening) => server.once("listening", listening));
    const url = `http://127.0.0.1:${portOf(server)}/${secretPath}`;
    await new Promise((closed) => server.close(closed));
    const outcome = await send({ url }, { timeoutMs: 300 });
    expect(outcome.kind).toBe("failed");
    expect(whyOf(outcome)).toContain("ECONNREFUSED");
    expect(whyOf(outcome)).not.toContain(secretPath);
  });

  test("when the answer breaks off", async () => {
    const url = await serve((socket) =>
      socket.once("data", () =>
        socket.write("HTTP/1.1 500 No\r\ncontent-length: 10\r\n\r\nshort", () => socket.destroy()),
      ),
    );
    const outcome = await send({ url: `${url}/${secretPath}` });
    expect(outcome.kind).toBe("failed");
    expect(whyOf(outcome)).toContain("ECONNRESET");
    expect(whyOf(outcome)).not.toContain(secretPath);
  });
});

describe("a forbidden address is not connected to", () => {
  test("when the URL says it", async () => {
    expect(whyOf(await send({ url: "http://169.254.169.254/" }))).toBe(
      "ECONNREFUSED_SSRF: blocked (cloud metadata): 169.254.169.254 → 169.254.169.254",
    );
    expect(whyOf(await send({}, { network: openNetwork({ allowLoopback: false }) }))).toContain(
      "blocked (loopback",
    );
    expect(collector.received).toEqual([]);
  });

  test("when a name leads there", async () => {
    const network = openNetwork({ resolve: async () => ["169.254.169.254"] });
    expect(whyOf(await send({ url: "http://otel.example/" }, { network }))).toBe(
      "ECONNREFUSED_SSRF: blocked (cloud metadata): otel.example → 169.254.169.254",
    );
    const url = `http://localhost:${new URL(collector.url).port}`;
    expect(
      whyOf(await send({ url }, { network: openNetwork({ allowLoopback: false }) })),
    ).toContain("blocked (loopback");
    expect(collector.received).toEqual([]);
  });
});

test("a certificate that nobody vouches for is refused, whatever the environment says", async () => {
  process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
  const secure = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: selfSigned,
    fetch: () => Response.json({}),
  });
  const outcome = await send({ url: `https://localhost:${secure.port}` });
  expect(whyOf(outcome)).toMatch(/SELF_SIGNED/);
  await secure.stop(true);
});

describe("Google's collector", () => {
  test("is sent the gateway's own access token, and another when that one is refused", async () => {
    process.env["GOOGLE_APPLICATION_CREDENTIALS"] = writeFederation(directory, google);
    const asGoogle = configured({ auth: { google: {} }, headers: { "x-goog-user-project": "p" } });
    const sendRecords = createRecordSend(asGoogle, usual);
    collector.answer = () => new Response(null, { status: 401 });
    expect(await sendRecords([record])).toEqual({ kind: "failed", why: "answered 401" });
    collector.answer = () => Response.json({});
    expect(await sendRecords([record])).toEqual({ kind: "taken" });
    expect(await createSpanSend(asGoogle, usual)([span])).toEqual({ kind: "taken" });
    const sent = collector.received.map(({ headers }) => [
      headers.get("authorization"),
      headers.get("x-goog-user-project"),
    ]);
    expect(sent).toEqual([
      ["Bearer ya29.1", "p"],
      ["Bearer ya29.2", "p"],
      ["Bearer ya29.2", "p"],
    ]);
  });

  test("is sent nothing when there is no token", async () => {
    process.env["GOOGLE_APPLICATION_CREDENTIALS"] = join(directory, "not-there.json");
    const outcome = await send({ auth: { google: {} } });
    expect(outcome.kind).toBe("failed");
    expect(whyOf(outcome)).toContain(`no credential for telemetry to ${collector.url}`);
    expect(collector.received).toEqual([]);
  });
});

/** A counter whose sums go to the collector, when its reader is told to. */
function meter(options: Partial<SendOptions> = {}) {
  const logged: string[] = [];
  const exporter = createMetricExporter(configured(), {
    ...usual,
    ...options,
    log: { warn: (message) => logged.push(message) },
  });
  const reader = new PeriodicExportingMetricReader({ exporter });
  const provider = new MeterProvider({ resource: own.resource, readers: [reader] });
  const counter = provider.getMeter("claude-gateway", "1.2.3").createCounter("requests");
  return { exporter, reader, provider, counter, logged };
}

/** The sum in an export of one counter's metrics. */
function valueIn(body: {
  resourceMetrics: {
    scopeMetrics: { metrics: { sum: { dataPoints: { asDouble: number }[] } }[] }[];
  }[];
}): number | undefined {
  return body.resourceMetrics[0]?.scopeMetrics[0]?.metrics[0]?.sum.dataPoints[0]?.asDouble;
}

describe("metrics", () => {
  test("arrive as sums since the start when their reader says so", async () => {
    const { reader, provider, counter, exporter, logged } = meter();
    for (const [value, sum] of [
      [2, 2],
      [3, 5],
    ] as const) {
      counter.add(value);
      await reader.forceFlush();
      const { path, body } = lastReceived();
      expect(path).toBe("/v1/metrics");
      expect(body.resourceMetrics[0].resource).toEqual(resourceOfOurs);
      expect(valueIn(body)).toBe(sum);
    }
    await provider.shutdown();
    expect(exporter.losses).toEqual({ refused: 0, failed: 0, dropped: 0 });
    expect(logged).toEqual([]);
  });

  test("that are lost are counted and logged, and the next are sent", async () => {
    const { reader, provider, counter, exporter, logged } = meter();
    collector.answer = () => new Response("quotes the body", { status: 413 });
    counter.add(2);
    await reader.forceFlush();
    collector.answer = () => Response.json({});
    await reader.forceFlush();
    expect(collector.received).toHaveLength(2);
    await provider.shutdown();
    expect(exporter.losses).toEqual({ refused: 1, failed: 0, dropped: 0 });
    expect(logged).toEqual([
      `telemetry export: ${collector.url}: export of metrics refused: answered 413 (1 so far; logged at the first and every 100th)`,
    ]);
  });

  test("do not hold up the stop for longer than a send may take", async () => {
    const { provider, counter, exporter } = meter({ timeoutMs: 150 });
    collector.answer = () => new Promise<Response>(() => undefined);
    counter.add(2);
    await provider.shutdown();
    expect(exporter.losses).toEqual({ refused: 0, failed: 1, dropped: 0 });
  });
});
