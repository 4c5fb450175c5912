// Changes to the top level of a request body, made in the bytes: what is not named stays as the client wrote it, numbers and
// spelling included. Where the members are is known since it was read (reading.ts).
import type { FieldName, MessagesCall } from "./call.ts";
import { skipBlanks } from "./json-tokens.ts";
import type { Member } from "./walk.ts";

const quote = 0x22;
const comma = 0x2c;
const openBrace = 0x7b;

export type Edit = {
  /** Members to take out, in any order. */
  readonly drop: readonly (Member | undefined)[];
  /** Members to put in front: name and value, the value as JSON text. At least one. */
  readonly set: readonly (readonly [name: string, json: string])[];
};

/** The body with this edit. */
export function editedBody(body: Uint8Array, { drop, set }: Edit): Uint8Array {
  const dropped = drop
    .filter((member) => member !== undefined)
    .toSorted((a, b) => a.keyStart - b.keyStart);
  const added = set.map(([name, json]) => `${JSON.stringify(name)}:${json}`).join(",");

  const start = body.indexOf(openBrace) + 1;
  const parts: Uint8Array[] = [];
  let at = start;
  for (const member of dropped) {
    // Each goes with the comma before it; the first of the object has none, and what follows it brings its own.
    parts.push(body.subarray(at, separatorBefore(body, member.keyStart)));
    at = member.valueEnd;
  }
  parts.push(body.subarray(at));
  const isFirstKept = startsWithMember(parts);
  return Buffer.concat([Buffer.from(`{${added}${isFirstKept ? "," : ""}`), ...parts]);
}

/** The call without one of its fields, and every other byte as it was; the very same when it has no such field. */
export function withoutField(
  call: MessagesCall,
  name: Exclude<FieldName, "model" | "stream">,
): MessagesCall {
  const member = call.fields[name];
  if (member === undefined) return call;
  const { body } = call;
  const separator = separatorBefore(body, member.keyStart);
  const isFirst = body[separator] !== comma;
  // It goes with the comma before it; the first of the object, which is not the only one, with the comma behind it.
  const from = isFirst ? member.keyStart : separator;
  const to = isFirst ? separatorBehind(body, member.valueEnd) : member.valueEnd;
  const fields: Record<string, Member> = Object.create(null);
  for (const [other, at] of Object.entries(call.fields)) {
    if (at === undefined || other === name) continue;
    fields[other] = at.keyStart < to ? at : moved(at, from - to);
  }
  return {
    ...call,
    body: Buffer.concat([body.subarray(0, from), body.subarray(to)]),
    fields: fields as MessagesCall["fields"],
  };
}

/** The call of the same model with these fields alone, in this order, each as it is written. @param names `model` among them */
export function withOnly(call: MessagesCall, names: readonly string[]): MessagesCall {
  const parts: Uint8Array[] = [];
  const fields: Record<string, Member> = Object.create(null);
  let length = 0;
  for (const name of names) {
    const member = call.fields[name];
    if (member === undefined) continue;
    const { keyStart, valueEnd } = member;
    parts.push(Buffer.from(length === 0 ? "{" : ","), call.body.subarray(keyStart, valueEnd));
    fields[name] = moved(member, length + 1 - keyStart);
    length += 1 + valueEnd - keyStart;
  }
  return {
    ...call,
    stream: call.stream && fields["stream"] !== undefined,
    body: Buffer.concat([...parts, Buffer.from("}")]),
    fields: fields as MessagesCall["fields"],
  };
}

/** Those of the members of these names that the body has. */
export function membersNamed({ fields }: MessagesCall, names: ReadonlySet<string>): Member[] {
  return [...names].map((name) => fields[name]).filter((member) => member !== undefined);
}

/** Offset of the comma before a key, or of what follows the opening brace. */
function separatorBefore(body: Uint8Array, keyStart: number): number {
  let at = keyStart;
  while (isBlank(body[at - 1])) at--;
  return body[at - 1] === comma ? at - 1 : at;
}

/** Offset of what follows the comma behind a value. */
function separatorBehind(body: Uint8Array, valueEnd: number): number {
  return skipBlanks(body, body.indexOf(comma, valueEnd) + 1);
}

/** Whether what is left begins with a member that has no comma before it, rather than with a comma or the closing brace. */
function startsWithMember(parts: readonly Uint8Array[]): boolean {
  for (const part of parts) {
    const first = part[skipBlanks(part, 0)];
    if (first !== undefined) return first === quote;
  }
  return false;
}

function moved({ keyStart, valueStart, valueEnd }: Member, bytes: number): Member {
  return {
    keyStart: keyStart + bytes,
    valueStart: valueStart + bytes,
    valueEnd: valueEnd + bytes,
  };
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
