// The spans of an inference request and of its attempts.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import * as fc from "fast-check";
import type {
  FinishedAttempt,
  FinishedRequest,
} from "../../../src/telemetry/requests/finished-request.ts";
import { spansOf } from "../../../src/telemetry/requests/spans.ts";
import { type Collector, startCollector } from "../collector.ts";
import { attempt, finishedRequest, receivedAt, refused } from "./finished-requests.ts";

const origin = {
  resource: resourceFromAttributes({ "service.name": "claude-gateway" }),
  scope: { name: "claude-gateway", version: "0.0.0" },
};
const { trace, answer } = finishedRequest();
const made = (facts: Partial<FinishedRequest> = {}) => spansOf(finishedRequest(facts), origin);

const noAnswer: FinishedAttempt = {
  ...attempt,
  upstream: "claude-us",
  spanId: "aaaaaaaaaaaaaaa3",
  beganMs: 5,
  endedMs: 95.5,
  outcome: "no answer",
  status: undefined,
};

describe("the span of a request", () => {
  test("is the server's, below the client's", () => {
    const [span] = made();
    expect(span).toMatchObject({
      name: "POST /v1/messages",
      kind: SpanKind.SERVER,
      parentSpanContext: {
        traceId: "0af7651916cd43dd8448eb211c80319c",
        spanId: "b7ad6b7169203331",
        traceFlags: 1,
        isRemote: true,
      },
      status: { code: SpanStatusCode.UNSET },
      ended: true,
      attributes: {
        request_id: "472a0380-ee7e-4e0a-80fb-867fabad3683",
        "session.id": "52b13404-8a88-47c3-be22-bbaa4015432f",
        "http.request.method": "POST",
        "url.path": "/v1/messages",
        "http.response.status_code": 200,
        "gen_ai.request.model": "claude-opus-4-7",
        "claude_gateway.ending": "complete",
        "claude_gateway.attempts": 1,
      },
    });
    expect(span?.spanContext()).toMatchObject({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "aaaaaaaaaaaaaaa1",
      traceFlags: 1,
    });
  });

  test("tells nothing of what other systems keep in `tracestate`", () => {
    const contexts = spansOf(finishedRequest(), origin).map((span) => span.spanContext());
    expect(contexts.map(({ traceState }) => traceState)).toEqual([undefined, undefined]);
  });

  test("lasts from the request's arrival to the end of its answer", () => {
    const [span] = made();
    const second = (receivedAt - 250) / 1000;
    expect(span?.startTime).toEqual([second, 250_000_000]);
    expect(span?.endTime).toEqual([second + 2, 125]);
    expect(span?.duration).toEqual([1, 750_000_125]);
  });

  test("without a client's begins a trace", () => {
    const own = { parent: undefined, traceparent: undefined, traceState: undefined };
    const [span] = made({ trace: { ...own, span: trace?.span } });
    expect(span).not.toContainKey("parentSpanContext");
    expect(span?.spanContext()).not.toContainKey("traceState");
  });

  test("tells neither who the person is nor how much it cost", () => {
    for (const { attributes } of made()) {
      const names = Object.keys(attributes).join();
      expect(names).not.toMatch(/user\.|enduser|group|cost/);
      expect(JSON.stringify(attributes)).not.toMatch(/ada|eng|finops/);
    }
  });

  test("has failed when the gateway or an upstream did, and not when the client was at fault", () => {
    const outcome = (facts: Partial<FinishedRequest>) => {
      const [span] = made(facts);
      return [span?.status.code, span?.attributes["error.type"]];
    };
    const { ERROR, UNSET } = SpanStatusCode;
    expect(outcome({})).toEqual([UNSET, undefined]);
    expect(outcome({ ...refused, status: 400 })).toEqual([UNSET, "400"]);
    expect(outcome({ ...refused, status: 502 })).toEqual([ERROR, "502"]);
    expect(outcome({ ending: "broken" })).toEqual([ERROR, "broken"]);
    expect(outcome({ ending: "abandoned" })).toEqual([UNSET, "abandoned"]);
    expect(outcome({ answer: answer && { ...answer, errorType: "overloaded_error" } })).toEqual([
      ERROR,
      "overloaded_error",
    ]);
  });
});

