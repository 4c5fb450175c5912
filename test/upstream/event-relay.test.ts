// A streamed answer on its way to the client: what is given out when, the pings, every way to end, and, between real servers,
// what becomes of the upstream when the client hangs up or does not read.
import { afterEach, describe, expect, spyOn, test } from "bun:test";
import net from "node:net";
import {
  type EventReader,
  type RelayOptions,
  relayEvents,
} from "../../src/upstream/answer/event-relay.ts";
import { createSseReader } from "../../src/upstream/answer/sse.ts";
import { UpstreamStreamError } from "../../src/upstream/answer/stream-error.ts";
import { messageOf } from "../../src/log.ts";

const a = "event: message_start\ndata: 1\n\n";
const b = "event: b\ndata: 2\n\n";
const lastEvent = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';
const ping = 'event: ping\ndata: {"type": "ping"}\n\n';
const errorEvent =
  'event: error\ndata: {"type":"error","request_id":"req-1","error":{"type":"api_error","message":"upstream error"}}\n\n';
const utf8 = new TextDecoder();

/** What a test leaves open. */
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** An upstream's body that a test writes, breaks off or ends, and the relay of it. */
function scene(options: Partial<RelayOptions> & { reader?: EventReader } = {}) {
  let source!: ReadableStreamDefaultController<Uint8Array>;
  const seen = { pulls: 0, cancelled: 0, wholes: 0, breaks: [] as string[] };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => void (source = controller),
      pull: () => void seen.pulls++,
      cancel: () => void seen.cancelled++,
    },
    { highWaterMark: 0 },
  );
  const events = relayEvents(body, options.reader ?? createSseReader(), {
    requestId: "req-1",
    signal: new AbortController().signal,
    hasPings: true,
    onOver(broke) {
      if (broke === undefined) seen.wholes++;
      else seen.breaks.push(messageOf(broke));
    },
    ...options,
  });
  stops.push(() => events.return?.());
  return {
    seen,
    events,
    write: (text: string) => source.enqueue(Buffer.from(text)),
    end: () => source.close(),
    breakOff: (error: Error) => source.error(error),
    /** The next events as text; null at the end. */
    next: async () => textOf(await events.next()),
    /** Everything up to the end. */
    rest: async () => {
      const given: string[] = [];
      for await (const each of events) given.push(utf8.decode(each));
      return given;
    },
  };
}

function textOf(given: IteratorResult<Uint8Array, undefined>): string | null {
  return given.done === true ? null : utf8.decode(given.value);
}

describe("events", () => {
  test("are given out as they complete, and end where the body ends", async () => {
    const { write, end, next, seen } = scene();
    write(a);
    expect(await next()).toBe(a);
    write(b.slice(0, 5));
    const pending = next();
    await Bun.sleep(1);
    write(b.slice(5) + a.slice(0, 3));
    expect(await pending).toBe(b);
    write(a.slice(3) + lastEvent);
    end();
    expect(await next()).toBe(a + lastEvent);
    expect(await next()).toBeNull();
    expect(await next()).toBeNull();
    expect(seen).toMatchObject({ breaks: [], wholes: 1 });
  });

  test("are read from the upstream only when they are asked for", async () => {
    const { write, next, seen } = scene();
    await Bun.sleep(1);
    expect(seen.pulls).toBe(0);
    const pending = next();
    write(a);
    await pending;
    await Bun.sleep(1);
    expect(seen.pulls).toBe(1);
  });
});

