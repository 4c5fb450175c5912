// Which models a policy's `availableModels` and `deniedModels` leave. Claude Code reads the same two lists on the laptop:
// entries mean here what they mean there. The same question is asked of a request, of the list of models and of Claude
// Desktop's, so it has one answer. Where an admitted model goes is not policy's but models/'s question.
import type { SettingsDocument } from "../config/mapping.ts";
import { claudeNameIn, plainId, shownId } from "../models/names.ts";

export type ModelAccess = {
  /**
   * Why a model is refused, as the client reads it; undefined when it is not.
   * @param model as the client wrote it, or an id of the list of models
   */
  refusalOf(model: string): string | undefined;
};

/** Words that stand for every model of a family. */
const families: ReadonlySet<string> = new Set(["opus", "sonnet", "haiku", "fable", "mythos"]);

/** Nobody is kept from any model. */
export const everyModel: ModelAccess = { refusalOf: () => undefined };

/** Under which ids a model, as a client wrote it, would go to upstreams. */
export type UpstreamIdsOf = (model: string) => readonly string[];

/**
 * @param settings a policy's, merged. Without `availableModels` every model is admitted, with an empty list none.
 * @param upstreamIdsOf whoever may be sent there: an id of the operator's own may stand for a denied model
 */
export function createModelAccess(
  { availableModels, availableModelsMatch, deniedModels }: SettingsDocument,
  upstreamIdsOf: UpstreamIdsOf,
): ModelAccess {
  const isAvailable = Array.isArray(availableModels)
    ? availability(availableModels, availableModelsMatch)
    : undefined;
  const isDenied = Array.isArray(deniedModels) ? denial(deniedModels) : undefined;
  if (isAvailable === undefined && isDenied === undefined) return everyModel;
  return {
    refusalOf(model) {
      if (isDenied?.([model, ...upstreamIdsOf(model)].map(plainId)) === true) {
        return `model ${shownId(model)} is blocked by your role's deniedModels denylist`;
      }
      if (isAvailable?.(plainId(model)) === false) {
        return `model ${shownId(model)} is not in your role's availableModels allowlist`;
      }
      return undefined;
    },
  };
}

/**
 * Entries of the two lists that mean no model there is: misspelt ones, wildcards, names that only Claude Code resolves.
 * @param ids that clients may ask for, in every spelling that is accepted
 * @param upstreamIds under which models go to upstreams; denied models are also denied by these
 */
export function idleEntries(
  { availableModels, availableModelsMatch, deniedModels }: SettingsDocument,
  ids: readonly string[],
  upstreamIds: readonly string[] = [],
): { availableModels: string[]; deniedModels: string[] } {
  const asked = ids.map(plainId);
  const all = [...asked, ...upstreamIds.map(plainId)];
  return {
    availableModels: textsIn(availableModels).filter(
      (entry) => !asked.some(availability([entry], availableModelsMatch)),
    ),
    deniedModels: textsIn(deniedModels).filter((entry) => {
      const isDenied = denial([entry]);
      return !all.some((id) => isDenied([id]));
    }),
  };
}

/**
 * Whether an id that is plain is one of those that a list of allowed models means.
 * @param match `exact`: an entry that is no family means one version only, and not the later ones that begin with it
 */
function availability(list: readonly unknown[], match: unknown): (id: string) => boolean {
  const entries = entriesOf(list);
  // Somebody who writes `opus` and `claude-opus-4-8` wants the one, not the family.
  const isNarrowed = (family: string) =>
    entries.some((entry) => entry !== family && hasWord(entry, family));
  const effective = entries.filter((entry) => !families.has(entry) || !isNarrowed(entry));
  const isMeant = match === "exact" ? isVersion : beginsWith;
  return (id) =>
    effective.some((entry) => (families.has(entry) ? hasWord(id, entry) : isMeant(id, entry)));
}

/**
 * Whether one of a model's ids, which are plain, is one of those that a list of denied models means. A model is denied under all
 * of its names: in another provider's spelling, with its date, or as an id of the operator's own, it would be a way around.
 */
function denial(list: readonly unknown[]): (ids: readonly string[]) => boolean {
  const entries = entriesOf(list).map((entry) => {
    const full = isWholeName(`claude-${entry}`) ? `claude-${entry}` : entry;
    return {
      name: versionIn(full) ?? entry,
      // A date names one model, and so does `-0`; otherwise a version names all that begin with it, and a family every model
      // of its own.
      isOneModel: /[-@]\d{8}(?!\d)|-0$/.test(entry) || !namesFamily(entry),
    };
  });
  const isMeant = ({ name, isOneModel }: (typeof entries)[number], id: string) => {
    if (families.has(name)) return hasWord(id, name);
    return isOneModel ? id === name : beginsWith(id, name);
  };
  return (ids) => {
    const names = ids.flatMap((id) => [id, versionIn(id) ?? id]);
    return entries.some((entry) => names.some((name) => isMeant(entry, name)));
  };
}

/** Entries that name something. */
function entriesOf(list: readonly unknown[]): string[] {
  return textsIn(list)
    .map(plainId)
    .filter((entry) => entry !== "");
}

function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((entry) => typeof entry === "string") : [];
}

/** The undated name in an id, the same for `claude-opus-4-0` and `claude-opus-4`, `claude-sonnet-3-5` and `claude-3-5-sonnet`. */
function versionIn(id: string): string | undefined {
  return claudeNameIn(id)
    ?.replace(/^(claude-[a-z]+-\d+)-0$/, "$1")
    .replace(/^claude-(opus|sonnet|haiku)-(3-\d)$/, "claude-$2-$1");
}

/** Whether an id is a Claude model's name and nothing else but its date. */
function isWholeName(id: string): boolean {
  return id.replace(/[-@]\d{8}$/, "").replaceAll(".", "-") === claudeNameIn(id);
}

/** The id itself, or a Claude model's with its date: `claude-sonnet-4-20250514`, not `claude-sonnet-4-5`, of `sonnet-4`. */
function isVersion(id: string, entry: string): boolean {
  return [entry, `claude-${entry}`].some(
    (start) =>
      id === start || (claudeNameIn(start) === start && id.replace(/-\d{8}$/, "") === start),
  );
}

/** The whole id, or its first parts: `claude-sonnet` and `sonnet-4-5` of `claude-sonnet-4-5-20250929`. */
function beginsWith(id: string, entry: string): boolean {
  return [entry, `claude-${entry}`].some((start) => id === start || id.startsWith(`${start}-`));
}

/** Between anything but letters and digits. */
function hasWord(id: string, word: string): boolean {
  return id.split(/[^a-z0-9]+/).includes(word);
}

function namesFamily(entry: string): boolean {
  return [...families].some((family) => hasWord(entry, family));
}
