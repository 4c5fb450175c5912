// One export on its way to a real collector: what arrives, and what each answer means.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { load, minimal } from "../../config/samples.ts";
import { egressFor } from "../../support/egress.ts";
import { createCollector, type Outcome } from "../../../src/telemetry/collector.ts";
import { createDelivery, type Export } from "../../../src/telemetry/relay/delivery.ts";
import { startGoogle, writeFederation } from "../../support/google.ts";
import { portOf } from "../../support/idp.ts";
import { startCollector } from "../collector.ts";

const collector = startCollector();
const directory = mkdtempSync(join(tmpdir(), "delivery-"));
const google = startGoogle();
const adc = process.env["GOOGLE_APPLICATION_CREDENTIALS"];

beforeEach(() => {
  collector.received.length = 0;
  collector.answer = () => Response.json({});
});
afterAll(async () => {
  if (adc === undefined) delete process.env["GOOGLE_APPLICATION_CREDENTIALS"];
  else process.env["GOOGLE_APPLICATION_CREDENTIALS"] = adc;
  await Promise.all([collector.stop(), google.stop()]);
  rmSync(directory, { recursive: true });
});

const secretPath = "key-in-a-path";
const never = new AbortController().signal;
const anExport: Export = {
  signal: "metrics",
  body: Buffer.from([0x0a, 3, 1, 2, 3, 0xff, 0, 0x80, 0xfe]),
  contentType: "application/x-protobuf",
  contentEncoding: undefined,
};

/** A delivery to a destination as the configuration has it. */
function deliveryTo(destination: object, { timeoutMs = 5_000, allowLoopback = true } = {}) {
  const config = minimal();
  config["telemetry"] = { forward_to: [{ url: collector.url, ...destination }] };
  const env = { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" };
  const [read] = load(JSON.stringify(config), { env }).config.telemetry?.forward_to ?? [];
  if (read === undefined) throw new Error("no destination");
  return createDelivery(createCollector(read, { now: Date.now }), {
    egress: egressFor({ allowLoopback, timeoutMs, responseBytesMax: 1_000 }),
    userAgent: "claude-gateway/test",
  });
}

/** Why an export did not arrive. Read as text: `toMatchObject` writes its matchers into what it looks at. */
function whyOf(outcome: Outcome): string {
  return outcome.kind === "taken" ? "" : outcome.why;
}

describe("what arrives", () => {
  test.each(["metrics", "logs", "traces"] as const)("is under the path of %s", async (signal) => {
    for (const url of [collector.url, `${collector.url}/otlp`, `${collector.url}/otlp//`]) {
      expect(await deliveryTo({ url })({ ...anExport, signal }, never)).toEqual({ kind: "taken" });
    }
    expect(collector.received.map(({ path }) => path)).toEqual([
      `/v1/${signal}`,
      `/otlp/v1/${signal}`,
      `/otlp/v1/${signal}`,
    ]);
  });

  test.each([
    ["protobuf", anExport.body, "application/x-protobuf", undefined],
    ["JSON", Buffer.from('{ "a" : 1.50, "é":"\\u00e9" }'), "application/json", undefined],
    ["what is gzipped", Bun.gzipSync(Buffer.from('{"a":1}')), "application/json", "gzip"],
    ["nothing", new Uint8Array(0), "application/x-protobuf", undefined],
  ])("is %s byte for byte, and said to be so", async (_, body, contentType, contentEncoding) => {
    await deliveryTo({})({ signal: "logs", body, contentType, contentEncoding }, never);
    const [received] = collector.received;
    expect(Buffer.from(received?.body ?? []).equals(body)).toBe(true);
    expect(received?.headers.get("content-type")).toBe(contentType);
    expect(received?.headers.get("content-encoding")).toBe(contentEncoding ?? null);
  });

  test("has the headers that are configured and ours, and no others", async () => {
    await deliveryTo({ headers: { Authorization: "Bearer tk", "X-Foo": "b" } })(anExport, never);
    const headers = Object.fromEntries(collector.received[0]?.headers ?? []);
    expect(headers).toEqual({
      accept: "*/*",
      "accept-encoding": expect.any(String),
      authorization: "Bearer tk",
      connection: "keep-alive",
      "content-length": "9",
      "content-type": "application/x-protobuf",
      host: new URL(collector.url).host,
      "user-agent": "claude-gateway/test",
      "x-foo": "b",
    });
  });

  test("names the program that the operator wants it to name", async () => {
    await deliveryTo({ headers: { "User-Agent": "house/1" } })(anExport, never);
    expect(collector.received[0]?.headers.get("user-agent")).toBe("house/1");
  });
});

describe("an answer", () => {
  const answering = async (answer: () => Response | Promise<Response>, options = {}) => {
    collector.answer = answer;
    return deliveryTo({ url: `${collector.url}/${secretPath}` }, options)(anExport, never);
  };

  test.each([200, 202, 204])("of %d means taken", async (status) => {
    expect(await answering(() => new Response(null, { status }))).toEqual({ kind: "taken" });
  });

  test.each([400, 413, 415, 422, 431])(
    "of %d means that this one is not wanted",
    async (status) => {
      const outcome = await answering(() => new Response("quotes the body", { status }));
      expect(outcome).toEqual({ kind: "refused", why: `answered ${status}` });
    },
  );

  test.each([401, 403, 404, 408, 429, 500, 502, 503])("of %d is a failure", async (status) => {
    const outcome = await answering(() => new Response("quotes the body", { status }));
    expect(outcome).toEqual({ kind: "failed", why: `answered ${status}` });
  });

  test.each([301, 302, 303, 307, 308])("of %d is a failure and leads nowhere", async (status) => {
    const elsewhere = startCollector();
    const outcome = await answering(() => Response.redirect(`${elsewhere.url}/stolen`, status));
    expect(outcome).toEqual({
      kind: "failed",
      why: `redirect refused: ${new URL(collector.url).origin} answered ${status}`,
    });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.stop();
  });

  test("that is longer than anybody reads is still one", async () => {
    const long = () => new Response("x".repeat(1_000_000));
    expect(await answering(long)).toEqual({ kind: "taken" });
  });

  test("that does not come is a failure in time", async () => {
    const outcome = await answering(() => new Promise<Response>(() => undefined), {
      timeoutMs: 100,
    });
    expect(outcome.kind).toBe("failed");
    expect(whyOf(outcome)).toContain("ETIMEDOUT");
    expect(whyOf(outcome)).not.toContain(secretPath);
  });

  test("is not waited for by a gateway that stops", async () => {
    collector.answer = () => new Promise<Response>(() => undefined);
    const stopping = new AbortController();
    const outcome = deliveryTo({})(anExport, stopping.signal);
    await collector.until(1);
    stopping.abort();
    expect(await outcome).toMatchObject({ kind: "failed" });
  });
});

test("nobody there is a failure that names no path", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `http://127.0.0.1:${portOf(server)}`;
  await new Promise((resolve) => server.close(resolve));
  const outcome = await deliveryTo({ url: `${url}/${secretPath}` })(anExport, never);
  expect(outcome.kind).toBe("failed");
  expect(whyOf(outcome)).toStartWith(`${url}: ECONNREFUSED`);
  expect(whyOf(outcome)).not.toContain(secretPath);
});

