// Where each token of a JSON text ends, byte by byte (RFC 8259, strict): blanks, strings, numbers, literals. How they
// nest is in walk.ts. Each function takes the offset at which its token starts and returns the offset after it, or
// `broken`.

export const broken = -1;

/** For whoever reads a text in one go: no offset of a body comes near. */
export const noStop = 0x7fffffff;

/** What `endOfString` returns for a pause before `at`, and `at` again: both ways it is the same sum. */
export const pausedAt = (at: number): number => broken - at;

/**
 * How many bytes of a string are checked one by one (escapes, raw control characters). Of a longer one only the end is
 * looked for, by native search, ten times as fast.
 *
 * Safe, because what a string holds cannot change what we read of the structure as long as everyone agrees on where the
 * string ends: a strict upstream refuses a bad escape itself, a lenient one sees the members that we see. Parsers may
 * disagree on the end only after a `\u` with fewer than four characters before a quote or its backslashes (are they
 * swallowed?), and `endOfLongString` refuses exactly that.
 */
export const checkedStringBytes = 128;

const quote = 0x22;
const minus = 0x2d;
const dot = 0x2e;
const zero = 0x30;
const nine = 0x39;
const upperE = 0x45;
const backslash = 0x5c;
const lowerE = 0x65;
const lowerU = 0x75;

const isEscape = byteSet('"\\/bfnrt');
const isHexDigit = byteSet("0123456789abcdefABCDEF");
const literals = { t: Buffer.from("true"), f: Buffer.from("false"), n: Buffer.from("null") };

/** After any blanks at `at`. Only these four: a no-break space or a byte order mark is no JSON. */
export function skipBlanks(bytes: Uint8Array, at: number): number {
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at++;
  }
}

/** After the string, number or literal at `at`. */
export function endOfScalar(bytes: Uint8Array, at: number): number {
  switch (bytes[at]) {
    case quote:
      return endOfString(bytes, at);
    case 0x74:
      return endOfLiteral(bytes, at, literals.t);
    case 0x66:
      return endOfLiteral(bytes, at, literals.f);
    case 0x6e:
      return endOfLiteral(bytes, at, literals.n);
    default:
      return endOfNumber(bytes, at);
  }
}

/**
 * After the closing quote of the string that opens at `at`.
 * @param stop where to pause in a long string of many quotes: `pausedAt` tells the offset to go on from
 * @param from that offset; 0 for a string that is not begun
 */
export function endOfString(bytes: Uint8Array, at: number, stop = noStop, from = 0): number {
  if (from > 0) return endOfLongString(bytes, from, stop);
  const checkedEnd = Math.min(at + checkedStringBytes, bytes.length);
  at++;
  while (at < checkedEnd) {
    const byte = bytes[at] ?? 0;
    if (byte > backslash) at++;
    else if (byte === quote) return at + 1;
    else if (byte < 0x20) return broken;
    else if (byte !== backslash) at++;
    else if (isEscape[bytes[at + 1] ?? 0] === 1) at += 2;
    else if (bytes[at + 1] === lowerU && areHexDigits(bytes, at + 2)) at += 6;
    else return broken;
  }
  return endOfLongString(bytes, at, stop);
}

/** After the closing quote, from `from`, which is inside a string but not inside an escape. */
function endOfLongString(bytes: Uint8Array, from: number, stop: number): number {
  for (let at = bytes.indexOf(quote, from); at !== -1; at = bytes.indexOf(quote, at + 1)) {
    const run = startOfBackslashes(bytes, at, from);
    if (isInsideUnicodeEscape(bytes, run, from)) return broken;
    if ((at - run) % 2 === 0) return at + 1;
    // Behind an escaped quote: no escape goes on across it.
    if (at >= stop) return pausedAt(at + 1);
  }
  return broken;
}

/** Start of the run of backslashes that ends before `at`. */
function startOfBackslashes(bytes: Uint8Array, at: number, from: number): number {
  while (at > from && bytes[at - 1] === backslash) at--;
  return at;
}

/** Whether `at` is among the four characters that a `\u` before it claims, as no quote or backslash may be. */
function isInsideUnicodeEscape(bytes: Uint8Array, at: number, from: number): boolean {
  for (let escape = at - 2; escape >= at - 5; escape--) {
    if (bytes[escape] !== backslash || bytes[escape + 1] !== lowerU || escape < from) continue;
    if ((escape + 1 - startOfBackslashes(bytes, escape, from)) % 2 === 1) return true;
  }
  return false;
}

function areHexDigits(bytes: Uint8Array, at: number): boolean {
  for (let end = at + 4; at < end; at++) if (isHexDigit[bytes[at] ?? 0] !== 1) return false;
  return true;
}

function endOfLiteral(bytes: Uint8Array, at: number, word: Uint8Array): number {
  for (let index = 1; index < word.length; index++)
    if (bytes[at + index] !== word[index]) return broken;
  return at + word.length;
}

/** `-`? (`0` or digits without a leading zero) (`.` digits)? (`e` sign? digits)? */
function endOfNumber(bytes: Uint8Array, at: number): number {
  if (bytes[at] === minus) at++;
  const integerEnd = bytes[at] === zero ? at + 1 : endOfDigits(bytes, at);
  if (integerEnd === broken) return broken;
  at = bytes[integerEnd] === dot ? endOfDigits(bytes, integerEnd + 1) : integerEnd;
  if (at === broken || (bytes[at] !== lowerE && bytes[at] !== upperE)) return at;
  const hasSign = bytes[at + 1] === 0x2b || bytes[at + 1] === minus;
  return endOfDigits(bytes, at + (hasSign ? 2 : 1));
}

/** After one digit or more. */
function endOfDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const byte = bytes[at];
    if (byte === undefined || byte < zero || byte > nine) return at === start ? broken : at;
    at++;
  }
}

function byteSet(characters: string): Uint8Array {
  const set = new Uint8Array(256);
  for (const byte of Buffer.from(characters)) set[byte] = 1;
  return set;
}
