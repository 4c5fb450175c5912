// A provider's own server-sent events: what passes, when, and what ends the stream.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { EventReader } from "../../src/upstream/answer/event-relay.ts";
import { UpstreamStreamError } from "../../src/upstream/answer/stream-error.ts";
import { createSseReader } from "../../src/upstream/answer/sse.ts";
import { readAll, splitAt } from "../support/frames.ts";

const mebibyte = 1024 * 1024;
const start = 'event: message_start\ndata: {"type":"message_start"}\n\n';
const delta = 'event: content_block_delta\ndata: {"type":"content_block_delta","text":"é€😀"}\n\n';
const stop = 'event: message_stop\ndata: {"type":"message_stop"}\n\n';

const read = (...chunks: string[]) => readAll(createSseReader(), chunks.map(bytesOf));
const whole = (events: string) => ({ events, broke: undefined });

function refusalOf(reader: EventReader, text: string): unknown {
  try {
    reader.read(bytesOf(text));
  } catch (error) {
    return error instanceof UpstreamStreamError ? error.refusal : undefined;
  }
  return undefined;
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text);
}

describe("whole events", () => {
  test("pass byte for byte, whatever is in them", () => {
    const events =
      `\ufeff: comment\n\nretry: 5\nid: 7\n${start}event: ping\ndata: {"type": "ping"}\n\n` +
      `event:future\ndata:{ "n" : 1.0, "big":12345678901234567890 }\n\ndata: no name\n\n` +
      `data: two\ndata: lines\n\n\n\n${delta}data: [DONE]\n\n`;
    expect(read(events)).toEqual(whole(events));
  });

  test("end at a blank line with CRLF, too, also when it is split between CR and LF", () => {
    const events = (start + stop).replaceAll("\n", "\r\n");
    for (let at = 0; at <= events.length; at++)
      expect(read(events.slice(0, at), events.slice(at))).toEqual(whole(events));
  });

  test("are given back in the chunk they came in, when it ends with one", () => {
    const chunk = bytesOf(start + delta);
    expect(createSseReader().read(chunk)).toBe(chunk);
  });

  test("are given out as soon as their blank line is there, and not before", () => {
    const reader = createSseReader();
    expect(reader.read(bytesOf(start + delta.slice(0, -1)))).toEqual(bytesOf(start));
    expect(reader.read(bytesOf("\n"))).toEqual(bytesOf(delta));
  });

  test("that were given out do not change when more arrives", () => {
    const reader = createSseReader();
    reader.read(bytesOf(start.slice(0, 5)));
    const given = reader.read(bytesOf(start.slice(5) + delta.slice(0, 5)));
    const before = Buffer.from(given);
    reader.read(bytesOf(delta.slice(5) + stop));
    expect(bytesOf(start)).toEqual(before);
    expect(given).toEqual(before);
  });

  test("are the same for any split of them", () => {
    const events = fc.array(fc.constantFrom(start, delta, stop, ": c\r\n\r\n", "\n"), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(events, fc.array(fc.nat(1_000)), (parts, offsets) => {
        const bytes = bytesOf(parts.join(""));
        const reader = createSseReader();
        expect(readAll(reader, splitAt(bytes, offsets))).toEqual(whole(bytes.toString()));
      }),
    );
  });
});

describe("an error event", () => {
  const error = 'event: error\ndata: {"type":"error","error":{"message":"proj-1 overloaded"}}\n\n';

  test.each([
    ["as Anthropic writes it", error],
    ["without the blank", error.replace("event: ", "event:")],
    ["with CRLF", error.replaceAll("\n", "\r\n")],
    ["told by its data only", `data: {"type":"error","error":{"message":"proj-1"}}\n\n`],
    ["named after its data", 'data: {"type":"error"}\nevent: error\n\n'],
  ])("%s ends the stream after the events before it, wherever it is split", (_, text) => {
    const events = start + text + delta;
    for (let at = 0; at <= events.length; at++)
      expect(read(events.slice(0, at), events.slice(at)).events).toBe(start);
  });

  test("is told by its class, and in its own words apart from that", () => {
    const told = error.replace("proj-1 overloaded", 'busy","type":"overloaded_error');
    expect(read(start, told).broke).toBe("told an error: overloaded_error");
    expect(read(start, error).broke).toBe("told an error: of no known class");
    expect(refusalOf(createSseReader(), start + told)).toEqual({
      status: 529,
      text: '{"type":"error","error":{"message":"busy","type":"overloaded_error"}}',
    });
  });

  test("passes where the provider's words are the developer's, unless it comes first", () => {
    const passing = () => createSseReader({ passesErrors: true });
    const events = start + error + delta;
    expect(readAll(passing(), [bytesOf(events)])).toEqual(whole(events));
    expect(readAll(passing(), [bytesOf(start), bytesOf(error)])).toEqual(whole(start + error));
    expect(readAll(passing(), [bytesOf(`\n${error}`)]).broke).toBeDefined();
  });

  test.each([
    'event: delta\ndata: {"text":"event: error"}\n\n',
    "data: a\ndata: event: error\n\n",
    ": event: error\n\n",
    "event: errors\ndata: x\n\n",
    "event: erro\ndata: x\n\n",
    "event:  error\ndata: x\n\n",
  ])("is not %j", (event) => expect(read(event)).toEqual(whole(event)));
});

describe("a body that ends", () => {
  test.each(["event: message_stop", stop.slice(0, -1), ": comment\n", "\r"])(
    "inside an event (%j) is broken, and gives what was whole",
    (rest) => expect(read(start + rest)).toEqual({ events: start, broke: "ended inside an event" }),
  );

  test.each(["<html></html>\n\n", "Bad Gateway\n\n", '{"type":"message"}\n\n', "eventual: x\n\n"])(
    "that begins with %j is none",
    (text) =>
      expect(read(text, start)).toEqual({
        events: "",
        broke: "its stream does not begin with an event",
      }),
  );

  test("before any event is no break", () => expect(read()).toEqual(whole("")));
});

describe("a long event", () => {
  /** One of this many bytes, in chunks of 64 KiB. */
  function* longEvent(bytes: number): Generator<Buffer> {
    const chunk = Buffer.alloc(64 * 1024, "x");
    yield bytesOf("data:");
    for (let left = bytes - 7; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
    yield bytesOf("\n\n");
  }

  test("of 16 MiB passes", () => {
    const { events, broke } = readAll(createSseReader(), [...longEvent(16 * mebibyte)]);
    expect({ length: events.length, broke }).toEqual({ length: 16 * mebibyte, broke: undefined });
  });

  test("that is longer breaks the stream, before more of it is kept", () => {
    const endless = [...longEvent(17 * mebibyte)].slice(0, -1);
    expect(readAll(createSseReader(), [bytesOf(start), ...endless])).toEqual({
      events: start,
      broke: "an event is longer than 16777216 bytes",
    });
  });
});
