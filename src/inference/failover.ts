// Which answer a call ends with: routes are tried in order until one answers for good, and if none does, the most telling
// refusal is passed on. Nothing is retried once an answer has been chosen: its first byte may be with the client. The order is
// routing.ts's, one try attempt.ts's.
import { log } from "../log.ts";
import type { UpstreamAnswer } from "../upstream/upstream.ts";
import { attemptOn, type Route, type Send } from "./attempt.ts";
import { asListed, type Routing } from "./routing.ts";

/** The end of all tries. */
export type Answer =
  | { outcome: "answered"; answer: UpstreamAnswer; route: Route }
  | { outcome: "all failed" }
  /** `route` is the one that was being tried, if any. */
  | { outcome: "client gone"; route?: Route };

/** Of refusals, which one tells the client most: the highest rank, and of equals the last. Others are worth nothing. */
const finalRank = new Map([
  [429, 4],
  [401, 3],
  [403, 3],
  [404, 2],
  [501, 1],
]);

const notSupportedStatus = 501;

/** Anthropic's "overloaded": the client backs off, where it would take a 502 for a broken gateway. */
const overloadedStatus = 529;

/**
 * The first answer among the routes.
 * @param send one try on one route; rejects when no answer came or the signal aborted.
 * @param options.clientGone aborts when the client has hung up.
 * @param options.configured number of upstreams in the configuration, skipped ones included.
 * @param options.routing what is remembered of the upstreams; without it routes are tried as listed.
 * @param options.sessionKey the client's session, as affinity.ts tells it; null for a call that has none.
 */
export async function firstAnswer(
  routes: readonly Route[],
  send: Send,
  options: {
    clientGone: AbortSignal;
    configured: number;
    requestId: string;
    routing?: Routing;
    sessionKey?: string | null;
  },
): Promise<Answer> {
  const { clientGone, configured, requestId, routing = asListed, sessionKey = null } = options;
  const failures: string[] = [];
  let best: { answer: UpstreamAnswer; route: Route; rank: number } | undefined;
  for (const [index, route] of routing.order(routes, sessionKey).entries()) {
    const { name } = route.upstream;
    const report = routing.begin(route, sessionKey);
    const attempt = await attemptOn(route, send, clientGone);
    report(attempt);
    if (attempt.outcome === "client gone") {
      discard(best?.answer);
      return { outcome: "client gone", route };
    }
    if (attempt.outcome === "answered") {
      discard(best?.answer);
      return { outcome: "answered", answer: attempt.answer, route };
    }
    failures.push(`${name}: ${attempt.cause}`);
    const next = index < routes.length - 1 ? "trying next" : "none left";
    // That an upstream has no such endpoint is no failure of it, and would be told for every count.
    const isUnsupported =
      attempt.outcome === "refused" && attempt.answer.response.status === notSupportedStatus;
    const tell = isUnsupported ? log.debug : log.warn;
    tell(`upstream failed, ${next} request_id=${requestId}: ${name}: ${attempt.cause}`);
    if (attempt.outcome === "no answer") continue;
    const { status } = attempt.answer.response;
    const lone = configured === 1 && status === overloadedStatus;
    const rank = lone ? 1 : (finalRank.get(status) ?? 0);
    if (rank > 0 && rank >= (best?.rank ?? 0)) {
      discard(best?.answer);
      best = { answer: attempt.answer, route, rank };
    } else {
      discard(attempt.answer);
    }
  }
  if (best !== undefined) return { outcome: "answered", answer: best.answer, route: best.route };
  log.warn(`all upstreams failed request_id=${requestId}: ${failures.join("; ")}`);
  return { outcome: "all failed" };
}

/** Lets go of an answer that nobody will read, so that its connection does not wait for a reader. */
function discard(answer: UpstreamAnswer | undefined): void {
  answer?.response.body?.cancel().catch(() => undefined);
}
