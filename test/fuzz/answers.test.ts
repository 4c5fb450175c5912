// Answers of upstreams in pieces, cut short, and of bytes that mean nothing: what the developer gets does not depend on where the
// network cuts, and is always an answer. The bytes go through sockets, as they would come.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import * as fc from "fast-check";
import { messageEvents, messageText } from "../support/clouds.ts";
import { everyProvider, modelOn } from "../support/every-provider.ts";
import { chunkOf, exceptionOf, splitAt } from "../support/frames.ts";
import { openOrdeal, runs } from "../support/ordeal.ts";
import { eventStream } from "../support/scene.ts";
import { headOf, startSocketUpstream } from "../support/socket-upstream.ts";

/** What is written for the request of each number, piece by piece. */
const answers = new Map<number, Answer>();
type Answer = { pieces: readonly Uint8Array[]; endsAfter: boolean };
let asked = 0;

const upstream = await startSocketUpstream();
upstream.answer = (socket, { body, path }) => {
  // Nobody is to write into a connection that ends.
  if (path.includes("count")) return void socket.end(openHead("application/json") + "{}");
  const number = Number(/"number":(\d+)/.exec(body)?.[1]);
  void write(socket, answers.get(number) ?? { pieces: [], endsAfter: true });
};

/** Each provider whose answers are framed in its own way. */
const kinds = ["anthropic", "vertex", "bedrock"] as const;
type Kind = (typeof kinds)[number];

const ordeal = await openOrdeal((config) => {
  config.upstreams = everyProvider(upstream.url).filter(({ provider }: any) =>
    kinds.includes(provider),
  );
  config.models = kinds.map((kind) => ({
    id: modelOn(kind),
    upstream_model: { [kind]: "anthropic.claude-opus-4-8" },
  }));
});
afterAll(async () => {
  await ordeal.scene.stop();
  upstream.stop();
});
afterEach(async () => {
  await ordeal.stood();
  answers.clear();
});

const events = eventStream(messageEvents);
const streamOf = (kind: Kind): Buffer =>
  kind === "bedrock"
    ? Buffer.concat(messageEvents.map((event) => chunkOf(JSON.stringify(event))))
    : Buffer.from(events);
const typeOf = (kind: Kind) =>
  kind === "bedrock" ? "application/vnd.amazon.eventstream" : "text/event-stream";
const wholeHead = (type: string, length: number) =>
  headOf("200 OK", { "content-type": type, "content-length": length });
/** A head after which the body ends with the connection. */
const openHead = (type: string) => headOf("200 OK", { "content-type": type, connection: "close" });

async function write(socket: Socket, { pieces, endsAfter }: Answer): Promise<void> {
  socket.setNoDelay(true);
  for (const piece of pieces) {
    socket.write(piece);
    // So that each is read by itself.
    await Bun.sleep(1);
  }
  if (endsAfter) socket.end();
}

/** What a developer gets for a call that is answered with these bytes. */
async function got(kind: Kind, stream: boolean, answer: Answer) {
  const number = ++asked;
  answers.set(number, answer);
  const body = `{"model":"${modelOn(kind)}","max_tokens":9,"messages":[],"number":${number},"stream":${stream}}`;
  const { status, text } = await ordeal.askAs({ method: "POST", path: "/v1/messages", body });
  return { status, text };
}

/** Runs them some at a time. */
async function all(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: 24 }, worker));
}

/** Whole events, of which the last may be ours. */
function requireWellEnded(text: string): void {
  expect(text).toEndWith("\n\n");
  if (text === events) return;
  const own = text.indexOf("event: error\ndata: {");
  expect(own).toBeGreaterThanOrEqual(0);
  expect(events).toStartWith(text.slice(0, own));
}

