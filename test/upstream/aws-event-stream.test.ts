// The framing of AWS event streams, on frames that AWS's own encoder wrote: any split, and damage wherever it may be.
import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { Int64 } from "@smithy/eventstream-codec";
import * as fc from "fast-check";
import { createFrameReader } from "../../src/upstream/aws/event-stream.ts";
import { UpstreamStreamError } from "../../src/upstream/answer/stream-error.ts";
import { encode, splitAt } from "../support/frames.ts";

type Read = {
  frames: { headers: Record<string, string>; payload: string }[];
  broke: string | undefined;
};

function readFrames(chunks: readonly Uint8Array[]): Read {
  const reader = createFrameReader();
  const frames: Read["frames"] = [];
  try {
    for (const chunk of chunks) {
      reader.read(chunk, ({ headers, bytes, payloadStart, payloadEnd }) => {
        const text = Buffer.from(bytes).toString("latin1", payloadStart, payloadEnd);
        frames.push({ headers: Object.fromEntries(headers), payload: text });
      });
    }
    reader.end();
    return { frames, broke: undefined };
  } catch (error) {
    if (!(error instanceof UpstreamStreamError)) throw error;
    return { frames, broke: error.message };
  }
}

const payload = '{"bytes":"eyJ0eXBlIjoicGluZyJ9"}';
const headers = { ":event-type": "chunk", ":message-type": "event" };
const frame = encode(headers, payload);
const headerBytes = frame.readUInt32BE(4);
const damage = "a frame of its event stream is damaged: ";

