// A request as it is read: in one pass over its bytes, where its own members are and which models it names further inside. What
// is refused here is what no request is: no JSON, no object, a member that is given twice, more of anything than any API takes.
// What the members mean is in call.ts.
import { ApiError } from "../../http/errors.ts";
import { shownId } from "../../models/names.ts";
import { valueIn } from "../json.ts";
import { createNestedModels, type NestedModels } from "./nested-models.ts";
import { advance, depthMax, isObject, type Member, type Visitor, walkOf } from "./walk.ts";

/** Most members of the request itself. The API has some thirty. */
const membersMax = 1_000;

/** The request's own members by name, decoded; without a prototype, so that only those are there that are given. */
export type Fields = Readonly<Record<string, Member | undefined>>;

export type Read = { readonly fields: Fields; readonly nestedModels: NestedModels };

export type Reading = {
  /** How far it has come, in bytes. */
  at(): number;
  /**
   * Reads on to the end, or pauses a little behind `stop`: then undefined.
   * @throws ApiError `invalid_request_error`
   */
  advance(stop: number): Read | undefined;
};

export function createReading(body: Uint8Array): Reading {
  const members = createMembers(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  const nested = createNestedModels();
  const walk = walkOf(body, {
    depth: Infinity,
    key(at, keyStart, keyEnd, valueStart, depth) {
      if (depth === 1) members.key(at, keyStart, keyEnd, valueStart, depth);
      nested.key(at, keyStart, keyEnd, valueStart, depth);
    },
    outerValueEnd: members.outerValueEnd,
  });

  return {
    at: () => Math.max(walk.at, walk.insideAt),
    advance(stop) {
      const progress = advance(walk, stop);
      if (progress === "broken") throw invalid("invalid JSON");
      if (progress === "too deep")
        throw invalid(`request body nests deeper than ${depthMax} levels`);
      if (!isObject(walk)) throw invalid("request body must be a JSON object");
      const refusal = members.refusal() ?? nested.refusal();
      if (refusal !== undefined) throw invalid(refusal);
      return progress === "paused"
        ? undefined
        : { fields: members.found, nestedModels: nested.found };
    },
  };
}

/** Collects the request's own members, up to the first that is one too many. */
function createMembers(text: Buffer) {
  const found: Record<string, Member> = Object.create(null);
  let count = 0;
  let current: Member | undefined; // whose value is being walked
  let refusal: string | undefined;
  const visitor: Omit<Visitor, "depth"> = {
    key(_walk, keyStart, keyEnd, valueStart) {
      if (refusal !== undefined) return;
      const name = decoded(text.toString("utf8", keyStart, keyEnd));
      if (name === undefined) refusal = "invalid JSON";
      else if (found[name] !== undefined) refusal = `${shownId(name)} is given more than once`;
      else if (++count > membersMax) refusal = `request body has more than ${membersMax} members`;
      else found[name] = current = { keyStart, valueStart, valueEnd: valueStart };
    },
    outerValueEnd(at) {
      if (current !== undefined) current.valueEnd = at;
      current = undefined;
    },
  };
  return { found, refusal: () => refusal, ...visitor };
}

/** What a string says; undefined when it is no JSON after all: the escapes of a long one are unchecked until here. */
function decoded(string: string): string | undefined {
  return string.includes("\\") ? (valueIn(string) as string | undefined) : string.slice(1, -1);
}

export function invalid(message: string): ApiError {
  return new ApiError("invalid_request_error", message);
}
