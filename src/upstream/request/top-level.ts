// Finds members of a JSON object by name, in the bytes as they came, without building the tree: what is read of an answer or of
// an event is a few short members. How the text is walked is in walk.ts, what is read of a request in call.ts.
import { noStop } from "./json-tokens.ts";
import { advance, isObject, type Member, walkOf } from "./walk.ts";

export type Members<Name extends string> = Partial<Record<Name, Member>>;

export type TopLevel<Name extends string> =
  | { kind: "object"; members: Members<Name> }
  | { kind: "given twice"; name: Name }
  | { kind: "not an object" }
  | { kind: "not JSON" };

type Wanted<Name> = { name: Name; bytes: Uint8Array };

const quote = 0x22;
const zero = 0x30;
const nine = 0x39;
const backslash = 0x5c;
const lowerU = 0x75;

/**
 * A function that finds the members called `names` at the top level of a JSON text, in one go.
 *
 * The whole text is checked (long strings as told at `checkedStringBytes`); one that nests deeper than `depthMax` is no JSON.
 * Members of other names leave no trace: a text of a million keys costs no memory.
 * A name that occurs twice, in whatever escapes it is spelled, is refused, because parsers differ in which of the two
 * they take, and the client must not read another one than the gateway did.
 *
 * @param names of lower-case letters and `_`, at most 20 long, so that even one written in `\u` escapes is checked whole
 */
export function topLevelFinder<const Name extends string>(
  names: readonly Name[],
): (text: Uint8Array) => TopLevel<Name> {
  const wanted = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  return (text) => find(text, wanted);
}

function find<Name extends string>(
  text: Uint8Array,
  wanted: readonly Wanted<Name>[],
): TopLevel<Name> {
  const members: Members<Name> = {};
  let twice: Name | undefined;
  let current: Member | undefined; // the wanted member whose value is being walked
  const walk = walkOf(text, {
    depth: 1,
    key({ bytes }, keyStart, _keyEnd, valueStart) {
      const name = wantedName(bytes, keyStart, wanted);
      if (name === undefined) return;
      if (members[name] !== undefined) twice ??= name;
      members[name] = current = { keyStart, valueStart, valueEnd: valueStart };
    },
    outerValueEnd(at) {
      if (current !== undefined) current.valueEnd = at;
      current = undefined;
    },
  });
  if (advance(walk, noStop) !== "ended") return { kind: "not JSON" };
  if (!isObject(walk)) return { kind: "not an object" };
  return twice === undefined ? { kind: "object", members } : { kind: "given twice", name: twice };
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
export function isSpelled(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  // By index: this is done for every key of a request, and iterators take ten times as long.
  for (let index = 0; index < name.length; index++) {
    const character = name[index] ?? 0;
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
