// How a policy is laid over the catch-all: which keys are united, which are filled in member by member, and that all others
// are the policy's. Pure. Lists that forbid only ever grow, but for a few that are named here; lists that allow are the
// policy's own.
import { isMapping, memberOf, type SettingsDocument } from "../config/mapping.ts";
import { sortedJson } from "../config/sorted-json.ts";

/** What becomes of a key, of which each document may lack its side. */
type Rule = (base: unknown, policy: unknown) => unknown;

/** The rule of each key. */
type Rules = (key: string) => Rule;

const replaced: Rule = (base, policy) => (policy === undefined ? base : policy);

/** Entries of both lists, the base's first, each once. */
const united: Rule = (base = [], policy = []) =>
  Array.isArray(base) && Array.isArray(policy)
    ? [...new Map([...base, ...policy].map((entry) => [JSON.stringify(entry), entry])).values()]
    : policy;

/** The members of both mappings, each by its rule. */
const memberwise =
  (rules: Rules): Rule =>
  (base = {}, policy = {}) =>
    isMapping(base) && isMapping(policy) ? merge(base, policy, rules) : policy;

const byName =
  (named: Readonly<Record<string, Rule>>): Rules =>
  (key) =>
    Object.hasOwn(named, key) ? (named[key] ?? replaced) : replaced;

const filledIn = memberwise(() => replaced);

/** The policy's word counts where the base allows; what the base asks for or forbids stays. */
const strictest: Rule = (base, policy) =>
  base === undefined || base === "allow" ? replaced(base, policy) : base;

/**
 * Rules for tools. Of two about one call the narrower counts, so a policy's about some calls (`Bash(curl *)`) can be no freer
 * than what the base says of that tool as a whole.
 */
const toolRules: Rule = (base = {}, policy = {}) => {
  if (!isMapping(base) || !isMapping(policy)) return policy;
  const wholeToolWord = (rule: string) => {
    const tool = rule.replace(/\(.*$/s, "");
    return strictest(memberOf(base, tool), memberOf(base, `${tool}(*)`));
  };
  return merge(base, policy, (rule) => (own, word) => strictest(own ?? wholeToolWord(rule), word));
};

const settingsRules = byName({
  permissions: memberwise(byName({ deny: united, ask: united })),
  deniedModels: united,
  disabledMcpjsonServers: united,
  deniedMcpServers: united,
  blockedMarketplaces: united,
  hooks: memberwise(() => united),
  env: filledIn,
  modelOverrides: filledIn,
  skillOverrides: filledIn,
});

const desktopRules = byName({
  disabledBuiltinTools: united,
  builtinToolPolicy: toolRules,
});

/** Lists that forbid and go with the key they stand in when a policy sets that: of both documents, by their keys. */
const replacedDenials: readonly (readonly string[])[] = [
  ["autoMode", "hard_deny"],
  ["autoMode", "soft_deny"],
  ["sandbox", "network", "deniedDomains"],
  ["sandbox", "filesystem", "denyRead"],
  ["sandbox", "filesystem", "denyWrite"],
  ["sandbox", "credentials", "files"],
  ["sandbox", "credentials", "envVars"],
  ["deniedPluginMcpServers"],
  ["builtinBrowserBlockedDomains"],
];

/** Settings of Claude Code: the policy's over the catch-all's. The documents themselves stay as they are. */
export function mergeSettings(base: SettingsDocument, policy: SettingsDocument): SettingsDocument {
  return merge(base, policy, settingsRules);
}

/** Configuration of Claude Desktop, in the same way. */
export function mergeDesktop(base: SettingsDocument, policy: SettingsDocument): SettingsDocument {
  return merge(base, policy, desktopRules);
}

/**
 * Lists of the catch-all that forbid something which a document laid over it no longer does, as `sandbox.network.deniedDomains`.
 * @param merged what one of the two merges made of that base
 */
export function lostDenials(base: SettingsDocument, merged: SettingsDocument): string[] {
  return replacedDenials
    .filter((path) => {
      const kept = new Set(entriesAt(merged, path));
      return entriesAt(base, path).some((entry) => !kept.has(entry));
    })
    .map((path) => path.join("."));
}

/** Keys in which two documents differ, in the order of the second; those that only the first has come last. */
export function changedKeys(before: SettingsDocument, after: SettingsDocument): string[] {
  const keys = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...keys].filter((key) => sortedJson(before[key]) !== sortedJson(after[key]));
}

/** The entries of the list at a path, as text. */
function entriesAt(document: SettingsDocument, path: readonly string[]): string[] {
  const list = path.reduce<unknown>(memberOf, document);
  return Array.isArray(list) ? list.map((entry) => sortedJson(entry)) : [];
}

/** Keys of the base come first, in their order. */
function merge(base: SettingsDocument, policy: SettingsDocument, rules: Rules): SettingsDocument {
  const keys = new Set([...Object.keys(base), ...Object.keys(policy)]);
  return Object.fromEntries(
    [...keys].map((key) => [key, rules(key)(memberOf(base, key), memberOf(policy, key))]),
  );
}
