// The document that an explanation took apart, put together again.
import type { SettingsDocument } from "../../src/config/mapping.ts";
import type { Traced } from "../../src/policy/explain/origins.ts";

export function untraced(parts: Readonly<Record<string, Traced>>): SettingsDocument {
  return Object.fromEntries(
    Object.entries(parts).map(([key, part]) => {
      if ("members" in part) return [key, untraced(part.members)];
      return [key, "entries" in part ? part.entries.map(({ value }) => value) : part.value];
    }),
  );
}
