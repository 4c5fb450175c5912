// A streamed answer on its way to the client as server-sent events: whole events only, a ping when it is silent for long, and a
// last `event: error` when it ends before its message does. How bytes become events is the reader's: sse.ts, bedrock-events.ts.
import type { ReadableStreamReadResult } from "node:stream/web";
import { errorEnvelope } from "../../http/errors.ts";
import { lastOf, streamEnd } from "./stream-end.ts";
import { UpstreamStreamError } from "./stream-error.ts";

/** Turns the bytes of one streamed answer, as they arrive, into whole server-sent events. Of no use once it has thrown. */
export type EventReader = {
  /** Every event that is complete with this chunk, joined; empty when none is. @throws UpstreamStreamError */
  read(chunk: Uint8Array): Uint8Array;
  /** To be called when the body is over. @throws UpstreamStreamError when it ended inside an event. */
  end(): void;
};

export type RelayOptions = {
  /** The gateway's own, for the `event: error`. */
  readonly requestId: string;
  /** The signal that the body was fetched with: once it has aborted, the body's end is our doing and nobody's break. */
  readonly signal: AbortSignal;
  /**
   * Told when the stream is over: undefined when its message is whole, else why not. Not at all when the client let go of it
   * before, or `opened` rejected.
   */
  readonly onOver: (broke: unknown) => void;
  /** Whether the client gets a ping when the upstream is silent. */
  readonly hasPings: boolean;
  /** Milliseconds of silence before a ping, and after which a stream counts as opened; 15 s unless a test says otherwise. */
  readonly silenceMs?: number;
  /** Milliseconds of silence that end the stream; an hour unless a test says otherwise. */
  readonly silenceMsMax?: number;
};

export type EventRelay = AsyncIterableIterator<Uint8Array, undefined> & {
  return(): Promise<IteratorResult<Uint8Array, undefined>>;
  /**
   * To be called first, if at all. Reads the first events ahead: until they are there the client has nothing, and another
   * upstream may be asked. Resolves with them, or after `silenceMs` without any.
   * @throws what broke the stream before its first event; UpstreamStreamError with a `refusal` when that was an error.
   */
  opened(): Promise<void>;
};

/** Where the bytes of a response come from. */
export type BodySource = {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  cancel(): Promise<unknown>;
};

type Given = IteratorResult<Uint8Array, undefined>;

const silenceMsUsual = 15_000;

/** An upstream that says nothing for so long will not: its pings would go on for as long as the client listens. */
const silenceMsMaxUsual = 60 * 60_000;

const nothing: Uint8Array = new Uint8Array();
const messageStart = Buffer.from("message_start");

/** Pieces of a stream in which its message_start is looked for. It comes first, behind pings at most. */
const beginsWithin = 16;
const ping = Buffer.from('event: ping\ndata: {"type": "ping"}\n\n');
const over: Given = { done: true, value: undefined };

const relays = new WeakMap<Response, EventRelay>();

/** A response with these events. */
export function relayResponse(events: EventRelay, init: ResponseInit): Response {
  const response = new Response(events, init);
  relays.set(response, events);
  return response;
}

/**
 * The source of a response's body, for whoever looks at it on its way. A relay is asked itself: read through the stream that
 * the runtime makes of it, each event would cost twice. Undefined where there is no body.
 */
export function sourceOf(response: Response): BodySource | undefined {
  const relay = relays.get(response);
  if (relay === undefined) return response.body?.getReader();
  return {
    read: () => relay.next(),
    cancel: () => relay.return(),
  };
}

/**
 * The body for the client, as whole events. It reads on when it is asked for more, one chunk at a time. It ends with an
 * `event: error` unless the message's own end or an error of the provider's has come, and never rejects. What breaks behind the
 * message's end breaks nothing.
 *
 * Not a generator function: the `return` of one waits behind the read that it is in, and does nothing before the first
 * `next`. Here it lets go of the upstream at once, whether the client hung up or nobody ever read the answer.
 */
