// What telemetry must never hold, with everything on that there is: marks stand wherever somebody says or keeps something, in calls
// that end in every way, and are looked for in all that leaves: what collectors are sent, the metrics, the log and the audit trail.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ask, type CallInit } from "../support/calls.ts";
import { startRecordCollector } from "../support/collector-of-records.ts";
import { fedStream, readerOf, started, used, wrote } from "../support/metered-answers.ts";
import { eventStream, jwtSecret, startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { model, openSpendScene, person, setCap } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

/** What is looked for, by what it is. */
const marks: Record<string, string> = {};
const mark = (name: string) => (marks[name] ??= `canary${name.replaceAll(/\W/g, "")}${Date.now()}`);
/** What an upstream repeats of a prompt in its error: operators may read that in the log. */
const repeated = mark("repeated by an upstream");
/** What a client asks for in place of a model, which the log and the audit trail name. */
const asModel = mark("asked for as a model");

const one = startRecordCollector();
const other = startRecordCollector();
const spare = startUpstream();
const collectorKeys = [mark("header of one collector"), mark("header of another")] as const;
const everything = { logs: true, traces: true, requests: true, gateway_metrics: true };

const scene = await openSpendScene(
  (config) => {
    const first = {
      ...config.upstreams[0],
      name: "first",
      auth: { api_key: mark("api key") },
      headers: { "x-operator": mark("operator's header") },
    };
    const aws = { aws_access_key_id: "AKIATEST", aws_secret_access_key: mark("signing key") };
    config.upstreams = [
      first,
      { ...first, name: "second", base_url: spare.url },
      { provider: "bedrock", base_url: spare.url, region: "us-east-1", auth: aws },
    ];
    config.models = [
      { id: "on-bedrock", upstream_model: { bedrock: "anthropic.claude-opus-4-8" } },
    ];
    delete config.pricing;
    config.metrics = { port: 0 };
    config.telemetry = {
      verify_identity: true,
      forward_to: [one, other].map(({ url }, index) => ({
        ...everything,
        url: `${url}/${mark(`path of collector ${index}`)}`,
        headers: { "x-collector-key": collectorKeys[index] },
      })),
    };
  },
  { CLAUDE_GATEWAY_LOG_LEVEL: "debug" },
);
const { gateway, upstream } = scene;
marks["signing secret of sessions"] = jwtSecret;
marks["client secret"] = scene.idp.clientSecret;
const [, metricsUrl = ""] = /info metrics on (\S+)\n/.exec(gateway.stderr()) ?? [];
afterAll(() => Promise.all([scene.stop(), one.stop(), other.stop(), spare.stop()]));

const call = {
  system: [{ type: "text", text: mark("system prompt") }],
  messages: [
    { role: "user", content: `${mark("prompt")} ${repeated}` },
    {
      role: "assistant",
      content: [
        { type: "tool_use", id: "t", name: mark("tool"), input: { a: mark("tool input") } },
      ],
    },
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "t", content: mark("tool result") }],
    },
  ],
  tools: [{ name: "t", description: mark("tool description"), input_schema: { type: "object" } }],
  metadata: { user_id: mark("metadata") },
  stop_sequences: [mark("stop sequence")],
  [mark("name of a field")]: 1,
};
const headers = {
  "x-custom": mark("header"),
  "x-stainless-custom": mark("header of the SDK"),
  "x-app": mark("app"),
  cookie: `a=${mark("cookie")}`,
  "user-agent": mark("user agent"),
  baggage: `user.email=${mark("baggage")}`,
  "anthropic-beta": mark("beta"),
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: `a=${mark("trace state")}`,
};
/** Where a name is expected, a sentence. */
const sentences = {
  id: `an id ${mark("id of an answer")}`,
  model: `a model ${mark("model of an answer")}`,
  stop_reason: `a reason ${mark("reason to stop")}`,
};
const content = [
  { type: "thinking", thinking: mark("thinking"), signature: mark("signature") },
  { type: "text", text: mark("completion") },
  {
    type: "tool_use",
    id: "t2",
    name: "t",
    input: { b: mark("input of a tool that is asked for") },
  },
];
const usage = { input_tokens: 10, output_tokens: 3 };
const deltas = content.map((block, index) => ({
  type: "content_block_start",
  index,
  content_block: block,
}));

const bearer = (marks["bearer"] = await scene.bearer());
const send = (init: CallInit & { asked?: string } = {}) =>
  ask(scene, init.asked ?? model, {
    bearer,
    ...init,
    fields: { ...call, ...init.fields },
    headers: { ...headers, ...init.headers },
  });
const sent = async (init: CallInit & { asked?: string } = {}) => {
  const response = await send(init);
  await response.text().catch(() => undefined);
  return response.status;
};
const asStream = { fields: { stream: true } };
const failure = (status: number) => () =>
  Response.json(
    {
      type: "error",
      message: `cannot say ${repeated}`,
      error: { type: "some_error", message: `cannot say ${repeated}` },
    },
    { status, headers: { "x-answer": mark("header of an answer") } },
  );

