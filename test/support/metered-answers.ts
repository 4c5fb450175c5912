// Answers of an upstream whose usage a test knows to the token: whole ones, streams that come in one piece, and streams that a
// test feeds event by event.
import { eventStream, type Seen } from "./scene.ts";

type Asked = { max_tokens: number; stream?: boolean };

/** Answers with as many tokens as it may write, and none read. */
export function answerInFull({ body }: Pick<Seen, "body">): Response {
  const { max_tokens: outputTokens, stream } = askedIn(body);
  if (stream === true) return streamed([started(0), wrote("hi"), used(outputTokens), stopped]);
  return whole({ input_tokens: 0, output_tokens: outputTokens });
}

/** The same after a while, as models do: a stream begins at once and ends then. */
export function slowly(ms: number): (seen: Pick<Seen, "body">) => Response | Promise<Response> {
  return ({ body }) => {
    const answer = Bun.sleep(ms).then(() => answerInFull({ body }));
    if (askedIn(body).stream !== true) return answer;
    return new Response(
      async function* () {
        yield Buffer.from(eventStream([{ type: "ping" }]));
        yield await (await answer).bytes();
      },
      { headers: streamHeaders },
    );
  };
}

export function whole(usage: object): Response {
  const content = [{ type: "text", text: "hello" }];
  return Response.json({ id: "msg_1", type: "message", role: "assistant", content, usage });
}

export function streamed(events: readonly { type: string }[]): Response {
  return new Response(eventStream(events), { headers: streamHeaders });
}

/** The beginning of a stream for which the model read so many tokens. */
export const started = (inputTokens: number) => ({
  type: "message_start",
  message: { id: "msg_1", usage: { input_tokens: inputTokens, output_tokens: 1 } },
});
export const wrote = (text: string) => ({
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text },
});
/** What the model wrote until now, all in all. */
export const used = (outputTokens: number) => ({
  type: "message_delta",
  delta: { stop_reason: "end_turn" },
  usage: { output_tokens: outputTokens },
});
export const stopped = { type: "message_stop" };

/** A stream that goes on as the test says. */
export type FedStream = {
  response: Response;
  send(...events: { type: string }[]): void;
  end(): void;
  /** Loses the connection. */
  breakOff(): void;
};

export function fedStream(): FedStream {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return {
    response: new Response(body, { headers: streamHeaders }),
    send: (...events) => controller.enqueue(Buffer.from(eventStream(events))),
    end: () => controller.close(),
    breakOff: () => controller.error(new Error("lost")),
  };
}

/** A reader of an answer as a client has it, piece by piece. */
export function readerOf(response: Response) {
  const reader = response.body?.getReader();
  if (reader === undefined) throw new Error("no body");
  const decoder = new TextDecoder();
  let text = "";
  return {
    /** Reads on until this has come; resolves with everything until then. */
    async until(part: string): Promise<string> {
      while (!text.includes(part)) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`the answer ended without ${part}: ${text}`);
        text += decoder.decode(value, { stream: true });
      }
      return text;
    },
    /** Hangs up. */
    cancel: () => reader.cancel(),
  };
}

const streamHeaders = { "content-type": "text/event-stream" };

function askedIn(body: Uint8Array): Asked {
  return JSON.parse(Buffer.from(body).toString()) as Asked;
}
