// The model APIs of every provider as they answer on the wire, on one server that a test can bend: paths, event streams and
// error bodies are each provider's own.
import { chunkOf } from "./frames.ts";
import { eventStream, type Seen } from "./scene.ts";

/** What an API is made to do with the next requests. */
export type Behaviour = "answers" | "breaks off" | 400 | 429 | 500;

/** Words that must stay between the provider and the operator. */
const secretText = "arn:aws:iam::123456789012:role/gateway in project example-prod";

export const messageEvents = [
  {
    type: "message_start",
    message: { id: "msg_1", usage: { input_tokens: 25, output_tokens: 1 } },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "héllo" } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 15 } },
  { type: "message_stop" },
];
export const messageText = '{"id":"msg_1","type":"message","content":[],  "spaced":1.50}';

/** Answers as the API whose path it is. */
export function cloudAnswer({ url, body }: Seen, behaviour: Behaviour): Response {
  const path = decodeURIComponent(url.split("?")[0] ?? "");
  if (path.endsWith("/token")) return tokenAnswer();
  const ids = { "request-id": "req_cloud", "x-amzn-requestid": "amz-1" };
  if (typeof behaviour === "number") {
    return Response.json({ message: secretText }, { status: behaviour, headers: ids });
  }
  if (path.endsWith("/count-tokens")) return Response.json({ inputTokens: 17 });
  if (path.endsWith("/count_tokens") || path.endsWith("/count-tokens:rawPredict"))
    return Response.json({ input_tokens: 17 });
  const isBedrock = path.endsWith("/invoke-with-response-stream");
  if (isBedrock || path.endsWith(":streamRawPredict") || isStreamAsked(body)) {
    const parts = messageEvents.map((event) =>
      isBedrock ? chunkOf(JSON.stringify(event)) : Buffer.from(eventStream([event])),
    );
    return new Response(behaviour === "breaks off" ? breaking(parts) : Buffer.concat(parts), {
      headers: {
        ...ids,
        "content-type": isBedrock ? "application/vnd.amazon.eventstream" : "text/event-stream",
      },
    });
  }
  return new Response(behaviour === "breaks off" ? messageText.slice(0, 20) : messageText, {
    headers: { ...ids, "content-type": "application/json" },
  });
}

function isStreamAsked(body: Uint8Array): boolean {
  return (JSON.parse(Buffer.from(body).toString()) as { stream?: boolean }).stream === true;
}

function tokenAnswer(): Response {
  return Response.json({
    access_token: "ya29.token",
    expires_in: 3600,
    token_type: "Bearer",
    issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
  });
}

/** The first two events, half of the third, and then the connection is lost. */
async function* breaking(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield Buffer.concat(parts.slice(0, 2));
  await Bun.sleep(20);
  yield Buffer.from(parts[2]?.slice(0, 20) ?? []);
  await Bun.sleep(20);
  throw new Error("lost");
}