describe("a body that breaks", () => {
  test("off gives what was whole, the error event, and a normal end; the reason goes to the log", async () => {
    const { write, breakOff, next, rest, seen } = scene();
    write(a);
    expect(await next()).toBe(a);
    write(b + a.slice(0, 4));
    expect(await next()).toBe(b);
    breakOff(new Error("ECONNRESET at 10.0.0.7"));
    expect(await rest()).toEqual([errorEvent]);
    expect(seen.breaks).toEqual(["ECONNRESET at 10.0.0.7"]);
  });

  test("before its first event is an error event alone", async () => {
    const { breakOff, rest } = scene();
    breakOff(new Error("cut"));
    expect(await rest()).toEqual([errorEvent]);
  });

  test("by ending inside an event ends with the error event", async () => {
    const { write, end, rest, seen } = scene();
    write(a + b.slice(0, -1));
    end();
    expect(await rest()).toEqual([a, errorEvent]);
    expect(seen.breaks).toEqual(["ended inside an event"]);
  });

  test("where it cannot be read gives the events of the same chunk first, and is let go of", async () => {
    const reader = {
      read: () => {
        throw new UpstreamStreamError("throttled", { completed: Buffer.from(a) });
      },
      end: () => undefined,
    };
    const { write, rest, seen } = scene({ reader });
    write("x");
    expect(await rest()).toEqual([a + errorEvent]);
    expect(seen).toMatchObject({ breaks: ["throttled"], cancelled: 1 });
  });

  test("for whatever reason never rejects", async () => {
    const reader = {
      read: () => {
        throw new TypeError("unreadable");
      },
      end: () => undefined,
    };
    const { write, rest, seen } = scene({ reader });
    write("x");
    expect(await rest()).toEqual([errorEvent]);
    expect(seen.breaks).toEqual(["unreadable"]);
  });

  test("because we aborted it is nobody's break", async () => {
    const abort = new AbortController();
    const { breakOff, rest, seen } = scene({ signal: abort.signal });
    const all = rest();
    abort.abort();
    breakOff(new DOMException("The operation was aborted.", "AbortError"));
    expect(await all).toEqual([]);
    expect(seen.breaks).toEqual([]);
  });
});

describe("a stream's end", () => {
  const delta = 'event: content_block_delta\ndata: {"text":"event: message_stop"}\n\n';
  const error = 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n';
  const passing = () => createSseReader({ passesErrors: true });
  const cut = "ended before its message did";

  test.each([
    ["with its message's own", [a, lastEvent]],
    ["with it in the same chunk", [a + lastEvent]],
    ["told by its data alone", [a, lastEvent.replace(/^.*\n/, "")]],
    ["with CRLF", [(a + lastEvent).replaceAll("\n", "\r\n")]],
    ["with metrics in it", [a, lastEvent.replace("}", ',"amazon-bedrock-invocationMetrics":{}}')]],
    ["with pings and comments behind it", [a, lastEvent, `${ping}: bye\n\ndata: [DONE]\n\n`]],
    ["behind a chunk of a megabyte", [delta.repeat(15_000) + lastEvent]],
  ])("%s is whole", async (_, parts) => {
    for (const breaks of [false, true]) {
      const { write, end, breakOff, rest, seen } = scene();
      const all = rest();
      for (const part of parts) {
        write(part);
        await Bun.sleep(1);
      }
      if (breaks) breakOff(new Error("ECONNRESET"));
      else end();
      expect((await all).join("")).toBe(parts.join(""));
      expect(seen).toMatchObject({ breaks: [], wholes: 1 });
    }
  });

  test.each([
    ["after its start", [a]],
    ["after words that look like its end", [a, delta]],
    [
      "with an end that is only quoted",
      [a, `data: {"type":"a","x":"\\"type\\":\\"message_stop\\""}\n\n`],
    ],
    ["with more of it behind its end", [a, lastEvent, delta]],
  ])("%s is a break, with the error event behind it", async (_, parts) => {
    const { write, end, rest, seen } = scene();
    const all = rest();
    for (const part of parts) {
      write(part);
      await Bun.sleep(1);
    }
    end();
    expect((await all).join("")).toBe(parts.join("") + errorEvent);
    expect(seen).toMatchObject({ breaks: [cut], wholes: 0 });
  });

  test("that is an error of the provider's own is a break, and gets no second one", async () => {
    for (const breaks of [false, true]) {
      const { write, end, breakOff, rest, seen } = scene({ reader: passing() });
      const all = rest();
      for (const part of [a, error]) {
        write(part);
        await Bun.sleep(1);
      }
      if (breaks) breakOff(new Error("ECONNRESET"));
      else end();
      expect(await all).toEqual([a, error]);
      expect(seen.breaks).toEqual([breaks ? "ECONNRESET" : cut]);
    }
  });
});