describe.each(kinds)("a stream of %s", (kind) => {
  const stream = streamOf(kind);
  const head = Buffer.from(wholeHead(typeOf(kind), stream.length));

  test("is the same wherever it is cut in two, the head too", async () => {
    const whole = Buffer.concat([head, stream]);
    await all(whole.length, async (at) => {
      const pieces = splitAt(whole, [at]);
      expect([at, await got(kind, true, { pieces, endsAfter: false })]).toEqual([
        at,
        { status: 200, text: events },
      ]);
    });
  }, 20_000);

  test("is the same in any pieces", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(2_000), { maxLength: 12 }), async (cuts) => {
        const pieces = [head, ...splitAt(stream, cuts)];
        const { status, text } = await got(kind, true, { pieces, endsAfter: false });
        expect([status, text]).toEqual([200, events]);
      }),
      runs(30),
    );
  });

  test("that ends at any byte is a refusal, or ends well for the developer", async () => {
    await all(stream.length, async (end) => {
      const isCounted = end % 2 === 0;
      const start = isCounted ? head : Buffer.from(openHead(typeOf(kind)));
      const pieces = [Buffer.concat([start, stream.subarray(0, end)])];
      const { status, text } = await got(kind, true, { pieces, endsAfter: true });
      expect([end, [200, 502].includes(status)]).toEqual([end, true]);
      if (status === 200) requireWellEnded(text);
    });
  }, 20_000);

  test("with bytes in it that do not belong there is answered", async () => {
    const damage = fc.tuple(fc.nat(2_000), fc.nat(8), fc.uint8Array({ maxLength: 8 }));
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (list) => {
        let bytes = [...stream];
        for (const [at, dropped, put] of list)
          bytes = bytes.toSpliced(at % bytes.length, dropped, ...put);
        const body = Buffer.from(bytes);
        const start = Buffer.from(wholeHead(typeOf(kind), body.length));
        const { status, text } = await got(kind, true, {
          pieces: [start, ...splitAt(body, [body.length >> 1])],
          endsAfter: false,
        });
        expect([200, 502]).toContain(status);
        if (status === 200) expect(text).toEndWith("\n\n");
      }),
      runs(60),
    );
  });

  test("of any bytes at all is answered", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom(typeOf(kind), "application/json", "", "text/html"),
        fc.boolean(),
        async (body, type, isStreamed) => {
          const pieces = [Buffer.from(wholeHead(type, body.length)), body];
          const { status } = await got(kind, isStreamed, { pieces, endsAfter: false });
          expect([200, 502]).toContain(status);
        },
      ),
      runs(60),
    );
  });

  test("with an error for its first event is a refusal wherever it is cut", async () => {
    const error = { type: "error", error: { type: "overloaded_error", message: "busy" } };
    const body =
      kind === "bedrock"
        ? exceptionOf("throttlingException", "busy")
        : Buffer.from(eventStream([error]));
    const whole = Buffer.concat([Buffer.from(wholeHead(typeOf(kind), body.length)), body]);
    await all(whole.length, async (at) => {
      const { status } = await got(kind, true, { pieces: splitAt(whole, [at]), endsAfter: false });
      expect([at, [429, 502, 529].includes(status)]).toEqual([at, true]);
    });
  }, 20_000);
});

test("an answer in one piece is the same wherever it is cut, and none when it ends there", async () => {
  const body = Buffer.from(messageText);
  const head = Buffer.from(wholeHead("application/json", body.length));
  const whole = Buffer.concat([head, body]);
  for (const kind of kinds)
    await all(whole.length, async (at) => {
      const inTwo = await got(kind, false, { pieces: splitAt(whole, [at]), endsAfter: false });
      expect([at, inTwo]).toEqual([at, { status: 200, text: messageText }]);
      const cut = { pieces: [whole.subarray(0, at)], endsAfter: true };
      expect([at, (await got(kind, false, cut)).status]).toEqual([at, 502]);
    });
}, 20_000);

test("a head of any bytes is no answer", async () => {
  const junk = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: "binary-ascii" }).map((text) => Buffer.from(`HTTP/1.1 200 OK\r\n${text}`)),
    fc.constantFrom(
      ...[
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
        "HTTP/1.1 999 \r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
      ].map((text) => Buffer.from(text)),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...kinds), junk, fc.boolean(), async (kind, bytes, stream) => {
      const { status } = await got(kind, stream, { pieces: [bytes], endsAfter: true });
      expect(status).toBe(502);
    }),
    runs(100),
  );
});
