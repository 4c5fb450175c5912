// What becomes of the frames of a Bedrock answer: events as they are elsewhere, and every way for a stream to end badly.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { UpstreamStreamError } from "../../src/upstream/answer/stream-error.ts";
import { createBedrockEventReader } from "../../src/upstream/aws/bedrock-events.ts";
import { chunkHolding, chunkOf, encode, exceptionOf, readAll, splitAt } from "../support/frames.ts";

const read = (...frames: Uint8Array[]) =>
  readAll(createBedrockEventReader(), [Buffer.concat(frames)]);
const whole = (events: string) => ({ events, broke: undefined });
const eventOf = (type: string, json: string) => `event: ${type}\ndata: ${json}\n\n`;

const delta = '{"type":"content_block_delta","index":0,"delta":{"text":"é€😀\\n"}}';
const deltaEvent = eventOf("content_block_delta", delta);

describe("a chunk", () => {
  test("is the event in it, byte for byte", () => {
    const stop =
      '{"type":"message_stop", "n":1.0,"big":12345678901234567890,"u":"\\u00e9","__proto__":1,' +
      '"amazon-bedrock-invocationMetrics":{"inputTokenCount":9}}';
    expect(read(chunkOf(delta), chunkOf(stop))).toEqual(
      whole(deltaEvent + eventOf("message_stop", stop)),
    );
  });

  test("is one event for any JSON around its type, in any split of the stream", () => {
    const json = fc
      .tuple(fc.constantFrom("message_start", "content_block_delta", "future.event-2"), fc.json())
      .map(([type, value]) => ({ type, json: `{"type":"${type}","x":${value}}` }));
    fc.assert(
      fc.property(fc.array(json, { maxLength: 5 }), fc.array(fc.nat(3_000)), (parts, offsets) => {
        const stream = Buffer.concat(parts.map((part) => chunkOf(part.json)));
        const events = parts.map((part) => eventOf(part.type, part.json)).join("");
        const reader = createBedrockEventReader();
        expect(readAll(reader, splitAt(stream, offsets))).toEqual(whole(events));
      }),
    );
  });

  test("of bytes that are not UTF-8 keeps them", () => {
    const json = Buffer.concat([
      Buffer.from('{"type":"a","x":"'),
      Buffer.of(0xff, 0x80),
      Buffer.from('"}'),
    ]);
    const expected = Buffer.concat([Buffer.from("event: a\ndata: "), json, Buffer.from("\n\n")]);
    expect(Buffer.from(createBedrockEventReader().read(chunkOf(json)))).toEqual(expected);
  });

  test.each([
    ['{"index":0,"type":"a"}', "a"],
    ['{ "type" : "a" }', "a"],
    ['{"typ\\u0065":"a"}', "a"],
    ['{"type":"a","delta":{"type":"b"}}', "a"],
    ['{"delta":{"type":"b"},"type":"a"}', "a"],
  ])("%s has its type wherever that is written", (json, type) =>
    expect(read(chunkOf(json))).toEqual(whole(eventOf(type, json))),
  );

  test("has blanks for line breaks, which would end its data", () => {
    const json = '{\n  "type":"a",\r\n  "x":1\r}';
    expect(read(chunkOf(json))).toEqual(whole(eventOf("a", '{   "type":"a",    "x":1 }')));
  });

  test("that is a ping is dropped", () => {
    const pings = ['{"type":"ping"}', '{ "type": "ping" }'].map(chunkOf);
    expect(read(...pings, chunkOf(delta))).toEqual(whole(deltaEvent));
  });

  test("with more beside its bytes, or its base64 escaped, is read", () => {
    const base64 = Buffer.from('{"type":"a","x":"???>>>"}').toString("base64");
    expect(base64).toContain("/");
    const escaped = base64.replaceAll("/", "\\/");
    expect(read(chunkHolding(`{ "p":"x", "bytes" : "${escaped}", "q":[1] }`))).toEqual(
      whole(eventOf("a", '{"type":"a","x":"???>>>"}')),
    );
  });

  test.each([
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"bytes":null}',
    '{"bytes":5}',
    '{"bytes":["e30="]}',
    '{"bytes":"*"}',
  ])("that holds %j breaks the stream", (payload) =>
    expect(read(chunkOf(delta), chunkHolding(payload), chunkOf(delta))).toEqual({
      events: deltaEvent,
      broke: "a chunk of it cannot be read",
    }),
  );

  test.each([
    "",
    "x",
    "[]",
    '{"type":5}',
    '{"x":"a"}',
    '{"x":1,"type":""}',
    '{"type":"a b"}',
    '{"type":"a\n\ndata: forged"}',
    '{"type":"a\\n\\ndata: forged"}',
    `{"type":"${"a".repeat(65)}"}`,
    '{"x":1,"type":"a","type":"b"}',
    '{"x":1,"type":"a"',
  ])("around %j breaks the stream, and forges no event", (json) =>
    expect(read(chunkOf(delta), chunkOf(json))).toEqual({
      events: deltaEvent,
      broke: "a chunk of it is no event",
    }),
  );
});