describe("there is no span", () => {
  test("of a trace that is not sampled", () => {
    const span = trace?.span && { ...trace.span, isSampled: false };
    expect(made({ trace: trace && { ...trace, span } })).toEqual([]);
  });

  test("where the gateway has none of its own", () => {
    expect(made({ trace: trace && { ...trace, span: undefined } })).toEqual([]);
    expect(made({ trace: undefined })).toEqual([]);
  });

  test("of an attempt that has none", () => {
    expect(made({ attempts: [{ ...attempt, spanId: undefined }] })).toHaveLength(1);
  });
});

describe("the span of an attempt", () => {
  test("is a client's, below the request's, and tells what the answer was", () => {
    const [request, span] = made();
    expect(span).toMatchObject({
      name: "chat eu.anthropic.claude-opus-4-7",
      kind: SpanKind.CLIENT,
      status: { code: SpanStatusCode.UNSET },
    });
    expect(span?.attributes).toEqual({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "aws.bedrock",
      "gen_ai.request.model": "eu.anthropic.claude-opus-4-7",
      "gen_ai.request.stream": true,
      "gen_ai.conversation.id": "52b13404-8a88-47c3-be22-bbaa4015432f",
      "gen_ai.agent.id": "a56812dac55187b5e",
      "claude_gateway.upstream.name": "claude-eu",
      "claude_gateway.upstream.provider": "bedrock",
      "claude_gateway.attempt.outcome": "answered",
      "http.response.status_code": 200,
      "gen_ai.response.id": "msg_01",
      "gen_ai.response.model": "claude-opus-4-7-20260101",
      "gen_ai.response.finish_reasons": ["end_turn"],
      "gen_ai.response.time_to_first_chunk": 0.30025,
      "gen_ai.usage.input_tokens": 54_301,
      "gen_ai.usage.output_tokens": 20,
      "gen_ai.usage.cache_read.input_tokens": 300,
      "gen_ai.usage.cache_creation.input_tokens": 54_000,
    });
    expect(span?.spanContext()).toMatchObject({
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "aaaaaaaaaaaaaaa2",
    });
    expect(span?.parentSpanContext).toEqual(request?.spanContext());
    expect(span?.parentSpanContext?.isRemote).toBeUndefined();
  });

  test("lasts until the answer is over when it is the one whose answer it was, else until it was given up", () => {
    const [, first, second] = made({ attempts: [noAnswer, attempt] });
    const began = (receivedAt - 250) / 1000;
    expect([first?.startTime, first?.endTime]).toEqual([
      [began, 255_000_000],
      [began, 345_500_000],
    ]);
    expect([second?.startTime, second?.endTime]).toEqual([
      [began, 350_000_000],
      [began + 2, 125],
    ]);
    expect(first?.duration).toEqual([0, 90_500_000]);
  });

  test("tells what became of it, and of the answer only where it went to the client", () => {
    const cases: Partial<FinishedAttempt>[] = [
      { outcome: "no answer", status: undefined },
      { outcome: "refused", status: 429 },
      { outcome: "client gone", status: undefined },
    ];
    const spans = made({ attempts: cases.map((facts) => ({ ...noAnswer, ...facts })) }).slice(1);
    const { ERROR, UNSET } = SpanStatusCode;
    expect(
      spans.map(({ status, attributes }) => [
        attributes["claude_gateway.attempt.outcome"],
        attributes["error.type"],
        attributes["http.response.status_code"],
        status.code,
        attributes["gen_ai.response.id"],
      ]),
    ).toEqual([
      ["no answer", "no_answer", undefined, ERROR, undefined],
      ["refused", "429", 429, ERROR, undefined],
      ["client gone", "client_gone", undefined, UNSET, undefined],
    ]);
  });

  test("has failed with its answer, and no other attempt has", () => {
    const [, first, second] = made({
      attempts: [{ ...noAnswer, outcome: "answered" }, attempt],
      ending: "broken",
    });
    expect([first?.status.code, first?.attributes["error.type"]]).toEqual([
      SpanStatusCode.UNSET,
      undefined,
    ]);
    expect([second?.status.code, second?.attributes["error.type"]]).toEqual([
      SpanStatusCode.ERROR,
      "broken",
    ]);
  });

  test("of counting tokens is not called a chat", () => {
    expect(made({ path: "/v1/messages/count_tokens" }).map(({ name }) => name)).toEqual([
      "POST /v1/messages/count_tokens",
      "count_tokens eu.anthropic.claude-opus-4-7",
    ]);
  });
});