export function relayEvents(
  body: ReadableStream<Uint8Array>,
  reader: EventReader,
  options: RelayOptions,
): EventRelay {
  const { requestId, signal, onOver, hasPings } = options;
  const { silenceMs = silenceMsUsual, silenceMsMax = silenceMsMaxUsual } = options;
  const source = body.getReader();
  let isOver = false;
  /** The last chunk's events, and those before them: where the stream ends. */
  let last = nothing;
  let lastButOne = nothing;
  /** Whether it has begun a message, which then has to end; of any other stream nobody knows how it ends. */
  let isMessage = false;
  let pieces = 0;
  /** While the first events are read ahead. */
  let opening: PromiseWithResolvers<void> | undefined;
  /** Since when the upstream has been asked for more; undefined while it is not. */
  let readingSince: number | undefined;
  /** Answers the client's side, while it waits. */
  let answer: ((given: Given) => void) | undefined;
  let waitsSince = 0;
  /** What arrived while it was not waiting, because a ping had been its answer. */
  let early: Given | undefined;
  let silenceTimer: ReturnType<typeof setTimeout> | undefined;

  return {
    opened() {
      opening = Promise.withResolvers();
      const { promise } = opening;
      waitsSince = performance.now();
      silenceTimer = setTimeout(breakSilence, silenceMs);
      readOn(waitsSince);
      return promise;
    },
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
      if (part.done) return atEnd();
      const events = reader.read(part.value);
      if (events.length === 0) return readOn(performance.now());
      note(events);
      give({ done: false, value: events });
    } catch (error) {
      breakOff(error);
    }
  }

  function note(events: Uint8Array): void {
    lastButOne = last;
    last = lastOf(events);
    if (isMessage || pieces >= beginsWithin) return;
    pieces += 1;
    isMessage = Buffer.prototype.includes.call(events, messageStart);
  }

  /** @throws UpstreamStreamError unless all that was given out is a whole answer. */
  function atEnd(): void {
    reader.end();
    if (last === nothing) throw new UpstreamStreamError("ended before its first event");
    if (!isMessage) return endWhole();
    breakOff(new UpstreamStreamError("ended before its message did"));
  }

  function endWhole(): void {
    end();
    onOver(undefined);
    give(over);
  }

  function give(given: Given): void {
    if (answer === undefined) {
      early = given;
      hasOpened();
      return;
    }
    const resolve = answer;
    answer = undefined;
    resolve(given);
  }

  function hasOpened(): void {
    opening?.resolve();
    opening = undefined;
  }

  /** What it broke with, or ended with, counts unless the answer had come to its end before. */
  function breakOff(error: unknown): void {
    if (isOver) return;
    end();
    const completed = error instanceof UpstreamStreamError ? error.completed : nothing;
    if (opening !== undefined && completed.length === 0) return opening.reject(error);
    if (signal.aborted) return give(over);
    if (completed.length > 0) note(completed);
    const ended = streamEnd(Buffer.concat([lastButOne, last]));
    onOver(ended === "whole" ? undefined : error);
    const own = ended === "cut" ? errorEvent(requestId) : nothing;
    const rest = Buffer.concat([completed, own]);
    give(rest.length > 0 ? { done: false, value: rest } : over);
  }

  /** One timer a stream, which finds out when it fires how long the silence is: setting one for each event costs more. */
  function breakSilence(): void {
    const now = performance.now();
    if (now - (readingSince ?? now) >= silenceMsMax)
      return breakOff(new UpstreamStreamError(`silent for ${silenceMsMax / 1000} s`));
    const isAwaited = answer !== undefined || opening !== undefined;
    let silentMs = isAwaited ? now - waitsSince : 0;
    if (silentMs >= silenceMs) {
      if (hasPings) give({ done: false, value: ping });
      hasOpened();
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
