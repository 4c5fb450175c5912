// Values behind keys nobody can guess, which expire and are bounded in number: what the demo's identity provider keeps
// of authorization requests, codes and tokens. In memory only; it ends with the demo.
import { randomBytes } from "node:crypto";

export type Tickets<Value> = {
  /** Keeps a value and returns its key (256 random bits, base64url). The oldest is dropped when there are too many. */
  issue(value: Value): string;
  /** The value, which stays. Undefined when the key is unknown or expired. */
  read(key: string): Value | undefined;
  /** The value, once: a second call with the same key finds nothing. */
  redeem(key: string): Value | undefined;
};

/** A box of tickets that live `ttlMs` milliseconds by the clock `now`, at most `entriesMax` of them. */
export function createTickets<Value>(o: {
  ttlMs: number;
  entriesMax: number;
  now: () => number;
}): Tickets<Value> {
  // A Map iterates in the order of insertion, and all tickets live equally long: the first entry is always the oldest.
  const entries = new Map<string, { value: Value; expiresAtMs: number }>();

  const read = (key: string): Value | undefined => {
    const entry = entries.get(key);
    return entry !== undefined && entry.expiresAtMs > o.now() ? entry.value : undefined;
  };

  return {
    issue(value) {
      for (const [key, entry] of entries) {
        if (entries.size < o.entriesMax && entry.expiresAtMs > o.now()) break;
        entries.delete(key);
      }
      const key = randomBytes(32).toString("base64url");
      entries.set(key, { value, expiresAtMs: o.now() + o.ttlMs });
      return key;
    },
    read,
    redeem(key) {
      const value = read(key);
      entries.delete(key);
      return value;
    },
  };
}
