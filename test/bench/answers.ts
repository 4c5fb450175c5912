// What the benchmark's upstream answers, as bytes on the wire: one JSON message of about 1 KB, and the parts of an event
// stream in chunked encoding. Sending them in time is in upstream.ts.
import { countedByte } from "./requests.ts";

const message = {
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-6",
};
const inputUsage = { input_tokens: 12, cache_read_input_tokens: 20_000 };

export const jsonAnswer = answerWithJson();

/** The answer's head with the events before the first delta: the first byte a client sees. */
export const streamHead = Buffer.from(
  head("text/event-stream; charset=utf-8", "transfer-encoding: chunked") +
    chunk(
      sseEvent("message_start", {
        message: { ...message, content: [], usage: { ...inputUsage, output_tokens: 1 } },
      }) + sseEvent("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
    ),
);

/** One delta, about 125 bytes. */
export const deltaChunk = Buffer.from(
  chunk(
    sseEvent("content_block_delta", {
      index: 0,
      delta: { type: "text_delta", text: `some words ${countedByte}` },
    }),
  ),
);

/** The events after the last delta and the end of the body. */
export const streamEnd = Buffer.from(
  chunk(
    sseEvent("content_block_stop", { index: 0 }) +
      sseEvent("message_delta", {
        delta: { stop_reason: "end_turn", stop_sequence: null },
        usage: { output_tokens: 600 },
      }) +
      sseEvent("message_stop", {}),
  ) + "0\r\n\r\n",
);

function answerWithJson(): Buffer {
  const body = JSON.stringify({
    ...message,
    content: [{ type: "text", text: "A sentence of the answer. ".repeat(28) }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { ...inputUsage, output_tokens: 180 },
  });
  return Buffer.from(`${head("application/json", `content-length: ${body.length}`)}${body}`);
}

function head(contentType: string, framing: string): string {
  const lines = [
    "HTTP/1.1 200 OK",
    `content-type: ${contentType}`,
    "request-id: req_011CSHoEeqs5C35K2UUqR7Fy",
    "anthropic-ratelimit-requests-limit: 4000",
    "anthropic-ratelimit-requests-remaining: 3999",
    framing,
  ];
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function sseEvent(type: string, fields: Record<string, unknown>): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

/** RFC 9112 §7.1. ASCII only, so that characters are bytes. */
function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}
