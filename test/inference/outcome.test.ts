// What becomes of one request is told once to the audit trail and once to telemetry, in whichever order the head of its answer,
// the end of its answer and its charge come.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createOutcome, type Outcome } from "../../src/inference/outcome.ts";
import { asListed } from "../../src/inference/routing.ts";
import type { OverAnswer } from "../../src/spend/answer-meter.ts";
import { cent } from "../../src/spend/money.ts";
import type { ToldAnswer } from "../../src/spend/told-answer.ts";
import type { FinishedRequest } from "../../src/telemetry/requests/finished-request.ts";
import { createTraces } from "../../src/telemetry/requests/trace-context.ts";
import { captureLog } from "../spend/logged.ts";
import { toldOf } from "../spend/metered.ts";
import { answered, answerOf, clientGone, noAnswer, refused, routeTo } from "./attempts.ts";
import { incomingOf } from "../support/incoming.ts";

const log = captureLog();
afterAll(() => log.end());
beforeEach(() => void log.events());

const principal = { sub: "ada", email: "ada@example.com", name: undefined, groups: ["eng"] };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const route = routeTo("first", "upstream-model");

/** An outcome, and what telemetry is told of it. */
function outcomeWith({
  isWatching = true,
  isRecorded = false,
  headers = {},
}: { isWatching?: boolean; isRecorded?: boolean; headers?: Record<string, string> } = {}) {
  const told = { finished: [] as FinishedRequest[], opened: 0, closed: 0 };
  const outcome = createOutcome(
    incomingOf(new Request("http://gateway/v1/messages", { method: "POST", headers }), {
      requestId: "req_1",
      path: "/v1/messages",
      receivedAt: Date.now(),
      startedMs: performance.now(),
    }),
    {
      principal,
      path: "/v1/messages",
      telemetry: {
        isWatching,
        ...createTraces({ isRecorded }),
        streamOpened() {
          told.opened += 1;
          return () => void (told.closed += 1);
        },
        finished: (request) => void told.finished.push(request),
      },
    },
  );
  return { outcome, told };
}

const toldAnswer: ToldAnswer = {
  id: "msg_1",
  model: "m",
  stopReason: "end_turn",
  errorType: undefined,
  isWhole: true,
};
const overWith = (facts: Partial<ToldAnswer> = {}, isAbandoned = false): OverAnswer => ({
  isAbandoned,
  told: () => ({ ...toldAnswer, ...facts }),
});
const charged = { ...toldOf({ inputTokens: 3, outputTokens: 4 }), cost: 7n * cent };
const asStream = { headers: { "content-type": "text/event-stream" } };

/** An upstream has answered, well unless told otherwise, and what that costs will be told. */
function answerWith(outcome: Outcome, response = new Response("{}")): void {
  outcome.answeredBy(route, { ...answerOf(response), requestId: "req_up", cloudRequestId: "c-1" });
  outcome.status = response.status;
  outcome.expectCharge();
}

describe("telemetry is told once, when all is known:", () => {
  const steps: Record<string, (outcome: Outcome) => void> = {
    head: (outcome) => outcome.end(),
    begun: (outcome) => outcome.watch?.begun(),
    over: (outcome) => outcome.watch?.over(overWith()),
    charged: (outcome) => outcome.watch?.charged(charged),
  };
  // A charge is of an answer that is over.
  test.each([
    [["head", "begun", "over", "charged"]],
    [["begun", "head", "over", "charged"]],
    [["begun", "over", "head", "charged"]],
    [["begun", "over", "charged", "head"]],
    [["head", "over", "charged"]],
    [["over", "head", "charged"]],
    [["over", "charged", "head"]],
  ])("%j", (order) => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome);
    for (const step of order) {
      expect(told.finished).toEqual([]);
      steps[step]?.(outcome);
    }
    expect(told.finished).toHaveLength(1);
    expect(told.finished[0]).toMatchObject({
      requestId: "req_1",
      status: 200,
      ending: "complete",
      answer: toldAnswer,
      charged,
      answeredBy: {
        upstream: "first",
        upstreamModel: "upstream-model",
        requestId: "req_up",
        cloudRequestId: "c-1",
      },
    });
    expect(log.events()).toHaveLength(1);
  });

  test("an answer that cost nothing is told of as well", () => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome);
    outcome.end();
    outcome.watch?.over(overWith());
    outcome.watch?.charged(undefined);
    expect(told.finished).toMatchObject([{ charged: undefined, ending: "complete" }]);
  });

  test("where no charge is to come, with the head", () => {
    const { outcome, told } = outcomeWith();
    outcome.model = "claude-opus-4-8";
    outcome.status = 400;
    outcome.end();
    expect(told.finished).toMatchObject([
      {
        principal,
        model: "claude-opus-4-8",
        status: 400,
        ending: "complete",
        attempts: [],
        answeredBy: undefined,
        answer: undefined,
        charged: undefined,
        firstByteMs: undefined,
        isStreamed: false,
      },
    ]);
    const [finished] = told.finished;
    expect(finished?.durationMs).toBe(finished?.headMs);
  });

  test("a call that was given up and is billed, with its charge", () => {
    const { outcome, told } = outcomeWith();
    outcome.expectCharge();
    const { status } = outcome.clientGone();
    outcome.end();
    expect(told.finished).toEqual([]);
    outcome.watch?.charged(charged);
    expect(told.finished).toMatchObject([{ status, ending: "abandoned", charged }]);
    expect(status).toBe(499);
  });
});

