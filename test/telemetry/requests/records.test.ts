// The log record of an inference request: what is in it, under which names, and what never is.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ExportResultCode } from "@opentelemetry/core";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import * as semanticConventions from "@opentelemetry/semantic-conventions/incubating";
import { cent } from "../../../src/spend/money.ts";
import { attributeMeanings } from "../../../src/telemetry/requests/attributes.ts";
import type { FinishedRequest } from "../../../src/telemetry/requests/finished-request.ts";
import { recordOf } from "../../../src/telemetry/requests/records.ts";
import { spansOf } from "../../../src/telemetry/requests/spans.ts";
import { type Collector, startCollector } from "../collector.ts";
import { attempt, finishedRequest, receivedAt, refused } from "./finished-requests.ts";

const origin = {
  resource: resourceFromAttributes({ "service.name": "claude-gateway" }),
  scope: { name: "claude-gateway", version: "0.0.0" },
};

const attributesOf = (facts: Partial<FinishedRequest> = {}) =>
  recordOf(finishedRequest(facts), origin).attributes;
const { answer, answeredBy, charged, principal, trace } = finishedRequest();

describe("a record", () => {
  test("of an answer tells who, what, how much and how fast", () => {
    expect(attributesOf()).toEqual({
      "user.id": "ada",
      "user.email": "ada@example.com",
      "user.groups": "eng,finops",
      request_id: "472a0380-ee7e-4e0a-80fb-867fabad3683",
      "session.id": "52b13404-8a88-47c3-be22-bbaa4015432f",
      "gen_ai.agent.id": "a56812dac55187b5e",
      "gen_ai.operation.name": "chat",
      "gen_ai.request.model": "claude-opus-4-7",
      "gen_ai.request.stream": true,
      "http.response.status_code": 200,
      "claude_gateway.ending": "complete",
      "claude_gateway.attempts": 1,
      "gen_ai.provider.name": "aws.bedrock",
      "claude_gateway.upstream.name": "claude-eu",
      "claude_gateway.upstream.provider": "bedrock",
      "claude_gateway.upstream.model": "eu.anthropic.claude-opus-4-7",
      "claude_gateway.upstream.request_id": "req_upstream",
      "claude_gateway.upstream.cloud_request_id": "cloud-1",
      "gen_ai.response.id": "msg_01",
      "gen_ai.response.model": "claude-opus-4-7-20260101",
      "gen_ai.response.finish_reasons": ["end_turn"],
      "gen_ai.usage.input_tokens": 54_301,
      "gen_ai.usage.output_tokens": 20,
      "gen_ai.usage.cache_read.input_tokens": 300,
      "gen_ai.usage.cache_creation.input_tokens": 54_000,
      "claude_gateway.usage.input_tokens": 1,
      "claude_gateway.usage.cache_write_5m_tokens": 4_000,
      "claude_gateway.usage.cache_write_1h_tokens": 50_000,
      "claude_gateway.usage.web_searches": 6,
      "claude_gateway.usage.fast": true,
      "claude_gateway.usage.estimated": true,
      "claude_gateway.cost.cents": 0.0535,
      "claude_gateway.duration_seconds": 1.75,
      "claude_gateway.first_byte_seconds": 0.40025,
      "gen_ai.response.time_to_first_chunk": 0.30025,
    });
  });

  test("of a refusal tells who, what and why, and nothing that is not known", () => {
    const facts = { ...refused, sessionId: undefined, agentId: undefined, model: undefined };
    expect(attributesOf({ ...facts, durationMs: 2, headMs: 2 })).toEqual({
      "user.id": "ada",
      "user.email": "ada@example.com",
      "user.groups": "eng,finops",
      request_id: "472a0380-ee7e-4e0a-80fb-867fabad3683",
      "gen_ai.operation.name": "chat",
      "http.response.status_code": 400,
      "error.type": "400",
      "claude_gateway.ending": "complete",
      "claude_gateway.attempts": 0,
      "claude_gateway.duration_seconds": 0.002,
    });
  });

  test("of counting tokens is told from one of an answer", () => {
    expect(attributesOf({ path: "/v1/messages/count_tokens" })).toMatchObject({
      "gen_ai.operation.name": "count_tokens",
    });
  });

  test("is of the moment of the end, to the nanosecond", () => {
    const record = recordOf(finishedRequest(), origin);
    expect(record.hrTime).toEqual([receivedAt / 1000 - 0.25 + 2, 125]);
    expect(record.hrTimeObserved).toEqual(record.hrTime);
  });

  test("has a name, also where only a body is shown, and no other text", () => {
    expect(recordOf(finishedRequest(), origin)).toMatchObject({
      eventName: "claude_gateway.inference",
      body: "claude_gateway.inference",
    });
  });

  test("tells the cost in cents, to twelve decimals", () => {
    const costOf = (cost: bigint) =>
      attributesOf({ charged: charged && { ...charged, cost } })["claude_gateway.cost.cents"];
    expect([0n, 3n * cent, cent / 10n, cent / 3n, 123_456_789n * cent].map(costOf)).toEqual([
      0, 3, 0.1, 0.333333333333, 123_456_789,
    ]);
  });

  test("calls what was not told in full an estimate", () => {
    const isEstimated = (isEstimate: boolean, isUnreadable: boolean) =>
      attributesOf({ charged: charged && { ...charged, isEstimate, isUnreadable } })[
        "claude_gateway.usage.estimated"
      ];
    expect([isEstimated(false, false), isEstimated(true, false), isEstimated(false, true)]).toEqual(
      [undefined, true, true],
    );
  });
});

