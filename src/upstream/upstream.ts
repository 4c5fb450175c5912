// The seam between the gateway and a model API: a call goes in, a Response in the Anthropic Messages format comes out,
// whatever the provider speaks. Nothing outside this folder asks which provider an upstream is.
import type { Principal } from "../session.ts";
import type { MessagesCall } from "./call.ts";

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
};

export type Upstream = {
  readonly name: string;
  readonly provider: string;
  /**
   * Sends the call once, without retries. Resolves when the head of the answer is there, whatever its status; the body
   * streams on, and stops when the signal aborts.
   * @throws when no answer came (connection refused or lost, signal aborted).
   */
  send(outbound: OutboundCall, signal: AbortSignal): Promise<Response>;
};
