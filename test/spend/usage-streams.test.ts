// What a streamed answer is found to have used: which events tell it, how they are found among the bytes, and what is estimated.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createStreamMeter } from "../../src/spend/stream-meter.ts";
import { type Metered, noUsage } from "../../src/spend/usage.ts";
import { splitAt } from "../support/frames.ts";
import { estimateOf, toldOf } from "./metered.ts";

const inputTokensEstimate = 7;

type Event = { readonly type: string; readonly [key: string]: unknown };

const start = (usage: unknown): Event => ({ type: "message_start", message: { usage } });
const delta = (usage: unknown): Event => ({ type: "message_delta", delta: {}, usage });
const piece = (inner: object): Event => ({ type: "content_block_delta", index: 0, delta: inner });
const text = (said: string): Event => piece({ type: "text_delta", text: said });

const written = (event: Event): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
const bytesOf = (content: string): Uint8Array => new Uint8Array(Buffer.from(content));

/** What is metered of a stream that comes in these pieces. */
function metered(...chunks: readonly (string | Uint8Array)[]): Metered | undefined {
  const meter = createStreamMeter(inputTokensEstimate);
  for (const chunk of chunks) meter.read(typeof chunk === "string" ? bytesOf(chunk) : chunk);
  return meter.end();
}

const ofEvents = (...events: readonly Event[]) => metered(events.map(written).join(""));
const usageOf = (...events: readonly Event[]) => ofEvents(...events)?.usage;
const outputEstimateOf = (...events: readonly Event[]) => {
  const found = ofEvents(start({ input_tokens: 10 }), ...events);
  return found?.isEstimate === true ? found.usage.outputTokens : undefined;
};

test("what was read is told by the start, what was written by the last message_delta", () => {
  expect(
    ofEvents(
      start({
        input_tokens: 10,
        output_tokens: 90,
        cache_read_input_tokens: 20,
        cache_creation_input_tokens: 30,
        cache_creation: { ephemeral_1h_input_tokens: 5 },
        speed: "fast",
      }),
      text("hello"),
      delta({ output_tokens: 80 }),
      delta({ output_tokens: 50, server_tool_use: { web_search_requests: 2 } }),
      { type: "message_stop" },
    ),
  ).toEqual(
    toldOf({
      inputTokens: 10,
      outputTokens: 50,
      cacheReadTokens: 20,
      cacheWrite5mTokens: 25,
      cacheWrite1hTokens: 5,
      webSearches: 2,
      isFast: true,
    }),
  );
});

describe("a turn of several calls to the model", () => {
  const first = { input_tokens: 1_000, cache_read_input_tokens: 50, output_tokens: 1 };

  test("has read the most that any of its events tells", () => {
    const grown = { input_tokens: 3_000, cache_read_input_tokens: 40, output_tokens: 7 };
    expect(usageOf(start(first), delta(grown), delta({ input_tokens: 2_000 }))).toEqual({
      ...noUsage,
      inputTokens: 3_000,
      cacheReadTokens: 50,
      outputTokens: 7,
    });
  });

  test("has written to the cache the most that any of its events comes to, as a sum or in parts", () => {
    const sum = (tokens: number) => ({ cache_creation_input_tokens: tokens });
    const parts = {
      cache_creation: { ephemeral_5m_input_tokens: 30, ephemeral_1h_input_tokens: 20 },
    };
    const writesOf = (...events: readonly Event[]) => {
      const usage = usageOf(...events);
      return [usage?.cacheWrite5mTokens, usage?.cacheWrite1hTokens];
    };
    expect(writesOf(start(parts), delta(sum(10)))).toEqual([30, 20]);
    expect(writesOf(start(sum(10)), delta(parts))).toEqual([30, 20]);
    expect(writesOf(start(parts), delta(sum(90)))).toEqual([70, 20]);
  });

  test("is told anew by a further start, but for what was written, and what that leaves out", () => {
    const events = [
      start({ ...first, server_tool_use: { web_search_requests: 2 }, speed: "fast" }),
      delta({ input_tokens: 2_000, output_tokens: 7 }),
      start({ input_tokens: 300 }),
    ];
    const kept = { outputTokens: 7, webSearches: 2, isFast: true };
    expect(usageOf(...events)).toEqual({ ...noUsage, inputTokens: 300, ...kept });
    expect(usageOf(...events, start({ speed: "standard" }))?.isFast).toBe(false);
    expect(usageOf(...events, start({ cache_read_input_tokens: 4 }))?.inputTokens).toBe(300);
  });

  test("has searched as often as was said last", () => {
    const searched = (count: unknown) => delta({ server_tool_use: count });
    const twice = searched({ web_search_requests: 2 });
    expect(usageOf(twice, searched({ web_search_requests: 1 }))?.webSearches).toBe(1);
    expect(usageOf(twice, searched({}))?.webSearches).toBe(0);
    expect(usageOf(twice, searched(null))?.webSearches).toBe(2);
  });

  test("is not made fast by a message_delta", () => {
    expect(usageOf(start(first), delta({ speed: "fast" }))?.isFast).toBe(false);
  });
});