describe("the place of a record in a trace", () => {
  const contextOf = (facts: Partial<FinishedRequest>) =>
    recordOf(finishedRequest(facts), origin).spanContext;

  test("is our span, or else the client's", () => {
    expect(contextOf({})).toEqual({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "aaaaaaaaaaaaaaa1",
      traceFlags: 1,
    });
    expect(contextOf({ trace: trace && { ...trace, span: undefined } })).toMatchObject({
      spanId: "b7ad6b7169203331",
    });
  });

  test("is told of a trace that is not sampled too, with its flag", () => {
    const span = trace?.span && { ...trace.span, isSampled: false };
    expect(contextOf({ trace: trace && { ...trace, span } })).toMatchObject({
      spanId: "aaaaaaaaaaaaaaa1",
      traceFlags: 0,
    });
  });

  test("is none without a trace", () => {
    const none = { parent: undefined, traceparent: undefined, traceState: undefined };
    expect(contextOf({ trace: undefined })).toBeUndefined();
    expect(contextOf({ trace: { ...none, span: undefined } })).toBeUndefined();
  });
});

describe("a person", () => {
  const identity = (person: Partial<FinishedRequest["principal"]>) => {
    const all = attributesOf({ principal: { ...principal, ...person } });
    return Object.fromEntries(
      Object.entries(all).filter(([name]) => /^(user|enduser|claude_gateway\.group)/.test(name)),
    );
  };

  test("without an e-mail address and groups goes by the sub", () => {
    expect(identity({ email: undefined, groups: [] })).toEqual({
      "user.id": "ada",
    });
  });

  test("has groups joined as Claude Code joins them, whatever is in their names", () => {
    expect(identity({ groups: ["a,b", "team=core", "\u00dcn\u00ef"] })).toMatchObject({
      "user.groups": "a,b,team=core,\u00dcn\u00ef",
    });
  });

  test("in more than 64 groups is told to be in so many, and half a list of them is not shown", () => {
    const groups = Array.from({ length: 65 }, (_, index) => `g${index}`);
    const few = identity({ groups: groups.slice(0, 64) });
    expect(few).toMatchObject({ "user.groups": groups.slice(0, 64).join(",") });
    expect(few).not.toContainKey("claude_gateway.group_count");
    const many = identity({ groups });
    expect(many).toMatchObject({ "claude_gateway.group_count": 65 });
    expect(many).not.toContainKey("user.groups");
  });

  test("is not taken for another one whose bearer is alike", () => {
    const someone = { ...principal };
    const before = attributesOf({ principal: someone });
    expect(attributesOf({ principal: someone })).toEqual(before);
    expect(attributesOf({ principal: { ...someone, sub: "zoe" } })).toMatchObject({
      "user.id": "zoe",
    });
  });
});

