// Streams and what they cost: in full when they end, at the floor when they are cut or the client hangs up, nothing when they
// came to nothing; and that counting them holds up nobody.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  answerInFull,
  fedStream,
  type FedStream,
  readerOf,
  started,
  stopped,
  used,
  wrote,
} from "../support/metered-answers.ts";
import { eventStream } from "../support/scene.ts";
import { openSpendScene, person, setCap, utilizationIn } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

const scene = await openSpendScene();
const { gateway, buy, upstream, tables } = scene;
afterAll(() => scene.stop());
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answer = answerInFull;
});

const asStream = { fields: { stream: true } };

/** A stream that is fed by the test, once the client has its head. */
async function streamFor(sub: string, init: object = {}): Promise<[FedStream, Response]> {
  const stream = fedStream();
  upstream.answer = () => stream.response;
  // Bun sends the head of an answer with its first bytes.
  stream.send({ type: "ping" });
  return [stream, await buy(sub, 100, { ...asStream, ...init })];
}

const halfSaid = wrote("x".repeat(28));

/** What has arrived, its last event, and what it costs: 200 tokens read are 2 cents, 28 characters written about 7 tokens. */
const points: [string, { type: string }[], string, number][] = [
  ["before the model began", [], "ping", 0],
  ["when the model had read", [started(200)], "message_start", 2],
  ["while it wrote", [started(200), halfSaid], "xxx", 9],
  ["while it wrote on", [started(200), halfSaid, halfSaid, wrote("zzz")], "zzz", 17],
  ["when it had said what it used", [started(200), halfSaid, used(30)], "message_delta", 32],
  ["at its last word", [started(200), halfSaid, used(30), stopped], "message_stop", 32],
];

describe("a stream is charged as far as it came", () => {
  test.each(points)("that the client hangs up on %s", async (when, events, last, cents) => {
    const sub = `hung up ${when}`;
    const hangUp = new AbortController();
    const [stream, response] = await streamFor(sub, { signal: hangUp.signal });
    stream.send(...events);
    await readerOf(response).until(last);
    hangUp.abort();
    await untilTrue(() => upstream.seen.every(({ closed }) => closed));
    await expectOnly(sub, cents);
  });

  test.each(points)("that the upstream breaks off %s", async (when, events, last, cents) => {
    const sub = `broken off ${when}`;
    const [stream, response] = await streamFor(sub);
    stream.send(...events);
    const reader = readerOf(response);
    await reader.until(last);
    stream.breakOff();
    await reader.until("the end that never comes").catch(() => undefined);
    await expectOnly(sub, cents);
  });

  test("that the client gives up before it begins: nothing, and nobody is asked to count", async () => {
    const hangUp = new AbortController();
    upstream.answer = () => new Promise(() => undefined);
    const call = buy("gave up", 100, { ...asStream, signal: hangUp.signal }).catch(() => "gone");
    await untilTrue(() => upstream.seen.length === 1);
    hangUp.abort();
    expect(await call).toBe("gone");
    await gateway.audited("inference", { sub: "gave up", status: 499 });
    await expectOnly("gave up", 0);
    expect(upstream.seen.some(({ url }) => url.includes("count"))).toBe(false);
  });

  test("that ends without having said what it used", async () => {
    const [stream, response] = await streamFor("mute");
    stream.send(started(200), halfSaid, stopped);
    stream.end();
    await response.text();
    await expectOnly("mute", 9);
  });
});

describe("counting holds nothing up:", () => {
  test("each event is with the client before the next one is sent", async () => {
    const [stream, response] = await streamFor("lockstep");
    const reader = readerOf(response);
    stream.send(started(100));
    for (let word = 0; word < 100; word++) {
      stream.send(wrote(`word ${word}.`));
      await reader.until(`word ${word}.`);
    }
    stream.send(used(9), stopped);
    stream.end();
    await reader.until("message_stop");
    await expectOnly("lockstep", 10);
  });

  test("a client that does not read keeps nobody else waiting, and gets every byte in the end", async () => {
    const events = [
      started(100),
      ...Array.from({ length: 4_000 }, (_, index) => wrote(`${index} ${"é".repeat(500)}`)),
      used(9),
      stopped,
    ];
    const sent = eventStream(events);
    upstream.answer = () =>
      new Response(sent, { headers: { "content-type": "text/event-stream" } });
    const response = await buy("slow reader", 10, asStream);
    upstream.answer = answerInFull;
    for (let asked = 0; asked < 20; asked++)
      expect((await buy("quick reader", 1)).status).toBe(200);
    await tables.untilSpent("quick reader", 20);
    expect((await response.text()) === sent).toBe(true);
    await expectOnly("slow reader", 10);
  });
});

describe("who goes on right after", () => {
  test.each([
    ["whole answers", {}],
    ["streams", asStream],
  ])("has what came before counted to the cent, in %s", async (kind, init) => {
    const sub = `sequence ${kind}`;
    await setCap(gateway, person(sub), 1_000);
    for (let request = 0; request < 20; request++) {
      const response = await buy(sub, 10, init);
      expect(utilizationIn(response)).toBe(String(request / 100));
      await response.text();
    }
    await tables.untilSpent(sub, 200);
  });

  // A stream is settled when its body is over, which may be after the client has read the last event and asked for more.
  test("has a stream counted when its message_stop is there, even if the connection stays open a while", async () => {
    await setCap(gateway, person("next"), 1_000);
    const streams: FedStream[] = [];
    try {
      for (let request = 0; request < 5; request++) {
        const [stream, response] = await streamFor("next");
        streams.push(stream);
        expect(utilizationIn(response)).toBe(String(request / 10));
        stream.send(started(0), used(100), stopped);
        await readerOf(response).until("message_stop");
      }
      await expectOnly("next", 500);
    } finally {
      for (const stream of streams) stream.end();
    }
    await expectOnly("next", 500);
  });

  test("is not held up close to the cap, and is refused when it is reached", async () => {
    await setCap(gateway, person("close"), 100);
    await (await buy("close", 90)).text();
    for (let spent = 90; spent < 100; spent++) {
      const [stream, response] = await streamFor("close");
      expect(response.status).toBe(200);
      stream.send(started(0), used(1), stopped);
      stream.end();
      await readerOf(response).until("message_stop");
    }
    upstream.answer = answerInFull;
    expect((await buy("close", 1)).status).toBe(429);
    await tables.untilSpent("close", 100);
    expect(gateway.audit("spend.blocked").filter(({ sub }) => sub === "close")).toHaveLength(1);
  });
});

/** That a person's spend comes to this, and stays so while that of somebody who asked later is written. */
async function expectOnly(sub: string, cents: number): Promise<void> {
  await tables.untilSpent(sub, cents);
  upstream.answer = answerInFull;
  const later = crypto.randomUUID();
  await (await buy(later, 1)).text();
  await tables.untilSpent(later, 1);
  expect(await tables.spent(sub)).toBe(String(cents));
}