test("no span ends before it began, and every time is in whole nanoseconds of its second", () => {
  const ms = fc.double({ min: -5_000, max: 5_000_000, noNaN: true });
  fc.assert(
    fc.property(fc.nat(2_000_000_000_000), ms, ms, ms, (epochMs, beganMs, endedMs, durationMs) => {
      const attempts = [attempt, noAnswer].map((one) => ({ ...one, beganMs, endedMs }));
      const nanoseconds = ([seconds, rest]: [number, number]) => {
        expect(Number.isInteger(seconds) && Number.isInteger(rest)).toBe(true);
        expect(rest >= 0 && rest < 1_000_000_000).toBe(true);
        return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
      };
      for (const span of made({ receivedAt: epochMs, durationMs, attempts })) {
        const [from, to] = [nanoseconds(span.startTime), nanoseconds(span.endTime)];
        expect(from >= BigInt(epochMs) * 1_000_000n).toBe(true);
        expect(to >= from).toBe(true);
        // Each is rounded to a whole nanosecond by itself.
        const difference = to - from - nanoseconds(span.duration);
        expect(difference >= -1n && difference <= 1n).toBe(true);
      }
    }),
  );
});

describe("a collector", () => {
  let collector: Collector;
  beforeAll(() => {
    collector = startCollector();
  });
  afterAll(() => collector.stop());

  test("reads the spans from the stock exporter as they were made", async () => {
    const exporter = new OTLPTraceExporter({ url: `${collector.url}/v1/traces` });
    await new Promise<void>((resolve) => {
      exporter.export(made({ attempts: [noAnswer, attempt] }), () => resolve());
    });
    await exporter.shutdown();
    const [received] = await collector.until(1);
    const sent = JSON.parse(new TextDecoder().decode(received?.body));
    expect(sent.resourceSpans).toHaveLength(1);
    expect(sent.resourceSpans[0].scopeSpans).toHaveLength(1);
    const common = { traceId: "0af7651916cd43dd8448eb211c80319c" };
    expect(sent.resourceSpans[0].scopeSpans[0].spans).toMatchObject([
      {
        ...common,
        spanId: "aaaaaaaaaaaaaaa1",
        parentSpanId: "b7ad6b7169203331",
        name: "POST /v1/messages",
        kind: 2,
        flags: 0x301,
        startTimeUnixNano: "1795410000250000000",
        endTimeUnixNano: "1795410002000000125",
        status: { code: 0 },
      },
      {
        ...common,
        spanId: "aaaaaaaaaaaaaaa3",
        parentSpanId: "aaaaaaaaaaaaaaa1",
        kind: 3,
        flags: 0x101,
        startTimeUnixNano: "1795410000255000000",
        endTimeUnixNano: "1795410000345500000",
        status: { code: 2 },
      },
      {
        ...common,
        spanId: "aaaaaaaaaaaaaaa2",
        parentSpanId: "aaaaaaaaaaaaaaa1",
        kind: 3,
        startTimeUnixNano: "1795410000350000000",
        endTimeUnixNano: "1795410002000000125",
        status: { code: 0 },
      },
    ]);
  });
});
