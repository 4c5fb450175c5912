// What an explanation keeps to itself of the values it shows. Explanations are pasted into tickets and kept in CI logs; the
// credentials of a document stand below few keys, or were put there by ${VAR} so that they are in no file. Which value it is
// matters less there than whether it is the one that was meant, and for that its length mostly does.
//
// What came from outside the file is known by its text and not by its place: on the way here settings are renamed, joined and
// merged. So a text of the file that is equal to one from outside is kept back, too, which shows less than it could and no
// secret. Group names and model ids are shown in the rest of an explanation wherever they come from: IdPs and clients say them
// aloud.
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

/** Shorter texts from outside are not looked for inside of others: `on` would be found everywhere. */
const soughtLengthMin = 4;

/** Who somebody is, in a URL: up to the last `@` before its path. */
const credentialsOfUrl = /(?<=:\/\/)[^/?#\s]+(?=@)/g;

/**
 * Makes what shows a part under its key, with lengths in place of what may be a secret. What the gateway itself says is none.
 * @param textsFromOutside texts that hold the value of a variable or a file
 */
export function createConcealed(
  textsFromOutside: ReadonlySet<string>,
): (key: string, part: Traced) => Traced {
  const sought = [...textsFromOutside].filter(({ length }) => length >= soughtLengthMin);

  function concealed(key: string, part: Traced): Traced {
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
    if (isMapping(value)) {
      return Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, shown(name, item)]),
      );
    }
    // What a setting reads as a number or a switch is no credential.
    return typeof value === "string" ? shownText(value) : value;
  }

  function shownText(text: string): string {
    const isFromOutside =
      textsFromOutside.has(text) || sought.some((outside) => text.includes(outside));
    return isFromOutside ? lengthOf(text) : text.replaceAll(credentialsOfUrl, lengthOf);
  }

  return concealed;
}

/** Names stay: what is set is the question mostly asked. */
function lengthsIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lengthsIn);
  if (isMapping(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, lengthsIn(item)]));
  }
  return lengthOf(typeof value === "string" ? value : JSON.stringify(value));
}

function lengthOf({ length }: string): string {
  return `(${length} character${length === 1 ? "" : "s"})`;
}
