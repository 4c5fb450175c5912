// Models that a request names besides its own: a tool may consult one, others may answer in its place, and tomorrow's fields may
// name more. So every member called `model` counts, wherever it stands and each time that it is given, but for what is the
// developer's own data. Whether somebody may use a model is policy's question.
import { valueIn } from "../json.ts";
import { endOfString } from "./json-tokens.ts";
import { isSpelled } from "./top-level.ts";
import type { Visitor, Walk } from "./walk.ts";

/** Members that hold a tool's input, a schema or labels: a `model` in them is not the request's. */
const ownData = ["input", "input_schema", "input_examples", "schema", "tags"];
const ownDataKeys = ownData.map((name) => Buffer.from(name));
const modelKey = Buffer.from("model");

/** What a key begins with that may be one of these names; an escape may stand for any letter. */
const mayBegin = new Uint8Array(256);
for (const name of ["\\", "model", ...ownData]) mayBegin[name.charCodeAt(0)] = 1;

/** Longest name that is read, in bytes with its quotes, as of the request's own model. */
const nameBytesMax = 4_096;

/** Most different names. */
const namesMax = 1_000;

/** Longest path that is told, and longest part of it, in characters. */
const pathLengthMax = 128;

const quote = 0x22;
const backslash = 0x5c;
const lowerN = 0x6e;
const openBrace = 0x7b;

/** Where each name stands first, by name. Undefined is what is no text or too long for a name: nobody could admit it. */
export type NestedModels = ReadonlyMap<string | undefined, string>;

/** Collects them from a request as it is walked, up to the first that is one too many. */
export function createNestedModels() {
  const found = new Map<string | undefined, string>();
  /** The key whose value is the developer's own data, and how deep it stands: nothing inside of that counts. */
  let ownKey = -1;
  let ownDepth = Infinity;

  const visitor: Pick<Visitor, "key"> = {
    key(walk, keyStart, _keyEnd, valueStart, depth) {
      const { bytes, places } = walk;
      // Deeper alone says nothing: that may be in the next element of a list.
      if (depth > ownDepth && places[ownDepth - 1] === ownKey) return;
      ownDepth = Infinity;
      if (mayBegin[bytes[keyStart + 1] ?? 0] === 0) return;
      if (isOwnData(bytes, keyStart + 1)) {
        ownKey = keyStart;
        ownDepth = depth;
      }
      // The request's own is at the top.
      if (depth === 1 || !isSpelled(bytes, keyStart + 1, modelKey)) return;
      const first = bytes[valueStart];
      if (first === openBrace || first === lowerN) return;
      const name = first === quote ? nameAt(bytes, valueStart) : undefined;
      if (found.size <= namesMax && !found.has(name)) found.set(name, pathOf(walk, depth));
    },
  };
  return {
    found: found as NestedModels,
    refusal: () =>
      found.size > namesMax ? `request body names more than ${namesMax} models` : undefined,
    ...visitor,
  };
}

/**
 * The first one that is not admitted, in the order of the body; undefined when there is none.
 * @param isAdmitted asked once for each name
 */
export function unadmittedModel(
  nestedModels: NestedModels,
  isAdmitted: (model: string) => boolean,
): { path: string; model: string | undefined } | undefined {
  for (const [model, path] of nestedModels)
    if (model === undefined || !isAdmitted(model)) return { path, model };
  return undefined;
}

function isOwnData(bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < ownDataKeys.length; index++) {
    const name = ownDataKeys[index];
    if (name !== undefined && isSpelled(bytes, at, name)) return true;
  }
  return false;
}

function nameAt(bytes: Uint8Array, start: number): string | undefined {
  const end = endOfString(bytes, start, start + nameBytesMax);
  if (end < 0 || end - start > nameBytesMax) return undefined;
  const name = valueIn(textOf(bytes, start, end));
  return typeof name === "string" ? name : undefined;
}

/** `tools.0.model` */
function pathOf({ bytes, places }: Walk, depth: number): string {
  let path = "";
  for (let level = 0; level < depth && path.length <= pathLengthMax; level++) {
    const place = places[level] ?? 0;
    path += `${level > 0 ? "." : ""}${place < 0 ? -1 - place : keyAt(bytes, place)}`;
  }
  return path.length > pathLengthMax ? `${path.slice(0, pathLengthMax)}...` : path;
}

/** A key, or as much of it as is told, as it is spelled: the walk has checked it, and a long one is not read again. */
function keyAt(bytes: Uint8Array, start: number): string {
  let end = start + 1;
  while (bytes[end] !== quote && end - start < pathLengthMax)
    end += bytes[end] === backslash ? 2 : 1;
  const text = textOf(bytes, start + 1, end);
  const key = valueIn(`"${text}"`);
  return typeof key === "string" ? key : text;
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}
