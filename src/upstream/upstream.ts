// The seam between the gateway and a model API: a call goes in, an answer in the Anthropic Messages format comes out, whatever
// the provider speaks. Nothing outside this folder asks which provider an upstream is.
import type { Outbound } from "../http/outbound.ts";
import type { Principal } from "../session.ts";
import type { RequestIds } from "./answer/request-ids.ts";
import type { MessagesCall } from "./request/call.ts";

/** What every upstream is built with. */
export type UpstreamOptions = {
  /** Our own product token. */
  readonly userAgent: string;
  /** The way to a host that is configured. */
  readonly fetch: Outbound;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

export type MessagesPath = "/v1/messages" | "/v1/messages/count_tokens";

/** One call on its way to one upstream. */
export type OutboundCall = {
  readonly call: MessagesCall;
  readonly path: MessagesPath;
  /** `""` or `"?…"`, as the client sent it. */
  readonly search: string;
  /** The client's headers; each provider takes those it knows. */
  readonly headers: Headers;
  /** The id this upstream knows the model by. */
  readonly upstreamModel: string;
  readonly principal: Principal;
  /** The gateway's own, for log lines and error bodies. */
  readonly requestId: string;
  /** Headers that tell the upstream of the request's place in a trace (W3C Trace Context). The operator's own come first. */
  readonly trace?: Readonly<Record<string, string>>;
};

/** What an upstream answered, ready for the developer: nothing in `response` is the operator's business only. */
export type UpstreamAnswer = RequestIds & {
  /** A fresh Response: its headers are those that may reach the client, and can still be set. */
  readonly response: Response;
  /** Status and reason for the operational log, such as `403 User: … is not authorized`. */
  readonly cause: string;
  /** How long the upstream asks to be left alone, in milliseconds. */
  readonly retryAfterMs: number | null;
  /** No other upstream may be asked after this one, whatever the status: it refused the person, and knew who it was. */
  readonly final?: true;
};

export type TtfbMs = { readonly streamed: number; readonly whole: number };

export type Upstream = {
  readonly name: string;
  readonly provider: string;
  /** Milliseconds it may take to the head of an answer that is streamed, or a count; and of one that comes as a whole. */
  readonly ttfbMs: TtfbMs;
  /**
   * Sends the call once, without retries. Resolves when the head of the answer is there, whatever its status; the body
   * streams on, and stops when the signal aborts.
   * @throws when no answer came (connection refused or lost, no credential, an answer that is none, signal aborted).
   */
  send(outbound: OutboundCall, signal: AbortSignal): Promise<UpstreamAnswer>;
  /**
   * Input tokens of a call by the provider's own count, which is free of charge, for one whose answer did not tell. Undefined
   * when it cannot be told just now, or not within ten seconds. Never rejects, and never asks for anything that is billed.
   */
  countInput?(outbound: OutboundCall, signal: AbortSignal): Promise<number | undefined>;
  /** It bills what it has read of a call even if nobody waits for the answer. */
  readonly billsGivenUp?: true;
};

/** This upstream cannot take a call of this person: a fact about the person, which says nothing of the upstream's health. */
export class PrincipalUnfitError extends Error {
  override readonly name = "PrincipalUnfitError";
}
