// Which upstreams are set aside for now, learned in passing from what attempts on them come to: nothing is sent to find out.
// Known per upstream and upstream model, since a region may be out of capacity for one model and serve the others well. In
// memory, per replica. What being set aside means for a request is routing.ts's.
import type { FailoverConfig } from "../config/schema.ts";
import { log } from "../log.ts";
import { isStreamed } from "../spend/answer-meter.ts";
import type { MessagesPath } from "../upstream/upstream.ts";
import type { Attempt, Route } from "./attempt.ts";

/** `due`: set aside for long enough, and nobody is finding out yet whether it is back. */
export type HealthState = "healthy" | "set aside" | "due";

/** One upstream and upstream model, by their names. */
export type SetAside = { readonly upstream: string; readonly upstreamModel: string };

export type Health = {
  of(route: Route): HealthState;
  /** Those that are set aside at the moment; for whoever watches, as nothing is decided by it. */
  readonly setAside: () => readonly SetAside[];
  /**
   * Marks the beginning of an attempt. On a route that is due it is the probe, and no other can be until it has ended. What it
   * returns is to be called once, whatever the attempt came to.
   */
  begin(route: Route): (attempt: Attempt) => void;
  /** A stream that began well is over. As many in a row that broke off set aside as failures do, which its beginning is none of. */
  readonly streamOver: (route: Route, isWhole: boolean) => void;
};

/** What is known of one upstream and upstream model. */
type Known = SetAside & {
  /** How often it was set aside or came back. An attempt that began before the last time is not heard: it tells of then. */
  period: number;
  /** Failures in a row since it last answered. */
  failures: number;
  /** Streams in a row that began well and broke off. */
  breaks: number;
  /** When its time is over, in milliseconds; null while healthy. */
  untilMs: number | null;
  isProbed: boolean;
  /** How often it was set aside since it last answered well. */
  timesSetAside: number;
};

/** Entries at most. Upstreams times models of a configuration are fewer; else the first one seen is forgotten. */
const knownMax = 10_000;

/** Share of the growing time, either way: replicas that lost an upstream together do not come back to it together. */
const jitter = 0.1;

/** Statuses with which a `retry-after` counts at once: the upstream itself asks to be left alone. */
const asksForQuiet = new Set([429, 503, 529]);

/** Another upstream is asked, but the answer tells what this one cannot do, not how it is. */
const notImplemented = 501;

/**
 * @param options.path of the attempts, for the log.
 * @param options.now milliseconds.
 * @param options.random from 0 to below 1.
 */
