// What a request that is over adds to the metrics.
import { describe, expect, test } from "bun:test";
import type { FinishedAttempt } from "../../../src/telemetry/requests/finished-request.ts";
import { cent } from "../../../src/spend/money.ts";
import { noUsage } from "../../../src/spend/usage.ts";
import { attempt, finishedRequest, refused } from "../requests/finished-requests.ts";
import { metricsScene } from "./scene.ts";

const answeredBy = (upstream: string) => ({
  upstream,
  provider: "bedrock",
  upstreamModel: "m",
  requestId: null,
  cloudRequestId: null,
});
const failing = (upstream: string, changes: Partial<FinishedAttempt> = {}): FinishedAttempt => ({
  ...attempt,
  upstream,
  outcome: "no answer",
  status: undefined,
  ...changes,
});
const chargedFor = (usage: Partial<typeof noUsage>, cost = 0n) => ({
  usage: { ...noUsage, ...usage },
  others: [],
  isEstimate: false,
  isUnreadable: false,
  cost,
});

const model = "claude-opus-4-7";
const path = "/v1/messages";

test("requests are counted by path, upstream, model, status and how they ended", async () => {
  const { finished, read } = metricsScene();
  finished(finishedRequest());
  finished(finishedRequest());
  finished(finishedRequest({ path: "/v1/messages/count_tokens" }));
  finished(finishedRequest({ status: 429 }));
  finished(finishedRequest({ ending: "broken" }));
  finished(finishedRequest(refused));
  const { value, series } = await read();
  const name = "claude_gateway_requests_total";
  const answered = { path, upstream: "claude-eu", model, status: "200", ending: "complete" };
  expect(value(name, answered)).toBe(2);
  expect(value(name, { ...answered, path: "/v1/messages/count_tokens" })).toBe(1);
  expect(value(name, { ...answered, status: "429" })).toBe(1);
  expect(value(name, { ...answered, ending: "broken" })).toBe(1);
  expect(value(name, { ...answered, upstream: "none", status: "400" })).toBe(1);
  expect(series(name)).toHaveLength(5);
});

describe("the added latency", () => {
  const name = "claude_gateway_added_latency_seconds";

  test("is the time to the head less all attempts", async () => {
    const { finished, read } = metricsScene();
    const attempts = [
      failing("a", { beganMs: 1, endedMs: 101 }),
      failing("b", { beganMs: 102, endedMs: 302 }),
      { ...attempt, beganMs: 302.5, endedMs: 402.5 },
    ];
    finished(finishedRequest({ attempts, headMs: 403 }));
    const { value } = await read();
    expect(value(`${name}_sum`, { path })).toBeCloseTo(0.003, 9);
    expect(value(`${name}_bucket`, { path, le: "0.0025" })).toBe(0);
    expect(value(`${name}_bucket`, { path, le: "0.005" })).toBe(1);
  });

  test("is 0 where fractions come out below it", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ headMs: 249.999 }));
    const { value } = await read();
    expect(value(`${name}_count`, { path })).toBe(1);
    expect(value(`${name}_sum`, { path })).toBe(0);
  });

  test("is not told of what no upstream answered", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest(refused));
    expect((await read()).series(`${name}_count`)).toEqual([]);
  });
});

describe("times", () => {
  const labels = { path, upstream: "claude-eu", model };
  const firstByte = "claude_gateway_time_to_first_byte_seconds";
  const duration = "claude_gateway_request_duration_seconds";

  test("to the first byte and to the last are told in seconds", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ firstByteMs: 400.25, durationMs: 1_750 }));
    const { value } = await read();
    expect(value(`${firstByte}_sum`, labels)).toBe(0.40025);
    expect(value(`${duration}_sum`, labels)).toBe(1.75);
  });

  test("to a first byte that nobody saw are not", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ firstByteMs: undefined }));
    const { value, series } = await read();
    expect(series(`${firstByte}_count`)).toEqual([]);
    expect(value(`${duration}_count`, labels)).toBe(1);
  });

  test("of what no upstream answered are not", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest(refused));
    expect((await read()).series(`${duration}_count`)).toEqual([]);
  });

  test("have buckets from 50 ms to 2 minutes for the first byte, and to half an hour for the last", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ firstByteMs: 50, durationMs: 1_800_000 }));
    const { value, series } = await read();
    const bounds = (name: string) => series(`${name}_bucket`).map(({ le }) => le);
    expect(value(`${firstByte}_bucket`, { ...labels, le: "0.05" })).toBe(1);
    expect(bounds(firstByte).at(-2)).toBe("120");
    expect(value(`${duration}_bucket`, { ...labels, le: "600" })).toBe(0);
    expect(value(`${duration}_bucket`, { ...labels, le: "1800" })).toBe(1);
  });
});

