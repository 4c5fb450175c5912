// A metered answer as the code that sends it sees it: the same bytes, and one report of what the call used. What a stream's events
// come to is in usage-streams.test.ts, what happens on real connections in answer-meter-sockets.test.ts.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { meterAnswer } from "../../src/spend/answer-meter.ts";
import { type Metered, noUsage } from "../../src/spend/usage.ts";
import { splitAt } from "../support/frames.ts";
import { estimateOf, toldOf } from "./metered.ts";

const json = { headers: { "content-type": "application/json" } };
const eventStream = { headers: { "content-type": "text/event-stream; charset=utf-8" } };
const inputTokensEstimate = 7;

/** A body that comes in these chunks, a moment apart, and then ends or breaks. */
function bodyOf(
  chunks: readonly Uint8Array[],
  end: "ends" | "breaks" = "ends",
): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream(
    {
      async pull(controller) {
        await Promise.resolve();
        const chunk = left.shift();
        if (chunk !== undefined) controller.enqueue(chunk);
        else if (end === "ends") controller.close();
        else controller.error(new Error("cut"));
      },
    },
    { highWaterMark: 0 },
  );
}

/** Everything that comes of an answer: its bytes, whether they ended well, and all reports. */
async function outcome(answer: Response): Promise<{
  bytes: Buffer;
  isWhole: boolean;
  told: (Metered | undefined)[];
}> {
  const told: (Metered | undefined)[] = [];
  const onEnd = (metered: Metered | undefined) => told.push(metered);
  const sent = await meterAnswer(answer, { inputTokensEstimate, onEnd });
  const parts: Uint8Array[] = [];
  let isWhole = true;
  try {
    for await (const part of sent.body ?? []) parts.push(part);
  } catch {
    isWhole = false;
  }
  return { bytes: Buffer.concat(parts), isWhole, told };
}

const metered = async (body: string | Uint8Array, init: ResponseInit = json) =>
  (await outcome(new Response(body, init))).told;

test("a stream that was over before anybody read it is told of whole, however it is read", async () => {
  const events =
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":10}}}\n\n' +
    'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":5}}\n\n';
  const over = () =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from(events));
        controller.close();
      },
    });
  const told: (number | undefined)[] = [];
  const options = {
    inputTokensEstimate,
    onEnd: (used: Metered | undefined) => told.push(used?.usage.outputTokens),
  };
  for (const read of ["text", "bytes"] as const) {
    const answer = await meterAnswer(new Response(over(), eventStream), options);
    expect(Buffer.from(await answer[read]()).toString()).toBe(events);
  }
  expect(told).toEqual([5, 5]);
});