/** Every way a call may end, and then a stop: nothing is sent any more. */
beforeAll(async () => {
  upstream.answer = () =>
    Response.json({ id: "msg_1", type: "message", model, stop_reason: "end_turn", content, usage });
  expect(await sent()).toBe(200);
  upstream.answer = () => Response.json({ ...sentences, type: "message", content, usage });
  const named = {
    "x-claude-code-session-id": `a session ${mark("session")}`,
    "x-claude-code-agent-id": `an agent ${mark("agent")}`,
  };
  expect(await sent({ headers: named })).toBe(200);
  expect(await sent({ asked: `tell me ${asModel}` })).toBe(400);
  upstream.answer = () =>
    new Response(eventStream([started(10), ...deltas, used(3), { type: "message_stop" }]), {
      headers: { "content-type": "text/event-stream" },
    });
  expect(await sent(asStream)).toBe(200);

  upstream.answer = failure(503);
  spare.answer = () => Response.json({ id: "msg_2", type: "message", content, usage });
  expect(await sent()).toBe(200);
  spare.answer = failure(503);
  expect(await sent()).toBe(502);
  upstream.answer = spare.answer = failure(400);
  expect(await sent()).toBe(400);
  expect(await sent({ asked: "on-bedrock" })).toBe(400);
  spare.answer = failure(429);
  expect(await sent({ asked: "on-bedrock" })).toBe(429);

  upstream.answer = () =>
    new Response(
      eventStream([
        started(10),
        {
          type: "error",
          error: { type: `a type ${mark("type of error")}`, message: mark("error in a stream") },
        } as never,
      ]),
      { headers: { "content-type": "text/event-stream" } },
    );
  expect(await sent(asStream)).toBe(200);
  for (const end of ["break", "leave"] as const) {
    const stream = fedStream();
    upstream.answer = () => stream.response;
    stream.send(started(10), wrote(mark("piece of an answer")));
    const hangUp = new AbortController();
    const response = await send({ ...asStream, signal: hangUp.signal });
    await readerOf(response).until("canary");
    if (end === "leave") hangUp.abort();
    else stream.breakOff();
    await response.text().catch(() => undefined);
  }
  const { length: asked } = upstream.seen;
  upstream.answer = () => new Promise(() => undefined);
  const hangUp = new AbortController();
  const givenUp = sent({ signal: hangUp.signal }).catch(() => "gone");
  await untilTrue(() => upstream.seen.length > asked);
  hangUp.abort();
  expect(await givenUp).toBe("gone");

  upstream.answer = () => Response.json({ input_tokens: 3 });
  expect(await sent({ path: "/v1/messages/count_tokens" })).toBe(200);
  const refused = await scene.message(`{"model":"claude-opus-4-8", ${mark("bad body")}`, {
    headers,
  });
  expect(refused.status).toBe(400);
  expect(await sent({ bearer: mark("bad bearer") })).toBe(401);
  await setCap(gateway, person("blocked"), 0);
  expect(
    await sent({ bearer: (marks["other bearer"] = await scene.bearer({ sub: "blocked" })) }),
  ).toBe(429);
  const exported = await fetch(`${gateway.url}/v1/logs`, {
    method: "POST",
    body: `{"resourceLogs": ${mark("bad export")}`,
    headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
  });
  expect(exported.status).toBe(200);

  const flow = deviceFlow(scene);
  const tokens = await flow.signIn();
  marks["access token"] = tokens.access_token;
  marks["refresh token"] = tokens.refresh_token ?? "";
  const renewed = (await (await flow.refresh(marks["refresh token"])).json()) as typeof tokens;
  marks["renewed access token"] = renewed.access_token;
  marks["renewed refresh token"] = renewed.refresh_token ?? "";

  scraped = await (await fetch(metricsUrl)).text();
  expect(await gateway.stop()).toBe(0);
});
let scraped = "";

/** Which of the marks are there, but for some. */
const marksIn = (text: string, ...but: string[]) =>
  Object.entries(marks)
    .filter(([, value]) => text.includes(value) && !but.includes(value))
    .map(([name]) => name);

test("there was something to tell, and everything was marked", () => {
  for (const collector of [one, other]) {
    expect(collector.records()).toHaveLength(16);
    expect(collector.spans().length).toBeGreaterThan(25);
    expect(collector.metrics().size).toBeGreaterThan(10);
  }
  expect(scraped).toContain("claude_gateway_requests_total");
  expect(gateway.audit("inference")).toHaveLength(16);
  expect(marksIn(Object.values(marks).join(" "))).toEqual(Object.keys(marks));
  expect(Object.values(marks)).not.toContain("");
  const arrived = upstream.seen.map(({ body }) => Buffer.from(body).toString()).join("\n");
  expect(marksIn(arrived)).toEqual(marksIn(JSON.stringify(call)));
  expect(marksIn(arrived)).toContain("prompt");
});

describe("no mark is", () => {
  test("in any record, span or metric that a collector is sent", () => {
    expect(marksIn(one.text())).toEqual([]);
    expect(marksIn(other.text())).toEqual([]);
  });

  test("in the metrics that Prometheus reads", () => expect(marksIn(scraped)).toEqual([]));

  test("in the audit trail", () => {
    const events = gateway.stderr().match(/^\{.*$/gm) ?? [];
    expect(events.length).toBeGreaterThan(15);
    expect(marksIn(events.join("\n"), asModel)).toEqual([]);
  });

  test("in the log, but for what an upstream repeats", () =>
    expect(marksIn(gateway.stderr(), asModel, repeated)).toEqual([]));
});

test("a collector gets the headers that are configured for it, and nobody else's", () => {
  for (const [index, collector] of [one, other].entries()) {
    const keys = collector.received.map(({ headers: got }) => got.get("x-collector-key"));
    expect(new Set(keys)).toEqual(new Set([collectorKeys[index] ?? ""]));
    const heads = collector.received.map(({ headers: got }) => {
      const { "x-collector-key": _, ...rest } = Object.fromEntries(got);
      return JSON.stringify(rest);
    });
    expect(marksIn(heads.join("\n"))).toEqual([]);
  }
});
