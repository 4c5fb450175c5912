// In which order the routes of a request are tried: by priority and weight, then what is remembered from earlier requests (the
// session's upstream first, those that are set aside last). Moving is all that memory does: no route is ever left out, so that
// no request fails because of it. What is learned is in health.ts and affinity.ts; trying is failover.ts's.
import type { FailoverConfig, UpstreamConfig } from "../config/schema.ts";
import type { MessagesPath } from "../upstream/upstream.ts";
import { createAffinity } from "./affinity.ts";
import type { Attempt, Route } from "./attempt.ts";
import { createHealth, type Health, type SetAside } from "./health.ts";

export type Routing = {
  /**
   * The routes in the order to try them, none left out. Begin the first one before anything else can run: it may be the one
   * request that finds out whether an upstream is back.
   * @param sessionKey null for a call without a session.
   */
  order(routes: readonly Route[], sessionKey: string | null): readonly Route[];
  /** Marks the begin of an attempt. What it returns is to be called once, whatever the attempt came to. */
  begin(route: Route, sessionKey: string | null): (attempt: Attempt) => void;
  /** The stream that an attempt was answered with is over. Not to be called when the client let go of it. */
  streamOver(route: Route, isWhole: boolean): void;
  /** What is set aside at the moment, for whoever watches. */
  readonly setAside: () => readonly SetAside[];
};

/** Without a `failover:` block nothing is remembered: every request starts at the first upstream. */
export const asListed: Routing = {
  order: (routes) => routes,
  begin: () => () => undefined,
  streamOver: () => undefined,
  setAside: () => [],
};

/**
 * What this process remembers for one of the Messages paths. Each path has its own: an upstream may lack count_tokens and serve
 * messages well, and an answered count says nothing of inference.
 * @param config `failover:`; without it nothing is remembered.
 * @param deps.now milliseconds.
 * @param deps.random from 0 to below 1, as Math.random.
 */
export function createRouting(
  config: FailoverConfig,
  upstreams: readonly Pick<UpstreamConfig, "name" | "priority" | "weight">[],
  deps: { path: MessagesPath; now: () => number; random: () => number },
): Routing {
  if (config === undefined) return asListed;
  const preferred = createPreference(upstreams, deps.random);
  const health = createHealth(config, deps);
  const affinity = config.session_affinity ? createAffinity(deps) : undefined;

  return {
    order(routes, sessionKey) {
      if (routes.length < 2) return routes;
      const served = sessionKey === null ? undefined : affinity?.upstreamOf(sessionKey);
      return healthyFirst(servedFirst(preferred(routes), served), health);
    },
    begin(route, sessionKey) {
      const report = health.begin(route);
      return (attempt) => {
        report(attempt);
        // A refusal of the call itself has left no prompt cache that would be worth going back for.
        if (sessionKey !== null && attempt.outcome === "answered" && attempt.answer.response.ok)
          affinity?.bind(sessionKey, route.upstream.name);
      };
    },
    streamOver: health.streamOver,
    setAside: health.setAside,
  };
}

/** Lower `priority` first; among equals a draw by `weight`, without replacement. As listed where nobody has a priority. */
function createPreference(
  upstreams: readonly Pick<UpstreamConfig, "name" | "priority" | "weight">[],
  random: () => number,
): (routes: readonly Route[]) => readonly Route[] {
  if (upstreams.every(({ priority }) => priority === undefined)) return (routes) => routes;
  const places = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  return (routes) =>
    routes
      .map((route) => {
        const { priority = 0, weight = 1 } = places.get(route.upstream.name) ?? {};
        // Each waits for an exponential time with its weight as the rate: that they come in this order is exactly as likely as
        // drawing them one by one (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006).
        return { route, priority, wait: -Math.log(1 - random()) / weight };
      })
      .toSorted((a, b) => a.priority - b.priority || a.wait - b.wait)
      .map(({ route }) => route);
}

/** The session's upstream before all others, also before those of a better priority: that is where its prompt cache is. */
function servedFirst(routes: readonly Route[], served: string | undefined): readonly Route[] {
  const isServed = ({ upstream }: Route) => upstream.name === served;
  const own = routes.find(isServed);
  return own === undefined ? routes : [own, ...routes.filter((route) => !isServed(route))];
}

/**
 * Those that are set aside after all others. One whose time is over keeps its place only at the very front, where it is tried
 * at once: further back it might never be reached, and one request should not try two that may still be down.
 */
function healthyFirst(routes: readonly Route[], health: Health): readonly Route[] {
  const first: Route[] = [];
  const last: Route[] = [];
  for (const route of routes) {
    const state = health.of(route);
    const keepsPlace = state === "healthy" || (state === "due" && first.length === 0);
    (keepsPlace ? first : last).push(route);
  }
  return [...first, ...last];
}
