// The gateway's own record of each inference request, as a collector gets it: one for every request, however it ended, with who,
// what, how much and how fast. Here spend is counted; where it is not, telemetry-records-uncounted.test.ts has it. Requests are under
// way side by side, since a record waits a second for others.
import { afterAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { byPrompt } from "../support/by-prompt.ts";
import { startRecordCollector } from "../support/collector-of-records.ts";
import { readerOf, stopped, used, wrote } from "../support/metered-answers.ts";
import {
  always,
  asStream,
  clientOf,
  expectOneRecordEach,
  from,
  givenUp,
  labels,
  number,
  recordsTo,
  send,
  sent,
  streamFor,
  usedTokens,
  wholeAnswer,
} from "../support/recorded-calls.ts";
import { openSpendScene, person, setCap } from "../support/spending.ts";

const collector = startRecordCollector();
const scene = await openSpendScene((config) => {
  config.telemetry = recordsTo(collector);
  config.managed = {
    policies: [{ match: { groups: ["interns"] }, cli: { availableModels: ["haiku"] } }],
  };
});
const { gateway, tables } = scene;
const upstream = byPrompt(scene.upstream);
afterAll(() => Promise.all([scene.stop(), collector.stop()]));
const recordOf = async (id: string) => (await collector.recordOf(id)).attributes;

const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
const asJson = { headers: { "content-type": "application/json" } };
/** The beginning of one whose connection is lost. */
function brokenAnswer(): Response {
  return new Response(async function* () {
    yield Buffer.from('{"id":"msg_7",');
    await Bun.sleep(20);
    throw new Error("lost");
  }, asJson);
}

describe.concurrent("the record of", () => {
  test("an answer in one piece has who, what, how much and how fast", async () => {
    upstream.on("whole", async () => {
      await Bun.sleep(80);
      return Response.json(wholeAnswer, { headers: { "request-id": "req_up" } });
    });
    const beganMs = Date.now();
    const headers = {
      "x-claude-code-session-id": "session-1",
      "x-claude-code-agent-id": "agent-1",
    };
    expect(await sent(scene, "whole", { headers })).toBe(200);
    const { attributes, ...record } = await collector.recordOf("whole");
    expect(attributes).toEqual({
      ...always("whole"),
      ...from("anthropic"),
      "session.id": "session-1",
      "gen_ai.agent.id": "agent-1",
      "claude_gateway.upstream.request_id": "req_up",
      "claude_gateway.first_byte_seconds": number,
      "gen_ai.response.id": "msg_7",
      "gen_ai.response.model": "claude-sonnet-4-6-20260101",
      "gen_ai.response.finish_reasons": ["end_turn"],
      "gen_ai.usage.input_tokens": 2_150,
      "gen_ai.usage.output_tokens": 3,
      "gen_ai.usage.cache_read.input_tokens": 2_000,
      "gen_ai.usage.cache_creation.input_tokens": 50,
      "claude_gateway.usage.input_tokens": 100,
      "claude_gateway.usage.cache_write_5m_tokens": 50,
      // A cent for the input, 2 for what was read from the cache, 1 for what was written to it, 3 for the output.
      "claude_gateway.cost.cents": 7,
    });
    expect(record).toMatchObject({
      name: "claude_gateway.inference",
      severity: "INFO",
      resource: { ...labels, "service.name": "claude-gateway" },
    });
    const seconds = Number(attributes["claude_gateway.duration_seconds"]);
    expect(seconds).toBeGreaterThan(0.07);
    expect(Number(attributes["claude_gateway.first_byte_seconds"])).toBeLessThanOrEqual(seconds);
    expect(record.atMs).toBeGreaterThan(beganMs + 70);
    expect(record.atMs).toBeLessThan(Date.now() + 1);
    await tables.untilSpent("whole", 7);
  });

  test("a stream comes when it is over, and says what the ledger charges", async () => {
    const stream = streamFor("streamed", upstream);
    const response = await send(scene, "streamed", { fields: { stream: true } });
    await Bun.sleep(80);
    expect(
      collector.records().some(({ attributes }) => attributes["request_id"] === "streamed"),
    ).toBe(false);
    stream.send(wrote("x".repeat(28)), used(30), stopped);
    stream.end();
    await response.text();
    const attributes = await recordOf("streamed");
    expect(attributes).toEqual({
      ...always("streamed"),
      ...from("anthropic"),
      ...asStream,
      ...usedTokens(200, 30, 32),
      "gen_ai.response.finish_reasons": ["end_turn"],
    });
    const firstByteSeconds = Number(attributes["claude_gateway.first_byte_seconds"]);
    const chunkSeconds = Number(attributes["gen_ai.response.time_to_first_chunk"]);
    expect(chunkSeconds).toBeLessThanOrEqual(firstByteSeconds);
    expect(Number(attributes["claude_gateway.duration_seconds"])).toBeGreaterThan(
      firstByteSeconds + 0.07,
    );
    await tables.untilSpent("streamed", 32);
  });

  test.each([
    [400, "INFO", 400],
    [529, "WARN", 529],
    [500, "WARN", 502],
  ])("an upstream's %p is of severity %s, and says what the client got: %p", async (...row) => {
    const [status, severity, told] = row;
    const id = `upstream-${status}`;
    upstream.on(id, () => Response.json(overloaded, { status }));
    expect(await sent(scene, id)).toBe(told);
    const record = await collector.recordOf(id);
    expect(record.attributes).toEqual({
      ...always(id),
      // Of a 500 nothing was passed on.
      ...(status !== 500 && from("anthropic")),
      "http.response.status_code": told,
      "error.type": String(told),
    });
    expect(record.severity).toBe(severity);
    expect(await tables.spent(id)).toBe("0");
  });

  test("a call that is given up before the head has 499 and no usage", async () => {
    upstream.on("early", () => new Promise(() => undefined));
    await givenUp(scene, "early", () => upstream.seen("early").length === 1);
    expect(await recordOf("early")).toEqual({
      ...always("early"),
      "http.response.status_code": 499,
      "claude_gateway.ending": "abandoned",
      "error.type": "abandoned",
    });
    expect(await tables.spent("early")).toBe("0");
  });

  test("a call that is given up in its own body has 499 and no model", async () => {
    const { hostname, port } = new URL(gateway.url);
    const bearer = await scene.bearer(clientOf("half-sent"));
    const socket = connect(Number(port), hostname);
    const head = [
      "POST /v1/messages HTTP/1.1",
      "host: gateway",
      `authorization: Bearer ${bearer}`,
      "x-client-request-id: half-sent",
      "content-length: 100000",
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n{"model":`);
    await Bun.sleep(100);
    socket.destroy();
    const { "gen_ai.request.model": _, ...known } = always("half-sent");
    expect(await recordOf("half-sent")).toEqual({
      ...known,
      "http.response.status_code": 499,
      "claude_gateway.ending": "abandoned",
      "claude_gateway.attempts": 0,
      "error.type": "abandoned",
    });
  });

  test("a stream that the client leaves is abandoned, with what was used until then", async () => {
    const stream = streamFor("left", upstream);
    const hangUp = new AbortController();
    const fields = { stream: true };
    const response = await send(scene, "left", { fields, signal: hangUp.signal });
    stream.send(wrote("x".repeat(28)));
    await readerOf(response).until("xxx");
    hangUp.abort();
    const record = await collector.recordOf("left");
    expect(record.attributes).toEqual({
      ...always("left"),
      ...from("anthropic"),
      ...asStream,
      ...usedTokens(200, 7, 9),
      "claude_gateway.usage.estimated": true,
      "claude_gateway.ending": "abandoned",
      "error.type": "abandoned",
    });
    expect(record.severity).toBe("INFO");
    await tables.untilSpent("left", 9);
  });

  test("an answer in one piece that the upstream breaks off is none", async () => {
    upstream.on("broken-whole", brokenAnswer);
    expect(await sent(scene, "broken-whole")).toBe(502);
    const { attributes, severity } = await collector.recordOf("broken-whole");
    expect(attributes).toEqual({
      ...always("broken-whole"),
      "http.response.status_code": 502,
      "error.type": "502",
    });
    expect(severity).toBe("WARN");
  });

  test("a stream that the upstream breaks off is broken, with what was used until then", async () => {
    const stream = streamFor("broken", upstream);
    const response = await send(scene, "broken", { fields: { stream: true } });
    stream.send(wrote("x".repeat(28)));
    const reader = readerOf(response);
    await reader.until("xxx");
    stream.breakOff();
    await reader.until("the end that never comes").catch(() => undefined);
    const record = await collector.recordOf("broken");
    expect(record.attributes).toEqual({
      ...always("broken"),
      ...from("anthropic"),
      ...asStream,
      ...usedTokens(200, 7, 9),
      "claude_gateway.usage.estimated": true,
      "claude_gateway.ending": "broken",
      "error.type": "api_error",
    });
    expect(record.severity).toBe("WARN");
    await tables.untilSpent("broken", 9);
  });

  test("a stream with an error in it has the error's type", async () => {
    const stream = streamFor("failed", upstream);
    const response = await send(scene, "failed", { fields: { stream: true } });
    stream.send(overloaded);
    stream.end();
    await response.text();
    const record = await collector.recordOf("failed");
    expect(record.attributes).toEqual({
      ...always("failed"),
      ...from("anthropic"),
      ...asStream,
      ...usedTokens(200, 0, 2),
      "claude_gateway.usage.estimated": true,
      "claude_gateway.ending": "broken",
      "error.type": "overloaded_error",
    });
    expect(record.severity).toBe("WARN");
  });

  test("a request over its cap has 429, and no upstream", async () => {
    await setCap(gateway, person("blocked"), 0);
    expect(await sent(scene, "blocked")).toBe(429);
    // It is refused before its body is read.
    const { "gen_ai.request.model": _, ...known } = always("blocked");
    expect(await recordOf("blocked")).toEqual({
      ...known,
      "http.response.status_code": 429,
      "claude_gateway.attempts": 0,
      "error.type": "429",
    });
  });

  test("a count says so, and used nothing", async () => {
    upstream.on("count", () => Response.json({ input_tokens: 17 }));
    expect(await sent(scene, "count", { path: "/v1/messages/count_tokens" })).toBe(200);
    expect(await recordOf("count")).toEqual({
      ...always("count"),
      ...from("anthropic"),
      "gen_ai.operation.name": "count_tokens",
    });
    expect(await tables.spent("count")).toBe("0");
  });

  test("a request for a model that is not the person's has 400, and the model", async () => {
    expect(await sent(scene, "intern", { groups: ["interns"] })).toBe(400);
    expect(await recordOf("intern")).toEqual({
      ...always("intern"),
      "user.groups": "interns",
      "http.response.status_code": 400,
      "claude_gateway.attempts": 0,
      "error.type": "400",
    });
  });

  test("a body that is no JSON has 400, and no model", async () => {
    const response = await scene.message("{bad", {
      headers: { "x-client-request-id": "no-json" },
    });
    expect(response.status).toBe(400);
    const attributes = await recordOf("no-json");
    expect(attributes).toMatchObject({ "http.response.status_code": 400, "error.type": "400" });
    expect(attributes).not.toHaveProperty("gen_ai.request.model");
  });

  test("a redirect that is passed on is complete", async () => {
    upstream.on("moved", () => new Response(null, { status: 307, headers: { location: "/" } }));
    expect(await sent(scene, "moved")).toBe(307);
    expect(await recordOf("moved")).toEqual({
      ...always("moved"),
      ...from("anthropic"),
      "http.response.status_code": 307,
    });
  });
});

test("never are there two records of a request, and never none", () =>
  expectOneRecordEach(scene, { on: upstream, collector }));
