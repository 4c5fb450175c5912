// The bytes of gateway.yaml → Config: read, expand, shape, check, in that order, and every problem of every step at once.
// Nobody else reads settings, the environment's `${VAR}`, or a default.
import { createHash } from "node:crypto";
import { Value } from "@sinclair/typebox/value";
import { allowsLoopback } from "./addresses.ts";
import { checkSettings } from "./checks.ts";
import { parseSettings, type Position } from "./document.ts";
import { expandSettings, type Sources as Texts } from "./expand.ts";
import { isMapping, memberOf } from "./mapping.ts";
import { policyOf } from "./policy-schema.ts";
import {
  ConfigError,
  type ConfigProblem,
  type Finding,
  formatPath,
  type Path,
} from "./problems.ts";
import type { Partly } from "./pieces.ts";
import { type Config, configSchema, type UpstreamConfig, type Written } from "./schema.ts";
import { shapeSettings } from "./shape.ts";
import { sortedJson } from "./sorted-json.ts";
import { warningsOf } from "./warnings.ts";

/** What a configuration is read with. */
export type Sources = Texts & {
  /** What all spellings of one model have in common. Handed in because models/ knows them, which is built on config/. */
  modelKeyOf: (spelling: string) => string;
};

export type LoadedConfig = {
  config: Config;
  /** Hex SHA-256 of the settings, values of variables and files included: comments and layout do not change it. */
  sha256: string;
  /** Sentences for the boot log. */
  warnings: string[];
  /** Of the texts in `managed`, those that hold the value of a variable or a file: whoever shows policies keeps them back. */
  textsFromOutside: ReadonlySet<string>;
};

/** Problems reported of each step. */
const problemsMax = 200;

/**
 * Reads a configuration in YAML or JSON.
 * @param sources where `${VAR}` and `${file:/path}` come from; `readFile` may throw.
 * @throws ConfigError with every problem found.
 */
export function loadConfig(text: string, sources: Sources): LoadedConfig {
  const document = parseSettings(text);
  const expanded = expandSettings(document.value, sources);
  const shaped = shapeSettings(configSchema, expanded.value, expanded.fromOutside);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the walk keeps only what has its shape, which is what Partly says
  const settings = shaped.value as Partly<Written>;

  // The first word on a setting is the one to print: what could not be expanded or has no shape breaks rules, too.
  const broken = checkSettings(settings, {
    allowLoopback: allowsLoopback(sources.env),
    modelKeyOf: sources.modelKeyOf,
    isOn: (variable) => /^(1|true)$/i.test(sources.env[variable] ?? ""),
  });
  const findings = firstOnEach([expanded.findings, shaped.findings, broken]);
  const problems = [
    ...document.problems.slice(0, problemsMax),
    ...findings.map((finding) => located(finding, document.positionOf)),
  ];
  if (problems.length > 0) throw new ConfigError(problems.toSorted(byPosition));

  if (!Value.Check(configSchema, settings)) throw new ConfigError(disagreements(settings));
  const { managed, ...others } = settings;
  const config = {
    ...others,
    upstreams: settings.upstreams.map(asRead),
    policies: (managed?.policies ?? []).map(policyOf),
  };
  return {
    config,
    sha256: createHash("sha256").update(sortedJson(expanded.value)).digest("hex"),
    warnings: [...expanded.warnings, ...warningsOf(config)],
    textsFromOutside: new Set(
      textsAt(expanded.fromOutside, memberOf(expanded.value, "managed"), ["managed"]),
    ),
  };
}

/** The texts of a value that stand at one of some paths. */
function textsAt(paths: ReadonlySet<string>, value: unknown, path: Path): string[] {
  if (typeof value === "string") return paths.has(formatPath(path)) ? [value] : [];
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => textsAt(paths, item, [...path, index]));
  }
  return isMapping(value)
    ? Object.entries(value).flatMap(([key, item]) => textsAt(paths, item, [...path, key]))
    : [];
}

/** All findings of the first step, and of each later one those on settings of which nothing has been said yet. */
function firstOnEach([first = [], ...later]: readonly (readonly Finding[])[]): Finding[] {
  let kept = first.slice(0, problemsMax);
  for (const step of later) {
    // A setting has been spoken of when it, something in it, or something around it has.
    const spokenOf = new Set(
      kept.flatMap(({ path }) => path.map((_, depth) => formatPath(path.slice(0, depth + 1)))),
    );
    const named = new Set(kept.map(({ path }) => formatPath(path)));
    const isNew = ({ path }: Finding) =>
      !spokenOf.has(formatPath(path)) &&
      !path.some((_, depth) => named.has(formatPath(path.slice(0, depth))));
    kept = [...kept, ...step.filter(isNew).slice(0, problemsMax)];
  }
  return kept;
}

function located({ path, message }: Finding, positionOf: (path: Path) => Position): ConfigProblem {
  return { path: formatPath(path), ...positionOf(path), message };
}

/** In the order of the file; what has no place in it comes last. */
function byPosition(a: ConfigProblem, b: ConfigProblem): number {
  const line = (a.line ?? Infinity) - (b.line ?? Infinity) || 0;
  return line !== 0 ? line : (a.column ?? 0) - (b.column ?? 0);
}

/** Google's own name for its cloud means the same provider, and stays the name that `models:` speak of. */
function asRead(written: Written["upstreams"][number]): UpstreamConfig {
  const named = { ...written, name: written.name ?? written.provider };
  // Paths are put behind it.
  if (named.base_url !== undefined) named.base_url = named.base_url.replace(/\/+$/, "");
  return named.provider === "google_cloud" ? { ...named, provider: "vertex" } : named;
}

/** TypeBox has the last word on what a Config is. Nothing is known that passes the walk and not this. */
function disagreements(settings: unknown): ConfigProblem[] {
  const [first] = Value.Errors(configSchema, settings);
  return [
    {
      path: first?.path ?? "",
      line: undefined,
      column: undefined,
      message: first?.message ?? "does not fit the schema",
    },
  ];
}
