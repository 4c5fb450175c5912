// Frames of AWS event streams as AWS's own encoder writes them, and what a reader makes of them.
import { EventStreamCodec } from "@smithy/eventstream-codec";
import type { EventReader } from "../../src/upstream/answer/event-relay.ts";
import { UpstreamStreamError } from "../../src/upstream/answer/stream-error.ts";

type HeaderValues = Parameters<EventStreamCodec["encode"]>[0]["headers"];

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === "string" ? bytes : Buffer.from(bytes).toString()),
  (text) => Buffer.from(text),
);

export function encode(
  headers: Record<string, string>,
  body: string | Uint8Array,
  others: HeaderValues = {},
): Buffer {
  const strings = Object.entries(headers).map(([name, value]) => [name, { type: "string", value }]);
  return Buffer.from(
    codec.encode({
      headers: { ...others, ...(Object.fromEntries(strings) as HeaderValues) },
      body: Buffer.from(body),
    }),
  );
}

const chunkHeaders = {
  ":event-type": "chunk",
  ":content-type": "application/json",
  ":message-type": "event",
};

/** A chunk of Bedrock's, around one event of the Messages API. */
export function chunkOf(json: string | Uint8Array): Buffer {
  const bytes = Buffer.from(json).toString("base64");
  return encode(chunkHeaders, JSON.stringify({ bytes, p: "abcdefghijklmnop" }));
}

/** A frame that Bedrock marks as a chunk, whatever is in it. */
export function chunkHolding(payload: string): Buffer {
  return encode(chunkHeaders, payload);
}

export function exceptionOf(type: string, message: string): Buffer {
  const headers = { ":exception-type": type, ":message-type": "exception" };
  return encode(headers, JSON.stringify({ message }));
}

/** Everything a reader gives for these chunks and the end of the body, and why it stopped, if it did. */
export function readAll(
  reader: EventReader,
  chunks: readonly Uint8Array[],
): { events: string; broke: string | undefined } {
  const given: Uint8Array[] = [];
  let broke: string | undefined;
  try {
    for (const chunk of chunks) given.push(reader.read(chunk));
    reader.end();
  } catch (error) {
    if (!(error instanceof UpstreamStreamError)) throw error;
    given.push(error.completed);
    broke = error.message;
  }
  return { events: Buffer.concat(given).toString(), broke };
}

/** These bytes, split at these offsets, which may be in any order and outside of them. */
export function splitAt(bytes: Uint8Array, offsets: readonly number[]): Uint8Array[] {
  const inside = offsets.map((offset) => offset % (bytes.length + 1));
  const edges = [0, ...inside.toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
}