describe("the stream", () => {
  test("passes over events of other types", () => {
    const other = encode({ ":message-type": "event", ":event-type": "metadata" }, '{"arn":"x"}');
    expect(read(other, chunkOf(delta), other)).toEqual(whole(deltaEvent));
  });

  test("gives out a chunk's worth of events at once", () => {
    const reader = createBedrockEventReader();
    const given = reader.read(Buffer.concat([chunkOf(delta), chunkOf(delta)]));
    expect(Buffer.from(given).toString()).toBe(deltaEvent + deltaEvent);
    expect(reader.read(chunkOf(delta).subarray(0, 50))).toHaveLength(0);
  });

  test.each([
    [
      "an exception",
      exceptionOf("throttlingException", "arn:aws:1 is busy"),
      "told an error: throttlingException",
    ],
    [
      "an error",
      encode({ ":message-type": "error", ":error-code": "500", ":error-message": "boom" }, ""),
      "told an error: of no known class",
    ],
    [
      "an error event",
      chunkOf('{"type":"error","error":{"type":"api_error","message":"für arn:aws:1"}}'),
      "told an error: api_error",
    ],
    [
      "a frame of another kind",
      encode({ ":message-type": "x" }, ""),
      "a frame of it is neither event nor exception",
    ],
    ["a frame of no kind", encode({}, ""), "a frame of it is neither event nor exception"],
  ])("ends with %s, which is for the log only", (_, frame, broke) => {
    expect(read(chunkOf(delta), frame, chunkOf(delta))).toEqual({ events: deltaEvent, broke });
    expect(read(frame)).toEqual({ events: "", broke });
  });

  test.each([
    [exceptionOf("throttlingException", "busy"), 429, '{"message":"busy"}'],
    [exceptionOf("serviceUnavailableException", "busy"), 503, '{"message":"busy"}'],
    [exceptionOf("validationException", "long"), 400, '{"message":"long"}'],
    [exceptionOf("modelStreamErrorException", "x"), 500, '{"message":"x"}'],
    [exceptionOf("ModelTimeoutException", "x"), 504, '{"message":"x"}'],
    [
      encode({ ":message-type": "error", ":error-code": "x", ":error-message": "boom" }, ""),
      500,
      "boom",
    ],
    [
      chunkOf('{"type":"error","error":{"type":"overloaded_error"}}'),
      529,
      '{"type":"error","error":{"type":"overloaded_error"}}',
    ],
  ])("that ends with an error stands for a refusal: %#", (frame, status, text) => {
    let refusal: unknown;
    try {
      createBedrockEventReader().read(frame);
    } catch (error) {
      refusal = error instanceof UpstreamStreamError && error.refusal;
    }
    expect(refusal).toEqual({ status, text });
  });

  test("that ends inside a frame is broken", () => {
    expect(read(chunkOf(delta), chunkOf(delta).subarray(0, -1))).toEqual({
      events: deltaEvent,
      broke: "ended inside an event",
    });
  });

  test("with a damaged frame is broken, after the events before it", () => {
    const bent = chunkOf(delta);
    bent.writeUInt8(bent.readUInt8(100) ^ 1, 100);
    expect(read(chunkOf(delta), bent, chunkOf(delta))).toEqual({
      events: deltaEvent,
      broke: "a frame of its event stream is damaged: its checksum is wrong",
    });
  });
});
