// Models that a request names besides its own: a tool may consult one, others may answer in its place, and tomorrow's fields may
// name more. So every member called `model` counts, wherever it stands, but for what is the developer's own data. Whether
// somebody may use a model is policy's question.
import { isMapping } from "../../config/mapping.ts";
import { ApiError } from "../../http/errors.ts";
import { valueIn } from "../json.ts";

/** Members that hold a tool's input, a schema or labels: a `model` in them is not the request's. */
const ownData: ReadonlySet<string> = new Set([
  "input",
  "input_schema",
  "input_examples",
  "schema",
  "tags",
]);

const key = Buffer.from('"model"');
/** How each letter of that key begins when it is written as an escape. */
const escapedLetter = Buffer.from("\\u006");

/** Longest path that is told, in characters. */
const pathLengthMax = 128;

/** A member called `model` that is not admitted. What is no text names nothing that anybody could admit. */
export type NestedModel = { path: string; model: unknown };

/**
 * The first one that is not admitted, in the order of the body; undefined when there is none. A body is searched for the key
 * as bytes, and only parsed when a value is found that is not admitted: it may stand in somebody's own data.
 * @param body JSON, long strings perhaps unchecked
 * @throws ApiError `invalid_request_error` when one of those turns out to be no JSON
 */
export function unadmittedModel(
  body: Uint8Array,
  isAdmitted: (model: string) => boolean,
): NestedModel | undefined {
  if (looksHarmless(body, isAdmitted)) return undefined;
  const request = valueIn(new TextDecoder().decode(body));
  if (request === undefined) throw new ApiError("invalid_request_error", "invalid JSON");
  return firstIn(request, isAdmitted);
}

function looksHarmless(body: Uint8Array, isAdmitted: (model: string) => boolean): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.includes(escapedLetter)) return false;
  for (let at = bytes.indexOf(key); at >= 0; at = bytes.indexOf(key, at + key.length)) {
    const next = at + key.length;
    if (!isHarmless(bytes.toString("utf8", next, next + lookedAtBytes), isAdmitted)) return false;
  }
  return true;
}

/** What follows the key is looked at so far, in bytes; longer names and blanks are left to the parser. */
const lookedAtBytes = 512;

/** @param text what follows the key, perhaps cut. In JSON a quote within a string is escaped, so the key is a whole string. */
function isHarmless(text: string, isAdmitted: (model: string) => boolean): boolean {
  const rest = text.trimStart();
  if (rest === "") return false;
  if (!rest.startsWith(":")) return true; // A value, not a key.
  const value = rest.slice(1).trimStart();
  if (value.startsWith("{") || value.startsWith("null")) return true;
  const [name = ""] = /^"(?:[^"\\]|\\.)*"/s.exec(value) ?? [];
  return admits(valueIn(name), isAdmitted);
}

type Place = { value: unknown; name: string; above: Place | undefined };

/** Iterative: a body may be as deep as it is long. */
function firstIn(
  request: unknown,
  isAdmitted: (model: string) => boolean,
): NestedModel | undefined {
  const open: Place[] = [{ value: request, name: "", above: undefined }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value, name } = place;
    const names = name === "model" && value !== null && !isMapping(value);
    if (names && !admits(value, isAdmitted)) return { path: pathOf(place), model: value };
    if (typeof value !== "object" || value === null) continue;
    const above = place;
    const members = Object.entries(value)
      .filter(([member]) => !ownData.has(member))
      .map(([member, inner]) => ({ value: inner, name: member, above }));
    open.push(...members.toReversed());
  }
  return undefined;
}

function admits(model: unknown, isAdmitted: (model: string) => boolean): boolean {
  return typeof model === "string" && isAdmitted(model);
}

/** `tools.0.model` */
function pathOf(place: Place): string {
  const names: string[] = [];
  for (let at: Place | undefined = place; at?.above !== undefined; at = at.above)
    names.push(at.name);
  const path = names.toReversed().join(".");
  return path.length > pathLengthMax ? `${path.slice(0, pathLengthMax)}...` : path;
}
