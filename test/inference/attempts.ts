// Routes and attempts of a test's own making, and the clock and the draws that they are judged by.
import type { Attempt, Route } from "../../src/inference/attempt.ts";
import type { UpstreamAnswer } from "../../src/upstream/upstream.ts";

/** A route to an upstream of this name that nobody sends on. */
export function routeTo(name: string, upstreamModel = "m", ttfbMs = 30): Route {
  const send = () => Promise.reject(new Error("unused"));
  const upstream = {
    name,
    provider: "anthropic",
    ttfbMs: { streamed: ttfbMs, whole: ttfbMs },
    send,
  };
  return { upstream, upstreamModel, ttfbMs };
}

export function answerOf(response: Response, retryAfterMs: number | null = null): UpstreamAnswer {
  const cause = String(response.status);
  return { response, requestId: null, cloudRequestId: null, cause, retryAfterMs };
}

export const answered = (status = 200): Attempt => ({
  outcome: "answered",
  answer: answerOf(new Response(null, { status })),
});
export const refused = (status: number, retryAfterMs: number | null = null): Attempt => ({
  outcome: "refused",
  answer: answerOf(new Response(null, { status }), retryAfterMs),
  cause: `${status} of the upstream`,
});
export const noAnswer: Attempt = { outcome: "no answer", cause: "ECONNREFUSED" };
export const clientGone: Attempt = { outcome: "client gone" };

/** A clock that stands still until it is moved. */
export function stoppedClock() {
  let nowMs = 1_000_000;
  return { now: () => nowMs, pass: (ms: number) => void (nowMs += ms) };
}

/** Numbers from 0 to below 1, the same ones for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Names of upstreams in the order in which they stand. */
export const namesOf = (routes: readonly Route[]) =>
  routes.map(({ upstream }) => upstream.name).join("");
