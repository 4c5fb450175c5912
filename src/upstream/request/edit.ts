// Changes to the top level of a request body, made in the bytes: what is not named stays as the client wrote it, numbers and
// spelling included. Where the members are is found by call.ts.
import type { MessagesCall } from "./call.ts";
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
