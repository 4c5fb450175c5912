// One pass over a JSON text in its bytes, without building the tree, which can pause: a body may be large, and made to take
// long, and everybody else waits meanwhile. What is looked for on the way is the visitor's; where each token ends is
// json-tokens.ts's. The walk is iterative: depth never costs the call stack.
import { broken, endOfScalar, endOfString, pausedAt, skipBlanks } from "./json-tokens.ts";

/** How deep values may nest. No API takes a fraction of it. */
export const depthMax = 10_000;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Where one member is, in bytes: the opening quote of its key, and its value (end exclusive). */
export type Member = { readonly keyStart: number; readonly valueStart: number; valueEnd: number };

/** What a walk tells of the text. What it has told of one that turns out to be broken means nothing. */
export type Visitor = {
  /** Told of the keys of objects down to this depth; 1 is the text's own members. */
  readonly depth: number;
  /** A key whose grammar is checked, quotes included, and where its value starts; so many objects and lists deep. */
  key(walk: Walk, keyStart: number, keyEnd: number, valueStart: number, depth: number): void;
  /** A value ended that is a member of the outermost object, or an element of the outermost list. */
  outerValueEnd(at: number): void;
};

export type Progress = "paused" | "ended" | "broken" | "too deep";

/** A text and how far it has been walked. */
export type Walk = {
  readonly bytes: Uint8Array;
  readonly visitor: Visitor;
  /** Of each open container, outermost first: the offset of an object's current key, or -1 - the index within a list. */
  readonly places: number[];
  depth: number;
  /** Where the next element starts: what follows is about it. */
  at: number;
  isKeyPast: boolean;
  /** Within the string that is being read; 0 when none is. */
  insideAt: number;
};

export function walkOf(text: Uint8Array, visitor: Visitor): Walk {
  // Not a Buffer: its own indexOf takes longer than the one of Uint8Array.
  const bytes = new Uint8Array(text.buffer, text.byteOffset, text.byteLength);
  const at = skipBlanks(bytes, 0);
  return { bytes, visitor, places: [], depth: 0, at, isKeyPast: false, insideAt: 0 };
}

/** Whether the text, when it is JSON, is an object. */
export function isObject({ bytes }: Walk): boolean {
  return bytes[skipBlanks(bytes, 0)] === openBrace;
}

/**
 * Goes on to the end, or pauses at the first token behind `stop`. Long strings are checked as told at `checkedStringBytes`.
 * @param stop an offset; blanks, numbers and what closes containers are read across it
 */
export function advance(walk: Walk, stop: number): Progress {
  const { bytes, visitor, places } = walk;
  let { at, depth, isKeyPast, insideAt } = walk;
  let inObject = isObjectAt(places, depth);

  for (;;) {
    // An element starts at `at`: inside an object its key comes first.
    if (at >= stop) return pause(walk, at, depth, isKeyPast, insideAt);
    if (inObject && !isKeyPast) {
      if (bytes[at] !== quote) return "broken";
      const keyEnd = endOfString(bytes, at, stop, insideAt);
      if (keyEnd === broken) return "broken";
      if (keyEnd < 0) return pause(walk, at, depth, isKeyPast, pausedAt(keyEnd));
      insideAt = 0;
      const colonAt = skipBlanks(bytes, keyEnd);
      if (bytes[colonAt] !== colon) return "broken";
      const keyStart = at;
      at = skipBlanks(bytes, colonAt + 1);
      places[depth - 1] = keyStart;
      if (depth <= visitor.depth) visitor.key(walk, keyStart, keyEnd, at, depth);
      isKeyPast = true;
    }

    const first = bytes[at];
    if (first === openBrace || first === openBracket) {
      if (depth === depthMax) return "too deep";
      inObject = first === openBrace;
      places[depth++] = inObject ? at : -1;
      isKeyPast = false;
      at = skipBlanks(bytes, at + 1);
      // `}` and `]` are two after `{` and `[`.
      if (bytes[at] !== first + 2) continue;
    } else {
      const end = first === quote ? endOfString(bytes, at, stop, insideAt) : endOfScalar(bytes, at);
      if (end === broken) return "broken";
      if (end < 0) return pause(walk, at, depth, isKeyPast, pausedAt(end));
      insideAt = 0;
      at = end;
    }

    // A value ended at `at` (or the container that just opened is empty): close what closes, up to the next comma.
    for (;;) {
      if (depth === 1) visitor.outerValueEnd(at);
      at = skipBlanks(bytes, at);
      if (depth === 0) return at === bytes.length ? "ended" : "broken";
      if (bytes[at] === comma) break;
      if (bytes[at] !== (inObject ? closeBrace : closeBracket)) return "broken";
      depth--;
      inObject = isObjectAt(places, depth);
      at++;
    }
    at = skipBlanks(bytes, at + 1);
    isKeyPast = false;
    if (!inObject) places[depth - 1] = (places[depth - 1] ?? 0) - 1;
  }
}

/** Not a closure over the variables of the loop, which would make each of them slow. */
function pause(
  walk: Walk,
  at: number,
  depth: number,
  isKeyPast: boolean,
  insideAt: number,
): Progress {
  Object.assign(walk, { at, depth, isKeyPast, insideAt });
  return "paused";
}

/** Whether the innermost of so many open containers is an object. */
function isObjectAt(places: readonly number[], depth: number): boolean {
  return depth > 0 && (places[depth - 1] ?? 0) >= 0;
}