describe("what went wrong", () => {
  const told = (facts: Partial<FinishedRequest>) => {
    const { attributes, severityNumber, severityText } = recordOf(finishedRequest(facts), origin);
    return [attributes["error.type"], severityText, severityNumber];
  };
  const erring = answer && { ...answer, errorType: "overloaded_error", isWhole: false };

  test("is nothing in a whole answer", () => {
    expect(told({})).toEqual([undefined, "INFO", 9]);
  });

  test("is the status, and a warning when it is not the client's fault", () => {
    expect(told({ ...refused, status: 399 })).toEqual([undefined, "INFO", 9]);
    expect(told({ ...refused, status: 429 })).toEqual(["429", "INFO", 9]);
    expect(told({ ...refused, status: 499 })).toEqual(["499", "INFO", 9]);
    expect(told({ ...refused, status: 500 })).toEqual(["500", "WARN", 13]);
    expect(told({ ...refused, status: 529 })).toEqual(["529", "WARN", 13]);
  });

  test("is the type of the error that a stream ended with, whatever came of it then", () => {
    for (const ending of ["complete", "broken", "abandoned"] as const) {
      expect(told({ answer: erring, ending })).toEqual(["overloaded_error", "WARN", 13]);
    }
  });

  test("is that the answer broke off, or that nobody waited for it", () => {
    expect(told({ ending: "broken" })).toEqual(["broken", "WARN", 13]);
    expect(told({ ending: "abandoned" })).toEqual(["abandoned", "INFO", 9]);
    expect(told({ ...refused, status: 499, ending: "abandoned" })).toEqual([
      "abandoned",
      "INFO",
      9,
    ]);
  });
});

describe("the upstream", () => {
  test("is called by the conventions' name of its provider, and by its own where they have none", () => {
    const providers =
      "anthropic anthropicAws anthropicGoogleCloud bedrock mantle vertex foundry other toString";
    const named = providers.split(" ").map((provider) => {
      const upstream = answeredBy && { ...answeredBy, provider };
      return attributesOf({ answeredBy: upstream })["gen_ai.provider.name"];
    });
    expect(named.join(" ")).toBe(
      "anthropic anthropic anthropic aws.bedrock aws.bedrock gcp.vertex_ai azure.ai.inference other toString",
    );
  });

  test("without ids of its own has none", () => {
    const nameless = answeredBy && { ...answeredBy, requestId: null, cloudRequestId: null };
    expect(Object.keys(attributesOf({ answeredBy: nameless })).join()).not.toMatch(
      /upstream\.(cloud_)?request_id/,
    );
  });

  test("is waited for from when it was asked, which is not when the request came", () => {
    const before = { ...attempt, upstream: "other", outcome: "no answer", beganMs: 10 } as const;
    const waited = (facts: Partial<FinishedRequest>) =>
      attributesOf(facts)["gen_ai.response.time_to_first_chunk"];
    expect(waited({ attempts: [before, attempt] })).toBe(0.30025);
    expect(waited({ attempts: [before, attempt, before] })).toBe(0.30025);
    expect(waited({ attempts: [{ ...attempt, beganMs: 1_000 }] })).toBe(0);
    expect(waited({ attempts: [] })).toBeUndefined();
    expect(waited({ isStreamed: false })).toBeUndefined();
  });
});

describe("texts that others chose", () => {
  const long = "x".repeat(10_000);
  const everywhere = (text: string): Partial<FinishedRequest> => ({
    requestId: text,
    sessionId: text,
    agentId: text,
    model: text,
    principal: { sub: text, email: text, name: text, groups: Array(100).fill(text) },
    attempts: [{ ...attempt, upstream: text, upstreamModel: text }],
    answeredBy: answeredBy && {
      ...answeredBy,
      upstream: text,
      upstreamModel: text,
      requestId: text,
      cloudRequestId: text,
    },
    answer: answer && { ...answer, id: text, model: text, stopReason: text, errorType: text },
  });
  const textsOf = (text: string) => {
    const finished = finishedRequest(everywhere(text));
    const all = [recordOf(finished, origin), ...spansOf(finished, origin)];
    return all.flatMap(({ attributes }) => Object.values(attributes).flat()).filter(isText);
  };
  const isText = (value: unknown): value is string => typeof value === "string";

  test("are cut at 256 characters", () => {
    const texts = textsOf(long);
    expect(texts.filter((text) => text.startsWith("xx")).length).toBeGreaterThan(20);
    expect(texts.filter((text) => text.length > 256)).toEqual([]);
    expect(attributesOf({ model: "x".repeat(256) })["gen_ai.request.model"]).toHaveLength(256);
  });

  test("stay within that when what is in them is spelled out", () => {
    expect(textsOf("\u001b".repeat(256)).filter((text) => text.length > 256)).toEqual([]);
  });

  test("have nothing in them that a terminal would obey or that is half a character", () => {
    const wild = `a\n\u0000\u001b[31m\u202e\ud83d b\u{1f600}`;
    expect(attributesOf({ model: wild })["gen_ai.request.model"]).toBe(
      "a\\u{a}\\u{0}\\u{1b}[31m\\u{202e}\\u{d83d} b\u{1f600}",
    );
    const unsafe = (text: string) => /\p{Cc}/u.test(text) || !text.isWellFormed();
    for (const text of [wild, `${"x".repeat(255)}\u{1f600}`, `\n${"\u{1f600}".repeat(200)}`]) {
      expect(textsOf(text).filter(unsafe)).toEqual([]);
    }
  });
});

