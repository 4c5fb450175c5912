// Which attributes say who somebody is, and what a bearer lets them say. Where attributes stand in an export is otlp-fields.ts's,
// how they are corrected protobuf-edit.ts's and json-edit.ts's.
//
// Claude Code exports user.id, user.email and user.groups; Claude Desktop what policy/identity-attributes.ts gives it. Nothing
// vouches for any other key of the families `user.` and `enduser.`. `identity.source` is left alone: it says how somebody was
// identified, not whom, and nothing in a bearer tells what a client should call it.
import type { Principal } from "../../session.ts";

/**
 * What an attribute may hold: anything; anything but nested attributes; or one of these texts, of which the first takes the
 * place of whatever else is there. Where there is none, the attribute must not stand.
 */
export type Allowed = "anything" | "nothing nested" | readonly string[];

const none: readonly string[] = [];

/** Tells nearly all keys from those that need a closer look. Letters beyond ASCII may fold to ours, as `ſ` does to `s`. */
const mayConcern = /user|%|[^\0-\x7f]/i;

/** Longest key that is looked into, in characters. A longer one that may concern somebody does not stand: it is nobody's. */
const keyLengthMax = 256;

const ownKeys = ["user.id", "user.email", "user.groups", "enduser.id", "enduser.sub"] as const;

/** Stores that allow no dots (Prometheus, Loki) read these in `user.email`, and so in `user-email` or `user_email`. */
const ownLabels: ReadonlySet<string> = new Set(ownKeys.map(labelOf));

/** What the attributes that a person's client exports may hold, by their key. */
export function allowedBy({
  sub,
  email,
  groups,
}: Pick<Principal, "sub" | "email" | "groups">): (key: string) => Allowed {
  const emails = email === undefined || email === "" ? none : [email];
  const own: Record<(typeof ownKeys)[number], readonly string[]> = {
    "user.id": [sub],
    "user.email": emails,
    "user.groups": groups.length === 0 ? none : [groups.join(",")],
    "enduser.id": [...emails, sub],
    "enduser.sub": [sub],
  };
  const byKey: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(own));

  return (key) => {
    // Behind an empty key, stores that flatten attributes read what it holds.
    if (key === "") return "nothing nested";
    return mayConcern.test(key) ? (byKey.get(key) ?? allowedAlike(key)) : "anything";
  };
}

/** For keys that are not the bearer's own as they are written, but may be read as if they were. */
function allowedAlike(key: string): Allowed {
  if (key.length > keyLengthMax) return none;
  const plain = plainOf(key);
  if (plain.startsWith("user.") || plain.startsWith("enduser.")) return none;
  const label = labelOf(plain);
  if (ownLabels.has(label)) return none;
  // Stores that flatten attributes read `user.email` in a `user` that holds an `email`.
  return label === "user" || label === "enduser" ? "nothing nested" : "anything";
}

/**
 * A key as the most lenient reader has it: in lower case, its percent escapes read (Claude Code reads those of a resource), and
 * without what stands before its first letter or digit.
 */
function plainOf(key: string): string {
  return key
    .replaceAll(/%([0-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .toUpperCase()
    .toLowerCase()
    .replace(/^[^a-z0-9]+/, "");
}

/** A key in letters, digits and `_`, without one at its end. */
function labelOf(key: string): string {
  return key.replaceAll(/[^a-z0-9]+/g, "_").replace(/_$/, "");
}
