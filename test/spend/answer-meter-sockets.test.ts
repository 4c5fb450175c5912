// A metered answer on real connections: what a client sees is what it sees of one that nobody looks at, and each answer is
// charged once, however it ends.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { connect } from "node:net";
import { meterAnswer } from "../../src/spend/answer-meter.ts";
import type { Metered } from "../../src/spend/usage.ts";
import { estimateOf, toldOf } from "./metered.ts";

const inputTokensEstimate = 7;
const start = 'data: {"type":"message_start","message":{"usage":{"input_tokens":10}}}\n\n';
const delta = 'data: {"type":"message_delta","usage":{"output_tokens":5}}\n\n';
const startedOnly = estimateOf({ inputTokens: 10 });

/** What the upstream does on a connection once it has been asked, and that connection. */
let answer: (socket: Socket) => void | Promise<void>;
/** Goes on with what the connection did not take. */
let writeOn: () => void = () => undefined;
let isUpstreamClosed = false;
const told: (Metered | undefined)[] = [];

const upstream = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data: (socket) => void answer(socket),
    close: () => void (isUpstreamClosed = true),
    drain: () => writeOn(),
  },
});

/** Passes answers on as the gateway does. */
function gateway(meter: (response: Response) => Response | Promise<Response>) {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    async fetch(request) {
      const sent = await fetch(`http://127.0.0.1:${upstream.port}/`, {
        method: "POST",
        signal: request.signal,
      });
      return meter(new Response(sent.body, { headers: sent.headers }));
    },
    error: () => new Response("failed", { status: 500 }),
  });
}

const plain = gateway((response) => response);
const metering = gateway((response) =>
  meterAnswer(response, { inputTokensEstimate, onEnd: (metered) => told.push(metered) }),
);

beforeEach(() => {
  told.length = 0;
  isUpstreamClosed = false;
});
afterAll(async () => {
  await plain.stop(true);
  await metering.stop(true);
  upstream.stop(true);
});

const head = (type: string, framing: string) =>
  `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`;
const chunked = (type: string) => head(type, "transfer-encoding: chunked");
const chunkOf = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const lastChunk = "0\r\n\r\n";

/** Sends these one after the other, far enough apart to arrive so, and closes the connection if asked to. */
const sending =
  (parts: readonly string[], closes: "and closes" | "and stays") =>
  async (socket: Socket): Promise<void> => {
    for (const part of parts) {
      socket.write(part);
      socket.flush();
      await Bun.sleep(20);
    }
    if (closes === "and closes") socket.end();
  };

async function until(holds: () => boolean): Promise<void> {
  for (let waits = 0; waits < 500 && !holds(); waits++) await Bun.sleep(10);
  expect(holds()).toBe(true);
}