describe("an event whose usage cannot be read", () => {
  test("counts as if it were not there", () => {
    expect(usageOf(start({ input_tokens: 10 }), start({ input_tokens: "5" }))?.inputTokens).toBe(
      10,
    );
    expect(usageOf(delta({ output_tokens: 5 }), delta({ output_tokens: -5 }))?.outputTokens).toBe(
      5,
    );
  });

  test("is told of, whatever else was read", () => {
    const lost = { ...estimateOf({}), isUnreadable: true };
    expect(ofEvents(start({ input_tokens: null }))).toEqual(lost);
    for (const usage of ["5", [], 5, { output_tokens: -1 }, { speed: 5 }]) {
      expect(ofEvents(start(usage))).toEqual(lost);
      expect(ofEvents(delta(usage))).toEqual(lost);
      expect(ofEvents(start(usage), delta({ output_tokens: 5 }))).toEqual({
        ...toldOf({ outputTokens: 5 }),
        isUnreadable: true,
      });
    }
    for (const usage of [null, undefined, {}]) {
      const found = ofEvents(start(usage), delta(usage), delta({ output_tokens: 5 }));
      expect(found).toEqual(toldOf({ outputTokens: 5 }));
    }
  });

  test("is no message_delta that leaves out what its start told", () => {
    const found = ofEvents(
      start({ input_tokens: 10 }),
      delta({ input_tokens: null, output_tokens: 5 }),
    );
    expect(found).toEqual(toldOf({ inputTokens: 10, outputTokens: 5 }));
  });

  test("is one that has none", () => {
    const bare = [
      { type: "message_start", message: {} },
      { type: "message_start", message: "x" },
      { type: "message_delta", delta: {} },
    ];
    expect(ofEvents(...bare)).toBeUndefined();
    expect(usageOf(start({ input_tokens: 10 }), ...bare)?.inputTokens).toBe(10);
  });

  test("is no other event that has one", () => {
    const usage = { input_tokens: 1_000, output_tokens: 1_000 };
    const error = { type: "error", error: { type: "overloaded_error" }, usage };
    expect(
      ofEvents({ type: "message_stop", usage }, error, { type: "ping", usage }),
    ).toBeUndefined();
  });
});