export function createHealth(
  config: NonNullable<FailoverConfig>,
  { path, now, random }: { path: MessagesPath; now: () => number; random: () => number },
): Health {
  const seen = new Map<string, Known>();

  function knownOf(route: Route): Known {
    const key = keyOf(route);
    const before = seen.get(key);
    if (before !== undefined) return before;
    const [first] = seen.keys();
    if (first !== undefined && seen.size >= knownMax) seen.delete(first);
    const known = {
      upstream: route.upstream.name,
      upstreamModel: route.upstreamModel,
      period: 0,
      failures: 0,
      breaks: 0,
      untilMs: null,
      isProbed: false,
      timesSetAside: 0,
    };
    seen.set(key, known);
    return known;
  }

  function stateOf({ untilMs, isProbed }: Known): HealthState {
    if (untilMs === null) return "healthy";
    return isProbed || now() < untilMs ? "set aside" : "due";
  }

  function setAside(route: Route, known: Known, retryAfterMs: number, why: string): void {
    const maxMs = config.set_aside_max_seconds * 1000;
    const growingMs = Math.min(config.set_aside_seconds * 1000 * 2 ** known.timesSetAside, maxMs);
    const jitteredMs = growingMs * (1 + jitter * (2 * random() - 1));
    const setAsideMs = Math.min(Math.max(jitteredMs, retryAfterMs), maxMs);
    known.timesSetAside += 1;
    beginPeriod(known, now() + setAsideMs);
    log.warn(
      `upstream set aside for ${(setAsideMs / 1000).toFixed(1)} s: ${nameOf(route)} on ${path}: ${why}`,
    );
  }

  function failed(route: Route, known: Known, attempt: Failure): void {
    known.failures += 1;
    const retryAfterMs = retryAfterOf(attempt);
    if (known.failures < config.unhealthy_after && retryAfterMs === 0) return;
    const count = known.failures === 1 ? "" : `${known.failures} failures in a row, the last: `;
    setAside(route, known, retryAfterMs, `${count}${attempt.cause}`);
  }

  /** @param isProven whether all of the answer is there, and not its beginning only. */
  function answered(route: Route, known: Known, isProven: boolean): void {
    known.failures = 0;
    if (isProven) known.timesSetAside = 0;
    if (known.untilMs === null) return;
    beginPeriod(known, null);
    log.info(`upstream healthy again: ${nameOf(route)} on ${path}`);
  }

  return {
    of(route) {
      const known = seen.get(keyOf(route));
      return known === undefined ? "healthy" : stateOf(known);
    },
    setAside() {
      return [...seen.values()]
        .filter((known) => stateOf(known) === "set aside")
        .map(({ upstream, upstreamModel }) => ({ upstream, upstreamModel }));
    },
    begin(route) {
      const known = knownOf(route);
      const { period } = known;
      const state = stateOf(known);
      const isProbe = state === "due";
      if (isProbe) known.isProbed = true;
      return (attempt) => {
        if (known.period !== period) return;
        if (isProbe) known.isProbed = false;
        if (attempt.outcome === "client gone" || isAboutThePerson(attempt)) return;
        if (!isFailure(attempt)) answered(route, known, !isStreaming(attempt));
        else if (isProbe) setAside(route, known, retryAfterOf(attempt), `still ${attempt.cause}`);
        // Tried although set aside, because nothing else was left: only the probe makes the time grow.
        else if (state === "healthy") failed(route, known, attempt);
      };
    },
    streamOver(route, isWhole) {
      const known = knownOf(route);
      // Of one that is set aside, a stream that began before says nothing new.
      if (known.untilMs !== null) return;
      if (isWhole) {
        known.breaks = 0;
        known.timesSetAside = 0;
        return;
      }
      known.breaks += 1;
      if (known.breaks < config.unhealthy_after) return;
      setAside(route, known, 0, `${known.breaks} streams in a row that broke off`);
    },
  };
}

/** From here on only attempts that begin from here on are heard; a probe that is under way is one no more. */
function beginPeriod(known: Known, untilMs: number | null): void {
  known.period += 1;
  known.untilMs = untilMs;
  known.isProbed = false;
}

type Failure = Extract<Attempt, { outcome: "refused" | "no answer" }>;

/**
 * Whether asking the same upstream again would be a wasted journey. 401, 403 and 404 are: a key that was revoked or a model
 * that is not there stays so for a while. What a client reads as its own mistake (other 4xx) is an answer like any other.
 */
function isFailure(attempt: Exclude<Attempt, { outcome: "client gone" }>): attempt is Failure {
  if (attempt.outcome === "refused") return attempt.answer.response.status !== notImplemented;
  return attempt.outcome === "no answer";
}

/** Whether the rest of its answer is still to come. */
function isStreaming(attempt: Attempt): boolean {
  return attempt.outcome === "answered" && isStreamed(attempt.answer.response);
}

/** The upstream was not even asked, because of who is asking. */
function isAboutThePerson(attempt: Attempt): boolean {
  return attempt.outcome === "no answer" && attempt.isUnfitPrincipal === true;
}

/** How long the upstream asks to be left alone, in milliseconds; 0 when it does not. */
function retryAfterOf(attempt: Failure): number {
  if (attempt.outcome === "no answer") return 0;
  const { response, retryAfterMs } = attempt.answer;
  return asksForQuiet.has(response.status) ? (retryAfterMs ?? 0) : 0;
}

function keyOf({ upstream, upstreamModel }: Route): string {
  return `${upstream.name}\n${upstreamModel}`;
}

function nameOf({ upstream, upstreamModel }: Route): string {
  return `${upstream.name} (${upstreamModel})`;
}
