// Requests that are over: one about which everything is known, and what to change of it.
import type {
  FinishedAttempt,
  FinishedRequest,
} from "../../../src/telemetry/requests/finished-request.ts";
import { cent } from "../../../src/spend/money.ts";

export const receivedAt = Date.UTC(2026, 10, 23, 5, 0, 0, 250);

export const attempt: FinishedAttempt = {
  upstream: "claude-eu",
  provider: "bedrock",
  upstreamModel: "eu.anthropic.claude-opus-4-7",
  spanId: "aaaaaaaaaaaaaaa2",
  beganMs: 100,
  endedMs: 350,
  outcome: "answered",
  status: 200,
};

const whole: FinishedRequest = {
  requestId: "472a0380-ee7e-4e0a-80fb-867fabad3683",
  path: "/v1/messages",
  principal: {
    sub: "ada",
    email: "ada@example.com",
    name: "Ada Lovelace",
    groups: ["eng", "finops"],
  },
  sessionId: "52b13404-8a88-47c3-be22-bbaa4015432f",
  agentId: "a56812dac55187b5e",
  trace: {
    parent: {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "b7ad6b7169203331",
      isSampled: true,
    },
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    traceState: "rojo=00f067aa0ba902b7",
    span: {
      traceId: "0af7651916cd43dd8448eb211c80319c",
      spanId: "aaaaaaaaaaaaaaa1",
      isSampled: true,
    },
  },
  receivedAt,
  model: "claude-opus-4-7",
  isStreamed: true,
  attempts: [attempt],
  answeredBy: {
    upstream: "claude-eu",
    provider: "bedrock",
    upstreamModel: "eu.anthropic.claude-opus-4-7",
    requestId: "req_upstream",
    cloudRequestId: "cloud-1",
  },
  status: 200,
  headMs: 351.5,
  firstByteMs: 400.25,
  durationMs: 1_750.000125,
  ending: "complete",
  answer: {
    id: "msg_01",
    model: "claude-opus-4-7-20260101",
    stopReason: "end_turn",
    errorType: undefined,
    isWhole: true,
  },
  charged: {
    usage: {
      inputTokens: 1,
      outputTokens: 20,
      cacheReadTokens: 300,
      cacheWrite5mTokens: 4_000,
      cacheWrite1hTokens: 50_000,
      webSearches: 6,
      isFast: true,
    },
    others: [],
    isEstimate: true,
    isUnreadable: false,
    cost: (535n * cent) / 10_000n,
  },
};

/** A streamed answer to Ada, of which everything is known, but for these facts. */
export function finishedRequest(facts: Partial<FinishedRequest> = {}): FinishedRequest {
  return { ...whole, ...facts };
}

/** The gateway refused it: no upstream was asked. */
export const refused: Partial<FinishedRequest> = {
  attempts: [],
  answeredBy: undefined,
  status: 400,
  isStreamed: false,
  firstByteMs: undefined,
  answer: undefined,
  charged: undefined,
};
