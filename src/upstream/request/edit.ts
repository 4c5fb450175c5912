// Changes to the top level of a request body, made in the bytes: what is not named stays as the client wrote it, numbers and
// spelling included. Where the members are is found by call.ts.
import type { FieldName, MessagesCall } from "./call.ts";
import { skipBlanks } from "./json-tokens.ts";
import { type Member, topLevelFinder } from "./top-level.ts";

const openBrace = 0x7b;
const comma = 0x2c;

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
  const moved = (offset: number) => (offset < to ? offset : offset - (to - from));
  const { [name]: _, ...others } = call.fields;
  const fields = Object.entries(others).map(([field, { keyStart, valueStart, valueEnd }]) => [
    field,
    { keyStart: moved(keyStart), valueStart: moved(valueStart), valueEnd: moved(valueEnd) },
  ]);
  return {
    ...call,
    body: Buffer.concat([body.subarray(0, from), body.subarray(to)]),
    fields: Object.fromEntries(fields) as MessagesCall["fields"],
  };
}

/** Members of these names, wherever the body has them; one that is given twice is not found, the others are. */
export function membersNamed(call: MessagesCall, names: ReadonlySet<string>): Member[] {
  if (names.size === 0) return [];
  const found = topLevelFinder([...names])(call.body);
  if (found.kind === "given twice")
    return membersNamed(call, new Set([...names].filter((name) => name !== found.name)));
  return found.kind === "object"
    ? Object.values(found.members).filter((member) => member !== undefined)
    : [];
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
    const first = part.find((byte) => !isBlank(byte));
    if (first !== undefined) return first === 0x22;
  }
  return false;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
