// Corrects attributes in an OTLP export in JSON, in place: every other value stays as it is spelled, numbers included; only a list
// of attributes that had a false one loses the blanks between its elements. Which fields lead to attributes is otlp-fields.ts's,
// what those may hold own-attributes.ts's.
//
// Refused as what collectors might read differently: a field given twice, by whichever of its two names (`resourceLogs` and
// `resource_logs`); a name that is a field's only for readers that do not care about case or underscores; values of another kind
// than OTLP's; text that is not UTF-8.
import { isUtf8 } from "node:buffer";
import { createCorrectionCount, Unreadable } from "./bounds.ts";
import { createJsonWalk } from "./json-walk.ts";
import { definedName, type Field, foldedName, type Holds, type Level } from "./otlp-fields.ts";
import type { Allowed } from "./own-attributes.ts";

/** A list of attributes in the text, and the elements of the one that takes its place. */
type Edit = { readonly start: number; readonly end: number; readonly list: readonly Uint8Array[] };

/** Where an element of a list of attributes ends, and what takes its place: `keep` is itself, undefined nothing. */
type Element = { readonly end: number; readonly change: "keep" | Uint8Array | undefined };

const bothNames = (name: string) => [name, definedName(name)];
const stringNames = new Set(bothNames("stringValue"));
/** Members of an AnyValue that nest nothing. */
const scalarNames = new Set(
  ["stringValue", "boolValue", "intValue", "doubleValue", "bytesValue"].flatMap(bothNames),
);

const openingBracket = Buffer.from("[");
const closingBracket = Buffer.from("]");
const comma = Buffer.from(",");

/**
 * @param request the request that the body is.
 * @returns the corrected body; undefined when there is nothing to correct.
 * @throws Unreadable
 */
export function correctedJson(
  body: Uint8Array,
  request: Level,
  allowed: (key: string) => Allowed,
): Uint8Array | undefined {
  if (!isUtf8(body)) throw new Unreadable("is not UTF-8");
  const json = createJsonWalk(body);
  const countCorrection = createCorrectionCount();
  const edits: Edit[] = [];
  json.finish(message(json.start, request));
  return edits.length === 0 ? undefined : edited(body, edits);

  /** Each of these returns the offset behind what is at `at`. */
  function message(at: number, level: Level): number {
    if (json.kindAt(at) !== "object") throw anotherKind();
    const seen = new Set<Field>();
    return json.members(at, (name, valueAt) => {
      const field = fieldNamed(name, level);
      if (field === undefined) return json.skip(valueAt);
      if (seen.has(field)) throw new Unreadable("has a field twice");
      seen.add(field);
      return fieldValue(valueAt, field.holds);
    });
  }

  /** One message or a list of them, whichever it should be: all are looked at. */
  function fieldValue(at: number, holds: Holds): number {
    if (holds === "withdrawn") throw new Unreadable("has fields of an earlier OTLP");
    const kind = json.kindAt(at);
    if (kind === "null") return json.skip(at);
    if (holds === "attributes") return attributes(at);
    if (kind === "array") return json.elements(at, (elementAt) => message(elementAt, holds));
    return message(at, holds);
  }

  function attributes(start: number): number {
    if (json.kindAt(start) !== "array") throw anotherKind();
    const kept: Uint8Array[] = [];
    let isChanged = false;
    const end = json.elements(start, (at) => {
      const element = attribute(at);
      const { change } = element;
      if (change !== "keep") {
        isChanged = true;
        countCorrection();
      }
      if (change !== undefined)
        kept.push(change === "keep" ? body.subarray(at, element.end) : change);
      return element.end;
    });
    if (isChanged) edits.push({ start, end, list: kept });
    return end;
  }

  function attribute(at: number): Element {
    if (json.kindAt(at) !== "object") throw anotherKind();
    let key: string | undefined;
    let value: number | undefined;
    const end = json.members(at, (name, valueAt) => {
      if (name === "key") {
        if (key !== undefined) throw new Unreadable("has an attribute with two keys");
        if (json.kindAt(valueAt) !== "string") throw anotherKind();
        const given = json.string(valueAt);
        key = given.value;
        return given.end;
      }
      const folded = foldedName(name);
      if (name === "value") {
        if (value !== undefined) throw new Unreadable("has an attribute with two values");
        value = valueAt;
      } else if (folded === "key" || folded === "value") throw nearlyNamed();
      return json.skip(valueAt);
    });
    return { end, change: changeOf(key ?? "", value) };
  }

  function changeOf(key: string, value: number | undefined): Element["change"] {
    const may = allowed(key);
    if (may === "anything") return "keep";
    if (may === "nothing nested") return value !== undefined && nests(value) ? undefined : "keep";
    const [own] = may;
    if (own === undefined) return undefined;
    const given = value === undefined ? undefined : onlyText(value);
    if (given !== undefined && may.includes(given)) return "keep";
    return Buffer.from(JSON.stringify({ key, value: { stringValue: own } }));
  }

  /** Whether an AnyValue holds other values, or is none. */
  function nests(at: number): boolean {
    const kind = json.kindAt(at);
    if (kind !== "object") return kind !== "null";
    let isScalar = true;
    json.members(at, (name, valueAt) => {
      isScalar &&= scalarNames.has(name);
      return json.skip(valueAt);
    });
    return !isScalar;
  }

  /** The text of an AnyValue that holds one and nothing else. */
  function onlyText(at: number): string | undefined {
    if (json.kindAt(at) !== "object") return undefined;
    let count = 0;
    let given: string | undefined;
    json.members(at, (name, valueAt) => {
      count++;
      const isText = stringNames.has(name) && json.kindAt(valueAt) === "string";
      if (isText) given = json.string(valueAt).value;
      return json.skip(valueAt);
    });
    return count === 1 ? given : undefined;
  }
}

/** The field of this name; undefined when it is none that matters. */
function fieldNamed(name: string, level: Level): Field | undefined {
  const field = level.byName.get(name);
  if (field === undefined && level.byFoldedName.has(foldedName(name))) throw nearlyNamed();
  return field;
}

function edited(body: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let copiedTo = 0;
  for (const { start, end, list } of edits) {
    parts.push(body.subarray(copiedTo, start), openingBracket);
    for (const [index, element] of list.entries())
      if (index === 0) parts.push(element);
      else parts.push(comma, element);
    parts.push(closingBracket);
    copiedTo = end;
  }
  parts.push(body.subarray(copiedTo));
  return Buffer.concat(parts);
}

function anotherKind(): Unreadable {
  return new Unreadable("has a field of another type than OTLP's");
}

function nearlyNamed(): Unreadable {
  return new Unreadable("spells a field as only some readers do");
}
