// How a policy is laid over the catch-all: which keys are united, which are filled in member by member, and that all others
// are the policy's. Pure. Lists that forbid only ever grow; lists that allow are the policy's own.
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
  builtinToolPolicy: memberwise(() => strictest),
});

/** Settings of Claude Code: the policy's over the catch-all's. The documents themselves stay as they are. */
export function mergeSettings(base: SettingsDocument, policy: SettingsDocument): SettingsDocument {
  return merge(base, policy, settingsRules);
}

/** Configuration of Claude Desktop, in the same way. */
export function mergeDesktop(base: SettingsDocument, policy: SettingsDocument): SettingsDocument {
  return merge(base, policy, desktopRules);
}

/** Keys in which two documents differ, in the order of the second; those that only the first has come last. */
export function changedKeys(before: SettingsDocument, after: SettingsDocument): string[] {
  const keys = new Set([...Object.keys(after), ...Object.keys(before)]);
  return [...keys].filter((key) => sortedJson(before[key]) !== sortedJson(after[key]));
}

/** Keys of the base come first, in their order. */
function merge(base: SettingsDocument, policy: SettingsDocument, rules: Rules): SettingsDocument {
  const keys = new Set([...Object.keys(base), ...Object.keys(policy)]);
  return Object.fromEntries(
    [...keys].map((key) => [key, rules(key)(memberOf(base, key), memberOf(policy, key))]),
  );
}
