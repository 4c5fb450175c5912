// What one provider's file is to the rest of this folder: how a call is put on the wire, and how an answer is read. What all
// clouds have in common around that (rejections, whole JSON answers, event streams that end well) is in cloud.ts.
import type { EventReader } from "./answer/event-relay.ts";
import type { OutboundCall } from "./upstream.ts";

/** What is left out of a request because the upstream does not take it (compatibility.ts). */
export type Omissions = {
  /** Values of `anthropic-beta`. */
  readonly betas: ReadonlySet<string>;
  /** Top-level members of the body. */
  readonly fields: ReadonlySet<string>;
};

export const nothingOmitted: Omissions = { betas: new Set(), fields: new Set() };

/**
 * Sends a call once to a provider's own API and resolves with the head of its own answer, whatever the status.
 * @throws when no answer came.
 */
export type Exchange = (
  outbound: OutboundCall,
  omit: Omissions,
  signal: AbortSignal,
) => Promise<Response>;

/** A cloud's way of serving the Messages API. */
export type Dialect = {
  readonly exchange: Exchange;
  /** A reader of one streamed answer; whole server-sent events come out of it. */
  readonly eventReader: () => EventReader;
  /** A JSON answer that was whole, as the Messages API writes it. @throws when it is not what was asked for. */
  readonly readJson?: (body: Uint8Array, outbound: OutboundCall) => Uint8Array;
  /** As in `Upstream`. */
  readonly billsGivenUp?: true;
};

/** The upstream has no such endpoint for this model: answered 501, so that another one or the client's own way is taken. */
export class UnsupportedCallError extends Error {
  override readonly name = "UnsupportedCallError";
}
