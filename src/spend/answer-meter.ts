// A successful answer on its way to the client: its bytes go on as they come, and are looked at as they pass, to tell in the end
// what the call used. What that is, is json-meter.ts's for a whole answer and stream-meter.ts's for a streamed one.
import type { ReadableStreamReadResult } from "node:stream/web";
import { type BodySource, sourceOf } from "../upstream/answer/event-relay.ts";
import { createJsonMeter } from "./json-meter.ts";
import { createStreamMeter } from "./stream-meter.ts";
import { nothingTold, type ToldAnswer } from "./told-answer.ts";
import type { AnswerMeter, Metered } from "./usage.ts";

export type MeterOptions = {
  /** What the call had the model read, in tokens, should the answer not say. */
  readonly inputTokensEstimate: number;
  /**
   * Told exactly once what the call used: when the answer is over, before the client has its end and may send its next request;
   * when it has broken off; or when the client let go of it. Undefined: nothing.
   */
  readonly onEnd: (metered: Metered | undefined, over: OverAnswer) => void;
  /** Told when the first bytes of it are there; not at all when there are none. */
  readonly onFirstByte?: (() => void) | undefined;
};

/** How an answer ended. */
export type OverAnswer = {
  /** The client let go of it, before it was over. */
  readonly isAbandoned: boolean;
  readonly told: () => ToldAnswer;
};

type Part = ReadableStreamReadResult<Uint8Array>;

const over: Part = { done: true, value: undefined };

/**
 * The response to send in place of `response`, whose body must not have been read. Bytes, back-pressure, a break of the upstream
 * and the client's hanging up pass through as they do without it. Never rejects.
 *
 * A streamed answer is given back at once. Any other one when its first bytes are there: mostly these are all, and a body that
 * is whole costs Bun half as much to send as one that may go on.
 */
export async function meterAnswer(response: Response, options: MeterOptions): Promise<Response> {
  const { status, headers } = response;
  const { inputTokensEstimate } = options;
  const source = sourceOf(response);
  if (source === undefined) {
    options.onEnd(undefined, { isAbandoned: false, told: () => nothingTold });
    return response;
  }
  if (isStreamed(response))
    return new Response(watched(source, createStreamMeter(inputTokensEstimate), options).rest, {
      status,
      headers,
    });
  const answer = watched(source, createJsonMeter(inputTokensEstimate), options);
  return new Response((await answer.whole()) ?? answer.rest, { status, headers });
}

/** Whether it is read as server-sent events: of others it is only known as a whole what the call used. */
export function isStreamed({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") === true;
}

/**
 * Not a generator function: the `return` of one waits behind the read that it is in, and does nothing before the first `next`.
 * Here it lets go of the upstream at once, whether the client hung up or nobody ever read the answer.
 */
function watched(
  source: BodySource,
  meter: AnswerMeter,
  { onEnd, onFirstByte }: MeterOptions,
): {
  /** All of the body if it has arrived with its first bytes; else undefined, and `rest` begins with what did. */
  whole: () => Promise<Uint8Array | undefined>;
  rest: AsyncIterableIterator<Uint8Array, Uint8Array | undefined>;
} {
  /** Reads that `rest` has not handed on. */
  const early: Promise<Part>[] = [];
  let isOver = false;
  let isBegun = false;

  // The reader's own promise goes on to the client's side, which hears of it after us: this runs for every event of every
  // stream, and a promise of ours in between costs more than all the rest.
  function read(): Promise<Part> {
    const part = source.read();
    // What has arrived already may be taken from the promise at once, and the rest be let go before we would hear of it.
    if (Bun.peek.status(part) === "fulfilled") look(Bun.peek(part) as Part);
    else part.then(look, () => end());
    return part;
  }

  function look(part: Part): void {
    if (part.done) return end();
    if (!isBegun) {
      isBegun = true;
      onFirstByte?.();
    }
    if (!isOver && meter.read(part.value)) end();
  }

  function end(isAbandoned = false): void {
    if (isOver) return;
    isOver = true;
    onEnd(meter.end(), { isAbandoned, told: () => meter.told() });
  }

  return {
    async whole() {
      const first = read();
      early.push(first);
      const part = await first.catch(() => undefined);
      if (part === undefined || part.done) return undefined;
      const second = read();
      early.push(second);
      // Of a body that has arrived, the end is there a microtask later; for any other one nobody waits.
      await Promise.resolve();
      const isAll = Bun.peek.status(second) === "fulfilled" && (await second).done;
      return isAll ? part.value : undefined;
    },
    rest: {
      next: () => early.shift() ?? read(),
      return() {
        end(true);
        source.cancel().catch(() => undefined);
        return Promise.resolve(over);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    },
  };
}
