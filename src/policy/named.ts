// How sentences of the boot log name entries of a list, which may be as long as a file.

/** Entries that are named. */
const namedMax = 10;
/** Longest part of an entry that is repeated. */
const shownMax = 60;

/** `'a', 'b' and 5 more` */
export function named(entries: readonly unknown[]): string {
  return firstOnes(entries.map((entry) => `'${shown(String(entry))}'`));
}

/** `a, b and 5 more` */
export function firstOnes(entries: readonly (string | number)[]): string {
  const left = entries.length - namedMax;
  return entries.slice(0, namedMax).join(", ") + (left > 0 ? ` and ${left} more` : "");
}

function shown(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}
