// Which upstreams a model id that a client sends may go to, and under which id there. Everything that can be answered is
// worked out once at boot: at run time a model is one look-up, whatever its spelling. Whether the caller's policy allows
// the model is policy's question; which of the routes answers is the inference path's.
import type { Config, ModelConfig, ProviderName } from "../config/schema.ts";
import { catalog, type CatalogModel } from "./catalog.ts";
import { claudeNameIn, shownId } from "./names.ts";

/** What decides where a model may go, of one configured upstream. */
export type UpstreamFacts = {
  name: string;
  provider: ProviderName;
  /** Bedrock only: decides the geography in its model ids. */
  region?: string;
  /** Ids or spellings of the models it serves, each with at most one `*`; all models when absent. */
  models?: readonly string[] | undefined;
  /** Who is sent there: members of one of these IdP groups, spelled exactly; everybody when absent. */
  groups?: readonly string[] | undefined;
};

export type ModelRoute = { upstream: string; upstreamModel: string };

/** Why one upstream cannot serve a model, in words that the client may read. */
type ModelRefusal = { upstream: string; message: string };

/** Of every upstream its route or its refusal. */
type WorkedOut = { routes: readonly ModelRoute[]; refusals: readonly ModelRefusal[] };

/** Where a model goes, in upstream order; or, when it goes nowhere, why. */
export type Resolution = {
  routes: readonly ModelRoute[];
  /** One for each upstream; or one without, when it is about the person. */
  refusals: readonly (Pick<ModelRefusal, "message"> & { upstream?: string })[];
  /** How many upstreams are open to the person, those without the model included. */
  considered: number;
};

/** One model as `GET /v1/models` shows it. */
export type ModelEntry = {
  type: "model";
  id: string;
  display_name: string;
  description?: string;
  max_input_tokens?: number;
};

export type ModelDirectory = {
  /**
   * @param model as the client wrote it
   * @param groups of the person who asks
   */
  resolve(model: string, groups: readonly string[]): Resolution;
  /** The operator's models in their order, then the built-in ones that an upstream serves. */
  list(groups: readonly string[]): readonly ModelEntry[];
};

/** Which of a built-in model's ids each provider knows it by. Bedrock's still lacks its geography. */
const idColumn = {
  anthropic: "id",
  anthropicAws: "id",
  anthropicGoogleCloud: "anthropicGoogleCloud",
  bedrock: "bedrock",
  mantle: "mantle",
  vertex: "vertex",
  foundry: "foundry",
} as const satisfies Record<ProviderName, keyof CatalogModel>;

/** Every accepted spelling of the built-in models, in lower case. `us.` is Bedrock's default geography. */
export const builtinBySpelling = new Map(
  catalog.flatMap((model) =>
    [model.id, model.foundry, model.vertex, `us.${model.bedrock}`, model.mantle]
      .filter((spelling) => spelling !== undefined)
      .map((spelling) => [spelling, model] as const),
  ),
);

/** By its undated name, which every id of a model holds. */
const builtinByName = new Map(catalog.map((model) => [model.foundry, model]));

/** To somebody for whom there is no upstream at all. */
const inNoGroup =
  "you aren't in a group that can use this gateway. Ask your administrator to add you to one";

/**
 * The models of a configuration. Ids are read in any case, built-in ones also in each provider's spelling and without
 * their date. Of two `models:` entries for one model the first counts.
 */
