// One text for equal settings, which checksums are taken of: key order, blanks and layout do not show in it.

/**
 * Compact JSON with the keys of every mapping sorted by UTF-16 code units. Keys that are array indices come first and in
 * numeric order, as in any JavaScript object: clients take the same checksum over the same text.
 */
export function sortedJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, item]) => [key, sorted(item)]));
}
