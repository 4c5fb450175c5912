// A stand-in for the Messages API on loopback, for the demo on a machine without an API key: it repeats the prompt in a
// friendly sentence, word by word. What it answers has the shape of the real API, streams included, so that a real
// client holds a conversation with it; what it says is in echo-answer.ts.
import { randomBytes } from "node:crypto";
import { countTokens, echoAnswer, type EchoAnswer, readMessagesRequest } from "./echo-answer.ts";

const bodyBytesMax = 32 * 1024 * 1024;

/**
 * Starts the echo on 127.0.0.1 (`port` 0 or absent: a free one). Callers must send `apiKey` as x-api-key. Between two
 * words of a stream it waits `wordPauseMs` milliseconds (35).
 */
export function startEchoUpstream(o: { port?: number; apiKey: string; wordPauseMs?: number }): {
  url: string;
  stop(): Promise<void>;
} {
  const wordPauseMs = o.wordPauseMs ?? 35;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: o.port ?? 0,
    maxRequestBodySize: bodyBytesMax,
    idleTimeout: 60,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (request.headers.get("x-api-key") !== o.apiKey)
        return failure(401, "authentication_error", "invalid x-api-key");
      const counts = pathname === "/v1/messages/count_tokens";
      if (request.method !== "POST" || !(counts || pathname === "/v1/messages")) {
        return failure(404, "not_found_error", `Not found: ${request.method} ${pathname}`);
      }
      const call = readMessagesRequest(await request.text(), { counts });
      if (typeof call === "string") return failure(400, "invalid_request_error", call);
      if (counts)
        return success(JSON.stringify({ input_tokens: countTokens(call) }), "application/json");
      const answer = echoAnswer(call);
      const id = `msg_${randomBytes(12).toString("hex")}`;
      return call.stream === true
        ? success(eventStream(id, answer, wordPauseMs), "text/event-stream; charset=utf-8")
        : success(JSON.stringify(wholeMessage(id, answer)), "application/json");
    },
  });
  return { url: `http://localhost:${server.port}`, stop: () => server.stop(true) };
}

function success(body: string | ReadableStream, contentType: string): Response {
  return new Response(body, {
    headers: {
      "content-type": contentType,
      "cache-control": "no-cache",
      "request-id": requestId(),
    },
  });
}

function failure(status: number, type: string, message: string): Response {
  const request_id = requestId();
  return Response.json(
    { type: "error", error: { type, message }, request_id },
    { status, headers: { "request-id": request_id } },
  );
}

const requestId = () => `req_${randomBytes(12).toString("hex")}`;

function wholeMessage(id: string, answer: EchoAnswer) {
  return {
    ...messageFrame(id, answer),
    content: [{ type: "text", text: answer.words.join("") }],
    stop_reason: answer.stopReason,
    usage: { ...usageAtStart(answer), output_tokens: answer.words.length },
  };
}

/** The events of one streamed answer, in the order of the Messages API. A client that goes away ends it. */
function eventStream(id: string, answer: EchoAnswer, wordPauseMs: number): ReadableStream {
  const events = eventsOf(id, answer);
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { value: event } = events.next();
      if (event === undefined) return controller.close();
      if (event.type === "content_block_delta") await Bun.sleep(wordPauseMs);
      controller.enqueue(
        encoder.encode(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`),
      );
    },
  });
}

function* eventsOf(
  id: string,
  answer: EchoAnswer,
): Generator<{ type: string; [field: string]: unknown }, undefined> {
  yield {
    type: "message_start",
    message: { ...messageFrame(id, answer), usage: { ...usageAtStart(answer), output_tokens: 1 } },
  };
  yield { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } };
  yield { type: "ping" };
  for (const text of answer.words)
    yield { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } };
  yield { type: "content_block_stop", index: 0 };
  yield {
    type: "message_delta",
    delta: { stop_reason: answer.stopReason, stop_sequence: null },
    usage: { output_tokens: answer.words.length },
  };
  yield { type: "message_stop" };
}

function messageFrame(id: string, answer: EchoAnswer) {
  return {
    id,
    type: "message",
    role: "assistant",
    model: answer.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  };
}

function usageAtStart(answer: EchoAnswer) {
  return {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    service_tier: "standard",
  };
}