export function createModelDirectory(
  config: Pick<Config, "models" | "auto_include_builtin_models">,
  upstreams: readonly UpstreamFacts[],
): ModelDirectory {
  const served = upstreams.map((upstream) => ({
    ...upstream,
    admits: modelFilter(upstream.models),
  }));
  const listed = new Map<string, Map<string, string>>();
  for (const { id, upstream_model } of config.models) {
    const key = keyOf(id.toLowerCase());
    if (!listed.has(key)) listed.set(key, new Map(Object.entries(upstream_model)));
  }

  /** @param spelling a model id in lower case, `shown` the same as a refusal repeats it */
  function workOut(spelling: string, shown: string): WorkedOut {
    const routes: ModelRoute[] = [];
    const refusals: ModelRefusal[] = [];
    const mapped = listed.get(keyOf(spelling));
    const builtin = builtinBySpelling.get(spelling);
    const isOffered =
      mapped !== undefined || (builtin !== undefined && config.auto_include_builtin_models);
    for (const upstream of served) {
      const { name, provider, admits } = upstream;
      const upstreamModel =
        mapped?.get(name) ?? (builtin === undefined ? undefined : builtinId(builtin, upstream));
      const refuse = (why: string) =>
        refusals.push({ upstream: name, message: `model ${shown} ${why}` });
      if (!admits(spelling)) refuse(`is not served by upstream '${name}'`);
      else if (!isOffered) refusals.push({ upstream: name, message: notOffered(shown) });
      else if (upstreamModel !== undefined) routes.push({ upstream: name, upstreamModel });
      else if (builtin !== undefined) refuse(`is not available on ${provider}`);
      else refuse(`has no upstream_model.${name} configured`);
    }
    return { routes, refusals };
  }

  const isGrouped = upstreams.some(({ groups }) => groups !== undefined);

  // Whatever has a route is here, so that the hot path works nothing out; what has none is refused and may take longer.
  const routed = new Map<string, WorkedOut>();
  for (const spelling of [
    ...builtinBySpelling.keys(),
    ...config.models.map(({ id }) => id.toLowerCase()),
  ]) {
    const resolution = workOut(spelling, spelling);
    if (resolution.routes.length > 0) routed.set(spelling, resolution);
  }

  function resolve(model: string, groups: readonly string[]): Resolution {
    return isGrouped ? resolveAmong(openTo(groups), model) : resolveForAll(model);
  }

  function resolveForAll(model: string): Resolution {
    const { routes, refusals } = workedOut(model);
    return resolved(routes, refusals, upstreams.length);
  }

  /** @param open names of the upstreams that the person is sent to */
  function resolveAmong(open: ReadonlySet<string>, model: string): Resolution {
    if (open.size === 0) return resolved([], [{ message: inNoGroup }], 0);
    const { routes, refusals } = workedOut(model);
    const isOpen = ({ upstream }: { upstream: string }) => open.has(upstream);
    const why = isKnownTo(open, model)
      ? refusals
      : refusals.map(({ upstream }) => ({ upstream, message: notOffered(shownId(model)) }));
    return resolved(routes.filter(isOpen), why.filter(isOpen), open.size);
  }

  /** A model of the operator's that only other people's upstreams have is none to this person, not even a name. */
  function isKnownTo(open: ReadonlySet<string>, model: string): boolean {
    const spelling = model.toLowerCase();
    const mapped = listed.get(keyOf(spelling));
    return (
      mapped === undefined ||
      builtinBySpelling.has(spelling) ||
      [...mapped.keys()].some((name) => open.has(name))
    );
  }

  function workedOut(model: string): WorkedOut {
    const spelling = model.toLowerCase();
    return routed.get(spelling) ?? workOut(spelling, shownId(model));
  }

  /** Names of the upstreams that somebody in these groups is sent to. */
  function openTo(groups: readonly string[]): Set<string> {
    const held = new Set(groups);
    const open = upstreams.filter(
      (upstream) => upstream.groups?.some((group) => held.has(group)) ?? true,
    );
    return new Set(open.map(({ name }) => name));
  }

  function list(groups: readonly string[]): ModelEntry[] {
    const open = openTo(groups);
    const own = config.models.filter(
      ({ id, upstream_model: upstreamModel }) =>
        Object.keys(upstreamModel).some((name) => open.has(name)) ||
        resolveAmong(open, id).routes.length > 0,
    );
    return listEntries({ ...config, models: own }, (id) => resolveAmong(open, id).routes);
  }
  const everybodys = isGrouped ? undefined : list([]);
  return { resolve, list: (groups) => everybodys ?? list(groups) };
}

function notOffered(shown: string): string {
  return `model ${shown} is not in the operator's model allowlist`;
}

function resolved(
  routes: Resolution["routes"],
  refusals: Resolution["refusals"],
  considered: number,
): Resolution {
  return { routes, refusals: routes.length > 0 ? [] : refusals, considered };
}

/** What this upstream calls a built-in model; undefined where its provider does not offer it. */
function builtinId(
  model: CatalogModel,
  { provider, region = "" }: UpstreamFacts,
): string | undefined {
  const id = model[idColumn[provider]];
  return provider === "bedrock" && /^(us|ca)-(?!gov-)/.test(region) ? `us.${id}` : id;
}

function listEntries(
  config: Pick<Config, "models" | "auto_include_builtin_models">,
  routesOf: (id: string) => readonly ModelRoute[],
): ModelEntry[] {
  const entries = new Map<string, ModelEntry>();
  const add = ({ id, label, description }: Pick<ModelConfig, "id" | "label" | "description">) => {
    if (entries.has(id)) return;
    const maxInputTokens = smallestWindow(routesOf(id));
    entries.set(id, {
      type: "model",
      id,
      display_name: label ?? id,
      ...(description !== undefined && { description }),
      ...(maxInputTokens !== undefined && { max_input_tokens: maxInputTokens }),
    });
  };
  config.models.forEach(add);
  if (config.auto_include_builtin_models) {
    catalog.filter(({ id, retired }) => retired !== true && routesOf(id).length > 0).forEach(add);
  }
  return [...entries.values()];
}

/** The context window that holds on every route; none if that of one of them is not known. */
function smallestWindow(routes: readonly ModelRoute[]): number | undefined {
  const windows = routes.map(
    ({ upstreamModel }) => builtinByName.get(claudeNameIn(upstreamModel) ?? "")?.max_input_tokens,
  );
  const smallest = Math.min(...windows.map((tokens) => tokens ?? NaN));
  return Number.isFinite(smallest) ? smallest : undefined;
}

/**
 * Whether an upstream's `models` admit a spelling. An entry without `*` means the model, however it is spelled; one with
 * `*` is matched to what the client wrote. Case never matters.
 */
export function modelFilter(models: readonly string[] | undefined): (spelling: string) => boolean {
  if (models === undefined) return () => true;
  const matchers = models.map((entry) => {
    const [prefix = "", suffix, ...more] = entry.toLowerCase().split("*");
    if (suffix === undefined) return (spelling: string) => keyOf(spelling) === keyOf(prefix);
    if (more.length > 0) return () => false;
    const lengthMin = prefix.length + suffix.length;
    return (spelling: string) =>
      spelling.length >= lengthMin && spelling.startsWith(prefix) && spelling.endsWith(suffix);
  });
  return (spelling) => matchers.some((matches) => matches(spelling));
}

/** What all spellings of one model have in common. */
export function keyOf(spelling: string): string {
  return builtinBySpelling.get(spelling)?.id ?? spelling;
}
