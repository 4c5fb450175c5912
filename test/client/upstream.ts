// The one part of the journey with no local form: the model API. It answers every call in Anthropic's format with the same
// words, streamed or not, and remembers what it was asked. It does one thing that it is told: a prompt with the line
// `use NAME {…}` is answered with that use of a tool. It can be set to break off what it streams.

type Seen = { path: string; headers: Headers; body: string };

/** A use of a tool as the client would be told to make it. */
export type ToolUse = { name: string; input: Record<string, unknown> };

/** Part of what is said in a conversation; the fields that are looked at here. */
export type Block = {
  type: string;
  text?: string;
  content?: string | readonly Block[];
  is_error?: boolean;
};

/** What the client asked for; the fields that are looked at here. */
export type MessagesCall = {
  model: string;
  stream?: boolean;
  tools?: readonly { name: string }[];
  messages: readonly { content: string | readonly Block[] }[];
};

export type Upstream = {
  url: string;
  seen: readonly Seen[];
  /** Those of `seen` that asked for an answer, read. */
  calls: readonly MessagesCall[];
  /** How long it takes to begin an answer, and the same again to end one that is streamed. Set to be slower than at once. */
  pauseMs: number;
  /** How streamed answers break off after their first word, if they do. Needs a pause, for what was said to be read. */
  breaksOff: BreakOff | undefined;
  stop(): Promise<void>;
};

/** The connection is reset, or the body ends as if everything had been said. */
export type BreakOff = "reset" | "end";

/** The upstream's own id of every answer. */
export const upstreamRequestId = "req_upstream";

/** What every answer says that it used. */
export const usage = {
  input_tokens: 25,
  cache_read_input_tokens: 300,
  cache_creation_input_tokens: 40,
  output_tokens: 15,
};

/** @param words the answer, one stream event each. */
export function startUpstream(words: readonly string[]): Upstream {
  const seen: Seen[] = [];
  const calls: MessagesCall[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = await request.text();
      seen.push({ path: pathname, headers: request.headers, body });
      if (pathname === "/v1/messages/count_tokens") return Response.json({ input_tokens: 14 });
      if (pathname !== "/v1/messages") return new Response("", { status: 404 });
      const call: MessagesCall = JSON.parse(body);
      calls.push(call);
      const use = toldToUse(call);
      const answer = use === undefined ? text(words) : toolUse(use);
      await Bun.sleep(upstream.pauseMs);
      const headers = { "request-id": upstreamRequestId };
      if (call.stream !== true) return Response.json(message(call.model, answer), { headers });
      return new Response(streamOf(events(call.model, answer), upstream), {
        headers: { ...headers, "content-type": "text/event-stream; charset=utf-8" },
      });
    },
  });
  const upstream: Upstream = {
    url: server.url.origin,
    seen,
    calls,
    pauseMs: 0,
    breaksOff: undefined,
    stop: () => server.stop(true),
  };
  return upstream;
}

/** The line that tells the upstream to answer with this use of a tool. */
export function tellToUse({ name, input }: ToolUse): string {
  return `use ${name} ${JSON.stringify(input)}`;
}

/** What a message, or a part of one, is made of. */
export function blocksOf({ content = [] }: Pick<Block, "content">): readonly Block[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function toldToUse({ messages }: MessagesCall): ToolUse | undefined {
  const last = messages.at(-1);
  const said = last === undefined ? [] : blocksOf(last).map((block) => block.text ?? "");
  const [, name, input] = /^use (\w+) (\{.*\})$/m.exec(said.join("\n")) ?? [];
  return name === undefined || input === undefined ? undefined : { name, input: JSON.parse(input) };
}

/** An answer of one part: the part as a whole, and how it begins and grows when it is streamed. */
type Answer = { stopReason: string; whole: object; start: object; deltas: readonly object[] };

function text(words: readonly string[]): Answer {
  return {
    stopReason: "end_turn",
    whole: { type: "text", text: words.join("") },
    start: { type: "text", text: "" },
    deltas: words.map((word) => ({ type: "text_delta", text: word })),
  };
}

function toolUse({ name, input }: ToolUse): Answer {
  const whole = { type: "tool_use", id: `toolu_${crypto.randomUUID()}`, name, input };
  return {
    stopReason: "tool_use",
    whole,
    start: { ...whole, input: {} },
    deltas: [{ type: "input_json_delta", partial_json: JSON.stringify(input) }],
  };
}

type Event = { type: string } & Record<string, unknown>;

function message(model: string, { whole, stopReason }: Answer) {
  return {
    id: "msg_test",
    type: "message",
    role: "assistant",
    model,
    content: [whole],
    stop_reason: stopReason,
    stop_sequence: null,
    usage,
  };
}

function events(model: string, answer: Answer): Event[] {
  const start = {
    ...message(model, answer),
    content: [],
    stop_reason: null,
    usage: { ...usage, output_tokens: 1 },
  };
  return [
    { type: "message_start", message: start },
    { type: "content_block_start", index: 0, content_block: answer.start },
    ...answer.deltas.map((delta) => ({ type: "content_block_delta", index: 0, delta })),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: answer.stopReason, stop_sequence: null },
      usage: { output_tokens: usage.output_tokens },
    },
    { type: "message_stop" },
  ];
}

/** Events of a streamed answer up to the first word. */
const brokenEvents = 3;

/** The first event at once, the others, or those before it breaks off, after a pause. */
function streamOf(
  all: readonly Event[],
  { pauseMs, breaksOff }: Pick<Upstream, "pauseMs" | "breaksOff">,
): ReadableStream<string> {
  const said = all.slice(0, breaksOff === undefined ? all.length : brokenEvents).map(frame);
  return new ReadableStream({
    async start(controller) {
      controller.enqueue(said[0] ?? "");
      await Bun.sleep(pauseMs);
      controller.enqueue(said.slice(1).join(""));
      if (breaksOff !== "reset") return controller.close();
      await Bun.sleep(pauseMs);
      controller.error(); // resets the connection; an error to go with it would be printed
    },
  });
}

function frame(event: Event): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
