// Which of the operator's words about models lead nowhere, in sentences for the boot log: what can only be noticed with the
// catalog in hand. Warnings about everything else are in config/warnings.ts.
import type { Config, UpstreamConfig } from "../config/schema.ts";
import { catalog } from "./catalog.ts";
import { pricedModels } from "./price-overrides.ts";
import {
  builtinBySpelling,
  createModelDirectory,
  keyOf,
  type ModelDirectory,
  modelFilter,
} from "./resolve.ts";

type Read = Pick<Config, "models" | "auto_include_builtin_models" | "upstreams" | "pricing">;

/** Model ids named in one warning; the rest are counted. */
const namedMax = 3;

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
  const named = bare.slice(0, namedMax).map(({ id }) => id);
  const others = bare.length > namedMax ? ` and ${bare.length - namedMax} more` : "";
  return [
    `upstream '${name}': in ${region} built-in models are asked for by the ids without a geography, which AWS takes for few of them. ` +
      `For each model you offer, list a top-level models[] entry whose upstream_model.${name} is an inference profile of that region. ` +
      `Without one so far: ${named.join(", ")}${others}.`,
  ];
}

/** Rows of `pricing.overrides` that no model's price comes from. */
function deadOverrides(config: Read): string[] {
  const priced = pricedModels(config, createModelDirectory(config, config.upstreams));
  const alive = new Set(priced.flatMap(({ rows }) => rows));
  const reasons = [
    "a typo, a model not in models[], a more specific row covers it, or — with no admin: meter — an earlier upstream serves the model and only its price is pushed to clients",
    ...(config.upstreams.some(({ groups }) => groups !== undefined)
      ? ["or the first upstream to serve it sets groups, so no price is pushed"]
      : []),
    ...(config.upstreams.some(({ priority }) => priority !== undefined)
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

/** Where models go if this upstream is the only one, and open to everybody. */
function directoryOf(config: Read, upstream: UpstreamConfig): ModelDirectory {
  return createModelDirectory(config, [{ ...upstream, groups: undefined }]);
}

/** Every id that can have a route, in lower case. */
function spellings({ models }: Read): string[] {
  return [...builtinBySpelling.keys(), ...models.map(({ id }) => id.toLowerCase())];
}