describe("failovers", () => {
  const name = "claude_gateway_failovers_total";

  test("are counted by the upstream that was left, and its status or that it gave no answer", async () => {
    const { finished, read } = metricsScene();
    const attempts = [failing("a", { outcome: "refused", status: 429 }), failing("b"), attempt];
    finished(finishedRequest({ attempts }));
    const { value, series } = await read();
    expect(value(name, { upstream: "a", reason: "429" })).toBe(1);
    expect(value(name, { upstream: "b", reason: "no_answer" })).toBe(1);
    expect(series(name)).toHaveLength(2);
  });

  test("are not for want of an endpoint, which is no failure of an upstream", async () => {
    const { finished, read } = metricsScene();
    const attempts = [failing("a", { outcome: "refused", status: 501 }), attempt];
    finished(finishedRequest({ attempts }));
    expect((await read()).series(name)).toEqual([]);
  });

  test("are not what the last attempt came to, after which nobody else was asked", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ attempts: [failing("a")], answeredBy: undefined, status: 502 }));
    finished(finishedRequest());
    expect((await read()).series(name)).toEqual([]);
  });
});

describe("spend", () => {
  const name = "claude_gateway_spend_cents_total";

  test("is added up in cents and their fractions, by who answered", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ charged: chargedFor({}, cent / 4n) }));
    finished(finishedRequest({ charged: chargedFor({}, 3n * cent) }));
    finished(finishedRequest({ answeredBy: answeredBy("west"), charged: chargedFor({}, cent) }));
    const { value } = await read();
    expect(value(name, { upstream: "claude-eu", model })).toBe(3.25);
    expect(value(name, { upstream: "west", model })).toBe(1);
  });

  test("of what was given up is with the upstream that was being asked", async () => {
    const { finished, read } = metricsScene();
    finished(
      finishedRequest({
        attempts: [failing("a"), failing("b", { outcome: "client gone" })],
        answeredBy: undefined,
        status: 499,
        charged: chargedFor({ inputTokens: 9 }, cent),
      }),
    );
    const { value, series } = await read();
    expect(value(name, { upstream: "b", model })).toBe(1);
    expect(series(name)).toHaveLength(1);
    expect(value("claude_gateway_tokens_total", { model, type: "input" })).toBe(9);
  });

  test("of nothing is no series", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ charged: undefined }));
    const { series } = await read();
    expect(series(name)).toEqual([]);
    expect(series("claude_gateway_tokens_total")).toEqual([]);
  });
});

describe("tokens", () => {
  const name = "claude_gateway_tokens_total";

  test("are counted by type", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest());
    finished(finishedRequest({ charged: chargedFor({ outputTokens: 2 }) }));
    const { value, series } = await read();
    expect(value(name, { model, type: "input" })).toBe(1);
    expect(value(name, { model, type: "output" })).toBe(22);
    expect(value(name, { model, type: "cache_read" })).toBe(300);
    expect(value(name, { model, type: "cache_write_5m" })).toBe(4_000);
    expect(value(name, { model, type: "cache_write_1h" })).toBe(50_000);
    expect(series(name)).toHaveLength(5);
  });

  test("of a type of which there were none are no series", async () => {
    const { finished, read } = metricsScene();
    finished(finishedRequest({ charged: chargedFor({ outputTokens: 2 }) }));
    expect((await read()).series(name)).toEqual([{ model, type: "output" }]);
  });

  test("of further models that took part are theirs, or the request's where none is named", async () => {
    const { finished, read } = metricsScene();
    const used = (inputTokens: number) => ({ ...noUsage, inputTokens });
    const others = [
      { model: "claude-haiku-5-5", usage: used(10) },
      { model: undefined, usage: used(100) },
      { model: "nobody knows it", usage: used(1_000) },
    ];
    finished(finishedRequest({ charged: { ...chargedFor({ inputTokens: 1 }), others } }));
    const { value } = await read();
    expect(value(name, { model, type: "input" })).toBe(101);
    expect(value(name, { model: "claude-haiku-5-5", type: "input" })).toBe(10);
    expect(value(name, { model: "other", type: "input" })).toBe(1_000);
  });
});

test("nothing of the person, the session or the ids of a request is in the text", async () => {
  const { finished, text } = metricsScene();
  finished(finishedRequest({ model: "canary-model", sessionId: "canary-session" }));
  finished(finishedRequest({ ...refused, model: "canary-model" }));
  expect(await text()).not.toMatch(/canary|ada|Lovelace|finops|req_upstream|cloud-1|msg_01|0af765/);
});
