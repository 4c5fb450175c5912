// Which upstreams a model id that a client sends may go to, and under which id there. Everything that can be answered is
// worked out once at boot: at run time a model is one look-up, whatever its spelling. Whether the caller's policy allows
// the model is policy's question; which of the routes answers is the inference path's.
import type { Config, ModelConfig } from "../config/schema.ts";
import { catalog, type CatalogModel } from "./catalog.ts";

/** What decides where a model may go, of one configured upstream. */
export type UpstreamFacts = {
  name: string;
  provider: "anthropic";
  /** Ids or spellings of the models it serves, each with at most one `*`; all models when absent. */
  models?: readonly string[] | undefined;
};

export type ModelRoute = { upstream: string; upstreamModel: string };

/** Why one upstream cannot serve a model, in words that the client may read. */
export type ModelRefusal = { upstream: string; message: string };

/** Where a model goes, in upstream order; or, when it goes nowhere, why each upstream refuses it. */
export type Resolution = { routes: readonly ModelRoute[]; refusals: readonly ModelRefusal[] };

/** One model as `GET /v1/models` shows it. */
export type ModelEntry = {
  type: "model";
  id: string;
  display_name: string;
  description?: string;
  max_input_tokens?: number;
};

export type ModelDirectory = {
  /** @param model as the client wrote it */
  resolve(model: string): Resolution;
  /** The operator's models in their order, then the built-in ones that an upstream serves. */
  list(): readonly ModelEntry[];
};

/** Longest part of a refused model id that the refusal repeats, in characters. */
const shownIdLengthMax = 128;

/** Which of a built-in model's ids each provider knows it by. */
const idColumn = { anthropic: "id" } as const satisfies Record<
  UpstreamFacts["provider"],
  keyof CatalogModel
>;

/** Every accepted spelling of the built-in models, in lower case. `us.` is Bedrock's default geography. */
const builtinBySpelling = new Map(
  catalog.flatMap((model) =>
    [model.id, model.foundry, model.vertex, `us.${model.bedrock}`].map(
      (spelling) => [spelling, model] as const,
    ),
  ),
);

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
  function workOut(spelling: string, shown: string): Resolution {
    const routes: ModelRoute[] = [];
    const refusals: ModelRefusal[] = [];
    const mapped = listed.get(keyOf(spelling));
    const builtin = builtinBySpelling.get(spelling);
    const isOffered =
      mapped !== undefined || (builtin !== undefined && config.auto_include_builtin_models);
    for (const { name, provider, admits } of served) {
      const upstreamModel = mapped?.get(name) ?? builtin?.[idColumn[provider]];
      const refuse = (why: string) =>
        refusals.push({ upstream: name, message: `model ${shown} ${why}` });
      if (!admits(spelling)) refuse(`is not served by upstream '${name}'`);
      else if (!isOffered) refuse("is not in the operator's model allowlist");
      else if (upstreamModel === undefined) refuse(`has no upstream_model.${name} configured`);
      else routes.push({ upstream: name, upstreamModel });
    }
    return routes.length > 0 ? { routes, refusals: [] } : { routes, refusals };
  }

  // Whatever has a route is here, so that the hot path works nothing out; what has none is refused and may take longer.
  const routed = new Map<string, Resolution>();
  for (const spelling of [
    ...builtinBySpelling.keys(),
    ...config.models.map(({ id }) => id.toLowerCase()),
  ]) {
    const resolution = workOut(spelling, spelling);
    if (resolution.routes.length > 0) routed.set(spelling, resolution);
  }

  function resolve(model: string): Resolution {
    const spelling = model.toLowerCase();
    return routed.get(spelling) ?? workOut(spelling, shownId(model));
  }

  const entries = listEntries(config, (id) => resolve(id).routes);
  return { resolve, list: () => entries };
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
    ({ upstreamModel }) =>
      builtinBySpelling.get(upstreamModel.toLowerCase().replace(/\[1m\]$/, ""))?.max_input_tokens,
  );
  const smallest = Math.min(...windows.map((tokens) => tokens ?? NaN));
  return Number.isFinite(smallest) ? smallest : undefined;
}

/**
 * Whether an upstream's `models` admit a spelling. An entry without `*` means the model, however it is spelled; one with
 * `*` is matched to what the client wrote. Case never matters.
 */
function modelFilter(models: readonly string[] | undefined): (spelling: string) => boolean {
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
function keyOf(spelling: string): string {
  return builtinBySpelling.get(spelling)?.id ?? spelling;
}

/** A model id as a refusal may repeat it, into terminals and log lines. */
function shownId(model: string): string {
  const printable = model.replaceAll(/[^\x20-\x7e]/g, "");
  return printable.length > shownIdLengthMax
    ? `${printable.slice(0, shownIdLengthMax)}...`
    : printable;
}
