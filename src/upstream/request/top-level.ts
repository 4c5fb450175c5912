// Finds members of a JSON object by name, in the bytes as they came, without building the tree. The hot path needs a few
// short fields out of bodies of up to megabytes and forwards the rest unchanged: parsing everything to read those is what
// a gateway would otherwise spend most of its time on. The grammar of keys and scalars is in json-tokens.ts, what the
// fields mean in call.ts.
import { broken, endOfScalar, endOfString, skipBlanks } from "./json-tokens.ts";

/** Where one member is, in bytes: the opening quote of its key, and its value (end exclusive). */
export type Member = { keyStart: number; valueStart: number; valueEnd: number };

export type Members<Name extends string> = Partial<Record<Name, Member>>;

export type TopLevel<Name extends string> =
  | { kind: "object"; members: Members<Name> }
  | { kind: "given twice"; name: Name }
  | { kind: "not an object" }
  | { kind: "not JSON" };

type Wanted<Name> = { name: Name; bytes: Uint8Array };

const quote = 0x22;
const comma = 0x2c;
const zero = 0x30;
const nine = 0x39;
const colon = 0x3a;
const openBracket = 0x5b;
const backslash = 0x5c;
const lowerU = 0x75;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/**
 * A function that finds the members called `names` at the top level of a JSON text.
 *
 * The whole text is checked (long strings as told at `checkedStringBytes`). Members of other names leave no trace: a
 * body of a million keys costs no memory. The walk is iterative: depth costs a byte a level and never the call stack.
 * A name that occurs twice, in whatever escapes it is spelled, is refused, because parsers differ in which of the two
 * they take, and the upstream must not read another one than the gateway did.
 *
 * @param names of lower-case letters and `_`, at most 20 long, so that even one written in `\u` escapes is checked whole
 */
export function topLevelFinder<const Name extends string>(
  names: readonly Name[],
): (text: Uint8Array) => TopLevel<Name> {
  const wanted = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  // Not a Buffer: its own indexOf takes longer than the one of Uint8Array.
  return (text) => walk(new Uint8Array(text.buffer, text.byteOffset, text.byteLength), wanted);
}

function walk<Name extends string>(
  bytes: Uint8Array,
  wanted: readonly Wanted<Name>[],
): TopLevel<Name> {
  const members: Members<Name> = {};
  let twice: Name | undefined;
  let current: Member | undefined; // the wanted member whose value is being walked
  let closers = new Uint8Array(32); // what closes each open container, outermost first
  let depth = 0;
  let closer = 0; // what closes the innermost one; 0 outside of all
  let at = skipBlanks(bytes, 0);
  const isObject = bytes[at] === openBrace;

  for (;;) {
    // An element starts at `at`: inside an object its key comes first.
    if (closer === closeBrace) {
      const keyStart = at;
      at = afterKey(bytes, at);
      if (at === broken) return { kind: "not JSON" };
      const name = depth === 1 ? wantedName(bytes, keyStart, wanted) : undefined;
      if (name !== undefined) {
        if (members[name] !== undefined) twice ??= name;
        members[name] = current = { keyStart, valueStart: at, valueEnd: at };
      }
    }

    const first = bytes[at];
    if (first === openBrace || first === openBracket) {
      closer = first + 2; // `}` and `]` are two after `{` and `[`
      if (depth === closers.length) closers = doubled(closers);
      closers[depth++] = closer;
      at = skipBlanks(bytes, at + 1);
      if (bytes[at] !== closer) continue;
    } else {
      at = endOfScalar(bytes, at);
      if (at === broken) return { kind: "not JSON" };
    }

    // A value ended at `at` (or the container that just opened is empty): close what closes, up to the next comma.
    for (;;) {
      if (depth === 1 && current !== undefined) {
        current.valueEnd = at;
        current = undefined;
      }
      at = skipBlanks(bytes, at);
      if (depth === 0) return at === bytes.length ? outcome() : { kind: "not JSON" };
      if (bytes[at] === comma) break;
      if (bytes[at] !== closer) return { kind: "not JSON" };
      depth--;
      closer = depth === 0 ? 0 : (closers[depth - 1] ?? 0);
      at++;
    }
    at = skipBlanks(bytes, at + 1);
  }

  function outcome(): TopLevel<Name> {
    if (!isObject) return { kind: "not an object" };
    return twice === undefined ? { kind: "object", members } : { kind: "given twice", name: twice };
  }
}

/** Start of the value whose key is at `at`. */
function afterKey(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== quote) return broken;
  const keyEnd = endOfString(bytes, at);
  if (keyEnd === broken) return broken;
  const colonAt = skipBlanks(bytes, keyEnd);
  return bytes[colonAt] === colon ? skipBlanks(bytes, colonAt + 1) : broken;
}

function wantedName<Name>(
  bytes: Uint8Array,
  keyStart: number,
  wanted: readonly Wanted<Name>[],
): Name | undefined {
  for (const candidate of wanted)
    if (isSpelled(bytes, keyStart + 1, candidate.bytes)) return candidate.name;
  return undefined;
}

/** Whether the key whose content starts at `at` reads `name` once its escapes are decoded. Its grammar is checked already. */
function isSpelled(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (const character of name) {
    if (bytes[at] === character) at++;
    else if (isUnicodeEscapeOf(bytes, at, character)) at += 6;
    else return false;
  }
  return bytes[at] === quote;
}

/** Whether `\u00xx` at `at` stands for an ASCII letter or `_`, which have no other escape. */
function isUnicodeEscapeOf(bytes: Uint8Array, at: number, character: number): boolean {
  if (
    bytes[at] !== backslash ||
    bytes[at + 1] !== lowerU ||
    bytes[at + 2] !== zero ||
    bytes[at + 3] !== zero
  )
    return false;
  return hexValue(bytes[at + 4] ?? 0) * 16 + hexValue(bytes[at + 5] ?? 0) === character;
}

function hexValue(digit: number): number {
  return (digit & 0x0f) + (digit > nine ? 9 : 0);
}

function doubled(stack: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(stack.length * 2);
  larger.set(stack);
  return larger;
}
