// Clients that do not read their streams cost nobody else their time and the gateway a bounded amount of memory; and a gateway
// that is told to end lets all streams come to their end. Three hundred of them, counted, are in edge-readers.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import net from "node:net";
import { ask } from "../support/calls.ts";
import { messageEvents } from "../support/clouds.ts";
import { eventStream, type Scene } from "../support/scene.ts";
import { chunkOfBody, lastChunk, startSocketUpstream } from "../support/socket-upstream.ts";
import { asStream, model, openWatched, streamHead } from "../support/watched-memory.ts";

const mebibyte = 1024 * 1024;
const upstream = await startSocketUpstream();
afterAll(() => upstream.stop());

describe("readers that do not read", () => {
  /** 100 events a second on each, ten times as many bytes as a model writes, until the connection ends. */
  function endless(): void {
    const events = Array.from({ length: 10 }, () => ({
      type: "content_block_delta",
      delta: { type: "text_delta", text: "some words of a model" },
    }));
    const part = chunkOfBody(eventStream(events));
    upstream.answer = (socket, { body }) => {
      socket.write(streamHead("anthropic"));
      if (!body.includes("endless")) {
        socket.write(chunkOfBody(eventStream(messageEvents)));
        return void socket.write(lastChunk);
      }
      socket.write(chunkOfBody(eventStream(messageEvents.slice(0, 1))));
      const timer = setInterval(() => !socket.writableNeedDrain && socket.write(part), 10);
      socket.on("close", () => clearInterval(timer));
    };
  }

  async function stuckReaders({ gateway, bearer }: Scene, count: number): Promise<net.Socket[]> {
    const { port } = new URL(gateway.url);
    const body = JSON.stringify({
      model,
      max_tokens: 16,
      stream: true,
      messages: [{ role: "user", content: "endless" }],
    });
    const head =
      `POST /v1/messages HTTP/1.1\r\nhost: localhost:${port}\r\nauthorization: Bearer ${await bearer()}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
    return Array.from({ length: count }, () => {
      const socket = net.connect(Number(port), "127.0.0.1", () => socket.write(head + body));
      return socket.on("error", () => undefined).pause();
    });
  }

  test("cost nobody else their first byte, and little memory", async () => {
    const { scene, grownMiB, stop } = await openWatched(upstream, "anthropic");
    endless();
    const sockets = await stuckReaders(scene, 60);
    const slowest = { ms: 0 };
    for (let until = Date.now() + 2_000; Date.now() < until;) {
      const from = performance.now();
      const response = await ask(scene, model, asStream);
      await response.body?.getReader().read();
      slowest.ms = Math.max(slowest.ms, performance.now() - from);
      await Bun.sleep(20);
    }
    expect(grownMiB()).toBeLessThan(60);
    // Some milliseconds; the machine may have others to serve.
    expect(slowest.ms).toBeLessThan(1_000);
    for (const socket of sockets) socket.destroy();
    await stop();
  });

  test("hold their upstreams back, whatever those send", async () => {
    const { scene, grownMiB, stop } = await openWatched(upstream, "anthropic");
    const part = chunkOfBody(
      eventStream(Array.from({ length: 500 }, () => messageEvents[2] ?? { type: "" })),
    );
    const sent = { bytes: 0 };
    upstream.answer = (socket) => {
      socket.write(streamHead("anthropic"));
      const send = () => {
        while (!socket.destroyed && sent.bytes < 1024 * mebibyte && socket.write(part))
          sent.bytes += part.length;
      };
      socket.on("drain", send);
      send();
    };
    const readers = 8;
    const sockets = await stuckReaders(scene, readers);
    let before = -1;
    while (sent.bytes === 0 || sent.bytes > before) {
      before = sent.bytes;
      await Bun.sleep(300);
    }
    expect(sent.bytes).toBeLessThan(1024 * mebibyte);
    // Two buffers of the runtime's below 1 MiB each, what was read last, and what waits for the client's socket.
    expect(grownMiB()).toBeLessThan(20 + readers * 6);
    for (const socket of sockets) socket.destroy();
    await stop();
  });
});

/** More than 250 need BUN_CONFIG_MAX_HTTP_REQUESTS, for this process asks by `fetch`. */
const openStreams = Number(process.env["OPEN_STREAMS"] ?? 100);

test("SIGTERM lets a hundred open streams come to their end", async () => {
  const { scene, stop } = await openWatched(upstream, "anthropic");
  upstream.answer = (socket) => {
    socket.write(streamHead("anthropic"));
    const [first, ...rest] = messageEvents;
    socket.write(chunkOfBody(eventStream(first === undefined ? [] : [first])));
    setTimeout(() => {
      socket.write(chunkOfBody(eventStream(rest)));
      socket.write(lastChunk);
    }, 1_000);
  };
  const answers = await Promise.all(
    Array.from({ length: openStreams }, () => ask(scene, model, asStream)),
  );
  const exited = scene.gateway.stop("SIGTERM");
  const texts = await Promise.all(answers.map((answer) => answer.text()));
  expect(texts.filter((text) => text === eventStream(messageEvents))).toHaveLength(openStreams);
  expect(await exited).toBe(0);
  expect(scene.gateway.stderr()).toContain("every open request finished");
  await stop();
});
