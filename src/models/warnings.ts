// Which of the operator's words about models lead nowhere, in sentences for the boot log: what can only be noticed with the
// catalog in hand. Warnings about everything else are in config/warnings.ts.
import type { Config, UpstreamConfig } from "../config/schema.ts";
import { catalog } from "./catalog.ts";
import { listPriceOf } from "./list-prices.ts";
import { createPriceOverrides, pricedModels } from "./price-overrides.ts";
import {
  builtinBySpelling,
  createModelDirectory,
  keyOf,
  type ModelDirectory,
  modelFilter,
} from "./resolve.ts";

type Read = Pick<
  Config,
  "models" | "auto_include_builtin_models" | "upstreams" | "pricing" | "admin"
>;

/** Model ids named in one warning as examples, or because each is to be looked at; the rest are counted. */
const namedMax = 3;
const unpricedNamedMax = 20;

const rules: readonly ((config: Read, upstream: UpstreamConfig) => readonly string[])[] = [
  deadEntries,
  deadMappings,
  bareBedrockIds,
];

/** Everything that is worth a warning, upstream by upstream, then price by price. */
export function modelWarnings(config: Read): string[] {
  return [
    ...config.upstreams.flatMap((upstream) => rules.flatMap((rule) => rule(config, upstream))),
    ...deadOverrides(config),
    ...unpricedModels(config),
  ];
}

/** Entries of an upstream's `models` without which nothing would change. */
function deadEntries(config: Read, upstream: UpstreamConfig): string[] {
  const { name, provider, models = [] } = upstream;
  const alone = directoryOf(config, upstream);
  return models.flatMap((entry) => {
    if (entry.includes("*")) {
      const matches = modelFilter([entry]);
      return spellings(config).some((id) => matches(id) && alone.resolve(id, []).routes.length > 0)
        ? []
        : `upstream '${name}' lists '${entry}' in models, but no model it matches can be sent there. Check the spelling.`;
    }
    const { routes, refusals } = alone.resolve(entry, []);
    if (routes.length > 0) return [];
    const itsId = provider === "mantle" ? "its Mantle id" : "the id that upstream takes";
    return (
      `upstream '${name}' lists '${entry}' in models, but that entry routes no model there (${refusals[0]?.message}). ` +
      `Check the spelling, list the model as clients name it, or map it with a top-level models[] entry whose upstream_model.${name} is ${itsId}.`
    );
  });
}

/** Mappings to an upstream whose own `models` leave the model out. */
function deadMappings(config: Read, { name, models }: UpstreamConfig): string[] {
  const admitted = new Set(spellings(config).filter(modelFilter(models)).map(keyOf));
  return config.models
    .filter(
      ({ id, upstream_model }) =>
        Object.hasOwn(upstream_model, name) && !admitted.has(keyOf(id.toLowerCase())),
    )
    .map(
      ({ id }) =>
        `models[] entry '${id}' sets upstream_model.${name}, but '${id}' is not in upstream '${name}' models, so that mapping never applies. ` +
        `Add '${id}' to the upstream's models list, or remove that mapping.`,
    );
}

/** Where a region has no geography of ours, AWS mostly wants an inference profile's id, and only the operator knows it. */
function bareBedrockIds(config: Read, upstream: UpstreamConfig): string[] {
  if (upstream.provider !== "bedrock") return [];
  const { name, region } = upstream;
  const alone = directoryOf(config, upstream);
  const mapped = new Set(
    config.models
      .filter(({ upstream_model }) => Object.hasOwn(upstream_model, name))
      .map(({ id }) => keyOf(id.toLowerCase())),
  );
  const bare = catalog.filter(
    ({ id, bedrock, retired }) =>
      retired !== true &&
      !mapped.has(id) &&
      alone.resolve(id, []).routes[0]?.upstreamModel === bedrock,
  );
  if (bare.length === 0) return [];
  const named = firstOf(
    bare.map(({ id }) => id),
    namedMax,
  );
  return [
    `upstream '${name}': in ${region} built-in models are asked for by the ids without a geography, which AWS takes for few of them. ` +
      `For each model you offer, list a top-level models[] entry whose upstream_model.${name} is an inference profile of that region. ` +
      `Without one so far: ${named}.`,
  ];
}

/** Rows of `pricing.overrides` that no model's price comes from, neither the one that clients are told nor what is charged. */
function deadOverrides(config: Read): string[] {
  const directory = createModelDirectory(config, config.upstreams);
  const rowOf = createPriceOverrides(config.pricing?.overrides ?? []);
  const isMetered = config.admin !== undefined;
  const alive = new Set(
    !isMetered
      ? pricedModels(config, directory).flatMap(({ rows }) => rows)
      : spellings(config).flatMap((id) =>
          directory.resolve(id, everyGroup(config)).routes.map((route) => rowOf(route, id)),
        ),
  );
  const reasons = [
    "a typo, a model not in models[], a more specific row covers it, or — with no admin: meter — an earlier upstream serves the model and only its price is pushed to clients",
    ...(!isMetered && config.upstreams.some(({ groups }) => groups !== undefined)
      ? ["or the first upstream to serve it sets groups, so no price is pushed"]
      : []),
    ...(!isMetered && config.upstreams.some(({ priority }) => priority !== undefined)
      ? ["or upstreams that share its requests have other rates for it, so no price is pushed"]
      : []),
  ].join(", ");
  return (config.pricing?.overrides ?? [])
    .filter((row) => !alive.has(row))
    .map(
      ({ upstream, model }) =>
        `pricing override for '${model}' on upstream '${upstream}' will never apply — no model a client can request there is priced by it (${reasons})`,
    );
}

/** The operator's models of which the spend meter can only guess what they cost: neither a row nor a list price is theirs. */
function unpricedModels(config: Read): string[] {
  if (config.admin === undefined) return [];
  const directory = createModelDirectory(config, config.upstreams);
  const rowOf = createPriceOverrides(config.pricing?.overrides ?? []);
  const unpriced = new Set(
    config.models.flatMap(({ id }) =>
      directory
        .resolve(id, everyGroup(config))
        .routes.filter(
          (route) => rowOf(route, id) === undefined && listPriceOf(route, id) === undefined,
        )
        .map(({ upstreamModel }) => `${id} (${upstreamModel})`),
    ),
  );
  return unpriced.size === 0
    ? []
    : [
        `spend meter has no exact rates for ${firstOf([...unpriced], unpricedNamedMax)} — these will be metered at the unknown-model default tier. ` +
          "Write what they cost into pricing.overrides.",
      ];
}

function everyGroup({ upstreams }: Read): string[] {
  return upstreams.flatMap(({ groups }) => groups ?? []);
}

/** `a, b, c and 5 more` */
function firstOf(ids: readonly string[], max: number): string {
  const left = ids.length - max;
  return ids.slice(0, max).join(", ") + (left > 0 ? ` and ${left} more` : "");
}

/** Where models go if this upstream is the only one, and open to everybody. */
function directoryOf(config: Read, upstream: UpstreamConfig): ModelDirectory {
  return createModelDirectory(config, [{ ...upstream, groups: undefined }]);
}

/** Every id that can have a route, in lower case. */
function spellings({ models }: Read): string[] {
  return [...builtinBySpelling.keys(), ...models.map(({ id }) => id.toLowerCase())];
}