test.each([
  ["a host in another case", "http://LOCALHOST:1/key-in-a-path"],
  ["the port that the scheme has anyway", "https://localhost:443/key-in-a-path"],
  ["a path with detours", "http://localhost:1/x/%2e%2e/key-in-a-path/./"],
  ["letters that a URL encodes", "http://localhost:1/schlüssel/key-in-a-path"],
  ["an address in another spelling", "http://0x7f.1:1/key-in-a-path"],
])("a failure names no path either when the URL is written with %s", async (_, url) => {
  const outcome = await deliveryTo({ url })(anExport, never);
  expect(outcome.kind).toBe("failed");
  expect(whyOf(outcome)).toStartWith(`${new URL(url).origin}: ECONNREFUSED`);
  expect(whyOf(outcome)).not.toMatch(/key-in|schl|v1|x\/|%/);
});

test("a collector at a forbidden address is not connected to", async () => {
  const outcome = await deliveryTo({}, { allowLoopback: false })(anExport, never);
  expect(outcome).toMatchObject({ kind: "failed", why: expect.stringContaining("blocked") });
  expect(collector.received).toEqual([]);
});

describe("Google's collector", () => {
  /** The collector plays it: the guard asks for Google's host, the connection leads here. */
  const asGoogle = () => {
    const config = minimal();
    config["telemetry"] = {
      forward_to: [{ url: "https://telemetry.googleapis.com", auth: { google: {} } }],
    };
    const [read] = load(JSON.stringify(config)).config.telemetry?.forward_to ?? [];
    if (read === undefined) throw new Error("no destination");
    const here = egressFor({ allowLoopback: true, timeoutMs: 5_000, responseBytesMax: 1_000 });
    return createDelivery(createCollector(read, { now: Date.now }), {
      egress: {
        fetch: (url, init) => here.fetch(collector.url + new URL(url).pathname, init),
      },
      userAgent: "claude-gateway/test",
    });
  };

  test("is sent the gateway's own access token, and another when that one is refused", async () => {
    process.env["GOOGLE_APPLICATION_CREDENTIALS"] = writeFederation(directory, google);
    collector.answer = () => new Response(null, { status: 401 });
    const deliver = asGoogle();
    expect(await deliver(anExport, never)).toEqual({ kind: "failed", why: "answered 401" });
    collector.answer = () => Response.json({});
    expect(await deliver(anExport, never)).toEqual({ kind: "taken" });
    expect(await deliver(anExport, never)).toEqual({ kind: "taken" });
    const tokens = collector.received.map(({ headers }) => headers.get("authorization"));
    expect(tokens).toEqual(["Bearer ya29.1", "Bearer ya29.2", "Bearer ya29.2"]);
  });

  test("is sent nothing when there is no token", async () => {
    process.env["GOOGLE_APPLICATION_CREDENTIALS"] = join(directory, "not-there.json");
    const outcome = await asGoogle()(anExport, never);
    expect(outcome).toMatchObject({
      kind: "failed",
      why: expect.stringContaining(
        "no credential for telemetry to https://telemetry.googleapis.com",
      ),
    });
    expect(collector.received).toEqual([]);
  });
});
