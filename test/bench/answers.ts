// What the benchmark's upstream answers, as bytes on the wire: one JSON message of about 1 KB, and the parts of an event
// stream in chunked encoding. The message and the events are the same from every API; the heads, and how an event is
// written, are each API's own. Sending them in time is in upstream.ts.
import { chunkOf } from "../support/frames.ts";
import { countedByte } from "./requests.ts";

/** What one API answers. */
export type Answers = {
  /** A whole answer that is not streamed. */
  readonly json: Buffer;
  /** A streamed answer's head with the events before the first delta: the first byte a client sees. */
  readonly streamHead: Buffer;
  /** One delta. */
  readonly delta: Buffer;
  /** The events after the last delta and the end of the body. */
  readonly streamEnd: Buffer;
};

type Event = { readonly type: string };

const message = {
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-6",
};
const inputUsage = { input_tokens: 12, cache_read_input_tokens: 20_000 };

const opening: readonly Event[] = [
  event("message_start", {
    message: { ...message, content: [], usage: { ...inputUsage, output_tokens: 1 } },
  }),
  event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
];
const delta = event("content_block_delta", {
  index: 0,
  delta: { type: "text_delta", text: `some words ${countedByte}` },
});
const closing: readonly Event[] = [
  event("content_block_stop", { index: 0 }),
  event("message_delta", {
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 600 },
  }),
  event("message_stop", {}),
];

/** Server-sent events; a delta is about 125 bytes. */
export const messagesAnswers = answersOf({
  headers: [
    "request-id: req_011CSHoEeqs5C35K2UUqR7Fy",
    "anthropic-ratelimit-requests-limit: 4000",
    "anthropic-ratelimit-requests-remaining: 3999",
  ],
  streamType: "text/event-stream; charset=utf-8",
  written: (each) => Buffer.from(`event: ${each.type}\ndata: ${JSON.stringify(each)}\n\n`),
});

/** The same events in frames of an AWS event stream; a delta is about 270 bytes. */
export const bedrockAnswers = answersOf({
  headers: [
    "x-amzn-requestid: 5a8f2ee5-6d23-4a7e-9d5a-2f9d3bd1f6f4",
    "x-amzn-bedrock-content-type: application/json",
    "x-amzn-bedrock-invocation-latency: 412",
  ],
  streamType: "application/vnd.amazon.eventstream",
  written: (each) => chunkOf(JSON.stringify(each)),
});

/** @param api.written one event as the body of a stream has it. */
function answersOf(api: {
  headers: readonly string[];
  streamType: string;
  written: (each: Event) => Buffer;
}): Answers {
  const { headers, streamType, written } = api;
  const head = (contentType: string, framing: string) =>
    Buffer.from(
      `${["HTTP/1.1 200 OK", `content-type: ${contentType}`, ...headers, framing].join("\r\n")}\r\n\r\n`,
    );
  const chunk = (events: readonly Event[]) => chunked(Buffer.concat(events.map(written)));
  const json = jsonMessage();
  return {
    json: Buffer.concat([head("application/json", `content-length: ${json.length}`), json]),
    streamHead: Buffer.concat([head(streamType, "transfer-encoding: chunked"), chunk(opening)]),
    delta: chunk([delta]),
    streamEnd: Buffer.concat([chunk(closing), Buffer.from("0\r\n\r\n")]),
  };
}

function jsonMessage(): Buffer {
  return Buffer.from(
    JSON.stringify({
      ...message,
      content: [{ type: "text", text: "A sentence of the answer. ".repeat(28) }],
      stop_reason: "end_turn",
      stop_sequence: null,
      usage: { ...inputUsage, output_tokens: 180 },
    }),
  );
}

function event(type: string, fields: Record<string, unknown>): Event {
  return { type, ...fields };
}

/** RFC 9112 §7.1. */
function chunked(bytes: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`${bytes.length.toString(16)}\r\n`),
    bytes,
    Buffer.from("\r\n"),
  ]);
}
