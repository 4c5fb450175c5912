// How a streamed answer of the Messages API ends, by its last events.

/** `error`: an event of the provider's that says so. `cut`: anything else but the message's own end. */
export type StreamEnd = "whole" | "error" | "cut";

/** As much as is looked at, in bytes. The event that ends a message is far shorter. */
const lookedAtMax = 4 * 1024;

const blankLine = /\r?\n\r?\n/;
const named = /^event: ?([\w.-]{1,64})\r?$/m;
const typed = /^data: ?\{"type": ?"([\w.-]{1,64})"/m;

/** @param events the last of a stream, whole ones. Pings, comments and events of no type say nothing of its end. */
export function streamEnd(events: Uint8Array): StreamEnd {
  const text: string = Buffer.prototype.latin1Slice.call(events, 0, events.length);
  const types = text.split(blankLine).map((event) => (named.exec(event) ?? typed.exec(event))?.[1]);
  const last = types.findLast((type) => type !== undefined && type !== "ping");
  if (last === "message_stop") return "whole";
  return last === "error" ? "error" : "cut";
}

/** As much of events as tells how they end; a copy of it where they are many, which would be kept in memory by it. */
export function lastOf(events: Uint8Array): Uint8Array {
  return events.length > lookedAtMax ? events.slice(-lookedAtMax) : events;
}
