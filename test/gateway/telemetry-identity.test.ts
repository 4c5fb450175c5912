// telemetry.verify_identity in a running gateway: what collectors get of exports that say to be somebody else's, what the log and the
// metrics tell of them, and that clients hear nothing. What is corrected where is tried in telemetry/identity/.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { type Signal, signals } from "../../src/config/telemetry-schema.ts";
import { openScene } from "../support/scene.ts";
import { startCollector } from "../telemetry/collector.ts";
import { ada, adasOwn, everywhere, logsOf, text } from "../telemetry/identity/exports.ts";
import { decoded, encoded } from "../telemetry/identity/official-otlp.ts";
import { readExposition } from "../telemetry/metrics/exposition.ts";

const collectors = [startCollector(), startCollector()];
const [collector = expect.unreachable()] = collectors;

const scene = await openScene((config) => {
  config.metrics = { port: 0 };
  config.telemetry = {
    verify_identity: true,
    forward_to: collectors.map(({ url }) => ({ url, logs: true, traces: true })),
  };
});
const { gateway } = scene;
const [, metricsUrl = ""] = /info metrics on (\S+)\n/.exec(gateway.stderr()) ?? [];
const bearer = await scene.bearer(ada);

afterAll(() => Promise.all([scene.stop(), ...collectors.map((each) => each.stop())]));
beforeEach(() => {
  for (const { received } of collectors) received.length = 0;
});

const json = { "content-type": "application/json" };
const protobuf = { "content-type": "application/x-protobuf" };
const asJson = (plain: object) => Uint8Array.from(Buffer.from(JSON.stringify(plain)));
const asProtobuf = (plain: object) => Uint8Array.from(encoded("logs", plain));

/** Exports as Ada; what she hears. */
async function send(
  body: Uint8Array<ArrayBuffer> | string,
  { signal = "logs", headers = json }: { signal?: Signal; headers?: Record<string, string> } = {},
) {
  const answer = await fetch(`${gateway.url}/v1/${signal}`, {
    method: "POST",
    body,
    headers: { authorization: `Bearer ${bearer}`, ...headers },
  });
  return [answer.status, await answer.text()];
}

/** The same, and what arrives of it, which is the same everywhere. */
async function arrived(...given: Parameters<typeof send>) {
  expect(await send(...given)).toEqual([200, ""]);
  const [one, other] = await Promise.all(collectors.map(async (each) => (await each.until(1))[0]));
  expect(Buffer.from(one?.body ?? []).equals(other?.body ?? new Uint8Array())).toBe(true);
  return { body: Buffer.from(one?.body ?? []), headers: one?.headers ?? new Headers() };
}

async function counted(): Promise<Record<string, number | undefined>> {
  const { value } = readExposition(await (await fetch(metricsUrl)).text());
  const of = (outcome: string) => value("claude_gateway_telemetry_identity_total", { outcome });
  return { corrected: of("corrected"), unreadable: of("unreadable") };
}

const mallory = [
  text("user.id", "mallory"),
  text("user.email", "mallory@example.com"),
  text("user.groups", "admins"),
];
const agreeing = logsOf(adasOwn, [], [text("user.email", ada.email), text("model", "opus")]);
const forged = logsOf([...mallory, text("team", "core")], [], [text("user.email", "m@x")]);
const corrected = logsOf(
  [...adasOwn, text("team", "core")],
  [],
  [text("user.email", "ada@example.com")],
);

describe("an export that names somebody else", () => {
  test("arrives as its bearer's, with everything else as it was", async () => {
    const { body, headers } = await arrived(asJson(forged));
    expect(JSON.parse(body.toString())).toEqual(corrected);
    expect(headers.get("content-type")).toBe("application/json");
  });

  test("does so in protobuf, compressed as it came", async () => {
    const { body, headers } = await arrived(Bun.gzipSync(asProtobuf(forged)), {
      headers: { ...protobuf, "content-encoding": "gzip" },
    });
    expect(headers.get("content-encoding")).toBe("gzip");
    const plain = decoded("logs", Bun.gunzipSync(body));
    expect(plain).toEqual(decoded("logs", encoded("logs", corrected)));
  });

  test.each(signals)("does so wherever %s have attributes", async (signal) => {
    const { body } = await arrived(asJson(everywhere(mallory)[signal]), { signal });
    expect(JSON.parse(body.toString())).toEqual(everywhere(adasOwn)[signal]);
  });
});

describe("an export that agrees", () => {
  test.each([
    ["in JSON, however it is written", Buffer.from(JSON.stringify(agreeing, null, 3)), json],
    ["in protobuf", asProtobuf(agreeing), protobuf],
    ["compressed", Bun.gzipSync(asProtobuf(agreeing)), { ...protobuf, "content-encoding": "gzip" }],
    ["that says nothing of anybody", asJson(logsOf([text("team", "core")])), json],
  ])("arrives byte for byte: %s", async (_, body, headers) => {
    const before = await counted();
    const bytes = Uint8Array.from(body);
    expect((await arrived(bytes, { headers })).body.equals(bytes)).toBe(true);
    expect(await counted()).toEqual(before);
  });
});

describe("an export that cannot be read", () => {
  test.each([
    ["no JSON", '{"resourceLogs": secret words', json],
    ["no protobuf", "secret words", protobuf],
    ["not compressed as it says", "secret words", { ...protobuf, "content-encoding": "gzip" }],
    ["in a coding of its own", "secret words", { ...protobuf, "content-encoding": "secret" }],
    ["of another content type", "secret words", { "content-type": "text/secret" }],
  ])("goes nowhere, and its client hears 200: %s", async (_, body, headers) => {
    const before = await counted();
    expect(await send(body, { headers })).toEqual([200, ""]);
    // Looked at in their order: when this one is there, so has the other one been.
    const after = asJson(agreeing);
    expect((await arrived(after)).body.equals(after)).toBe(true);
    expect(await counted()).toEqual({ ...before, unreadable: Number(before["unreadable"]) + 1 });
    expect(collector.received).toHaveLength(1);
  });
});

test("both are counted, and said once in the log: who it was, and nothing of what was sent", async () => {
  const before = await counted();
  await arrived(asJson(forged));
  expect(await counted()).toEqual({ ...before, corrected: Number(before["corrected"]) + 1 });
  expect(Number(before["corrected"])).toBeGreaterThan(1);
  expect(Number(before["unreadable"])).toBeGreaterThan(1);
  const lines = gateway.stderr().match(/warn telemetry identity: .*/g) ?? [];
  expect(lines).toEqual([
    expect.stringMatching(/an export of logs by sub=ada .*corrected.* \(1 so far/),
    expect.stringMatching(/an export of logs by sub=ada could not be read.* \(1 so far/),
  ]);
  expect(gateway.stderr().match(/mallory|admins|m@x|secret/g)).toBeNull();
});

test("an export by nobody is refused before it is looked into", async () => {
  const before = await counted();
  const answer = await fetch(`${gateway.url}/v1/logs`, {
    method: "POST",
    body: "secret words",
    headers: { ...json, authorization: "Bearer nobody" },
  });
  expect(answer.status).toBe(401);
  expect(await counted()).toEqual(before);
});