describe("what was written is estimated when no message_delta says so", () => {
  test("at a token for four characters of text, rounded up once", () => {
    expect(outputEstimateOf(text("x".repeat(4_000)))).toBe(1_000);
    expect(outputEstimateOf(text("abc"), text("de"))).toBe(2);
    expect(outputEstimateOf()).toBe(0);
  });

  test("and characters are what JavaScript counts, not bytes", () => {
    expect(outputEstimateOf(text("é€".repeat(4)))).toBe(2);
    expect(outputEstimateOf(text("😀".repeat(4)))).toBe(2);
  });

  test("for thinking and the input of tools, too", () => {
    expect(outputEstimateOf(piece({ type: "thinking_delta", thinking: "y".repeat(392) }))).toBe(
      100,
    );
    expect(
      outputEstimateOf(piece({ type: "input_json_delta", partial_json: "z".repeat(386) })),
    ).toBe(100);
  });

  test("not for a delta that is shorter than one without text", () => {
    expect(outputEstimateOf(piece({}), text("abcd"))).toBe(1);
    expect(ofEvents(piece({}))).toBeUndefined();
  });

  test("not for what begins a block", () => {
    const block = { type: "text", text: "x".repeat(400) };
    expect(outputEstimateOf({ type: "content_block_start", index: 0, content_block: block })).toBe(
      0,
    );
  });

  test("and never when one does, whatever was written", () => {
    const found = ofEvents(
      start({ input_tokens: 10 }),
      text("x".repeat(400)),
      delta({ output_tokens: 5 }),
    );
    expect(found).toEqual(toldOf({ inputTokens: 10, outputTokens: 5 }));
  });

  test("of a stream without a start that can be read, as all there is", () => {
    expect(ofEvents(text("x".repeat(400)))).toEqual(estimateOf({ outputTokens: 100 }));
  });
});

describe("a stream that is cut", () => {
  const begun = written(start({ input_tokens: 10 }));
  const outputOf = (rest: string) => metered(begun + rest)?.usage.outputTokens;

  test("inside a piece of the answer counts what there is of it", () => {
    const cut = written(text("x".repeat(400))).slice(0, -'"}}\n\n'.length);
    expect(outputOf(cut)).toBe(Math.ceil((400 - 3) / 4));
  });

  test("before the blank line after a message_delta has that event", () => {
    expect(outputOf(written(delta({ output_tokens: 5 })).trimEnd())).toBe(5);
  });

  test("inside a message_delta does not have it", () => {
    expect(
      outputOf(written(text("abcd")) + written(delta({ output_tokens: 55 })).slice(0, -6)),
    ).toBe(1);
  });

  test("used nothing where nothing of the answer came", () => {
    expect(metered()).toBeUndefined();
    expect(metered(written({ type: "ping" }))).toBeUndefined();
    expect(metered(": comment\n\nid: 7\nretry: 5\n\nnonsense\n\n")).toBeUndefined();
    expect(metered("\n\r\n\n")).toBeUndefined();
    expect(metered("\ufeff: ping")).toBeUndefined();
    for (const before of ["retry: 5\n\n", "id:7\n"]) expect(metered(before)).toBeUndefined();
    expect(metered(written({ type: "error", error: {} }))).toBeUndefined();
  });
});

describe("what comes under a stream's name and is none", () => {
  const bytesEstimate = (bytes: number) =>
    estimateOf({ inputTokens: inputTokensEstimate, outputTokens: Math.ceil(bytes / 4) });

  test("is estimated by its bytes", () => {
    const json = JSON.stringify({ usage: { input_tokens: 5 }, said: "é" });
    expect(metered(json)).toEqual(bytesEstimate(Buffer.byteLength(json)));
    expect(metered("x")).toEqual(bytesEstimate(1));
    expect(metered("\n\nnonsense\n")).toEqual(bytesEstimate(11));
  });

  test("is estimated so where a line of it happens to begin as a comment does", () => {
    expect(metered("\x1f\x8b\x08\n: x\n")).toEqual(bytesEstimate(9));
  });

  test.each(["gzipSync", "deflateSync", "zstdCompressSync"] as const)(
    "is estimated so in a coding that nobody undid, by %s",
    (compress) => {
      const coded = Bun[compress](written(text("abcd".repeat(99))));
      expect(metered(new Uint8Array(coded))).toEqual(bytesEstimate(coded.length));
    },
  );

  test("is estimated so when it is longer than one line that is looked at", () => {
    const bytes = 3 * 1024 * 1024;
    expect(metered("x".repeat(bytes / 2), "x".repeat(bytes / 2))).toEqual(bytesEstimate(bytes));
  });

  test("is a stream after all when an event comes of it", () => {
    expect(metered(`nonsense\n\n${written({ type: "ping" })}`)).toBeUndefined();
    expect(metered("nonsense\n\nevent:ping\n\n")).toBeUndefined();
    expect(metered(`nonsense\n\n${written(delta({ output_tokens: 5 }))}`)).toEqual(
      toldOf({ outputTokens: 5 }),
    );
  });
});

