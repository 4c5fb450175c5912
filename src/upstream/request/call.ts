// Reads what the gateway must know of a Messages request, and changes the one thing it may: the model. Everything else
// stays the bytes that the client sent. Where the fields are is found by top-level.ts.
import { ApiError } from "../../http/errors.ts";
import { valueIn } from "../json.ts";
import { type Member, type Members, topLevelFinder } from "./top-level.ts";

/**
 * Top-level fields whose place in the body is recorded: those that some provider takes elsewhere, or that say what a call may
 * cost. Each is refused when given twice.
 */
const fieldNames = [
  "model",
  "stream",
  "tags",
  "anthropic_version",
  "anthropic_beta",
  "user_profile_id",
  "max_tokens",
  "speed",
  "thinking",
  "tools",
] as const;
export type FieldName = (typeof fieldNames)[number];

/** Longest `model` in bytes, quotes included: it goes to the log and the audit trail, and no real id comes near. */
const modelBytesMax = 4_096;

/** A Messages request: what the client asks for, and where in `body` the known top-level fields are. */
export type MessagesCall = {
  readonly model: string;
  readonly stream: boolean;
  readonly body: Uint8Array;
  readonly fields: Members<FieldName> & { model: Member };
};

const findFields = topLevelFinder(fieldNames);
const utf8 = new TextDecoder();

/**
 * Reads the body of `/v1/messages` or `/v1/messages/count_tokens`. It is not copied, so it must not change afterwards.
 *
 * JSON is strict but for the encoding: bytes that are not UTF-8 pass on unchanged, and read as U+FFFD in the model.
 * `stream` is true for whatever JavaScript takes for true (`1`, `"true"`, `[]`): upstreams take it so, too.
 *
 * @throws ApiError `invalid_request_error` for a body that is no JSON object or names no model
 */
export function readMessagesCall(body: Uint8Array): MessagesCall {
  const found = findFields(body);
  if (found.kind === "not JSON") throw invalid("invalid JSON");
  if (found.kind === "not an object") throw invalid("request body must be a JSON object");
  if (found.kind === "given twice") throw invalid(`${found.name} is given more than once`);
  const { model, stream } = found.members;
  if (model === undefined) throw invalid("model is required");
  return {
    model: readModel(body, model),
    stream: stream !== undefined && isTruthy(body, stream),
    body,
    fields: { ...found.members, model },
  };
}

/** The body for an upstream that knows the model under this id: the client's own bytes but for the value of `model`. */
export function withModel(call: MessagesCall, upstreamModel: string): Uint8Array {
  if (upstreamModel === call.model) return call.body;
  const { valueStart, valueEnd } = call.fields.model;
  const value = Buffer.from(JSON.stringify(upstreamModel));
  return Buffer.concat([call.body.subarray(0, valueStart), value, call.body.subarray(valueEnd)]);
}

function readModel(body: Uint8Array, member: Member): string {
  if (body[member.valueStart] !== 0x22) throw invalid("model must be a string");
  if (member.valueEnd - member.valueStart > modelBytesMax)
    throw invalid(`model is longer than ${modelBytesMax} bytes`);
  const model = parseString(textOf(body, member));
  if (model === "") throw invalid("model is required");
  return model;
}

/** A long string's escapes are unchecked until here. */
function parseString(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    throw invalid("invalid JSON");
  }
}

/** JavaScript's truth of a JSON value, without building it. */
function isTruthy(body: Uint8Array, member: Member): boolean {
  switch (body[member.valueStart]) {
    case 0x66: // false
    case 0x6e: // null
      return false;
    case 0x22: // a string
      return member.valueEnd - member.valueStart > 2;
    case 0x74: // true
    case 0x5b: // a list
    case 0x7b: // an object
      return true;
    default:
      return Number(textOf(body, member)) !== 0;
  }
}

/** The JSON text of a field's value; undefined when the body has no such field. */
export function fieldText({ body, fields }: MessagesCall, name: FieldName): string | undefined {
  const member = fields[name];
  return member === undefined ? undefined : textOf(body, member);
}

/** A field's value; undefined when there is none, or none that can be read: a long string's escapes are unchecked until here. */
export function fieldValue(call: MessagesCall, name: FieldName): unknown {
  return valueIn(fieldText(call, name) ?? "");
}

function textOf(body: Uint8Array, member: Member): string {
  return utf8.decode(body.subarray(member.valueStart, member.valueEnd));
}

function invalid(message: string): ApiError {
  return new ApiError("invalid_request_error", message);
}
