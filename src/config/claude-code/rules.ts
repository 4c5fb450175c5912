// What the table of Claude Code's settings cannot say: keys that need a switch in the gateway's environment, two spellings of
// one setting, patterns that no client could apply. Findings are relative to the document, which has its shape already.
import { memberOf, type SettingsDocument } from "../mapping.ts";
import type { Finding } from "../problems.ts";
import { gatedSettings } from "./administration.ts";
import { settingAliases } from "./marketplaces.ts";

const aliases: readonly (readonly [string, string])[] = Object.entries(settingAliases);

/** @param isOn whether a variable of the gateway's environment is switched on */
export function settingsProblems(
  document: SettingsDocument,
  isOn: (variable: string) => boolean,
): Finding[] {
  return [
    ...Object.entries(gatedSettings)
      .filter(([variable]) => !isOn(variable))
      .flatMap(([variable, keys]) =>
        Object.keys(keys)
          .filter((key) => Object.hasOwn(document, key))
          .map((key) => ({
            path: [key],
            message: `is taken only where the gateway runs with ${variable}=1`,
          })),
      ),
    ...aliases
      .filter(([alias, name]) => Object.hasOwn(document, alias) && Object.hasOwn(document, name))
      .map(([alias, name]) => ({
        path: [alias],
        message: `this document sets both "${alias}" and "${name}", which are the same setting — keep only "${name}"`,
      })),
    ...["strictKnownMarketplaces", "allowedMarketplaces", "blockedMarketplaces"].flatMap((key) =>
      brokenPatterns(memberOf(document, key), key),
    ),
  ];
}

/** The document with each setting under the name that clients know it by. */
export function underKnownNames(document: SettingsDocument): SettingsDocument {
  const known = new Map(aliases);
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [known.get(key) ?? key, value]),
  );
}

/** Entries of a list of marketplaces that mean some by a pattern, which has to be a regular expression. */
function brokenPatterns(list: unknown, key: string): Finding[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((entry: unknown, index) =>
    ["hostPattern", "pathPattern"]
      .filter((name) => !isPattern(memberOf(entry, name) ?? ""))
      .map((name) => ({
        path: [key, index, name],
        message: "is not a regular expression, so the entry cannot be enforced",
      })),
  );
}

function isPattern(text: unknown): boolean {
  try {
    return new RegExp(String(text)) instanceof RegExp;
  } catch {
    return false;
  }
}
