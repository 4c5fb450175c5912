// Answers in a coding: read as what they stand for, as they arrive and no faster.
import { describe, expect, test } from "bun:test";
import {
  brotliCompressSync,
  constants,
  createGzip,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { readAtMost } from "../../src/upstream/answer/body.ts";
import { decoded } from "../../src/upstream/answer/decoded.ts";

const text = '{"type":"message"}';
const answer = (body: ConstructorParameters<typeof Response>[0], coding?: string) =>
  new Response(body, {
    status: 201,
    headers: {
      "content-length": "1",
      "x-kept": "1",
      ...(coding && { "content-encoding": coding }),
    },
  });

test.each([
  ["gzip", gzipSync(text)],
  ["GZIP ", gzipSync(text)],
  ["x-gzip", gzipSync(text)],
  ["deflate", deflateSync(text)],
  ["br", brotliCompressSync(text)],
  ["zstd", zstdCompressSync(text)],
])("%s is undone, and the headers say no more of it", async (coding, bytes) => {
  const plain = decoded(answer(bytes, coding));
  expect(await plain.text()).toBe(text);
  expect([plain.status, plain.headers.toJSON()]).toEqual([201, { "x-kept": "1" }]);
});

test.each([
  ["no coding", undefined],
  ["one that is none", "identity"],
  ["one that nobody knows", "x-own"],
  ["several", "gzip, gzip"],
])("an answer in %s is the same", (_, coding) => {
  const same = answer(text, coding);
  expect(decoded(same)).toBe(same);
});

test("an answer without a body is the same", () => {
  const same = answer(null, "gzip");
  expect(decoded(same)).toBe(same);
});

test.each([
  ["is none", "gzip", Buffer.from("hello")],
  ["is cut", "gzip", gzipSync(text).subarray(0, -9)],
  ["is another", "br", gzipSync(text)],
  ["is empty", "gzip", Buffer.alloc(0)],
])("a coding that %s is an error", async (_, coding, bytes) => {
  expect(decoded(answer(bytes, coding)).text()).rejects.toThrow();
});

describe("a body", () => {
  test("is given out as it arrives", async () => {
    const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH });
    const source = new TransformStream<Uint8Array, Uint8Array>();
    const writer = source.writable.getWriter();
    gzip.on("data", (bytes: Uint8Array) => void writer.write(bytes));
    const reader = decoded(answer(source.readable, "gzip"))
      .body?.pipeThrough(new TextDecoderStream())
      .getReader();
    for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
      gzip.write(event);
      expect((await reader?.read())?.value).toBe(event);
    }
    await reader?.cancel();
  });

  test("that is let go of lets go of its connection, and is inflated no further", async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const seen = { pulls: 0, cancelled: false };
    const size = 1_024;
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          controller.enqueue(bomb.subarray(size * seen.pulls, size * ++seen.pulls));
        },
        cancel() {
          seen.cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    const { bytes, cut } = await readAtMost(decoded(answer(body, "gzip")), 1024 * 1024);
    expect([bytes.length, cut]).toEqual([1024 * 1024, true]);
    await Bun.sleep(10);
    expect(seen.cancelled).toBe(true);
    expect(seen.pulls * size).toBeLessThan(bomb.length / 4);
  });
});
