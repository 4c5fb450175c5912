// Traces through a running gateway: a client's goes on to the upstream as it came, and where a collector takes spans, the gateway's
// own stand in between: one for the request, and one for each attempt. Requests are under way side by side, each with a prompt and a
// request id of its own, which are the same word.
import { afterAll, describe, expect, test } from "bun:test";
import { byPrompt, prompting } from "../support/by-prompt.ts";
import { ask, type CallInit } from "../support/calls.ts";
import { startRecordCollector, type TakenSpan } from "../support/collector-of-records.ts";
import { cloudAnswer } from "../support/clouds.ts";
import {
  everyProvider,
  modelOn,
  modelsOfEach,
  providers,
  signedFor,
} from "../support/every-provider.ts";
import { fedStream, started, stopped, used } from "../support/metered-answers.ts";
import { helloCall, openScene, plainAnswer, type Scene, startUpstream } from "../support/scene.ts";
import { signedHeadersOf } from "../support/sigv4.ts";
import { untilTrue } from "../support/until-true.ts";

const collector = startRecordCollector();
const spare = startUpstream();
const clouds = startUpstream();
clouds.answer = (seen) => cloudAnswer(seen, "answers");
const everywhere = (config: { upstreams: object[]; models?: object[] }) => {
  config.upstreams = everyProvider(clouds.url);
  config.models = modelsOfEach;
};
const operators = "00-11111111111111111111111111111111-2222222222222222-00";

const [untold, told, toldEverywhere] = await Promise.all([
  openScene(everywhere),
  openScene((config) => {
    const first = { ...config.upstreams[0], name: "first" };
    config.upstreams = [
      first,
      { ...first, name: "second", base_url: spare.url },
      { ...first, name: "pinned", headers: { traceparent: operators }, groups: ["pinned"] },
    ];
    config.models = [{ id: "pinned", upstream_model: { pinned: "claude-sonnet-4-6" } }];
    config.telemetry = {
      forward_to: [{ url: collector.url, metrics: false, traces: true, requests: true }],
    };
  }),
  openScene((config) => {
    everywhere(config);
    config.telemetry = { forward_to: [{ url: collector.url, metrics: false, traces: true }] };
  }),
]);
const onFirst = byPrompt(told.upstream);
const onSecond = byPrompt(spare);
afterAll(async () => {
  const scenes = [untold, told, toldEverywhere].map((scene) => scene.stop());
  await Promise.all([...scenes, clouds.stop(), spare.stop(), collector.stop()]);
});

/** A client's place in a trace that nobody else is in. */
function clientTrace(flags = "01") {
  const traceId = crypto.randomUUID().replaceAll("-", "");
  const spanId = crypto.randomUUID().replaceAll("-", "").slice(16);
  const headers = {
    traceparent: `00-${traceId}-${spanId}-${flags}`,
    tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
  };
  return { traceId, spanId, headers };
}

/** What no upstream gets. */
const foreign = { baggage: "user.email=ada@example.com", b3: "0", "x-b3-traceid": "1" };

/** Sends a call under this id. */
function call(scene: Scene, id: string, init: CallInit & { model?: string } = {}) {
  const { model = helloCall.model, headers, fields, ...rest } = init;
  return ask(scene, model, {
    ...rest,
    fields: { ...prompting(id), ...fields },
    headers: { ...foreign, "x-client-request-id": id, ...headers },
  });
}

/** The same, read to its end. */
async function send(...given: Parameters<typeof call>): Promise<Response> {
  const response = await call(...given);
  await response.text();
  return response;
}
const traceIn = (headers: Headers) => ({
  traceparent: headers.get("traceparent"),
  tracestate: headers.get("tracestate"),
});
const traceAt = (on: ReturnType<typeof byPrompt>, id: string) => {
  const [seen, ...more] = on.seen(id);
  expect(more).toEqual([]);
  return traceIn(seen?.headers ?? new Headers());
};
const auditedAs = async ({ gateway }: Scene, id: string) => {
  await gateway.audited("inference", { request_id: id });
  return gateway.audit("inference").find((event) => event["request_id"] === id)?.["traceparent"];
};
const parentOf = ({ traceId, spanId }: TakenSpan, flags = "01") =>
  `00-${traceId}-${spanId}-${flags}`;