describe("an answer that is not streamed", () => {
  const used = { ...noUsage, inputTokens: 10, outputTokens: 5 };
  const usage = { input_tokens: 10, output_tokens: 5 };
  const estimated = (characters: number) =>
    estimateOf({ inputTokens: 7, outputTokens: Math.ceil(characters / 4) });

  test("used what its usage says", async () => {
    const told = await metered(JSON.stringify({ content: [{ usage: {} }], usage }));
    expect(told).toEqual([toldOf(used)]);
  });

  test("is read whatever it says it is, and behind a byte order mark", async () => {
    const body = JSON.stringify({ usage });
    for (const type of ["text/plain", "TEXT/EVENT-STREAM", ""])
      expect(await metered(body, { headers: { "content-type": type } })).toEqual([toldOf(used)]);
    expect(await metered(`\ufeff${body}`)).toEqual([toldOf(used)]);
  });

  test("with two usages used what the last one says, as whoever parses it will find", async () => {
    const body = `{"usage":{"input_tokens":1},"usage":${JSON.stringify(usage)}}`;
    expect(await metered(body)).toEqual([toldOf(used)]);
  });

  test("is estimated by its characters when its usage does not say", async () => {
    for (const body of [
      '{"usage":null}',
      '{"message":{"usage":{"input_tokens":5}}}',
      '[{"usage":{"input_tokens":5}}]',
      "<html>héllo 😀</html>",
      '{"usage":{"input_tokens":5}',
      " ",
    ])
      expect(await metered(body)).toEqual([estimated(body.length)]);
  });

  test("with a usage that cannot be read is estimated, and told of", async () => {
    for (const body of ['{"usage":{"input_tokens":-5}}', '{"usage":"5"}', '\ufeff{"usage":[]}'])
      expect(await metered(body)).toEqual([{ ...estimated(body.length), isUnreadable: true }]);
  });

  test("used beside its counts what its iterations tell", async () => {
    const advisor = { type: "advisor_message", model: "claude-opus-5", output_tokens: 3 };
    const body = JSON.stringify({ usage: { ...usage, iterations: [advisor] } });
    const others = [{ model: "claude-opus-5", usage: { ...noUsage, outputTokens: 3 } }];
    for (const sent of [body, `\ufeff${body}`])
      expect(await metered(sent)).toEqual([{ ...toldOf(used), others }]);
  });

  test("used nothing when it is empty", async () => {
    expect(await metered("")).toEqual([undefined]);
    expect((await outcome(new Response(bodyOf([]), json))).told).toEqual([undefined]);
    expect((await outcome(new Response(null, { status: 204 }))).told).toEqual([undefined]);
  });

  test("of more than is held is estimated, and passes whole", async () => {
    const mebibytes = 65;
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const last = new Uint8Array(Buffer.from(JSON.stringify({ usage })));
    const chunks = [...Array.from({ length: mebibytes }, () => chunk), last];
    const { bytes, told } = await outcome(new Response(bodyOf(chunks), json));
    expect(bytes.length).toBe(mebibytes * chunk.length + last.length);
    expect(told).toEqual([estimated(bytes.length)]);
  });

  test("keeps its status and headers", async () => {
    const sent = await meterAnswer(
      new Response("{}", {
        status: 201,
        headers: { "content-type": "application/json", "x-a": "b" },
      }),
      { inputTokensEstimate, onEnd: () => undefined },
    );
    expect([sent.status, sent.headers.get("x-a")]).toEqual([201, "b"]);
  });

  test("that has arrived is told of before it is sent on", async () => {
    let told = 0;
    const answer = new Response('{"usage":{}}', json);
    await meterAnswer(answer, { inputTokensEstimate, onEnd: () => told++ });
    expect(told).toBe(1);
  });
});

describe("an answer that nobody reads to its end", () => {
  const start = 'data: {"type":"message_start","message":{"usage":{"input_tokens":10}}}\n\n';
  const begun = (init: ResponseInit) => {
    let isCancelled = false;
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from(start)),
      cancel: () => void (isCancelled = true),
    });
    return { answer: new Response(body, init), isCancelled: () => isCancelled };
  };

  test.each([
    ["streamed", eventStream, estimateOf({ inputTokens: 10 })],
    ["other", json, estimateOf({ inputTokens: 7, outputTokens: Math.ceil(start.length / 4) })],
  ])("is told as far as it was read, once, and let go: a %s one", async (_, init, expected) => {
    const told: (Metered | undefined)[] = [];
    const { answer, isCancelled } = begun(init);
    const sent = await meterAnswer(answer, { inputTokensEstimate, onEnd: (all) => told.push(all) });
    const reader = sent.body?.getReader();
    await reader?.read();
    expect(told).toEqual([]);
    await reader?.cancel();
    expect(isCancelled()).toBe(true);
    expect(told).toEqual([expected]);
  });
});

describe("whatever arrives, in chunks that end anywhere", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.json().map((text) => new Uint8Array(Buffer.from(text))),
    fc
      .record({
        usage: fc.record({ input_tokens: fc.nat() }),
        text: fc.string({ unit: "grapheme" }),
      })
      .map((answer) => new Uint8Array(Buffer.from(JSON.stringify(answer)))),
  );

  test("the same bytes go on, end as they ended, and are told of once and alike", async () => {
    await fc.assert(
      fc.asyncProperty(
        bytes,
        fc.array(fc.nat(400), { maxLength: 8 }),
        fc.constantFrom(json, eventStream, {}),
        fc.constantFrom("ends" as const, "breaks" as const),
        async (given, offsets, init, end) => {
          const whole = await outcome(new Response(bodyOf([given], end), init));
          const split = await outcome(new Response(bodyOf(splitAt(given, offsets), end), init));
          expect(split.isWhole).toBe(end === "ends");
          // What a break takes back of a stream that is read here, it does not on a connection.
          if (end === "ends") expect(split.bytes).toEqual(Buffer.from(given));
          expect(split.told).toHaveLength(1);
          expect(split.told).toEqual(whole.told);
        },
      ),
    );
  });
});
