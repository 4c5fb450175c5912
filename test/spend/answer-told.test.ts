// What an answer is found to say of itself, besides what it used: for telemetry, which must not carry a sentence of anybody's.
import { describe, expect, test } from "bun:test";
import { createJsonMeter } from "../../src/spend/json-meter.ts";
import { createStreamMeter } from "../../src/spend/stream-meter.ts";

const inputTokensEstimate = 7;
const nothing = {
  id: undefined,
  model: undefined,
  stopReason: undefined,
  errorType: undefined,
};

function toldByStream(...events: readonly { type: string }[]) {
  const meter = createStreamMeter(inputTokensEstimate);
  for (const event of events)
    meter.read(Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`));
  meter.end();
  return meter.told();
}

function toldByJson(...chunks: readonly string[]) {
  const meter = createJsonMeter(inputTokensEstimate);
  for (const chunk of chunks) meter.read(Buffer.from(chunk));
  meter.end();
  return meter.told();
}

const start = (message: object) => ({ type: "message_start", message });
const stopped = (reason: unknown) => ({ type: "message_delta", delta: { stop_reason: reason } });
const stop = { type: "message_stop" };
const failure = (type: unknown) => ({ type: "error", error: { type, message: "a secret prompt" } });

describe("a stream", () => {
  test("tells its id, its model and why the model stopped, and is whole with its last event", () => {
    const message = { id: "msg_01", model: "claude-opus-4-8" };
    const told = toldByStream(start(message), stopped("end_turn"), stop);
    const { id, model } = message;
    expect(told).toEqual({ ...nothing, id, model, stopReason: "end_turn", isWhole: true });
  });

  test("that ends before its last event is not whole", () => {
    expect(toldByStream(start({ id: "msg_01" }))).toEqual({
      ...nothing,
      id: "msg_01",
      isWhole: false,
    });
    expect(toldByStream()).toEqual({ ...nothing, isWhole: false });
  });

  test("tells the last reason to stop that is one", () => {
    const told = toldByStream(start({}), stopped("pause_turn"), stopped("end_turn"), stopped(null));
    expect(told.stopReason).toBe("end_turn");
  });

  test("that ends with an error tells its type, and never its message", () => {
    const told = toldByStream(start({ id: "msg_01" }), failure("overloaded_error"));
    expect(told).toEqual({
      ...nothing,
      id: "msg_01",
      errorType: "overloaded_error",
      isWhole: false,
    });
  });

  test.each(["my prompt is a secret", "x".repeat(129), "", "\u00e9", 7, null, undefined])(
    "whose error is of type %p tells of another error",
    (type) => {
      expect(toldByStream(failure(type)).errorType).toBe("other");
    },
  );

  test.each(["a sentence", "x".repeat(129), "a\nb", "<script>", 7, {}, null])(
    "does not tell %p as an id, a model or a reason",
    (written) => {
      const told = toldByStream(start({ id: written, model: written }), stopped(written), stop);
      expect(told).toEqual({ ...nothing, isWhole: true });
    },
  );
});

describe("an answer in one piece", () => {
  const message = {
    id: "msg_01",
    model: "anthropic.claude-opus-4-8-v1:0",
    stop_reason: "tool_use",
    usage: { input_tokens: 1, output_tokens: 1 },
  };
  const told = {
    ...nothing,
    id: "msg_01",
    model: "anthropic.claude-opus-4-8-v1:0",
    stopReason: "tool_use",
    isWhole: true,
  };

  test("tells the same, in however many pieces it comes", () => {
    const text = JSON.stringify(message);
    expect(toldByJson(text)).toEqual(told);
    expect(toldByJson(text.slice(0, 30), text.slice(30))).toEqual(told);
  });

  test("tells the same behind a byte order mark, and when something in it is given twice", () => {
    expect(toldByJson(`\ufeff${JSON.stringify(message)}`)).toEqual(told);
    expect(toldByJson(`{"id":"msg_00",${JSON.stringify(message).slice(1)}`)).toEqual(told);
  });

  test("tells no sentences", () => {
    const written = { ...message, id: "a sentence", model: "another one", stop_reason: "a third" };
    expect(toldByJson(JSON.stringify(written))).toEqual({ ...nothing, isWhole: true });
  });

  test("that is cut, or is no JSON, is not whole", () => {
    expect(toldByJson(JSON.stringify(message).slice(0, -1)).isWhole).toBe(false);
    expect(toldByJson("<html>").isWhole).toBe(false);
  });
});
