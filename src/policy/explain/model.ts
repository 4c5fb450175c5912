// What becomes of a request for one model: refused, in the words that the client reads, or sent, to which upstreams in which
// order and under which id there. The rest of an explanation is in explain.ts.
import type { Config, UpstreamConfig } from "../../config/schema.ts";
import {
  createModelDirectory,
  type ModelDirectory,
  type ModelRoute,
} from "../../models/resolve.ts";
import type { ModelAccess } from "../model-access.ts";
import type { Person } from "../policy.ts";

export type ModelVerdict = {
  /** As it was asked for. */
  id: string;
  allowed: boolean;
  /** The message of the client's 400. */
  refusal: string | null;
  /** In the order in which they are tried, as long as the gateway does not remember that one of them fails. */
  routes: readonly ExplainedRoute[];
  /** The upstreams that the request is not sent to; empty when a policy refuses it. */
  unused: readonly { upstream: string; provider: string; why: string }[];
};

export type ExplainedRoute = {
  /** From 1. Upstreams that share the requests of one priority have one place. */
  place: number;
  upstream: string;
  provider: string;
  upstreamModel: string;
  /** Of the requests that reach its place, the part that begins with it: from above 0 to 1. */
  share: number;
};

/**
 * @param directory of the same configuration
 * @param model as a client would write it
 */
export function explainModel(
  config: Config,
  directory: ModelDirectory,
  person: Person,
  access: ModelAccess,
  model: string,
): ModelVerdict {
  const refused = { id: model, allowed: false, routes: [], unused: [] };
  const refusal = access.refusalOf(model);
  if (refusal !== undefined) return { ...refused, refusal };

  const { routes, refusals } = directory.resolve(model, person.groups);
  const usable = routes.filter(({ upstream }) => lacksFor(config, upstream, person) === undefined);
  const used = new Set(usable.map(({ upstream }) => upstream));
  const unused = config.upstreams
    .filter(({ name }) => !used.has(name))
    .map((upstream) => ({
      upstream: upstream.name,
      provider: upstream.provider,
      why: whyUnused(config, upstream, person, model),
    }));
  if (routes.length === 0) {
    const message = refusals.map((one) => one.message).join("; ");
    return { ...refused, refusal: message, unused };
  }
  return { id: model, allowed: true, refusal: null, routes: inOrder(config, usable), unused };
}

function whyUnused(
  config: Config,
  upstream: UpstreamConfig,
  person: Person,
  model: string,
): string {
  const { groups } = upstream;
  if (groups?.some((group) => person.groups.includes(group)) === false)
    return `only for people in ${groups.join(", ")}`;
  const alone = createModelDirectory(config, [upstream]).resolve(model, person.groups);
  return alone.refusals[0]?.message ?? lacksFor(config, upstream.name, person) ?? "";
}

/** What an upstream needs to know of a person and does not: it would pass the request on to the next. */
function lacksFor({ upstreams }: Config, name: string, { email }: Person): string | undefined {
  const upstream = upstreams.find((one) => one.name === name);
  const role =
    upstream !== undefined && "assume_role" in upstream ? upstream.assume_role : undefined;
  return role?.session_name === "email" && email === undefined
    ? "needs an e-mail address, for assume_role.session_name"
    : undefined;
}

/** By `priority`, which all upstreams have or none; as they are listed without. */
function inOrder({ upstreams }: Config, routes: readonly ModelRoute[]): ExplainedRoute[] {
  const configured = new Map(upstreams.map((upstream) => [upstream.name, upstream]));
  const known = routes.flatMap((route, index) => {
    const upstream = configured.get(route.upstream);
    return upstream === undefined
      ? []
      : [{ ...route, upstream, priority: upstream.priority ?? index }];
  });
  const weightOf = ({ weight = 1 }: UpstreamConfig) => weight;
  const places = [...Map.groupBy(known, ({ priority }) => priority)].toSorted(([a], [b]) => a - b);
  return places.flatMap(([, sharing], index) => {
    const total = sharing.reduce((sum, { upstream }) => sum + weightOf(upstream), 0);
    return sharing.map(({ upstream, upstreamModel }) => ({
      place: index + 1,
      upstream: upstream.name,
      provider: upstream.provider,
      upstreamModel,
      share: weightOf(upstream) / total,
    }));
  });
}
