// A request that is read in parts: the same comes of it wherever it pauses, and nobody waits for long meanwhile.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ApiError } from "../../src/http/errors.ts";
import { createCallReader, readMessagesCall } from "../../src/upstream/request/call.ts";
import { createReading, type Read } from "../../src/upstream/request/reading.ts";
import { anyJson, anyRequest, costly, damaged } from "../support/hostile-json.ts";

/** What comes of a body that is read with pauses at these places at the earliest, and how often it paused. */
function readAt(
  body: Uint8Array,
  stops: readonly number[],
): { read: Read | string; pauses: number } {
  const reading = createReading(body);
  let pauses = 0;
  try {
    for (const stop of stops) {
      const read = reading.advance(stop);
      if (read !== undefined) return { read, pauses };
      pauses += 1;
    }
    return { read: reading.advance(Number.MAX_SAFE_INTEGER) ?? "paused", pauses };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { read: error.message, pauses };
  }
}

const anyBody = fc.oneof(
  anyRequest("m").map((text) => new Uint8Array(Buffer.from(text))),
  anyJson.map((text) => new Uint8Array(Buffer.from(text))),
  damaged(fc.oneof(anyRequest("m"), anyJson)),
);

describe("a request", () => {
  test("reads the same wherever it pauses", () => {
    fc.assert(
      fc.property(anyBody, fc.array(fc.nat(6_000), { maxLength: 20 }), (body, places) => {
        const whole = readAt(body, []).read;
        const { read } = readAt(
          body,
          places.toSorted((a, b) => a - b),
        );
        // Which of several mistakes is told may depend on how far it has come.
        if (typeof whole === "string") expect(read).toBeString();
        else expect(read).toEqual(whole);
      }),
      { numRuns: 2_000 },
    );
  });

  test("reads the same when it pauses wherever it can", () => {
    const body = Buffer.from(
      `{"model":"m", "a" : [1,[],{},"${'\\"'.repeat(100)}x"], "${"k".repeat(130)}\\"\\"":{"model":"n"}}`,
    );
    const { read, pauses } = readAt(
      body,
      Array.from({ length: body.length }, (_, index) => index),
    );
    expect(read).toEqual(readAt(body, []).read);
    expect(pauses).toBeGreaterThan(100);
  });

  test("has the members that JSON.parse finds, or is refused", () => {
    fc.assert(
      fc.property(anyRequest("m"), (text) => {
        const body = Buffer.from(text);
        const { read } = readAt(body, []);
        if (typeof read === "string") return expect(read).toMatch(/models|more than once/);
        const tree = JSON.parse(text) as Record<string, unknown>;
        expect(Object.keys(read.fields).toSorted()).toEqual(Object.keys(tree).toSorted());
        for (const [name, member] of Object.entries(read.fields)) {
          const value = body.toString("utf8", member?.valueStart, member?.valueEnd);
          expect(JSON.parse(value)).toEqual(tree[name]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("names the models that a search of its tree finds, each with where it stands first", () => {
    const names = fc.constantFrom("model", "input", "tags", "schema", "x", "models", "in");
    const tree = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5, depthSize: "small" },
        fc.constantFrom<unknown>("a", "b", "", 5, true, null, "é\n"),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(names, tie("value"), { maxKeys: 3, noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(tree, (x) => {
        const { nestedModels } = readMessagesCall(Buffer.from(JSON.stringify({ model: "m", x })));
        expect([...nestedModels]).toEqual([...modelsIn({ model: "m", x })]);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** By name, in the order of the text; what is no text is one. */
function modelsIn(request: object): Map<string | undefined, string> {
  const found = new Map<string | undefined, string>();
  const own = new Set(["input", "input_schema", "input_examples", "schema", "tags"]);
  const search = (value: unknown, path: string) => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const place = path === "" ? key : `${path}.${key}`;
      const isMapping = typeof inner === "object" && !Array.isArray(inner);
      if (key === "model" && path !== "" && !isMapping && !Array.isArray(value)) {
        const name = typeof inner === "string" ? inner : undefined;
        if (!found.has(name)) found.set(name, place);
      }
      if (Array.isArray(value) || !own.has(key)) search(inner, place);
    }
  };
  search(request, "");
  return found;
}

describe("a reader of requests", () => {
  /** One whose clock goes on by a millisecond each time it is looked at, and whose turns a test gives. */
  function readerByHand() {
    const waiting: (() => void)[] = [];
    let ms = 0;
    const read = createCallReader({
      now: () => ms++,
      after: (_, run) => {
        waiting.push(run);
        return () => undefined;
      },
    });
    return { read, waiting };
  }

  const shapes = Object.entries(costly("m", 2_000_000));
  test.each(shapes)("lets others have their turn: %s", async (shape, text) => {
    const { read, waiting } = readerByHand();
    const body = Buffer.from(text);
    const outcome = (async () => read(body))().catch((error: Error) => error.message);
    let turns = 0;
    for (await Bun.sleep(0); waiting.length > 0; turns++) {
      expect(waiting).toHaveLength(1);
      waiting.shift()?.();
      await Bun.sleep(0);
    }
    const whole = await (async () => readMessagesCall(body))().catch(
      (error: Error) => error.message,
    );
    if (typeof whole === "string") expect(await outcome).toBeString();
    else expect(await outcome).toEqual(whole);
    // Blanks, numbers and strings without quotes are read in one go, and take a nanosecond a byte at most.
    const isFast = /blanks|digits|string of (?:NULs|lone|backslashes)|one long string|long key/;
    const isRefusedEarly = typeof whole === "string" && /more than|deeper/.test(whole);
    if (!isFast.test(shape) && !isRefusedEarly) expect(turns).toBeGreaterThan(4);
  });

  test("reads what is soon read at once, and refuses it at once", () => {
    const { read, waiting } = readerByHand();
    const body = Buffer.from('{"model":"m","messages":[]}');
    expect(read(body)).toEqual(readMessagesCall(body));
    expect(() => read(Buffer.from("{}"))).toThrow("model is required");
    expect(waiting).toEqual([]);
  });

  test("has one turn at a time, however many are read, and takes each as far", async () => {
    const { read, waiting } = readerByHand();
    const text = costly("m", 2_000_000)["many empty lists"] ?? "";
    let turns = 0;
    const doneAt: number[] = [];
    for (let count = 0; count < 5; count++)
      void Promise.resolve(read(Buffer.from(text))).then(() => doneAt.push(turns));
    for (await Bun.sleep(0); waiting.length > 0; turns++) {
      expect(waiting).toHaveLength(1);
      waiting.shift()?.();
      await Bun.sleep(0);
    }
    expect(doneAt).toHaveLength(5);
    expect((doneAt[4] ?? 0) - (doneAt[0] ?? 0)).toBeLessThanOrEqual(5);
  });
});
