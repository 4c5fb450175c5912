// What a configuration's policies may say and hardly mean, in sentences for the boot log. What comes of documents is judged after
// the merge, because that is what people get; what is misspelt, where it is written. Whom they are for is in match-warnings.ts.
import { Value } from "@sinclair/typebox/value";
import { nearMisses } from "../config/claude-code/near-misses.ts";
import { desktopWarnings } from "../config/claude-desktop/rules.ts";
import { egressHost } from "../config/claude-desktop/values.ts";
import { isMapping, memberOf } from "../config/mapping.ts";
import type { Config } from "../config/schema.ts";
import { claudeNameIn, plainId } from "../models/names.ts";
import { builtinBySpelling } from "../models/resolve.ts";
import { matchWarnings } from "./match-warnings.ts";
import { lostDenials } from "./merge.ts";
import { idleEntries } from "./model-access.ts";
import { firstOnes, named } from "./named.ts";
import { holdsAnything, isCatchAll, type Policies, type Policy } from "./policy.ts";

type Read = Pick<Config, "models" | "oidc" | "policies" | "upstreams" | "admin">;

/** The model that Claude Code 2.1.330 starts on when nobody has picked one. */
const startModel = "claude-opus-4-7";

/** Variables that make it start on another one. */
const startModelVariables = [
  "ANTHROPIC_MODEL",
  "ANTHROPIC_DEFAULT_MODEL",
  "ANTHROPIC_DEFAULT_OPUS_MODEL",
];

/** Names that Claude Code turns into a model on the laptop; requests hold the model's id, and these never. */
const clientAliases: ReadonlySet<string> = new Set(["best", "opusplan", "default", "inherit"]);

const rules: readonly ((policies: readonly Policy[], config: Read) => readonly string[])[] = [
  neverReached,
  (_, config) => matchWarnings(config),
  ignoredSettings,
  noModels,
  aliases,
  noStartModel,
  idle,
  unknownModels,
  outsideCode,
  uselessRefusal,
  hostsNotTaken,
  lostProhibitions,
  misspelt,
  (policies) =>
    policies.flatMap(({ index, written }) =>
      desktopWarnings(written.desktop ?? {}).map(
        (warning) => `managed.policies[${index}].desktop: ${warning}`,
      ),
    ),
];

/** Everything that is worth a warning. */
export function policyWarnings({ all }: Policies, config: Read): string[] {
  return rules.flatMap((rule) => rule(all, config));
}

function neverReached(policies: readonly Policy[]): string[] {
  const first = policies.findIndex(({ written }) => isCatchAll(written));
  if (first < 0 || first === policies.length - 1) return [];
  return [
    `managed.policies[${first}] is a catch-all (match: {}) but is not the last entry — policies after it will never match. Move it to the end.`,
  ];
}

function ignoredSettings(policies: readonly Policy[]): string[] {
  return policies
    .filter(({ written }) => written.ignoresSettings)
    .map(
      ({ index }) =>
        `managed.policies[${index}] has a cli block and a settings block, which are two names of one thing: only cli is used. Put all its settings into one block.`,
    );
}

function noModels(policies: readonly Policy[]): string[] {
  return policies
    .filter(({ settings }) => listIn(settings.availableModels)?.length === 0)
    .map(
      ({ index }) =>
        `managed policy ${index}: availableModels is an empty list, so every inference request for this role will be rejected. List the models this role may use.`,
    );
}

function aliases(policies: readonly Policy[]): string[] {
  return policies.flatMap(({ index, settings }) => {
    const aliased = (listIn(settings.availableModels) ?? []).filter((entry) =>
      clientAliases.has(plainId(String(entry))),
    );
    return aliased.length === 0
      ? []
      : `managed policy ${index}: availableModels contains ${named(aliased)} — Claude Code resolves these names when picking a model, but requests hold the model's id, so these entries never match. List model ids or families (fable, opus, sonnet, haiku) instead.`;
  });
}

function noStartModel(policies: readonly Policy[]): string[] {
  const lacking = policies.filter(({ settings, access }) => {
    const hasStart =
      typeof settings.model === "string" ||
      settings.enforceAvailableModels === true ||
      // Default then means a model of the list.
      settings.availableModelsMatch === "exact" ||
      startModelVariables.some((name) => memberOf(settings.env, name) !== undefined);
    const isEmpty = listIn(settings.availableModels)?.length === 0;
    return !hasStart && !isEmpty && access.refusalOf(startModel) !== undefined;
  });
  if (lacking.length === 0) return [];
  const indexes = firstOnes(lacking.map(({ index }) => index));
  const isDenied = lacking.some(
    ({ access }) => access.refusalOf(startModel)?.includes("deniedModels") === true,
  );
  const lists = isDenied ? "availableModels or deniedModels leaves" : "availableModels leaves";
  return [
    `managed ${lacking.length === 1 ? "policy" : "policies"} ${indexes}: ${lists} out ${startModel}, the model Claude Code (as of this release) starts on when nobody has picked one, and neither model nor enforceAvailableModels is set, so those developers get a 400 on every request until they pick a listed model with /model. Add enforceAvailableModels: true so the Default option resolves to a listed model, or set model.`,
  ];
}