describe("how it ended", () => {
  test.each([
    ["complete", {}, false],
    ["broken", { isWhole: false }, false],
    ["broken", { isWhole: false, errorType: "overloaded_error" }, false],
    ["complete", { errorType: "overloaded_error" }, false],
    ["abandoned", { isWhole: false }, true],
    ["abandoned", {}, true],
  ] as const)("is %s: %j, and the client has left: %p", (ending, facts, isAbandoned) => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome);
    outcome.end();
    outcome.watch?.over(overWith(facts, isAbandoned));
    outcome.watch?.charged(charged);
    expect(told.finished).toMatchObject([{ ending, answer: facts }]);
  });

  test("is abandoned when the client went before there was an answer", () => {
    const { outcome, told } = outcomeWith();
    outcome.clientGone();
    outcome.end();
    expect(told.finished).toMatchObject([{ ending: "abandoned", status: 499, answer: undefined }]);
  });

  test("takes as long as the answer, from its arrival on", async () => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome);
    outcome.end();
    await Bun.sleep(15);
    outcome.watch?.begun();
    await Bun.sleep(15);
    outcome.watch?.over(overWith());
    await Bun.sleep(15);
    outcome.watch?.charged(charged);
    const { headMs, firstByteMs = NaN, durationMs } = told.finished[0] ?? expect.unreachable();
    expect(headMs).toBeGreaterThanOrEqual(0);
    expect(firstByteMs - headMs).toBeGreaterThan(10);
    expect(durationMs - firstByteMs).toBeGreaterThan(10);
    expect(durationMs).toBeLessThan(firstByteMs + 1_000);
  });
});

describe("a stream is open", () => {
  test("from its head until it is over", () => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome, new Response("", asStream));
    expect(told).toMatchObject({ opened: 1, closed: 0 });
    outcome.end();
    expect(told).toMatchObject({ opened: 1, closed: 0 });
    outcome.watch?.over(overWith());
    expect(told).toMatchObject({ opened: 1, closed: 1 });
    outcome.watch?.charged(charged);
    expect(told).toMatchObject({ opened: 1, closed: 1 });
    expect(told.finished).toMatchObject([{ isStreamed: true }]);
  });

  test("never, when it comes in one piece", () => {
    const { outcome, told } = outcomeWith();
    answerWith(outcome);
    outcome.watch?.over(overWith());
    expect(told).toMatchObject({ opened: 0, closed: 0 });
  });

  test("never, when nobody will be told that it is over: an error, or a count", () => {
    const { outcome, told } = outcomeWith();
    outcome.answeredBy(route, answerOf(new Response("", { ...asStream, status: 500 })));
    outcome.end();
    expect(told).toMatchObject({ opened: 0, closed: 0 });
  });
});

