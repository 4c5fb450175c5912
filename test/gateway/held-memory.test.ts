// What the gateway holds of an answer: a bomb, or an event without an end, costs a bounded amount of memory.
import { afterAll, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { ask, refusalIn } from "../support/calls.ts";
import { messageEvents } from "../support/clouds.ts";
import { eventStream } from "../support/scene.ts";
import { chunkOfBody, headOf, lastChunk, startSocketUpstream } from "../support/socket-upstream.ts";
import { asStream, framed, model, openWatched, streamHead } from "../support/watched-memory.ts";

const mebibyte = 1024 * 1024;
const upstream = await startSocketUpstream();
afterAll(() => upstream.stop());

describe("a gzip bomb of 256 MiB", () => {
  const bomb = gzipSync(Buffer.alloc(256 * mebibyte, " "));

  test.each([
    ["anthropic", 200],
    ["anthropic", 400],
    ["foundry", 200],
    ["foundry", 500],
  ] as const)("from %s under %d is let go of", async (provider, status) => {
    const { scene, grownMiB, stop } = await openWatched(upstream, provider);
    upstream.answer = (socket) => {
      socket.write(
        headOf(status, {
          "content-type": "application/json",
          "content-encoding": "gzip",
          "content-length": bomb.length,
        }),
      );
      socket.write(bomb);
    };
    const answers = await Promise.all(Array.from({ length: 4 }, () => ask(scene, model)));
    for (const answer of answers)
      expect((await refusalIn(answer)).status).toBe(status === 400 ? 400 : 502);
    // Four times what is held of an answer, and as much again while it is put together.
    expect(grownMiB()).toBeLessThan(160);
    await stop();
  });

  test("as a stream is broken off", async () => {
    const { scene, grownMiB, stop } = await openWatched(upstream, "anthropic");
    upstream.answer = (socket) => {
      const coded = { "content-type": "text/event-stream", "content-encoding": "gzip" };
      socket.write(headOf(200, { ...coded, "content-length": bomb.length }));
      socket.write(bomb);
    };
    expect(await refusalIn(await ask(scene, model, asStream))).toMatchObject({ status: 502 });
    expect(grownMiB()).toBeLessThan(80);
    await stop();
  });
});

describe("one event of", () => {
  const text = (bytes: number) => ({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: "x".repeat(bytes) },
  });
  const long = [messageEvents[0] ?? {}, text(10_000_000), messageEvents.at(-1) ?? {}];

  test.each(["anthropic", "foundry"] as const)("10 MB passes %s, whole", async (provider) => {
    const { scene, grownMiB, stop } = await openWatched(upstream, provider);
    upstream.answer = (socket) => {
      socket.write(streamHead(provider));
      socket.write(
        Buffer.concat([
          chunkOfBody(eventStream(long as { type: string }[])),
          Buffer.from(lastChunk),
        ]),
      );
    };
    const given = await (await ask(scene, model, asStream)).text();
    expect(given).toContain("message_stop");
    expect(given.length).toBeGreaterThan(10_000_000);
    expect(grownMiB()).toBeLessThan(100);
    await stop();
  });

  test("10 MB in a frame of Bedrock's is broken off before it has come", async () => {
    const { scene, grownMiB, stop } = await openWatched(upstream, "bedrock");
    upstream.answer = (socket) => {
      socket.write(streamHead("bedrock"));
      socket.write(Buffer.concat([chunkOfBody(framed(long)), Buffer.from(lastChunk)]));
    };
    const given = await (await ask(scene, model, asStream)).text();
    expect(given).toContain("event: error");
    await scene.gateway.waitForLog(/a frame of its event stream is damaged: it is \d+ bytes long/);
    expect(grownMiB()).toBeLessThan(40);
    await stop();
  });

  test.each(["anthropic", "foundry"] as const)(
    "bytes without an end is broken off by %s at 16 MiB",
    async (provider) => {
      const { scene, grownMiB, stop } = await openWatched(upstream, provider);
      upstream.answer = (socket) => {
        socket.write(streamHead(provider));
        socket.write(chunkOfBody(eventStream(messageEvents.slice(0, 1))));
        socket.write(chunkOfBody("data: "));
        const part = chunkOfBody(Buffer.alloc(64 * 1024, "x"));
        const send = () => {
          while (!socket.destroyed && socket.write(part));
        };
        socket.on("drain", send);
        send();
      };
      const given = await (await ask(scene, model, asStream)).text();
      expect(given.endsWith("\n\n")).toBe(true);
      expect(given).toContain("event: error");
      await scene.gateway.waitForLog(/an event is longer than 16777216 bytes/);
      expect(grownMiB()).toBeLessThan(130);
      await stop();
    },
    10_000,
  );
});
