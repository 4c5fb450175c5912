// The text that checksums of settings are taken of, written a second time from its definition, as a client of another make would.

/**
 * JSON without blanks, the keys of each mapping in the order of their UTF-16 code units; those that are array indices stand
 * before them, by number.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = new Map<string, unknown>(Object.entries(value));
  const keys = [...members.keys()];
  const indices = keys.filter(isArrayIndex).toSorted((a, b) => Number(a) - Number(b));
  const names = keys.filter((key) => !isArrayIndex(key)).toSorted();
  const written = [...indices, ...names].map(
    (key) => `${JSON.stringify(key)}:${canonicalJson(members.get(key))}`,
  );
  return `{${written.join(",")}}`;
}

function isArrayIndex(key: string): boolean {
  return /^(0|[1-9]\d*)$/.test(key) && Number(key) < 2 ** 32 - 1;
}
