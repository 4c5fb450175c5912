// The one part of the journey with no local form: the model API. It answers every call in Anthropic's format with the same
// words, streamed or not, and remembers what it was asked.

type Seen = { path: string; headers: Headers; body: string };

export type Upstream = { url: string; seen: readonly Seen[]; stop(): Promise<void> };

/** @param words the answer, one stream event each. */
export function startUpstream(words: readonly string[]): Upstream {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = await request.text();
      seen.push({ path: pathname, headers: request.headers, body });
      if (pathname === "/v1/messages/count_tokens") return Response.json({ input_tokens: 14 });
      if (pathname !== "/v1/messages") return new Response("", { status: 404 });
      const { model, stream }: { model: string; stream?: boolean } = JSON.parse(body);
      if (stream !== true) return Response.json(message(model, words.join("")));
      return new Response(events(model, words).map(frame).join(""), {
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "request-id": "req_upstream",
        },
      });
    },
  });
  return { url: server.url.origin, seen, stop: () => server.stop(true) };
}

type Event = { type: string } & Record<string, unknown>;

function message(model: string, text: string) {
  return {
    id: "msg_test",
    type: "message",
    role: "assistant",
    model,
    content: [{ type: "text", text }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 25, output_tokens: 15 },
  };
}

function events(model: string, words: readonly string[]): Event[] {
  const start = {
    ...message(model, ""),
    content: [],
    stop_reason: null,
    usage: { input_tokens: 25, output_tokens: 1 },
  };
  return [
    { type: "message_start", message: start },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...words.map((text) => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text },
    })),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 15 },
    },
    { type: "message_stop" },
  ];
}

function frame(event: Event): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
