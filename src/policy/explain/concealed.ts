// What an explanation keeps to itself of the values it shows. Explanations are pasted into tickets and kept in CI logs; the
// credentials of a document stand in few places, often put there by ${VAR} so that they are in no file. Which value it is
// matters less there than whether it is the one that was meant, and for that its length mostly does.
import { isMapping } from "../../config/mapping.ts";
import type { Traced } from "./origins.ts";

/**
 * Keys below which values are not shown: variables and headers, of a document or of a server or hook in it, what plugins were
 * answered when they were set up, and an OAuth client's secret.
 */
const concealing: ReadonlySet<string> = new Set([
  "env",
  "headers",
  "pluginConfigs",
  "clientSecret",
]);

/** The same part under its key, with lengths in place of what may be a secret. What the gateway itself says is none. */
export function concealed(key: string, part: Traced): Traced {
  if (part.from.includes("gateway") && "value" in part) return part;
  if ("members" in part) {
    const members = Object.entries(part.members).map(([name, member]) => [
      name,
      // Members of a concealing mapping are concealed themselves.
      concealed(concealing.has(key) ? key : name, member),
    ]);
    return { ...part, members: Object.fromEntries(members) };
  }
  if ("entries" in part) {
    return {
      ...part,
      entries: part.entries.map((entry) => ({ ...entry, value: shown(key, entry.value) })),
    };
  }
  return { ...part, value: shown(key, part.value) };
}

function shown(key: string, value: unknown): unknown {
  if (concealing.has(key)) return lengthsIn(value);
  if (Array.isArray(value)) return value.map((entry) => shown(key, entry));
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shown(name, item)]));
}

/** Names stay: what is set is the question mostly asked. */
function lengthsIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lengthsIn);
  if (isMapping(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, lengthsIn(item)]));
  }
  const { length } = typeof value === "string" ? value : JSON.stringify(value);
  return `(${length} character${length === 1 ? "" : "s"})`;
}
