// Which answer a call ends with: upstreams are tried in order until one answers for good, and if none does, the most
// telling refusal is passed on. Nothing is retried once an answer has been chosen: its first byte may be with the client.
import { log } from "../log.ts";
import type { Upstream } from "../upstream/upstream.ts";

export type Route = { readonly upstream: Upstream; readonly upstreamModel: string };

/** What one try came to. */
type Attempt =
  | { outcome: "answered"; response: Response }
  | { outcome: "refused"; response: Response; cause: string }
  | { outcome: "no answer"; cause: string }
  | { outcome: "client gone" };

/** The end of all tries. `upstream` is null when none gave the answer. */
export type Answer =
  | { outcome: "answered"; response: Response; upstream: string | null }
  | { outcome: "all failed" }
  | { outcome: "client gone" };

/** Statuses that another upstream may do better on, beside every 5xx. */
const advances = new Set([401, 403, 404, 429]);

/** Of refusals, which one tells the client most: the highest rank, and of equals the last. Others are worth nothing. */
const finalRank = new Map([
  [429, 4],
  [401, 3],
  [403, 3],
  [404, 2],
  [501, 1],
]);

/** Anthropic's "overloaded": the client backs off, where it would take a 502 for a broken gateway. */
const overloadedStatus = 529;

/**
 * The first answer among the routes.
 * @param send one try on one route; rejects when no answer came or the signal aborted.
 * @param options.ttfbMs milliseconds a route may take to the head of its answer.
 * @param options.clientGone aborts when the client has hung up.
 * @param options.configured number of upstreams in the configuration, skipped ones included.
 */
export async function firstAnswer(
  routes: readonly Route[],
  send: (route: Route, signal: AbortSignal) => Promise<Response>,
  options: { ttfbMs: number; clientGone: AbortSignal; configured: number; requestId: string },
): Promise<Answer> {
  const failures: string[] = [];
  let best: { response: Response; upstream: string; rank: number } | undefined;
  for (const [index, route] of routes.entries()) {
    const { name } = route.upstream;
    const attempt = await attemptOn(route, send, options);
    if (attempt.outcome === "client gone") {
      discard(best?.response);
      return attempt;
    }
    if (attempt.outcome === "answered") {
      discard(best?.response);
      return { outcome: "answered", response: attempt.response, upstream: name };
    }
    failures.push(`${name}: ${attempt.cause}`);
    const next = index < routes.length - 1 ? "trying next" : "none left";
    log.warn(`upstream failed, ${next} request_id=${options.requestId}: ${name}: ${attempt.cause}`);
    if (attempt.outcome === "no answer") continue;
    const lone = options.configured === 1 && attempt.response.status === overloadedStatus;
    const rank = lone ? 1 : (finalRank.get(attempt.response.status) ?? 0);
    if (rank > 0 && rank >= (best?.rank ?? 0)) {
      discard(best?.response);
      best = { response: attempt.response, upstream: name, rank };
    } else {
      discard(attempt.response);
    }
  }
  if (best !== undefined)
    return { outcome: "answered", response: best.response, upstream: best.upstream };
  log.warn(`all upstreams failed request_id=${options.requestId}: ${failures.join("; ")}`);
  return { outcome: "all failed" };
}

async function attemptOn(
  route: Route,
  send: (route: Route, signal: AbortSignal) => Promise<Response>,
  options: { ttfbMs: number; clientGone: AbortSignal },
): Promise<Attempt> {
  const { clientGone, ttfbMs } = options;
  if (clientGone.aborted) return { outcome: "client gone" };
  const abort = new AbortController();
  const hangUp = () => abort.abort();
  // The listener stays when the head is there: a client that hangs up during the body cancels the upstream too.
  clientGone.addEventListener("abort", hangUp, { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    abort.abort();
  }, ttfbMs);
  try {
    const response = await send(route, abort.signal);
    const { status, statusText } = response;
    if (status < 500 && !advances.has(status)) return { outcome: "answered", response };
    return { outcome: "refused", response, cause: `${status} ${statusText}`.trim() };
  } catch (error) {
    if (clientGone.aborted) return { outcome: "client gone" };
    return {
      outcome: "no answer",
      cause: timedOut ? `no answer within ${ttfbMs} ms` : causeOf(error),
    };
  } finally {
    clearTimeout(timer);
  }
}

/** Lets go of an answer that nobody will read, so that its connection does not wait for a reader. */
function discard(response: Response | undefined): void {
  response?.body?.cancel().catch(() => undefined);
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error.message : `${code} ${error.message}`;
}
