// A cloud's streamed answer on its way to the client as server-sent events: whole events only, a ping when it is silent for
// long, and a last `event: error` when it breaks. How bytes become events is the reader's: sse.ts, bedrock-events.ts.
import type { ReadableStreamReadResult } from "node:stream/web";
import { errorEnvelope } from "../../http/errors.ts";
import { messageOf } from "../../log.ts";

/** Turns the bytes of one streamed answer, as they arrive, into whole server-sent events. Of no use once it has thrown. */
export type EventReader = {
  /** Every event that is complete with this chunk, joined; empty when none is. @throws UpstreamStreamError */
  read(chunk: Uint8Array): Uint8Array;
  /** To be called when the body is over. @throws UpstreamStreamError when it ended inside an event. */
  end(): void;
};

/** The stream cannot be read on: damaged, cut, or ended by an exception. The message is for the log only. */
export class UpstreamStreamError extends Error {
  override readonly name = "UpstreamStreamError";
  /** The events that the same chunk completed before it. */
  readonly completed: Uint8Array;

  constructor(message: string, completed: Uint8Array = nothing) {
    super(message);
    this.completed = completed;
  }
}

export type RelayOptions = {
  /** The gateway's own, for the `event: error`. */
  readonly requestId: string;
  /** The signal that the body was fetched with: once it has aborted, the body's end is our doing and nobody's break. */
  readonly signal: AbortSignal;
  /** Told once, with the reason for the log, when the stream broke. */
  readonly onBreak: (why: string) => void;
  /** Milliseconds of silence before a ping; 15 s unless a test says otherwise. */
  readonly silenceMs?: number;
  /** Milliseconds of silence that end the stream; an hour unless a test says otherwise. */
  readonly silenceMsMax?: number;
};

type Given = IteratorResult<Uint8Array, undefined>;

const silenceMsUsual = 15_000;

/** An upstream that says nothing for so long will not: its pings would go on for as long as the client listens. */
const silenceMsMaxUsual = 60 * 60_000;

/** As much of a reason as is told, in characters: an upstream writes most of it. */
const reasonMax = 1_000;

const nothing: Uint8Array = new Uint8Array();
const ping = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');
const over: Given = { done: true, value: undefined };

/**
 * The body for the client, as whole events. It reads on when it is asked for more, one chunk at a time. It ends with an
 * `event: error` when the upstream's body breaks, and never rejects.
 *
 * Not a generator function: the `return` of one waits behind the read that it is in, and does nothing before the first
 * `next`. Here it lets go of the upstream at once, whether the client hung up or nobody ever read the answer.
 */
export function relayEvents(
  body: ReadableStream<Uint8Array>,
  reader: EventReader,
  options: RelayOptions,
): AsyncIterableIterator<Uint8Array, undefined> {
  const { requestId, signal, onBreak } = options;
  const { silenceMs = silenceMsUsual, silenceMsMax = silenceMsMaxUsual } = options;
  const source = body.getReader();
  let isOver = false;
  /** Since when the upstream has been asked for more; undefined while it is not. */
  let readingSince: number | undefined;
  /** Answers the client's side, while it waits. */
  let answer: ((given: Given) => void) | undefined;
  let waitsSince = 0;
  /** What arrived while it was not waiting, because a ping had been its answer. */
  let early: Given | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;

  return {
    next() {
      if (early !== undefined) {
        const given = early;
        early = undefined;
        return Promise.resolve(given);
      }
      return isOver ? Promise.resolve(over) : new Promise(ask);
    },
    return() {
      end();
      give(over);
      return Promise.resolve(over);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };

  // This runs for every event of every stream: one promise for the client's side, one for the upstream's, and no timer.
  function ask(resolve: (given: Given) => void): void {
    answer = resolve;
    waitsSince = performance.now();
    silenceTimer ??= setTimeout(breakSilence, silenceMs);
    if (readingSince === undefined) readOn(waitsSince);
  }

  function readOn(since: number): void {
    readingSince = since;
    source.read().then(take, breakOff);
  }

  function take(part: ReadableStreamReadResult<Uint8Array>): void {
    readingSince = undefined;
    if (isOver) return;
    try {
      if (part.done) {
        reader.end();
        end();
        return give(over);
      }
      const events = reader.read(part.value);
      if (events.length === 0) readOn(performance.now());
      else give({ done: false, value: events });
    } catch (error) {
      breakOff(error);
    }
  }

  function give(given: Given): void {
    if (answer === undefined) {
      early = given;
      return;
    }
    const resolve = answer;
    answer = undefined;
    resolve(given);
  }

  function breakOff(error: unknown): void {
    if (isOver) return;
    end();
    if (signal.aborted) return give(over);
    onBreak(messageOf(error).slice(0, reasonMax));
    const completed = error instanceof UpstreamStreamError ? error.completed : nothing;
    give({ done: false, value: Buffer.concat([completed, errorEvent(requestId)]) });
  }

  /** One timer a stream, which finds out when it fires how long the silence is: setting one for each event costs more. */
  function breakSilence(): void {
    const now = performance.now();
    if (now - (readingSince ?? now) >= silenceMsMax)
      return breakOff(new UpstreamStreamError(`silent for ${silenceMsMax / 1000} s`));
    let silentMs = answer === undefined ? 0 : now - waitsSince;
    if (silentMs >= silenceMs) {
      give({ done: false, value: ping });
      silentMs = 0;
    }
    silenceTimer = setTimeout(breakSilence, silenceMs - silentMs);
  }

  function end(): void {
    isOver = true;
    clearTimeout(silenceTimer);
    source.cancel().catch(() => undefined);
  }
}

function errorEvent(requestId: string): Uint8Array {
  return Buffer.from(
    `event: error\ndata: ${errorEnvelope("api_error", "upstream error", requestId)}\n\n`,
  );
}