test("a stream that began no message ends as it ends: nobody knows how it should", async () => {
  const { write, end, rest, seen } = scene();
  const all = rest();
  write(b);
  end();
  expect(await all).toEqual([b]);
  expect(seen).toMatchObject({ breaks: [], wholes: 1 });
});

describe("before its first event a stream", () => {
  test("is held back until that is there, and then loses nothing", async () => {
    const { events, write, end, rest, seen } = scene();
    let isOpened = false;
    const opened = events.opened().then(() => (isOpened = true));
    write(a.slice(0, 5));
    await Bun.sleep(1);
    expect(isOpened).toBe(false);
    write(a.slice(5));
    await opened;
    const pulls = seen.pulls;
    await Bun.sleep(1);
    expect(seen.pulls).toBe(pulls);
    write(lastEvent);
    end();
    expect(await rest()).toEqual([a, lastEvent]);
  });

  test.each([
    ["ends", (each: ReturnType<typeof scene>) => each.end(), "ended before its first event"],
    ["breaks", ({ breakOff }: ReturnType<typeof scene>) => breakOff(new Error("cut")), "cut"],
    [
      "ends inside an event",
      (each: ReturnType<typeof scene>) => {
        each.write(a.slice(0, 5));
        each.end();
      },
      "ended inside an event",
    ],
    [
      "is none",
      ({ write }: ReturnType<typeof scene>) => write("<html>\n\n"),
      "its stream does not begin with an event",
    ],
  ])("that %s is no answer, and nobody is told but who asked", async (_, happen, why) => {
    const each = scene();
    const opened = each.events.opened();
    happen(each);
    expect(opened).rejects.toThrow(why);
    await opened.catch(() => undefined);
    await Bun.sleep(1);
    expect(each.seen).toMatchObject({ breaks: [], wholes: 0 });
    expect(await each.next()).toBeNull();
  });

  test("that tells an error is the refusal that it stands for", async () => {
    const refusalOf = async (text: string, reader = createSseReader()) => {
      const { events, write } = scene({ reader });
      const opened = events.opened();
      write(text);
      const error = await opened.catch((thrown: unknown) => thrown);
      return error instanceof UpstreamStreamError ? error.refusal : undefined;
    };
    const text = '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}';
    const readers = [createSseReader, () => createSseReader({ passesErrors: true })];
    for (const reader of readers)
      expect(await refusalOf(`event: error\ndata: ${text}\n\n`, reader())).toEqual({
        status: 529,
        text,
      });
  });

  test("that has events and an error in one chunk is begun, and breaks later", async () => {
    const { events, write, rest, seen } = scene();
    const opened = events.opened();
    write(`${a}event: error\ndata: {}\n\n`);
    await opened;
    expect(await rest()).toEqual([a + errorEvent]);
    expect(seen.breaks).toEqual(["told an error: of no known class"]);
  });

  test.each([
    [true, [ping, a, errorEvent]],
    [false, [a, errorEvent]],
  ])("counts as begun after a silence (pings: %p), and breaks later", async (hasPings, given) => {
    const { events, write, end, rest } = scene({ silenceMs: 15, hasPings });
    await events.opened();
    const all = rest();
    await Bun.sleep(1);
    write(a);
    end();
    expect(await all).toEqual(given);
  });

  test("ends the wait when it is let go of", async () => {
    const { events, seen } = scene();
    const opened = events.opened();
    void events.return?.();
    await opened;
    expect(seen.cancelled).toBe(1);
  });
});

