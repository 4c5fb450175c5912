// What text from outside may be in the database.
import { createHash } from "node:crypto";

/** Bytes of UTF-8 that a key may have. An entry of an index has room for some 2,700, and a key has other columns beside it. */
const keyBytesMax = 1_024;

/** Characters of a longer one that it can still be recognised by. */
const shownLength = 200;

/**
 * The text as PostgreSQL can keep it, in `text` and in `jsonb`: U+0000 and halves of a surrogate pair are U+FFFD. One text that
 * it refuses would else fail the statement for everybody who shares it.
 */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** The text as a key: one that is too long for an index is cut, and told from others by its SHA-256. */
export function storableKey(text: string): string {
  const key = storable(text);
  if (key.length * 3 <= keyBytesMax || Buffer.byteLength(key) <= keyBytesMax) return key;
  const hash = createHash("sha256").update(key).digest("hex");
  return `${storable(key.slice(0, shownLength))}…${hash}`;
}