describe("attempts", () => {
  test("are told in their order, with what they came to and the span that each was", () => {
    const { outcome, told } = outcomeWith({ isRecorded: true, headers: { traceparent } });
    const routing = outcome.noting(asListed);
    const spans = [refused(503), noAnswer, clientGone, answered()].map((attempt, index) => {
      const report = routing.begin(routeTo(`upstream-${index}`), null);
      const { traceparent: sent = "" } = outcome.attemptHeaders();
      report(attempt);
      return sent.split("-")[2];
    });
    outcome.end();
    expect(new Set(spans).size).toBe(4);
    expect(told.finished[0]?.attempts).toEqual(
      [
        { outcome: "refused", status: 503 } as const,
        { outcome: "no answer", status: undefined } as const,
        { outcome: "client gone", status: undefined } as const,
        { outcome: "answered", status: 200 } as const,
      ].map((facts, index) => ({
        ...facts,
        upstream: `upstream-${index}`,
        provider: "anthropic",
        upstreamModel: "m",
        spanId: spans[index],
        beganMs: expect.any(Number),
        endedMs: expect.any(Number),
      })),
    );
  });

  test("are learned from as before, whoever notes them", () => {
    const learned: unknown[] = [];
    const routing = {
      ...asListed,
      begin: (to: typeof route, session: string | null) => (attempt: unknown) =>
        void learned.push([to, session, attempt]),
    };
    for (const isWatching of [true, false]) {
      const attempt = refused(429);
      outcomeWith({ isWatching }).outcome.noting(routing).begin(route, "s")(attempt);
      expect(learned.splice(0)).toEqual([[route, "s", attempt]]);
    }
  });

  test("send the client's trace on as it is where no spans are recorded, and nothing without one", () => {
    for (const isWatching of [true, false]) {
      const { outcome } = outcomeWith({ isWatching, headers: { traceparent, tracestate: "a=b" } });
      expect(outcome.attemptHeaders()).toEqual({});
      outcome.noting(asListed).begin(route, null);
      expect(outcome.attemptHeaders()).toEqual({ traceparent, tracestate: "a=b" });
      const { outcome: other } = outcomeWith({ isWatching });
      other.noting(asListed).begin(route, null);
      expect(other.attemptHeaders()).toEqual({});
    }
  });
});

describe("the audit trail", () => {
  test("has one event, with the head, and nothing of what comes after", () => {
    const { outcome } = outcomeWith({ headers: { traceparent } });
    outcome.model = "claude-opus-4-8";
    outcome.billing = { billing_group: "eng" };
    answerWith(outcome);
    expect(log.events()).toEqual([]);
    outcome.end();
    const event = {
      evt: "inference",
      request_id: "req_1",
      sub: "ada",
      email: "ada@example.com",
      path: "/v1/messages",
      model: "claude-opus-4-8",
      upstream: "first",
      upstream_request_id: "req_up",
      upstream_cloud_request_id: "c-1",
      billing_group: "eng",
      traceparent,
      status: 200,
      ms: expect.any(Number),
    };
    expect(log.events()).toEqual([event]);
    outcome.watch?.begun();
    outcome.watch?.over(overWith());
    outcome.watch?.charged(charged);
    expect(log.events()).toEqual([]);
  });

  test("names no upstream, model or trace where there is none", () => {
    const { outcome } = outcomeWith();
    outcome.status = 400;
    outcome.end();
    const [event] = log.events();
    expect(event).toMatchObject({ model: null, upstream: null, upstream_request_id: null });
    expect(event).not.toHaveProperty("traceparent");
  });

  test("names the gateway's own span where there is one", () => {
    const { outcome, told } = outcomeWith({ isRecorded: true, headers: { traceparent } });
    outcome.end();
    const span = told.finished[0]?.trace?.span;
    expect(log.events()).toMatchObject([{ traceparent: `00-${span?.traceId}-${span?.spanId}-01` }]);
    expect(span?.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  });
});

describe("where nobody watches", () => {
  test("nothing is told but the audit trail, however the request ends", () => {
    const { outcome, told } = outcomeWith({ isWatching: false, headers: { traceparent } });
    expect(outcome.watch).toBeUndefined();
    const report = outcome.noting(asListed).begin(route, null);
    report(answered());
    answerWith(outcome, new Response("", asStream));
    outcome.end();
    expect(told).toEqual({ finished: [], opened: 0, closed: 0 });
    expect(log.events()).toMatchObject([{ evt: "inference", upstream: "first", traceparent }]);
  });

  test("a client that went is in the audit trail, too", () => {
    const { outcome, told } = outcomeWith({ isWatching: false });
    expect(outcome.clientGone().status).toBe(499);
    outcome.end();
    expect(told.finished).toEqual([]);
    expect(log.events()).toMatchObject([{ status: 499 }]);
  });
});
