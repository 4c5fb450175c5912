// Readers that do not read: what they have asked for is held back, and nobody else notices. The answers are counted and looked
// at on their way, as they are where there are caps.
import { afterAll, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { helloCall, openScene, plainAnswer } from "../support/scene.ts";
import { untilTrue } from "../support/until-true.ts";

const readersCount = 300;
/** Of each answer, more than the longest that models give; and how fast it comes, which is faster than any of them. */
const answerBytes = 1024 * 1024;
const partMs = 50;
const rssGrowthMaxBytes = 100 * 1024 * 1024;

const scene = await openScene((config) => {
  config.admin = {};
});
const port = Number(new URL(scene.gateway.url).port);
const readers: Socket[] = [];
afterAll(async () => {
  for (const socket of readers) socket.destroy();
  await scene.stop();
});

const residentBytes = async () =>
  Number(/VmRSS:\s+(\d+)/.exec(await Bun.file(`/proc/${scene.gateway.pid}/status`).text())?.[1]) *
  1024;

/** Milliseconds to the first byte for somebody else, the middle one of several. */
async function firstByteMs(): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < 15; count++) {
    const startedMs = performance.now();
    const answer = await scene.message();
    times.push(performance.now() - startedMs);
    expect(answer.status).toBe(200);
    await answer.text();
  }
  return times.toSorted((a, b) => a - b)[7] ?? Number.NaN;
}

test("three hundred readers that do not read cost little memory, and nobody else waits for them", async () => {
  const delta = {
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: "x".repeat(4_000) },
  };
  const event = new TextEncoder().encode(
    `event: ${delta.type}\ndata: ${JSON.stringify(delta)}\n\n`,
  );
  const events = Buffer.concat(Array.from({ length: 4 }, () => event));
  let sent = 0;
  scene.upstream.answer = ({ body }) => {
    if (!new TextDecoder().decode(body).includes('"stream":true')) return plainAnswer();
    let left = answerBytes;
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (left <= 0) return controller.close();
        await Bun.sleep(partMs);
        left -= events.length;
        sent += events.length;
        controller.enqueue(events);
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  };
  await firstByteMs();
  const alone = await firstByteMs();
  const before = await residentBytes();

  const body = JSON.stringify({ ...helloCall, stream: true });
  const head = `POST /v1/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${await scene.bearer()}\r\nContent-Length: ${body.length}\r\n\r\n`;
  for (let count = 0; count < readersCount; count++) {
    const socket = connect(port, "127.0.0.1", () => socket.write(head + body));
    socket.on("error", () => undefined);
    readers.push(socket);
  }
  // Halfway, when none of them reads any more, and at the end.
  await untilTrue(() => sent >= (readersCount * answerBytes) / 2, 20_000);
  const beside = await firstByteMs();
  await untilTrue(() => sent >= readersCount * answerBytes, 20_000);
  // What has passed through is garbage, which is collected while others go on working.
  let grownBytes = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < 100 && grownBytes > rssGrowthMaxBytes; tries++) {
    await firstByteMs();
    await Bun.sleep(50);
    grownBytes = (await residentBytes()) - before;
  }
  expect(grownBytes).toBeLessThan(rssGrowthMaxBytes);
  expect(beside).toBeLessThan(alone * 5 + 50);
});
