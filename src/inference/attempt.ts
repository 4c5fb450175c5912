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

/**
 * Sends a call on one route; `onHead` is called when the head of an answer is there, of which more is then read. Rejects when no
 * answer came or the signal aborted.
 */
export type Send = (
  route: Route,
  signal: AbortSignal,
  onHead: () => void,
) => Promise<UpstreamAnswer>;

/** What comes after the head of an answer may take this long, in milliseconds: a whole answer is written before it is sent. */
const bodyMsMax = 60 * 60_000;

/** Statuses that another upstream may do better on, beside every 5xx. */
const advances = new Set([401, 403, 404, 429]);

/**
 * Tries once, for the route's `ttfbMs` at most until the head of an answer. Never rejects.
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
  let timedOutMs: number | undefined;
  let isBegun = false;
  const giveUp = (ms: number) => {
    timedOutMs = ms;
    abort.abort();
  };
  // One timer as a rule: what it is for is asked when it fires.
  let timer = setTimeout(() => {
    if (!isBegun) return giveUp(ttfbMs);
    timer = setTimeout(giveUp, bodyMsMax, bodyMsMax);
  }, ttfbMs);
  const onHead = () => {
    isBegun = true;
  };
  try {
    const answer = await send(route, abort.signal, onHead);
    const { status } = answer.response;
    const isFinal = answer.final === true || (status < 500 && !advances.has(status));
    if (isFinal) return { outcome: "answered", answer };
    return { outcome: "refused", answer, cause: answer.cause };
  } catch (error) {
    if (clientGone.aborted) return { outcome: "client gone" };
    return {
      outcome: "no answer",
      cause: timedOutMs === undefined ? causeOf(error) : `no answer within ${timedOutMs} ms`,
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