describe("what is billed beside a stream's own counts", () => {
  const compaction = { type: "compaction", input_tokens: 180, output_tokens: 35 };
  const compacted = {
    model: undefined,
    usage: { ...noUsage, inputTokens: 180, outputTokens: 35 },
  };
  const othersOf = (...events: readonly Event[]) => ofEvents(...events)?.others;

  test("is told by the iterations of its message_delta", () => {
    const found = ofEvents(
      start({ input_tokens: 10 }),
      delta({ output_tokens: 5, iterations: [{ type: "message", input_tokens: 10 }, compaction] }),
    );
    expect(found).toEqual({ ...toldOf({ inputTokens: 10, outputTokens: 5 }), others: [compacted] });
  });

  test("is what the last list says", () => {
    const listed = delta({ iterations: [compaction] });
    const twice = delta({ iterations: [compaction, compaction] });
    expect(othersOf(listed, twice)).toEqual([compacted, compacted]);
    expect(othersOf(twice, listed)).toEqual([compacted]);
    expect(othersOf(listed, delta({ iterations: [] }))).toEqual([]);
    expect(othersOf(start({ iterations: [compaction] }), delta({}))).toEqual([compacted]);
  });

  test("stays as it was told where a later event has no list, or none that can be read", () => {
    const listed = delta({ iterations: [compaction] });
    for (const usage of [{}, { iterations: null }, { iterations: "x" }])
      expect(othersOf(listed, delta(usage), start(usage))).toEqual([compacted]);
    expect(othersOf(listed, delta({ output_tokens: "5", iterations: [] }))).toEqual([compacted]);
  });
});

describe("events are found", () => {
  const events = [start({ input_tokens: 10 }), text("abcd"), delta({ output_tokens: 5 })];
  const json = events.map((event) => JSON.stringify(event));
  const [startJson = "", textJson = "", deltaJson = ""] = json;
  const expected = toldOf({ inputTokens: 10, outputTokens: 5 });

  test.each([
    ["with CRLF", events.map(written).join("").replaceAll("\n", "\r\n")],
    ["behind a byte order mark", `\ufeff${events.map(written).join("")}`],
    ["without blanks after the colons", events.map(written).join("").replaceAll(": ", ":")],
    [
      "with more blanks around their names",
      events.map((event) => written(event).replace(/event: (.*)/, "event:  $1 ")).join(""),
    ],
    ["without names", json.map((data) => `data: ${data}\n\n`).join("")],
    [
      "with their names behind their data",
      events.map(({ type }, at) => `data: ${json[at]}\nevent: ${type}\n\n`).join(""),
    ],
    [
      "among comments and other fields",
      events.map((event) => `: c\nid: 1\nretry: 2\n${written(event)}`).join(""),
    ],
    [
      "with blanks in their JSON",
      events
        .map((event) => `data: ${JSON.stringify(event, null, 1).replaceAll("\n", " ")}\n\n`)
        .join(""),
    ],
    [
      "with their type in the end",
      `data: {"message":{"usage":{"input_tokens":10}},"type":"message_start"}\n\ndata: ${deltaJson}\n\n`,
    ],
  ])("%s", (_, stream) => {
    expect(metered(stream)).toEqual(expected);
  });

  test("only where name and data agree", () => {
    expect(metered(`event: ping\ndata: ${startJson}\n\n`)).toBeUndefined();
    expect(metered(`event: message_start\ndata: ${deltaJson}\n\n`)).toBeUndefined();
  });

  test("one between two blank lines, by its first line of data", () => {
    const found = metered(`data: ${startJson}\ndata: ${deltaJson}\n\n`);
    expect(found?.usage.outputTokens).toBe(0);
  });

  test("also where a name or a type is nobody's", () => {
    const odd = `event: ${"x".repeat(1_000)}\ndata: ${textJson}\n\ndata: {"type":5}\n\ndata: "\n\n`;
    expect(metered(odd + json.map((data) => `data: ${data}\n\n`).join(""))).toEqual(expected);
  });
});