/** All that a client reads before the connection closes or the answer is whole, less the date. */
function readOf(server: { port?: number | undefined }): Promise<string> {
  return new Promise((resolve) => {
    let read = "";
    const socket = connect(server.port ?? 0, "127.0.0.1", () =>
      socket.write("POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n"),
    );
    socket.on("data", (bytes) => {
      read += bytes.toString("latin1");
      const isWhole =
        read.endsWith(lastChunk) || /content-length: (?:0\r\n\r\n|2\r\n\r\n..)$/i.test(read);
      if (isWhole || read.startsWith("HTTP/1.1 204")) socket.end();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(read.replace(/date: [^\r]*\r\n/i, "")));
  });
}

describe("a client reads the same with and without the meter", () => {
  const json = "application/json";
  const stream = "text/event-stream";
  const whole = "and stays";
  const cut = "and closes";
  const estimated = (characters: number) =>
    estimateOf({ inputTokens: 7, outputTokens: Math.ceil(characters / 4) });

  test.each([
    ["JSON at once", [`${head(json, "content-length: 2")}{}`], whole, estimated(2)],
    [
      "JSON in parts",
      [head(json, "content-length: 20"), '{"usage": ', "{       }}"],
      whole,
      toldOf({}),
    ],
    ["JSON cut after its head", [head(json, "content-length: 20")], cut, undefined],
    [
      "JSON cut after its first bytes",
      [`${head(json, "content-length: 20")}{"a":`],
      cut,
      estimated(5),
    ],
    [
      "JSON cut after further bytes",
      [chunked(json), chunkOf('{"a":'), chunkOf('"é')],
      cut,
      estimated(7),
    ],
    ["JSON of no bytes", [head(json, "content-length: 0")], whole, undefined],
    ["no content", ["HTTP/1.1 204 No Content\r\n\r\n"], whole, undefined],
    [
      "a stream",
      [chunked(stream), chunkOf(start), chunkOf(delta), lastChunk],
      whole,
      toldOf({ inputTokens: 10, outputTokens: 5 }),
    ],
    ["a stream cut after its head", [chunked(stream)], cut, undefined],
    ["a stream cut between events", [chunked(stream), chunkOf(start)], cut, startedOnly],
    [
      "a stream cut inside an event",
      [chunked(stream), chunkOf(start), chunkOf(delta.slice(0, -9))],
      cut,
      startedOnly,
    ],
  ] as const)("%s", async (_, parts, closes, expected) => {
    answer = sending(parts, closes);
    const unmetered = await readOf(plain);
    expect(await readOf(metering)).toBe(unmetered);
    expect(unmetered).toStartWith("HTTP/1.1 20");
    await until(() => told.length > 0);
    expect(told).toEqual([expected]);
  });
});

test("an event goes on before the next one is there", async () => {
  let more: () => void = () => undefined;
  answer = (socket) => {
    socket.write(chunked("text/event-stream") + chunkOf(start));
    more = () => void socket.write(chunkOf(delta) + lastChunk);
  };
  const response = await fetch(metering.url, { method: "POST" });
  const reader = response.body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(start);
  expect(told).toEqual([]);
  more();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe(delta);
  expect((await reader?.read())?.done).toBe(true);
  expect(told).toHaveLength(1);
});

test("an answer that is not streamed goes on as it arrives, too", async () => {
  let more: () => void = () => undefined;
  answer = (socket) => {
    socket.write(`${head("application/json", "content-length: 20")}{"usage": `);
    more = () => void socket.write("{       }}");
  };
  const response = await fetch(metering.url, { method: "POST" });
  const reader = response.body?.getReader();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('{"usage": ');
  more();
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("{       }}");
  expect((await reader?.read())?.done).toBe(true);
  expect(told).toEqual([toldOf({})]);
});

test("the report is there before the client has the end of its answer", async () => {
  for (const body of ['{"usage":{}}', JSON.stringify({ text: "x".repeat(300_000), usage: {} })]) {
    answer = (socket) =>
      sending(
        [head("application/json", `content-length: ${body.length}`), body],
        "and stays",
      )(socket);
    told.length = 0;
    await (await fetch(metering.url, { method: "POST" })).bytes();
    expect(told).toEqual([toldOf({})]);
  }
});

test("a client that hangs up in mid-stream has the upstream let go of, and what came is told once", async () => {
  answer = (socket) => void socket.write(chunked("text/event-stream") + chunkOf(start));
  const abort = new AbortController();
  const response = await fetch(metering.url, { method: "POST", signal: abort.signal });
  await response.body?.getReader().read();
  abort.abort();
  await until(() => isUpstreamClosed);
  await until(() => told.length > 0);
  await Bun.sleep(50);
  expect(told).toEqual([startedOnly]);
});

test("a client that hangs up before the first byte of the body has it let go of, too", async () => {
  for (const type of ["text/event-stream", "application/json"]) {
    told.length = 0;
    isUpstreamClosed = false;
    let isAsked = false;
    answer = (socket) => {
      socket.write(chunked(type));
      isAsked = true;
    };
    const abort = new AbortController();
    const asked = fetch(metering.url, { method: "POST", signal: abort.signal }).catch(
      () => undefined,
    );
    await until(() => isAsked);
    await Bun.sleep(50);
    abort.abort();
    await asked;
    await until(() => isUpstreamClosed);
    await until(() => told.length > 0);
    expect(told).toEqual([undefined]);
  }
});

test("an answer for a client that is gone already is told of and let go, though nobody reads it", async () => {
  for (const type of ["text/event-stream", "application/json"]) {
    told.length = 0;
    isUpstreamClosed = false;
    answer = (socket) => void socket.write(chunked(type) + chunkOf(": ping\n\n"));
    const gone = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const late = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request) {
        request.signal.addEventListener("abort", () => gone.resolve());
        const sent = await fetch(`http://127.0.0.1:${upstream.port}/`, { method: "POST" });
        asked.resolve();
        await gone.promise;
        const onEnd = (metered: Metered | undefined) => told.push(metered);
        return meterAnswer(sent, { inputTokensEstimate, onEnd });
      },
    });
    const abort = new AbortController();
    const request = fetch(late.url, { signal: abort.signal }).catch(() => undefined);
    await asked.promise;
    abort.abort();
    await request;
    await until(() => told.length > 0 && isUpstreamClosed);
    expect(told).toHaveLength(1);
    await late.stop(true);
  }
});

test("a client that does not read holds the upstream up", async () => {
  const piece = Buffer.from(`: ${"x".repeat(1024 * 1024)}\n\n`);
  const bytesMax = 64 * piece.length;
  let sentBytes = 0;
  answer = (socket) => {
    socket.write(head("text/event-stream", "connection: close"));
    writeOn = () => {
      while (sentBytes < bytesMax) {
        const written = socket.write(piece.subarray(sentBytes % piece.length));
        if (written <= 0) return;
        sentBytes += written;
      }
    };
    writeOn();
  };
  const client = connect(metering.port ?? 0, "127.0.0.1", () =>
    client.write("POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n"),
  );
  client.pause();
  expect(await standstillOf(() => sentBytes)).toBeLessThan(bytesMax);
  client.destroy();
  await until(() => told.length > 0);
});

/** Where a number stays once it has moved. */
async function standstillOf(current: () => number): Promise<number> {
  let last = 0;
  for (;;) {
    await Bun.sleep(250);
    const now = current();
    if (now > 0 && now === last) return now;
    last = now;
  }
}