describe("the table of attributes", () => {
  const finished = finishedRequest({ ending: "broken" });
  const inMany = { ...principal, groups: Array.from({ length: 65 }, String) };
  const made = [
    recordOf(finished, origin),
    recordOf({ ...finished, principal: inMany }, origin),
    ...spansOf(finished, origin),
  ].flatMap(({ attributes }) => Object.keys(attributes));

  test("holds every one that there is, and no other", () => {
    expect([...new Set(made)].toSorted()).toEqual(Object.keys(attributeMeanings).toSorted());
  });

  test("has names of the conventions, of Claude's own telemetry, or of ours", () => {
    const conventional = new Set(
      Object.entries(semanticConventions)
        .filter(([constant]) => constant.startsWith("ATTR_"))
        .map(([, name]) => name),
    );
    const claude = ["user.groups", "request_id"];
    const others = Object.keys(attributeMeanings).filter(
      (name) => !name.startsWith("claude_gateway.") && !conventional.has(name as never),
    );
    expect(others.toSorted()).toEqual(claude.toSorted());
  });
});

describe("a collector", () => {
  let collector: Collector;
  beforeAll(() => {
    collector = startCollector();
  });
  afterAll(() => collector.stop());

  test("reads the record from the stock exporter as it was made", async () => {
    const exporter = new OTLPLogExporter({ url: `${collector.url}/v1/logs` });
    const records = [
      recordOf(finishedRequest(), origin),
      recordOf(finishedRequest(refused), origin),
    ];
    const code = await new Promise((resolve) => {
      exporter.export(records, (result) => resolve(result.code));
    });
    await exporter.shutdown();
    expect(code).toBe(ExportResultCode.SUCCESS);
    const [received] = await collector.until(1);
    const sent = JSON.parse(new TextDecoder().decode(received?.body));
    expect(sent.resourceLogs).toHaveLength(1);
    expect(sent.resourceLogs[0].resource.attributes).toEqual([
      { key: "service.name", value: { stringValue: "claude-gateway" } },
    ]);
    expect(sent.resourceLogs[0].scopeLogs).toHaveLength(1);
    const [first, second] = sent.resourceLogs[0].scopeLogs[0].logRecords;
    expect(first).toMatchObject({
      timeUnixNano: "1795410002000000125",
      observedTimeUnixNano: "1795410002000000125",
      severityNumber: 9,
      severityText: "INFO",
      eventName: "claude_gateway.inference",
      body: { stringValue: "claude_gateway.inference" },
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "aaaaaaaaaaaaaaa1",
      flags: 1,
    });
    const valueOf = (name: string) =>
      first.attributes.find(({ key }: { key: string }) => key === name)?.value;
    expect(valueOf("user.email")).toEqual({ stringValue: "ada@example.com" });
    expect(valueOf("gen_ai.usage.input_tokens")).toEqual({ intValue: 54_301 });
    expect(valueOf("claude_gateway.cost.cents")).toEqual({ doubleValue: 0.0535 });
    expect(valueOf("gen_ai.request.stream")).toEqual({ boolValue: true });
    expect(valueOf("gen_ai.response.finish_reasons")).toEqual({
      arrayValue: { values: [{ stringValue: "end_turn" }] },
    });
    // An attribute without a value would be one of no type.
    for (const { attributes } of [first, second]) {
      expect(
        attributes.filter(({ value }: { value: object }) => Object.keys(value).length !== 1),
      ).toEqual([]);
    }
  });
});
