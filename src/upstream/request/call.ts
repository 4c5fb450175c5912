// Reads what the gateway must know of a Messages request, and changes the one thing it may: the model. Everything else
// stays the bytes that the client sent. Where its members are is found in reading.ts.
import type { Timer } from "../../timer.ts";
import { valueIn } from "../json.ts";
import { noStop } from "./json-tokens.ts";
import { createReading, invalid, type Read, type Reading } from "./reading.ts";
import type { Member } from "./walk.ts";

/** Fields whose value is read here, or that some provider takes elsewhere. */
export type FieldName =
  | "model"
  | "stream"
  | "tags"
  | "anthropic_version"
  | "anthropic_beta"
  | "user_profile_id"
  | "max_tokens"
  | "speed"
  | "thinking"
  | "tools";

/** Longest `model` in bytes, quotes included: it goes to the log and the audit trail, and no real id comes near. */
const modelBytesMax = 4_096;

/** Longest of these, in bytes: their values are read as a whole, and everybody waits meanwhile. */
const fieldBytesMax = 64 * 1024;
const boundedFields: readonly FieldName[] = [
  "stream",
  "anthropic_version",
  "anthropic_beta",
  "user_profile_id",
  "max_tokens",
  "speed",
  "thinking",
];

/**
 * How long a body is read before somebody else has their turn, in milliseconds, and after how many bytes the clock is looked at.
 * No more than a few: of what is made to take long, so much takes three milliseconds.
 */
const turnMs = 5;
const stepBytes = 64 * 1024;

/** A Messages request: what the client asks for, where in `body` its own members are, and the models it names further inside. */
export type MessagesCall = Read & {
  readonly model: string;
  readonly stream: boolean;
  readonly body: Uint8Array;
  readonly fields: { readonly model: Member };
};

const lowerT = 0x74;
const utf8 = new TextDecoder();

/**
 * Reads the body of `/v1/messages` or `/v1/messages/count_tokens`. It is not copied, so it must not change afterwards.
 *
 * JSON is strict but for the encoding: bytes that are not UTF-8 pass on unchanged, and read as U+FFFD in the model.
 * `stream` is true for whatever JavaScript takes for true (`1`, `"true"`, `[]`): upstreams take it so, too.
 *
 * A member of the request itself that is given twice is refused, whatever it is called and in whatever escapes: parsers differ
 * in which of the two they take, and the upstream must not read another request than the gateway did. What is given twice
 * further inside is the upstream's affair, since nothing of it is read here, but for `model`, which counts each time.
 *
 * @throws ApiError `invalid_request_error` for a body that is no JSON object, names no model, or holds more than any request
 */
export function readMessagesCall(body: Uint8Array): MessagesCall {
  const read = createReading(body).advance(noStop);
  if (read === undefined) throw invalid("invalid JSON");
  return callOf(body, read);
}

/** Reads a body as `readMessagesCall` does; one that takes long a part at a time, and then rejects where that one throws. */
export type CallReader = (body: Uint8Array) => MessagesCall | Promise<MessagesCall>;

/**
 * A reader that lets nobody wait: however many bodies are read, one has its turn, and then whatever else there is to do.
 * @param options.now milliseconds with fractions, of a clock that is never set: `performance.now`
 * @param options.after with 0: when the event loop has had its turn
 */
export function createCallReader({ now, after }: { now: () => number; after: Timer }): CallReader {
  let last = Promise.resolve();
  const turn = () => {
    last = last.then(() => new Promise<void>((resolve) => void after(0, resolve)));
    return last;
  };

  /** Reads for as long as one turn is; undefined when that was not enough. */
  function readOn(body: Uint8Array, reading: Reading): MessagesCall | undefined {
    const endMs = now() + turnMs;
    do {
      const read = reading.advance(reading.at() + stepBytes);
      if (read !== undefined) return callOf(body, read);
    } while (now() < endMs);
    return undefined;
  }

  async function readInTurns(body: Uint8Array, reading: Reading): Promise<MessagesCall> {
    for (;;) {
      await turn();
      const call = readOn(body, reading);
      if (call !== undefined) return call;
    }
  }

  return (body) => {
    const reading = createReading(body);
    return readOn(body, reading) ?? readInTurns(body, reading);
  };
}

/**
 * The body for an upstream that knows the model under this id: the client's own bytes but for the value of `model`, and of a
 * `stream` that is only taken for true, so that upstreams take it so, too.
 */
export function withModel(call: MessagesCall, upstreamModel: string): Uint8Array {
  const { body, fields } = call;
  const changes: { member: Member; json: string }[] = [];
  if (upstreamModel !== call.model)
    changes.push({ member: fields.model, json: JSON.stringify(upstreamModel) });
  if (fields.stream !== undefined && isLooseStream(call))
    changes.push({ member: fields.stream, json: "true" });
  if (changes.length === 0) return body;

  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { member, json } of changes.toSorted(
    (a, b) => a.member.keyStart - b.member.keyStart,
  )) {
    parts.push(body.subarray(at, member.valueStart), Buffer.from(json));
    at = member.valueEnd;
  }
  return Buffer.concat([...parts, body.subarray(at)]);
}

/** Whether `stream` is taken for true and is not `true`: some upstreams would take it for false, and some refuse it. */
export function isLooseStream({ stream, body, fields }: MessagesCall): boolean {
  return stream && body[fields.stream?.valueStart ?? 0] !== lowerT;
}

/** What the members mean. @throws ApiError `invalid_request_error` */
function callOf(body: Uint8Array, { fields, nestedModels }: Read): MessagesCall {
  const { model, stream } = fields;
  if (model === undefined) throw invalid("model is required");
  for (const name of boundedFields) requireLength(name, fields[name], fieldBytesMax);
  return {
    model: readModel(body, model),
    stream: stream !== undefined && isTruthy(body, stream),
    body,
    fields: fields as MessagesCall["fields"],
    nestedModels,
  };
}

function readModel(body: Uint8Array, member: Member): string {
  if (body[member.valueStart] !== 0x22) throw invalid("model must be a string");
  requireLength("model", member, modelBytesMax);
  const model = valueIn(textOf(body, member));
  // A long string's escapes are unchecked until here.
  if (typeof model !== "string") throw invalid("invalid JSON");
  if (model === "") throw invalid("model is required");
  return model;
}

function requireLength(name: FieldName, member: Member | undefined, bytesMax: number): void {
  if (member === undefined || member.valueEnd - member.valueStart <= bytesMax) return;
  throw invalid(`${name} is longer than ${bytesMax} bytes`);
}

/** JavaScript's truth of a JSON value, without building it. */
function isTruthy(body: Uint8Array, member: Member): boolean {
  switch (body[member.valueStart]) {
    case 0x66: // false
    case 0x6e: // null
      return false;
    case 0x22: // a string
      return member.valueEnd - member.valueStart > 2;
    case lowerT: // true
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