describe("a silent upstream", () => {
  test("makes no ping where the provider has its own", async () => {
    const { write, next } = scene({ silenceMs: 5, hasPings: false });
    const first = next();
    await Bun.sleep(20);
    write(a);
    expect(await first).toBe(a);
  });

  test("makes a ping after that long, and another after as long again; its next event still comes", async () => {
    const silenceMs = 20;
    const { write, next } = scene({ silenceMs });
    const from = performance.now();
    expect(await next()).toBe(ping);
    expect(performance.now() - from).toBeGreaterThanOrEqual(silenceMs - 1);
    expect(await next()).toBe(ping);
    expect(performance.now() - from).toBeGreaterThanOrEqual(2 * silenceMs - 2);
    write(a);
    expect(await next()).toBe(a);
  });

  test("is given up in the end, pings or not", async () => {
    const { rest, seen } = scene({ silenceMs: 10, silenceMsMax: 35 });
    const all = await rest();
    expect(all.slice(0, -1).every((part) => part === ping)).toBe(true);
    expect(all.at(-1)).toContain("event: error");
    expect(seen.breaks).toEqual(["silent for 0.035 s"]);
  });

  test("makes a ping between events, also while one of them is unfinished", async () => {
    const { write, next } = scene({ silenceMs: 10 });
    write(a + b.slice(0, 5));
    expect(await next()).toBe(a);
    expect(await next()).toBe(ping);
    write(b.slice(5));
    expect(await next()).toBe(b);
  });

  test("counts from the last event, not from the first", async () => {
    const timers = spyOn(globalThis, "setTimeout");
    const { write, next } = scene({ silenceMs: 300 });
    for (let count = 0; count < 5; count++) {
      const pending = next();
      await Bun.sleep(70);
      write(a);
      expect(await pending).toBe(a);
    }
    const waits = timers.mock.calls.map(([, delay]) => delay);
    timers.mockRestore();
    expect(waits[0]).toBe(300);
    expect(waits[1] ?? 300).toBeLessThan(300);
  });

  test("makes no ping for a client that has not read the last event yet", async () => {
    const { write, next } = scene({ silenceMs: 10 });
    write(a);
    expect(await next()).toBe(a);
    await Bun.sleep(40);
    write(b);
    expect(await next()).toBe(b);
  });

  test("loses nothing that arrives while a ping is being read", async () => {
    const { write, breakOff, next, rest } = scene({ silenceMs: 10 });
    expect(await next()).toBe(ping);
    write(a);
    await Bun.sleep(1);
    expect(await next()).toBe(a);
    expect(await next()).toBe(ping);
    expect(await next()).toBe(ping);
    for (const event of [a, b, a]) write(event);
    await Bun.sleep(1);
    expect([await next(), await next(), await next()]).toEqual([a, b, a]);
    expect(await next()).toBe(ping);
    breakOff(new Error("cut"));
    await Bun.sleep(1);
    expect(await rest()).toEqual([errorEvent]);
  });
});

describe("letting go", () => {
  test("cancels the upstream at once, also while its next bytes are awaited", async () => {
    const { events, next, seen } = scene();
    const pending = next();
    await Bun.sleep(1);
    void events.return?.();
    expect(seen.cancelled).toBe(1);
    expect(await pending).toBeNull();
    expect(await next()).toBeNull();
    expect(seen.breaks).toEqual([]);
  });

  test("cancels the upstream of an answer that nobody has begun to read", async () => {
    const { events, seen } = scene();
    await new Response(events).body?.cancel();
    expect(seen.cancelled).toBe(1);
  });

  test("drops what came while a ping was being read", async () => {
    const { events, write, next } = scene({ silenceMs: 10 });
    expect(await next()).toBe(ping);
    write(a);
    await Bun.sleep(1);
    await events.return?.();
    expect(await next()).toBeNull();
  });

  test("drops what comes at the same moment, and tells of no break then", async () => {
    const late = scene();
    void late.next();
    late.write(a);
    void late.events.return?.();
    await Bun.sleep(1);
    expect(await late.next()).toBeNull();

    const broken = scene();
    void broken.next();
    broken.breakOff(new Error("cut"));
    void broken.events.return?.();
    await Bun.sleep(1);
    expect(await broken.next()).toBeNull();
    expect(broken.seen.breaks).toEqual([]);
  });

  const ends: [string, (each: ReturnType<typeof scene>) => unknown][] = [
    ["its end", ({ end }) => end()],
    ["its break", ({ breakOff }) => breakOff(new Error("cut"))],
    ["the client's hang-up", ({ events }) => events.return?.()],
  ];
  test.each(ends)("leaves no timer after %s", async (_, finish) => {
    const each = scene({ silenceMs: 5 });
    const all = each.rest();
    await Bun.sleep(12);
    await finish(each);
    await all;
    const timers = spyOn(globalThis, "setTimeout");
    // Long enough for one that is left to fire and be set again. Bun.sleep sets none of these.
    await Bun.sleep(20);
    const set = timers.mock.calls.length;
    timers.mockRestore();
    expect(set).toBe(0);
  });
});