/** Entries that mean no model there is: a denied one, misspelt, is allowed. */
function idle(policies: readonly Policy[], { models }: Read): string[] {
  const ids = [...builtinBySpelling.keys(), ...models.map(({ id }) => id)];
  const upstreamIds = models.flatMap(({ upstream_model: upstreamModel }) =>
    Object.values(upstreamModel),
  );
  return policies.flatMap(({ index, settings }) => {
    const { availableModels, deniedModels } = idleEntries(settings, ids, upstreamIds);
    const unheard = availableModels.filter((entry) => !clientAliases.has(plainId(entry)));
    const line = (list: string, entries: readonly string[], result: string) =>
      entries.length === 0
        ? []
        : [
            `managed policy ${index}: ${list} contains ${named(entries)}, which is no model of this gateway and ${result}. Check the spelling; there are no wildcards.`,
          ];
    return [
      ...line("availableModels", unheard, "allows nothing"),
      ...line("deniedModels", deniedModels, "denies nothing"),
    ];
  });
}

/** Ids that tell Claude Code nothing, of models that it would know by their own name. */
function unknownModels(policies: readonly Policy[], { models }: Read): string[] {
  const picked = new Set(
    policies.flatMap(({ settings }) =>
      (listIn(memberOf(settings.modelPicker, "options")) ?? []).map((option) =>
        isMapping(option) ? option.model : undefined,
      ),
    ),
  );
  const unknown = models
    .filter(({ id }) => claudeNameIn(id) === undefined && !picked.has(id))
    .flatMap(({ id, upstream_model: upstreamModel }) => {
      const [known] = Object.values(upstreamModel).flatMap((one) => claudeNameIn(one) ?? []);
      return known === undefined ? [] : [{ id, known }];
    });
  const [first] = unknown;
  if (first === undefined) return [];
  const example = JSON.stringify({ model: first.id, behavesAs: first.known });
  return [
    `Claude Code does not recognize these model IDs: ${named(unknown.map(({ id }) => id))}. It runs them with the output limit and context window that its version assumes for an unknown model. To have Claude Code v2.1.287 or later give them their model's own, list them in modelPicker.options of the managed settings, for example ${example}.`,
  ];
}

function outsideCode(policies: readonly Policy[]): string[] {
  const isSilenced = policies.some(({ written }) => written.serveToDesktop === false);
  const hasCode = policies.some(({ written }) => written.settingsKey === "code");
  const isConcerned = policies.some(
    ({ desktop, settings }) => desktop !== undefined && holdsAnything(settings),
  );
  return hasCode || isSilenced || !isConcerned
    ? []
    : [
        "Claude Code settings outside a code: block do not reach the Code tab of a Claude Desktop connected through bootstrapUrl, even with serve_to_desktop: true. To reach it, write every policy's block under code: (which also changes how Claude Desktop runs Cowork and Chat). serve_to_desktop: false silences this and serves Claude Desktop sessions nothing",
      ];
}

function uselessRefusal(policies: readonly Policy[]): string[] {
  if (!policies.some(({ written }) => written.settingsKey === "code")) return [];
  return policies
    .filter(({ written }) => written.serveToDesktop === false)
    .map(
      ({ index }) =>
        `managed.policies[${index}]: serve_to_desktop: false is ignored in a file that has a code: block, so that policy's settings are served to Claude Desktop's Code tab too. Remove it, or write every block under cli: (terminal Claude Code only)`,
    );
}

/** Hosts that Claude Code takes and Claude Desktop, which is told the same ones, does not. */
function hostsNotTaken(policies: readonly Policy[]): string[] {
  return policies.flatMap(({ index, settings, desktop }) => {
    if (desktop === undefined || desktop.coworkEgressAllowedHosts !== undefined) return [];
    const hosts = listIn(memberOf(memberOf(settings.sandbox, "network"), "allowedDomains")) ?? [];
    const strange = hosts.filter((host) => !Value.Check(egressHost, host));
    return strange.length === 0
      ? []
      : `managed policy ${index}: Claude Desktop drops ${named(strange)} of sandbox.network.allowedDomains, which Claude Code honors: it takes ${egressHost.description}. desktop.coworkEgressAllowedHosts may list others.`;
  });
}

/** Keys and tools that look like known ones, in the documents that count. */
function misspelt(policies: readonly Policy[]): string[] {
  return nearMisses(
    policies.map(({ index, written: { settings = {}, settingsKey = "code" } }) => ({
      path: ["managed", "policies", index, settingsKey],
      document: settings,
    })),
  );
}

/** Lists of the catch-all that forbid, inside a key that the policy replaces whole. */
function lostProhibitions(policies: readonly Policy[]): string[] {
  return policies.flatMap(({ index, baseIndex, settings, desktop = {} }) => {
    const base = baseIndex === undefined ? undefined : policies[baseIndex];
    if (base === undefined) return [];
    const lost = [
      ...lostDenials(base.settings, settings),
      ...lostDenials(base.desktop ?? {}, desktop).map((path) => `desktop.${path}`),
    ];
    return lost.length === 0
      ? []
      : `managed policy ${index} sets a key whole and drops what the catch-all forbids there: ${firstOnes(lost)}. Repeat the entries if they are to hold for these people, too.`;
  });
}

function listIn(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined;
}