describe("a line of more than a megabyte", () => {
  const mebibyte = 1024 * 1024;
  const long = written(text("x".repeat(3 * mebibyte)));
  const stream = bytesOf(
    written(start({ input_tokens: 10 })) + long + written(text("abcd")) + long,
  );
  const inChunksOf = (size: number) => {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) chunks.push(stream.subarray(at, at + size));
    return metered(...chunks);
  };

  test("counts as that long, and what follows it counts", () => {
    const each = mebibyte - "data: ".length - JSON.stringify(text("")).length;
    expect(inChunksOf(stream.length)).toEqual(
      estimateOf({ inputTokens: 10, outputTokens: Math.ceil((2 * each + 4) / 4) }),
    );
  });

  test("has no further line in it, wherever a chunk begins", () => {
    const said = `data: ${JSON.stringify(delta({ output_tokens: 5 }))}\n\n`;
    expect(metered(`: ${"x".repeat(mebibyte)}`, said)).toBeUndefined();
    expect(metered(`: ${"x".repeat(mebibyte)}`, `\n${said}`)?.usage.outputTokens).toBe(5);
  });

  test.each([1_000, 65_536, mebibyte, mebibyte + 1])("counts the same in chunks of %p", (size) => {
    expect(inChunksOf(size)).toEqual(inChunksOf(stream.length));
  });
});

describe("in chunks that end anywhere", () => {
  const event = fc.oneof(
    fc.nat(5_000).map((input_tokens) => start({ input_tokens })),
    fc.nat(5_000).map((output_tokens) => delta({ output_tokens })),
    fc.string({ unit: "grapheme", maxLength: 40 }).map(text),
    fc.constant({ type: "ping" }),
    fc.constant(delta({ output_tokens: "x" })),
    fc.constant(delta({ iterations: [{ type: "compaction", input_tokens: 9 }] })),
  );
  const lineEnd = fc.constantFrom("\n", "\r\n");
  const cuts = fc.array(fc.nat(2_000));

  test("a stream used the same", () => {
    fc.assert(
      fc.property(fc.array(event), lineEnd, cuts, fc.nat(50), (events, end, offsets, missing) => {
        const stream = bytesOf(events.map(written).join("").replaceAll("\n", end));
        const cut = stream.subarray(0, Math.max(0, stream.length - missing));
        expect(metered(...splitAt(cut, offsets))).toEqual(metered(cut));
      }),
    );
  });

  test("any bytes are taken, and come to the same", () => {
    const nearly = fc.constantFrom(
      "data:",
      "event:",
      " ",
      "message_start",
      "{",
      '{"type":"message_delta"',
      "\n",
      "\r",
      "\ufeff",
      "\0",
    );
    const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), nearly.map(bytesOf)));
    fc.assert(
      fc.property(parts, cuts, (given, offsets) => {
        const stream = new Uint8Array(Buffer.concat(given));
        expect(metered(...splitAt(stream, offsets))).toEqual(metered(stream));
      }),
    );
  });
});