describe("where nobody takes spans", () => {
  test.each(providers)("a client's trace reaches %s as it came", async (provider) => {
    for (const path of ["/v1/messages", "/v1/messages/count_tokens"] as const) {
      clouds.seen.length = 0;
      const { headers } = clientTrace("00");
      await send(untold, "as it came", { model: modelOn(provider), path, headers });
      const [seen, ...more] = clouds.seen;
      expect(more).toEqual([]);
      expect(traceIn(seen?.headers ?? new Headers())).toEqual(headers);
      for (const name of Object.keys(foreign)) expect(seen?.headers.has(name)).toBe(false);
      const signed = signedHeadersOf(seen?.headers ?? new Headers());
      expect(signed.length > 0).toBe(provider in signedFor);
      expect(signed.filter((name) => name.startsWith("trace"))).toEqual([]);
    }
  });

  test("it is in the audit event, and none is made up for who sends none", async () => {
    const { headers } = clientTrace();
    await send(untold, "audited", { model: modelOn("anthropic"), headers });
    expect(await auditedAs(untold, "audited")).toBe(headers.traceparent);
    clouds.seen.length = 0;
    await send(untold, "without", { model: modelOn("anthropic") });
    expect(traceIn(clouds.seen[0]?.headers ?? new Headers())).toEqual({
      traceparent: null,
      tracestate: null,
    });
    expect(await auditedAs(untold, "without")).toBeUndefined();
  });

  test.each([
    ["is no trace at all", "junk"],
    ["is all zeros", `00-${"0".repeat(32)}-b7ad6b7169203331-01`],
    ["has a span of zeros", `00-0af7651916cd43dd8448eb211c80319c-${"0".repeat(16)}-01`],
    ["is in upper case", "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01"],
    ["is of a version that cannot be", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"],
    ["goes on after its end", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"],
    ["is of no end", `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01${"x".repeat(3_000)}`],
  ])("one that %s goes nowhere, and hurts nothing", async (_, traceparent) => {
    clouds.seen.length = 0;
    const headers = { traceparent, tracestate: "a=b" };
    const { status } = await send(untold, "bad", { model: modelOn("anthropic"), headers });
    expect(status).toBe(200);
    expect(traceIn(clouds.seen[0]?.headers ?? new Headers())).toEqual({
      traceparent: null,
      tracestate: null,
    });
    expect(JSON.stringify(untold.gateway.audit("inference"))).not.toContain(traceparent);
  });
});

describe.concurrent("where a collector takes spans", () => {
  test("a request has one below the client's, and its attempt one below that, which the upstream is told of", async () => {
    const { traceId, spanId, headers } = clientTrace();
    onFirst.on("answered", async () => {
      await Bun.sleep(60);
      return plainAnswer();
    });
    const beganMs = Date.now();
    await send(told, "answered", { headers });
    const endedMs = Date.now();
    const [own, attempt, ...more] = await collector.spansOf("answered");
    expect(more).toEqual([]);
    expect(own).toMatchObject({
      name: "POST /v1/messages",
      kind: "server",
      traceId,
      parentSpanId: spanId,
      // Which is its systems', and no collector's.
      traceState: undefined,
      hasFailed: false,
      attributes: { "http.response.status_code": 200 },
      resource: { "service.name": "claude-gateway" },
    });
    expect(attempt).toMatchObject({
      name: "chat claude-sonnet-4-6",
      kind: "client",
      traceId,
      parentSpanId: own.spanId,
      hasFailed: false,
      attributes: { "claude_gateway.upstream.name": "first", "gen_ai.response.id": "msg_1" },
    });
    expect(new Set([spanId, own.spanId, attempt?.spanId]).size).toBe(3);
    if (attempt === undefined) expect.unreachable();
    expect(traceAt(onFirst, "answered")).toEqual({
      traceparent: parentOf(attempt),
      tracestate: headers.tracestate,
    });
    expectWithin(attempt, own);
    expect(attempt.toMs - attempt.fromMs).toBeGreaterThan(50);
    expect(own.fromMs).toBeGreaterThanOrEqual(beganMs);
    expect(own.toMs).toBeLessThanOrEqual(endedMs + 1);
  });

  test("the audit event and the record name the request's own span", async () => {
    const { headers } = clientTrace();
    await send(told, "joined", { headers });
    const [own] = await collector.spansOf("joined");
    expect(await auditedAs(told, "joined")).toBe(parentOf(own));
    const { traceId, spanId } = await collector.recordOf("joined");
    expect({ traceId, spanId }).toEqual({ traceId: own.traceId, spanId: own.spanId });
  });

  test("a failover has a span for each upstream that was asked, one after the other", async () => {
    const { headers } = clientTrace();
    onFirst.on("failover", async () => {
      await Bun.sleep(30);
      return new Response("", { status: 503 });
    });
    onSecond.on("failover", async () => {
      await Bun.sleep(30);
      return plainAnswer();
    });
    expect((await send(told, "failover", { headers })).status).toBe(200);
    const [own, failed, answering, ...more] = await collector.spansOf("failover");
    expect(more).toEqual([]);
    if (failed === undefined || answering === undefined) expect.unreachable();
    expect([failed, answering]).toMatchObject([
      { hasFailed: true, attributes: { "claude_gateway.upstream.name": "first" } },
      { hasFailed: false, attributes: { "claude_gateway.upstream.name": "second" } },
    ]);
    expect(failed.attributes).toMatchObject({
      "http.response.status_code": 503,
      "error.type": "503",
      "claude_gateway.attempt.outcome": "refused",
    });
    expect(failed.attributes).not.toHaveProperty("gen_ai.response.id");
    expect(own.hasFailed).toBe(false);
    for (const attempt of [failed, answering]) expectWithin(attempt, own);
    expect(answering.fromMs).toBeGreaterThanOrEqual(failed.toMs - 0.01);
    expect(traceAt(onFirst, "failover").traceparent).toBe(parentOf(failed));
    expect(traceAt(onSecond, "failover").traceparent).toBe(parentOf(answering));
  });

  test("a stream's spans last as long as the stream", async () => {
    const stream = fedStream();
    stream.send(started(10));
    onFirst.on("streamed", () => stream.response);
    const response = await call(told, "streamed", { fields: { stream: true } });
    await Bun.sleep(80);
    stream.send(used(3), stopped);
    stream.end();
    await response.text();
    const [own, attempt] = await collector.spansOf("streamed");
    for (const span of [own, attempt]) {
      expect((span?.toMs ?? 0) - (span?.fromMs ?? 0)).toBeGreaterThan(75);
    }
  });

  test("an upstream that does not answer has failed, and so has the request", async () => {
    const failing = () => new Response("", { status: 500 });
    onFirst.on("down", failing);
    onSecond.on("down", failing);
    expect((await send(told, "down")).status).toBe(502);
    const spans = await collector.spansOf("down");
    expect(spans.map(({ hasFailed }) => hasFailed)).toEqual([true, true, true]);
    expect(spans[0].attributes).toMatchObject({ "http.response.status_code": 502 });
  });

  test("a call that the client gives up is no failure of anybody's", async () => {
    onFirst.on("given-up", () => new Promise(() => undefined));
    const hangUp = new AbortController();
    const givenUp = send(told, "given-up", { signal: hangUp.signal }).catch(() => "gone");
    await untilTrue(() => onFirst.seen("given-up").length === 1);
    hangUp.abort();
    expect(await givenUp).toBe("gone");
    const spans = await collector.spansOf("given-up");
    expect(spans.map(({ hasFailed }) => hasFailed)).toEqual([false, false]);
    expect(spans[1]?.attributes).toMatchObject({ "claude_gateway.attempt.outcome": "client gone" });
  });

  test("a request that never reached an upstream has its own span only", async () => {
    const { headers } = clientTrace();
    expect((await send(told, "refused", { model: "gpt-4", headers })).status).toBe(400);
    const [own, ...more] = await collector.spansOf("refused");
    expect(more).toEqual([]);
    expect(own).toMatchObject({ hasFailed: false, attributes: { "error.type": "400" } });
  });

  test("a request without a trace begins one, as one whose trace cannot be read", async () => {
    await send(told, "fresh");
    await send(told, "unreadable", { headers: { traceparent: "00-1-2-3", tracestate: "a=b" } });
    const [one] = await collector.spansOf("fresh");
    const [other, attempt] = await collector.spansOf("unreadable");
    for (const span of [one, other]) {
      expect(span.parentSpanId || undefined).toBeUndefined();
      expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(one.traceId).not.toBe(other.traceId);
    if (attempt === undefined) expect.unreachable();
    expect(traceAt(onFirst, "unreadable")).toEqual({
      traceparent: parentOf(attempt),
      tracestate: null,
    });
    expect(await auditedAs(told, "fresh")).toBe(parentOf(one));
  });

  test("a trace that is not sampled has no spans, and goes on with an id that is not the client's span", async () => {
    const { traceId, spanId, headers } = clientTrace("00");
    await send(told, "unsampled", { headers });
    const { traceparent, tracestate } = traceAt(onFirst, "unsampled");
    expect(tracestate).toBe(headers.tracestate);
    expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    expect(traceparent).not.toContain(spanId);
    expect(await auditedAs(told, "unsampled")).toMatch(
      new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`),
    );
    expect((await collector.recordOf("unsampled")).traceId).toBe(traceId);
    await send(told, "after-unsampled");
    await collector.spansOf("after-unsampled");
    expect(collector.spans().filter((span) => span.traceId === traceId)).toEqual([]);
  });

  test("nothing else that carries a trace goes on", async () => {
    await send(told, "foreign");
    const [seen] = onFirst.seen("foreign");
    for (const name of Object.keys(foreign)) expect(seen?.headers.has(name)).toBe(false);
  });

  test("a traceparent of the operator's own is what the upstream gets", async () => {
    const { headers } = clientTrace();
    const bearer = await told.bearer({ sub: "ada", email: "a@example.com", groups: ["pinned"] });
    await send(told, "pinned", { model: "pinned", bearer, headers });
    expect(traceAt(onFirst, "pinned").traceparent).toBe(operators);
    const spans = await collector.spansOf("pinned");
    expect(spans).toHaveLength(2);
  });

  test.each(providers)(
    "%s is told of the attempt's span, and no signature is over it",
    async (provider) => {
      const id = `to-${provider}`;
      const { traceId, headers } = clientTrace();
      const onClouds = () =>
        clouds.seen.find((seen) => seen.headers.get("traceparent")?.includes(traceId));
      expect((await send(toldEverywhere, id, { model: modelOn(provider), headers })).status).toBe(
        200,
      );
      const [, attempt] = await collector.spansOf(id);
      if (attempt === undefined) expect.unreachable();
      const seen = onClouds();
      expect(traceIn(seen?.headers ?? new Headers())).toEqual({
        traceparent: parentOf(attempt),
        tracestate: headers.tracestate,
      });
      const signed = signedHeadersOf(seen?.headers ?? new Headers());
      expect(signed.length > 0).toBe(provider in signedFor);
      expect(signed.filter((name) => name.startsWith("trace"))).toEqual([]);
    },
  );
});

/** A hundredth of a millisecond is lost where numbers are rounded. */
function expectWithin(inner: TakenSpan, outer: TakenSpan): void {
  expect(inner.fromMs).toBeGreaterThanOrEqual(outer.fromMs - 0.01);
  expect(inner.toMs).toBeGreaterThanOrEqual(inner.fromMs);
  expect(inner.toMs).toBeLessThanOrEqual(outer.toMs + 0.01);
}
