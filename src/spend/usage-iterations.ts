// What a call used beside its own messages, which the `iterations` of a `usage` tell. The counts around that list are usage.ts's,
// what each entry costs is price.ts's.
//
// The documents of the Messages API ("Compaction", "Advisor tool") say that the counts around the list are those of its `message`
// entries alone, and that what a compaction and an advisor read and wrote is billed beside them: the one by the model of the
// call, the other at the prices of the model that its entry names. A `fallback_message` is within the counts or is not billed.
// The reference gateway leaves the list unread, and such calls cost less there than the provider bills: we differ on purpose.
import { isMapping, memberOf } from "../config/mapping.ts";
import { type OtherUsage, readUsage } from "./usage.ts";

/** Entries of one list that are looked at. */
const entriesMax = 100;

/** Longest name of a model that is taken for one. */
const modelCharactersMax = 256;

/**
 * What a `usage` object tells to be billed beside its own counts; undefined when it has no list to tell it. Entries that cannot
 * be read, by the rules of `readUsage`, and those of any other type add nothing.
 */
export function othersIn(usage: unknown): readonly OtherUsage[] | undefined {
  const entries = memberOf(usage, "iterations");
  if (!Array.isArray(entries)) return undefined;
  return entries.slice(0, entriesMax).flatMap((entry: unknown) => otherOf(entry) ?? []);
}

function otherOf(entry: unknown): OtherUsage | undefined {
  if (!isMapping(entry)) return undefined;
  const isCompaction = entry.type === "compaction";
  if (!isCompaction && entry.type !== "advisor_message") return undefined;
  const usage = readUsage(entry);
  return usage && { model: isCompaction ? undefined : modelOf(entry), usage };
}

/** An advisor that is not named is not free: it counts as the call's own model, which is never the dearer one. */
function modelOf({ model }: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof model !== "string" || model === "") return undefined;
  return model.length <= modelCharactersMax ? model : undefined;
}
