// One try of a call on one route, and what it came to. Which route is tried when is routing.ts's; what follows from an attempt
// for the client is failover.ts's, and for later requests health.ts's.
import { PrincipalUnfitError, type Upstream, type UpstreamAnswer } from "../upstream/upstream.ts";

/** One configured upstream, the id it knows the model by, and the milliseconds it has to the head of its answer. */
export type Route = {
  readonly upstream: Upstream;
  readonly upstreamModel: string;
  readonly ttfbMs: number;
};

/** What one try came to. `refused` is an answer that another upstream may better; causes are for the log. */
export type Attempt =
  | { outcome: "answered"; answer: UpstreamAnswer }
  | { outcome: "refused"; answer: UpstreamAnswer; cause: string }
  | { outcome: "no answer"; cause: string; isUnfitPrincipal?: boolean }
  | { outcome: "client gone" };

/** Sends a call on one route. Rejects when no answer came or the signal aborted. */
export type Send = (route: Route, signal: AbortSignal) => Promise<UpstreamAnswer>;

/** Statuses that another upstream may do better on, beside every 5xx. */
const advances = new Set([401, 403, 404, 429]);

/**
 * Tries once, at most for the route's `ttfbMs`. Never rejects.
 * @param clientGone aborts when the client has hung up, which ends the attempt and, later, the answer's body.
 */
export async function attemptOn(
  route: Route,
  send: Send,
  clientGone: AbortSignal,
): Promise<Attempt> {
  if (clientGone.aborted) return { outcome: "client gone" };
  const { ttfbMs } = route;
  const abort = new AbortController();
  // The listener stays when the head is there: a client that hangs up during the body cancels the upstream too.
  clientGone.addEventListener("abort", () => abort.abort(), { once: true });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    abort.abort();
  }, ttfbMs);
  try {
    const answer = await send(route, abort.signal);
    const { status } = answer.response;
    const isFinal = answer.final === true || (status < 500 && !advances.has(status));
    if (isFinal) return { outcome: "answered", answer };
    return { outcome: "refused", answer, cause: answer.cause };
  } catch (error) {
    if (clientGone.aborted) return { outcome: "client gone" };
    return {
      outcome: "no answer",
      cause: timedOut ? `no answer within ${ttfbMs} ms` : causeOf(error),
      isUnfitPrincipal: error instanceof PrincipalUnfitError,
    };
  } finally {
    clearTimeout(timer);
  }
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || error.message.startsWith(code)
    ? error.message
    : `${code} ${error.message}`;
}