describe("between a real client and a real upstream", () => {
  /** An upstream that answers over a bare socket; `closed` resolves when its connection ends. */
  async function startUpstream(answer: (socket: net.Socket) => void) {
    const closed = Promise.withResolvers<void>();
    const server = net.createServer((socket) => {
      socket.on("error", () => undefined).on("close", () => closed.resolve());
      socket.once("data", () => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n");
        socket.write("transfer-encoding: chunked\r\n\r\n");
        answer(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    stops.push(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    return { url: `http://127.0.0.1:${port}`, closed: closed.promise };
  }

  /** A server that relays it as the gateway does, the client's hang-up aborting the fetch or not. */
  function startRelay(url: string, options: { abort: boolean }) {
    const breaks: string[] = [];
    const server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const signal = options.abort ? request.signal : new AbortController().signal;
        const { body } = await fetch(url, { signal, redirect: "manual" });
        if (body === null) throw new Error("no body");
        const events = relayEvents(body, createSseReader(), {
          requestId: "req-1",
          signal,
          hasPings: true,
          onOver: (broke) => void (broke !== undefined && breaks.push(messageOf(broke))),
        });
        return new Response(events, { headers: { "content-type": "text/event-stream" } });
      },
    });
    stops.push(() => server.stop(true));
    return { port: server.port ?? 0, url: server.url, breaks };
  }

  const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

  test("a whole answer arrives as it was sent", async () => {
    const upstream = await startUpstream((socket) => {
      for (const part of [a, b.slice(0, 3), b.slice(3) + lastEvent]) socket.write(chunk(part));
      socket.end("0\r\n\r\n");
    });
    const { url, breaks } = startRelay(upstream.url, { abort: true });
    expect(await (await fetch(url)).text()).toBe(a + b + lastEvent);
    expect(breaks).toEqual([]);
  });

  test("a cut upstream ends the answer well, with the events that were whole", async () => {
    let cut = () => undefined as unknown;
    const upstream = await startUpstream((socket) => {
      socket.write(chunk(a + b.slice(0, 5)));
      cut = () => socket.destroy();
    });
    const { url, breaks } = startRelay(upstream.url, { abort: true });
    const answer = await fetch(url);
    const given: string[] = [];
    for await (const part of answer.body ?? []) {
      given.push(utf8.decode(part));
      cut();
    }
    expect({ status: answer.status, body: given.join("") }).toEqual({
      status: 200,
      body: a + errorEvent,
    });
    expect(breaks).toHaveLength(1);
  });

  for (const abort of [true, false]) {
    test(`a client that hangs up on a silent upstream ends its connection (the fetch ${abort ? "aborts too" : "does not abort"}), and breaks nothing`, async () => {
      const upstream = await startUpstream((socket) => void socket.write(chunk(a)));
      const { url, breaks } = startRelay(upstream.url, { abort });
      const client = new AbortController();
      const answer = await fetch(url, { signal: client.signal });
      const reader = answer.body?.getReader();
      await reader?.read();
      client.abort();
      await upstream.closed;
      await Bun.sleep(5);
      expect(breaks).toEqual([]);
    });
  }

  test("a client that does not read holds the upstream back", async () => {
    const event = chunk(`event: a\ndata: ${"x".repeat(64 * 1024)}\n\n`);
    const most = 256 * 1024 * 1024;
    const sent = { bytes: 0 };
    const upstream = await startUpstream((socket) => {
      const send = () => {
        for (; !socket.destroyed && sent.bytes < most; sent.bytes += event.length)
          if (!socket.write(event)) return;
      };
      socket.on("drain", send);
      send();
    });
    const { port } = startRelay(upstream.url, { abort: true });
    const client = net.connect(port, "127.0.0.1", () => {
      client.write("GET / HTTP/1.1\r\nhost: relay\r\n\r\n");
    });
    client.pause();
    stops.push(() => client.destroy());
    for (let before = -1; sent.bytes === 0 || sent.bytes > before;) {
      before = sent.bytes;
      await Bun.sleep(200);
    }
    // What fits into the buffers of four sockets, and no more.
    expect(sent.bytes).toBeLessThan(most / 2);
  });
});
