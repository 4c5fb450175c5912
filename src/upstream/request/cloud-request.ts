// What a request to any cloud is made of, whichever cloud it is: the headers that go on, and the body with what the cloud takes
// elsewhere taken out. Where it is sent is each provider's own file; the sending is in post.ts.
import { betasOf, setBetas } from "./betas.ts";
import { type FieldName, fieldText, fieldValue, isLooseStream, type MessagesCall } from "./call.ts";
import { isSdkHeader } from "./sdk-headers.ts";
import { editedBody, membersNamed } from "./edit.ts";
import type { Omissions } from "../exchange.ts";
import type { Member } from "./walk.ts";
import type { OutboundCall } from "../upstream.ts";

/** The beta that announces `tags`, which some clouds refuse together with the field. */
export const requestTagsBeta = "request-tags-2026-08-21";

/** The version whose answers this folder reads. Whatever the client names: observed on the reference. */
const apiVersion = "2023-06-01";

/** Longest `user_profile_id` that becomes a header, in characters. */
const userProfileIdMax = 512;

/**
 * Headers for a cloud: the request's place in a trace; of the client's only `x-stainless-*` and, out of the body,
 * `user_profile_id`; then the operator's; then ours. Betas are the caller's to set (betas.ts): some clouds take them in the body.
 *
 * @param options.userAgent our own product token.
 * @param options.fixed `headers:` of the upstream.
 */
export function cloudHeaders(
  { call, headers, trace }: OutboundCall,
  options: { userAgent: string; fixed: Readonly<Record<string, string>> },
): Headers {
  const sent = new Headers(trace);
  for (const [name, value] of headers) {
    // Other values may arrive otherwise than they were signed, and the upstream would seem to refuse us, not the client.
    if (isSdkHeader(name, value) && isHeaderValue(value)) sent.set(name, value);
  }
  for (const [name, value] of Object.entries(options.fixed)) sent.set(name, value);
  sent.set("content-type", "application/json");
  sent.set("accept", "application/json");
  sent.set("user-agent", options.userAgent);
  sent.set("anthropic-version", apiVersion);
  const userProfileId = userProfileIdOf(call);
  if (userProfileId !== undefined) sent.set("anthropic-user-profile-id", userProfileId);
  return sent;
}

/** What a cloud changes in a body, beside what all of them do. */
export type BodyChange = {
  /** Members that it does not take. */
  readonly drop: readonly FieldName[];
  /** Members that it wants, name and value as JSON text, in place of the client's own. */
  readonly set: readonly (readonly [name: FieldName, json: string])[];
};

/**
 * The body for a cloud: without `user_profile_id`, which goes as a header, without what is omitted, and with `stream` as
 * `true` where it is merely truthy, but for counting. The client's own bytes, not copied, where nothing has to change.
 */
export function cloudBody(
  { call, path }: OutboundCall,
  omit: Omissions,
  change: BodyChange,
): Uint8Array {
  const set = [...change.set];
  const isTaken = change.drop.includes("stream") || set.some(([name]) => name === "stream");
  if (path === "/v1/messages" && isLooseStream(call) && !isTaken) set.push(["stream", "true"]);

  const names: FieldName[] = ["user_profile_id", ...change.drop, ...set.map(([name]) => name)];
  const known = names.map((name) => call.fields[name]);
  const dropped = distinct([...known, ...membersNamed(call, omit.fields)]);
  if (dropped.length === 0 && set.length === 0) return call.body;

  // An edit puts something in front: where there is nothing of ours, the model as it was written.
  if (set.length === 0) {
    set.push(["model", fieldText(call, "model") ?? JSON.stringify(call.model)]);
    dropped.push(call.fields.model);
  }
  return editedBody(call.body, { drop: dropped, set });
}

/** For a cloud that takes the model in the body: the id that it knows, or no change where the client wrote that one. */
export function modelChange({ call, upstreamModel }: OutboundCall): BodyChange {
  return upstreamModel === call.model
    ? { drop: [], set: [] }
    : { drop: [], set: [["model", JSON.stringify(upstreamModel)]] };
}

/** `anthropic_version` for the body, as JSON text: the client's own value, whatever its type, unless absent, `""` or null. */
export function anthropicVersion(call: MessagesCall, fallback: string): string {
  const own = fieldText(call, "anthropic_version");
  return own === undefined || own === '""' || own === "null" ? JSON.stringify(fallback) : own;
}

/** Headers and body for a cloud that serves the Messages API as it is: but for the model's id, and what all clouds change. */
export function messagesRequest(
  outbound: OutboundCall,
  omit: Omissions,
  options: { userAgent: string; fixed: Readonly<Record<string, string>> },
): { headers: Headers; body: Uint8Array } {
  const headers = cloudHeaders(outbound, options);
  setBetas(headers, betasOf(outbound.headers, omit.betas));
  return { headers, body: cloudBody(outbound, omit, modelChange(outbound)) };
}

/** Each member once: one may be both a cloud's to drop and omitted. */
function distinct(members: readonly (Member | undefined)[]): Member[] {
  const byKey = new Map<number, Member>();
  for (const member of members) if (member !== undefined) byKey.set(member.keyStart, member);
  return [...byKey.values()];
}

/** Undefined for what is no text, and for what a header cannot carry unchanged. */
function userProfileIdOf(call: MessagesCall): string | undefined {
  const value = fieldValue(call, "user_profile_id");
  return typeof value === "string" && value.length <= userProfileIdMax && isHeaderValue(value)
    ? value
    : undefined;
}

/** Printable ASCII, not empty, no blank at either end: what `Headers` keeps as it is. */
function isHeaderValue(value: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}