describe("frames", () => {
  test("are read whatever their headers and payloads, and wherever they are split", () => {
    const name = fc.stringMatching(/^[a-z:-]{1,20}$/).filter((text) => text !== "__proto__");
    const content = fc.record({
      headers: fc.dictionary(name, fc.string({ maxLength: 40 }), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
      payload: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(
        fc.array(content, { maxLength: 5 }),
        fc.array(fc.nat(3_000), { maxLength: 20 }),
        (contents, offsets) => {
          const stream = Buffer.concat(contents.map((each) => encode(each.headers, each.payload)));
          expect(readFrames(splitAt(stream, offsets))).toEqual({
            frames: contents.map((each) => ({
              headers: each.headers,
              payload: Buffer.from(each.payload).toString("latin1"),
            })),
            broke: undefined,
          });
        },
      ),
    );
  });

  test("may be split at every byte, and come one byte at a time", () => {
    const stream = Buffer.concat([frame, encode({}, ""), frame]);
    const expected = readFrames([stream]);
    expect(expected.frames.map((each) => each.payload)).toEqual([payload, "", payload]);
    for (let at = 0; at <= stream.length; at++)
      expect(readFrames([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected);
    expect(readFrames(Array.from(stream, (byte) => Buffer.of(byte)))).toEqual(expected);
  });

  test("have headers of their own where these differ, also in as many bytes", () => {
    const other = { ":event-type": "Chunk", ":message-type": "event" };
    const { frames } = readFrames([Buffer.concat([frame, encode(other, ""), frame])]);
    expect(frames.map((each) => each.headers)).toEqual([headers, other, headers]);
  });

  test("may have headers of every type; those that are strings are read", () => {
    const others = encode({ before: "1", z: "2" }, payload, {
      binary: { type: "binary", value: new Uint8Array(300) },
      yes: { type: "boolean", value: true },
      no: { type: "boolean", value: false },
      byte: { type: "byte", value: 1 },
      short: { type: "short", value: 2 },
      integer: { type: "integer", value: 3 },
      long: { type: "long", value: Int64.fromNumber(-1) },
      timestamp: { type: "timestamp", value: new Date(0) },
      uuid: { type: "uuid", value: "c8a4bd4f-6f5b-4b5c-9d9d-5d5e5f5a5b5c" },
    });
    expect(readFrames([others])).toEqual({
      frames: [{ headers: { before: "1", z: "2" }, payload }],
      broke: undefined,
    });
  });

  test("of some megabytes are read in chunks as the network has them", () => {
    const large = encode(headers, Buffer.alloc(3 * 1024 * 1024, "x"));
    const offsets = Array.from({ length: large.length / 16_384 }, (_, index) => index * 16_384);
    const { frames, broke } = readFrames(splitAt(large, offsets));
    expect(frames.map((each) => each.payload.length)).toEqual([3 * 1024 * 1024]);
    expect(broke).toBeUndefined();
  });
});

describe("a damaged frame", () => {
  const places: [string, number, string][] = [
    ["total length", 3, "the checksum of its lengths is wrong"],
    ["highest byte of the total length", 0, "the checksum of its lengths is wrong"],
    ["headers length", 7, "the checksum of its lengths is wrong"],
    ["checksum of the lengths", 9, "the checksum of its lengths is wrong"],
    ["length of a header's name", 12, "its checksum is wrong"],
    ["headers", 20, "its checksum is wrong"],
    ["payload", 12 + headerBytes + 2, "its checksum is wrong"],
    ["checksum", frame.length - 2, "its checksum is wrong"],
  ];

  test.each(places)("in its %s is refused, after the frames before it", (_, at, why) => {
    const bent = Buffer.concat([frame, withFlippedBit(frame, at), frame]);
    const { frames, broke } = readFrames([bent]);
    expect({ count: frames.length, broke }).toEqual({ count: 1, broke: damage + why });
  });

  test("is refused whichever bit is flipped", () => {
    for (let at = 0; at < frame.length; at++)
      expect(readFrames([withFlippedBit(frame, at)])).toMatchObject({ frames: [] });
    for (let at = 0; at < frame.length; at++)
      expect(readFrames([withFlippedBit(frame, at)]).broke).toStartWith(damage);
  });

  test("whose lengths have a wrong checksum is refused, though its own one is right", () => {
    const bent = withChecksum(withFlippedBit(frame, 8));
    expect(readFrames([bent]).broke).toBe(`${damage}the checksum of its lengths is wrong`);
  });

  test("is refused by its lengths, before the rest of it is there", () => {
    expect(readFrames([withFlippedBit(frame, 0).subarray(0, 12)]).broke).toBe(
      `${damage}the checksum of its lengths is wrong`,
    );
  });

  const lengths: [string, number, number, string][] = [
    ["more than 4 MiB", 4 * 1024 * 1024 + 1, 0, "it is 4194305 bytes long"],
    ["more than any number of bytes", 2 ** 32 - 1, 0, "it is 4294967295 bytes long"],
    ["less than a frame has", 15, 0, "its headers do not fit in it"],
    ["nothing", 0, 0, "its headers do not fit in it"],
    ["less than its headers", 100, 85, "its headers do not fit in it"],
  ];
  test.each(lengths)("that claims to be %s is refused at once", (_, total, ofHeaders, why) => {
    expect(readFrames([preludeOf(total, ofHeaders)]).broke).toBe(damage + why);
  });

  test("of 4 MiB at most is awaited", () => {
    expect(readFrames([preludeOf(4 * 1024 * 1024, 0)]).broke).toBe("ended inside an event");
  });

  const blocks: [string, number[]][] = [
    ["end inside a name", [9, 0x61]],
    ["end before a type", [1, 0x61]],
    ["end inside the length of a value", [1, 0x61, 7, 0]],
    ["end inside a value", [1, 0x61, 7, 0, 2, 0x62]],
    ["have a value of no known type", [1, 0x61, 10, 0]],
  ];
  test.each(blocks)("whose headers %s is refused", (_, block) => {
    const bent = Buffer.alloc(16 + block.length);
    preludeOf(bent.length, block.length).copy(bent);
    bent.set(block, 12);
    expect(readFrames([withChecksum(bent)]).broke).toBe(`${damage}its headers cannot be read`);
  });
});

test("a stream that ends inside a frame is broken, wherever that is", () => {
  for (let at = 1; at < frame.length; at++) {
    const { frames, broke } = readFrames([frame, frame.subarray(0, at)]);
    expect({ count: frames.length, broke }).toEqual({ count: 1, broke: "ended inside an event" });
  }
});

function withFlippedBit(bytes: Buffer, at: number): Buffer {
  const bent = Buffer.from(bytes);
  bent.writeUInt8(bent.readUInt8(at) ^ 1, at);
  return bent;
}

/** With the checksum that its bytes have. */
function withChecksum(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  return bytes;
}

function preludeOf(totalBytes: number, ofHeaders: number): Buffer {
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(totalBytes, 0);
  prelude.writeUInt32BE(ofHeaders, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  return prelude;
}
