// Which document each part of a merged one comes from: the policy, the catch-all below it, or the gateway. How documents are
// merged is merge.ts's, and asked of it here with two small documents at a time: there is one copy of its rules.
import { isMapping, memberOf, type SettingsDocument } from "../../config/mapping.ts";
import { sortedJson } from "../../config/sorted-json.ts";

/** Documents that a part may come from, each laid over those before it. `base` is the catch-all. */
const sources = ["gateway", "base", "policy"] as const;
export type Source = (typeof sources)[number];

/** What each source says by itself. */
export type Said = Readonly<Partial<Record<Source, SettingsDocument | undefined>>>;

/** A part of a merged document, with the sources that say it, and those that say something else there and are not heeded. */
export type Traced = { from: readonly Source[]; overruled?: readonly Source[] } & (
  | { value: unknown }
  | { entries: readonly { from: readonly Source[]; value: unknown }[] }
  | { members: Readonly<Record<string, Traced>> }
);

type Merge = (base: SettingsDocument, policy: SettingsDocument) => SettingsDocument;

/**
 * Every key of a merged document: mappings that are merged member by member come as their members, lists that are united as
 * their entries, all else whole.
 * @param merge what made the document of `said.base` and `said.policy`
 */
export function originsOf(
  document: SettingsDocument,
  said: Said,
  merge: Merge,
): Record<string, Traced> {
  return membersOf(document, []);

  function membersOf(mapping: SettingsDocument, path: readonly string[]): Record<string, Traced> {
    return Object.fromEntries(
      Object.entries(mapping).map(([key, value]) => [key, traced(value, [...path, key])]),
    );
  }

  function traced(value: unknown, path: readonly string[]): Traced {
    const holders = sources.filter((source) => at(said[source], path) !== undefined);
    if (isMapping(value) && keepsBoth(merge, path, inMapping)) {
      const members = membersOf(value, path);
      return { from: sumOf(Object.values(members), holders), members };
    }
    if (Array.isArray(value) && keepsBoth(merge, path, inList)) {
      const entries = entriesOf(value, path, holders);
      return { from: sumOf(entries, holders), entries };
    }
    const same = sortedJson(value);
    const saying = holders.filter((source) => sortedJson(at(said[source], path)) === same);
    // What nobody says here follows from what is said elsewhere by those who say nothing here: a tool as a whole.
    const others = sources.filter((source) => said[source] !== undefined);
    const from = saying.length > 0 ? saying : others.filter((source) => !holders.includes(source));
    const overruled = holders.filter((source) => !from.includes(source));
    return { from, ...(overruled.length > 0 && { overruled }), value };
  }

  function entriesOf(list: readonly unknown[], path: readonly string[], holders: Source[]) {
    const held = new Map(
      holders.map((source) => [source, new Set(textsOf(at(said[source], path)))]),
    );
    return list.map((value) => {
      const text = JSON.stringify(value);
      return { from: holders.filter((source) => held.get(source)?.has(text)), value };
    });
  }
}

/** Entries as the merge tells them apart. */
function textsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.map((entry) => JSON.stringify(entry)) : [];
}

/** The sources of all parts together; of what has no parts, everyone who says so. */
function sumOf(parts: readonly Pick<Traced, "from">[], holders: readonly Source[]): Source[] {
  if (parts.length === 0) return [...holders];
  return sources.filter((source) => parts.some(({ from }) => from.includes(source)));
}

const inMapping = (name: string): unknown => ({ [name]: [] });
const inList = (name: string): unknown => [name];

/** Whether a merge keeps at a place what both documents say there, and not the one or the other. */
function keepsBoth(
  merge: Merge,
  path: readonly string[],
  marked: (name: string) => unknown,
): boolean {
  const [outermost = "", ...inner] = path;
  const marking = (name: string): SettingsDocument => ({
    [outermost]: inner.reduceRight((value, key) => ({ [key]: value }), marked(name)),
  });
  const kept = at(merge(marking("a"), marking("b")), path);
  return typeof kept === "object" && kept !== null && Object.keys(kept).length === 2;
}

function at(document: unknown, path: readonly string[]): unknown {
  return path.reduce(memberOf, document);
}
