// Walks through a JSON text in its bytes, so that what is not looked at need not be built and what is not changed stays as it is.
// What is looked for is json-edit.ts's; where each token ends, upstream/request/json-tokens.ts's, which is strict: one text, no
// comments, no byte order mark, nothing behind it.
import {
  broken,
  endOfScalar,
  endOfString,
  skipBlanks,
} from "../../upstream/request/json-tokens.ts";
import { createFieldCount, depthMax, Unreadable } from "./bounds.ts";

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const openBrace = 0x7b;

export type JsonKind = "object" | "array" | "string" | "null" | "other";

/** Offsets are in bytes; a value's is that of its first byte. Every function throws `Unreadable` where there is no JSON. */
export type JsonWalk = {
  readonly start: number;
  kindAt(at: number): JsonKind;
  /** Visits each member of the object at `at`. `visit` returns the offset behind the value, as this does behind the object. */
  members(at: number, visit: (name: string, valueAt: number) => number): number;
  /** The same with each element of the array at `at`. */
  elements(at: number, visit: (valueAt: number) => number): number;
  /** The string at `at`, and the offset behind it. */
  string(at: number): { value: string; end: number };
  /** The offset behind the value at `at`. */
  skip(at: number): number;
  /** Checks that nothing but blanks stands at `at` and behind it. */
  finish(at: number): void;
};

/** @param body in UTF-8, as the caller has checked. */
export function createJsonWalk(body: Uint8Array): JsonWalk {
  // Two views: a Buffer reads text, and a Uint8Array searches faster.
  const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const countField = createFieldCount();

  function kindAt(at: number): JsonKind {
    switch (bytes[at]) {
      case openBrace:
        return "object";
      case openBracket:
        return "array";
      case quote:
        return "string";
      case 0x6e:
        return "null";
      default:
        return "other";
    }
  }

  /** Visits what the container at `at` holds, commas aside. */
  function items(at: number, visit: (at: number) => number): number {
    const closer = (bytes[at] ?? 0) + 2; // `}` and `]` are two after `{` and `[`
    at = skipBlanks(bytes, at + 1);
    if (bytes[at] === closer) return at + 1;
    for (;;) {
      at = skipBlanks(bytes, visit(at));
      if (bytes[at] === closer) return at + 1;
      if (bytes[at] !== comma) throw malformed();
      at = skipBlanks(bytes, at + 1);
    }
  }

  function endOfName(at: number): number {
    return bytes[at] === quote ? known(endOfString(bytes, at)) : known(broken);
  }

  function startOfValue(nameEnd: number): number {
    const at = skipBlanks(bytes, nameEnd);
    if (bytes[at] !== colon) throw malformed();
    return skipBlanks(bytes, at + 1);
  }

  function skip(at: number, depth = 0): number {
    if (depth > depthMax) throw new Unreadable(`nests deeper than ${depthMax} levels`);
    switch (bytes[at]) {
      case openBrace:
        return items(at, (nameAt) => {
          countField();
          return skip(startOfValue(endOfName(nameAt)), depth + 1);
        });
      case openBracket:
        return items(at, (valueAt) => {
          countField();
          return skip(valueAt, depth + 1);
        });
      default:
        return known(endOfScalar(bytes, at));
    }
  }

  /** What the string from `start` to `end`, quotes included, says. */
  function decoded(start: number, end: number): string {
    const raw = text.toString("utf8", start + 1, end - 1);
    if (!raw.includes("\\")) return raw;
    try {
      return JSON.parse(`"${raw}"`) as string;
    } catch {
      throw malformed();
    }
  }

  return {
    start: skipBlanks(bytes, 0),
    kindAt,
    members(start, visit) {
      return items(start, (at) => {
        countField();
        const nameEnd = endOfName(at);
        return visit(decoded(at, nameEnd), startOfValue(nameEnd));
      });
    },
    elements(start, visit) {
      return items(start, (at) => {
        countField();
        return visit(at);
      });
    },
    string(at) {
      const end = endOfName(at);
      return { value: decoded(at, end), end };
    },
    skip: (at) => skip(at),
    finish(at) {
      if (skipBlanks(bytes, at) !== bytes.length) throw malformed();
    },
  };
}

function known(offset: number): number {
  if (offset === broken) throw malformed();
  return offset;
}

function malformed(): Unreadable {
  return new Unreadable("is not well-formed JSON");
}
