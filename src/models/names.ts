// What a model id says by itself: which Claude model it names, in whatever spelling, and how it may be repeated to people.
// Where it goes is in resolve.ts.

/** Longest part of a model id that is repeated, in characters. */
const shownLengthMax = 128;

/**
 * Family, then version: `opus-4-8`, `sonnet-5`, in older ids the other way round: `3-5-sonnet`. No version is a date, nor how many
 * tokens are read or written: `sonnet-5-1m`, `opus-4-32k`.
 */
const claudeName =
  /claude-(?:(opus|sonnet|haiku|fable|mythos)-(\d+)(?:[-.](?!\d+[km](?![a-z\d]))(\d{1,2})(?!\d))?|(\d)(?:[-.](\d))?-(opus|sonnet|haiku))/;

/**
 * The undated name of the Claude model that an id holds: `claude-opus-4-8` in `us.anthropic.claude-opus-4-8-v1:0`, in an ARN,
 * in `acme/claude-opus-4.8`. Undefined when it holds none.
 */
export function claudeNameIn(id: string): string | undefined {
  const found = claudeName.exec(id.toLowerCase());
  if (found === null) return undefined;
  const [, family, major, minor, oldMajor, oldMinor, oldFamily] = found;
  const parts = family === undefined ? [oldMajor, oldMinor, oldFamily] : [family, major, minor];
  return ["claude", ...parts.filter((part) => part !== undefined)].join("-");
}

/** An id as clients mean it: case and the mark of the long context do not matter, nor blanks around it. */
export function plainId(id: string): string {
  return id
    .trim()
    .toLowerCase()
    .replace(/\[1m\]$/, "");
}

/** An id as a refusal may repeat it, into terminals and log lines. */
export function shownId(id: string): string {
  const printable = id.replaceAll(/[^\x20-\x7e]/g, "");
  return printable.length > shownLengthMax ? `${printable.slice(0, shownLengthMax)}...` : printable;
}
