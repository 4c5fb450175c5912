// What is read of a client's place in a trace, and what goes on to upstreams.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import {
  attemptTrace,
  auditedTraceparent,
  createTraces,
  readTraceContext,
  traceparentOf,
} from "../../../src/telemetry/requests/trace-context.ts";
import { createTraceIds } from "../../../src/telemetry/requests/trace-ids.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";
const sent = `00-${traceId}-${spanId}-01`;

/** Ids that count: 01, 02, … */
function countingIds() {
  let made = 0;
  const next = (digits: number) => {
    made += 1;
    return made.toString(16).padStart(digits, "0");
  };
  return { traceId: () => next(32), spanId: () => next(16) };
}

const read = (traceparent: string, tracestate?: string) =>
  readTraceContext(new Headers({ traceparent, ...(tracestate !== undefined && { tracestate }) }));

describe("a traceparent", () => {
  test("of version 00 is read", () => {
    expect(read(sent)).toEqual({
      parent: { traceId, spanId, isSampled: true },
      traceparent: sent,
      traceState: undefined,
      span: undefined,
    });
  });

  test("is sampled by its first flag alone", () => {
    const isSampled = (flags: string) => read(`00-${traceId}-${spanId}-${flags}`).parent?.isSampled;
    expect(["00", "01", "02", "03", "fe", "ff"].map(isSampled)).toEqual([
      false,
      true,
      false,
      true,
      false,
      true,
    ]);
  });

  test("of a higher version is read as far as it is known, and kept as it came", () => {
    for (const [later, isSampled] of [
      [`01-${traceId}-${spanId}-01`, true],
      [`01-${traceId}-${spanId}-01-`, true],
      [`cc-${traceId}-${spanId}-00-what-comes-next.3=x`, false],
    ] as const) {
      expect(read(later)).toMatchObject({
        parent: { traceId, spanId, isSampled },
        traceparent: later,
      });
    }
  });

  const unreadable = {
    "of version ff": `ff-${traceId}-${spanId}-01`,
    "of version 00 with more at its end": `${sent}-extra`,
    "of version 00 with a dash at its end": `${sent}-`,
    "of a higher version with more that no dash begins": `01-${traceId}-${spanId}-01.extra`,
    "of a higher version that is too long": `01-${traceId}-${spanId}-01-${"x".repeat(100)}`,
    "of a higher version with a blank": `01-${traceId}-${spanId}-01-a b`,
    "of a higher version with what is not ASCII": `01-${traceId}-${spanId}-01-\u00fc`,
    "in upper case": sent.toUpperCase(),
    "with one digit in upper case": `00-${traceId}-${spanId.replace("b", "B")}-01`,
    "with a trace id of zeros": `00-${"0".repeat(32)}-${spanId}-01`,
    "with a span id of zeros": `00-${traceId}-${"0".repeat(16)}-01`,
    "with a trace id that is too short": `00-${traceId.slice(1)}-${spanId}-01`,
    "with a span id that is too long": `00-${traceId}-0${spanId}-01`,
    "with what is not hexadecimal": `00-${traceId.replace("a", "g")}-${spanId}-01`,
    "without flags": `00-${traceId}-${spanId}`,
    "with one digit of flags": `00-${traceId}-${spanId}-1`,
    "that is empty": "",
    "after something else": `x${sent}`,
    "in quotes": `"${sent}"`,
    "that came twice": `${sent}, ${sent}`,
    "of a higher version that came twice": `01-${traceId}-${spanId}-01-x, ${sent}`,
    "of which two came without a blank": `01-${traceId}-${spanId}-01-x,${sent}`,
  };
  for (const [what, traceparent] of Object.entries(unreadable)) {
    test(`${what} says nothing`, () => {
      expect(read(traceparent, "rojo=1")).toEqual({
        parent: undefined,
        traceparent: undefined,
        traceState: undefined,
        span: undefined,
      });
    });
  }

  test("that came in two headers says nothing", () => {
    const headers = new Headers();
    headers.append("traceparent", sent);
    headers.append("traceparent", sent);
    expect(readTraceContext(headers).parent).toBeUndefined();
  });

  test("may be anything without anything being thrown, and what is read of it is as it should be", () => {
    const near = (...parts: string[]) =>
      fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...parts) }, fc.string());
    const almost = fc
      .tuple(
        near("00", "01", "cc", "ff"),
        near(traceId, "0".repeat(32), traceId.toUpperCase()),
        near(spanId, "0".repeat(16), spanId.slice(1)),
        near("00", "01", "ff", "1"),
        near("", "-", "-more", ", x", "-,"),
      )
      .map(([version, trace, span, flags, more]) => `${version}-${trace}-${span}-${flags}${more}`);
    const state = fc.oneof(fc.string(), fc.string({ unit: "binary", maxLength: 600 }));
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), state, (traceparent, tracestate) => {
        // As wide as headers can be, which is what the server makes of bytes.
        const headers = new Map([
          ["traceparent", traceparent],
          ["tracestate", tracestate],
        ]);
        const told = readTraceContext({
          get: (name: string) => headers.get(name) ?? null,
        } as Headers);
        if (told.parent === undefined) {
          expect(told.traceparent).toBeUndefined();
          expect(told.traceState).toBeUndefined();
          return;
        }
        expect(told.parent.traceId).toMatch(/^(?=.*[1-9a-f])[0-9a-f]{32}$/);
        expect(told.parent.spanId).toMatch(/^(?=.*[1-9a-f])[0-9a-f]{16}$/);
        expect(told.traceparent).toMatch(/^[!-~]{55,128}$/);
        if (told.traceState !== undefined) expect(told.traceState).toMatch(/^[ -~]{1,512}$/);
      }),
    );
  });

  test("that we write is one that is read as what was written", () => {
    const id = (digits: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter((text) => /[^0]/.test(text));
    fc.assert(
      fc.property(id(32), id(16), fc.boolean(), (trace, span, isSampled) => {
        const context = { traceId: trace, spanId: span, isSampled };
        expect(read(traceparentOf(context)).parent).toEqual(context);
      }),
    );
  });
});

describe("a tracestate", () => {
  const stateOf = (tracestate: string) => read(sent, tracestate).traceState;

  test("is kept as it is, up to 512 characters", () => {
    expect(stateOf("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")).toBe(
      "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7",
    );
    expect(stateOf(`a=${"x".repeat(510)}`)).toHaveLength(512);
    expect(stateOf(`a=${"x".repeat(511)}`)).toBeUndefined();
  });

  test("of several headers is one list", () => {
    const headers = new Headers({ traceparent: sent });
    headers.append("tracestate", "congo=1");
    headers.append("tracestate", "rojo=2");
    expect(readTraceContext(headers).traceState).toBe("congo=1, rojo=2");
  });

  test("with anything else than printable ASCII is dropped, and the traceparent is not", () => {
    expect(read(sent, "a=\u00fc")).toMatchObject({ traceparent: sent, traceState: undefined });
    expect(stateOf("a=1\tb=2")).toBeUndefined();
    expect(stateOf("")).toBeUndefined();
  });
});

describe("without spans of our own", () => {
  const { traceOf } = createTraces({ isRecorded: false });

  test("an upstream is told what the client said, as it came", () => {
    const later = `01-${traceId}-${spanId}-03-more`;
    const trace = traceOf(
      new Headers({ traceparent: later, tracestate: "rojo=1", baggage: "user=ada" }),
    );
    expect(attemptTrace(trace)).toEqual({
      headers: { traceparent: later, tracestate: "rojo=1" },
      spanId: undefined,
    });
    expect(auditedTraceparent(trace)).toBe(later);
  });

  test("an upstream is told nothing when the client said nothing that can be read", () => {
    for (const headers of [
      new Headers(),
      new Headers({ traceparent: "x", tracestate: "rojo=1" }),
    ]) {
      const trace = traceOf(headers);
      expect(attemptTrace(trace)).toEqual({ headers: {}, spanId: undefined });
      expect(auditedTraceparent(trace)).toBeUndefined();
    }
    expect(auditedTraceparent(undefined)).toBeUndefined();
  });
});

describe("with spans of our own", () => {
  const begin = (headers: Record<string, string>) => {
    const ids = countingIds();
    return { ids, trace: createTraces({ isRecorded: true, ids }).traceOf(new Headers(headers)) };
  };

  test("a request is in the client's trace, and each attempt in a span of its own below", () => {
    const { ids, trace } = begin({
      traceparent: `01-${traceId}-${spanId}-03-x`,
      tracestate: "rojo=1",
    });
    expect(trace.span).toEqual({ traceId, spanId: "0000000000000001", isSampled: true });
    expect([attemptTrace(trace, ids), attemptTrace(trace, ids)]).toEqual([
      {
        headers: { traceparent: `00-${traceId}-0000000000000002-01`, tracestate: "rojo=1" },
        spanId: "0000000000000002",
      },
      {
        headers: { traceparent: `00-${traceId}-0000000000000003-01`, tracestate: "rojo=1" },
        spanId: "0000000000000003",
      },
    ]);
    expect(auditedTraceparent(trace)).toBe(`00-${traceId}-0000000000000001-01`);
  });

  test("a trace that the client does not sample stays so", () => {
    const { ids, trace } = begin({ traceparent: `00-${traceId}-${spanId}-00` });
    expect(trace.span?.isSampled).toBe(false);
    expect(attemptTrace(trace, ids).headers.traceparent).toBe(`00-${traceId}-0000000000000002-00`);
  });

  test("a request without a trace begins one that is sampled, and no client's tracestate is in it", () => {
    const { ids, trace } = begin({ traceparent: "x", tracestate: "rojo=1" });
    expect(trace).toEqual({
      parent: undefined,
      traceparent: undefined,
      traceState: undefined,
      span: { traceId: `${"0".repeat(31)}1`, spanId: "0000000000000002", isSampled: true },
    });
    expect(attemptTrace(trace, ids).headers).toEqual({
      traceparent: `00-${"0".repeat(31)}1-0000000000000003-01`,
    });
  });

  test("two requests have nothing in common", () => {
    const { traceOf } = createTraces({ isRecorded: true });
    const spans = Array.from({ length: 500 }, () => traceOf(new Headers()).span);
    expect(new Set(spans.map((span) => span?.traceId)).size).toBe(500);
    expect(new Set(spans.map((span) => span?.spanId)).size).toBe(500);
    for (const span of spans) {
      expect(span?.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(span?.spanId).toMatch(/^[0-9a-f]{16}$/);
    }
  });
});

describe("ids", () => {
  test("are of bytes that are used once", () => {
    let next = 0;
    const ids = createTraceIds((bytes) => {
      for (let at = 0; at < bytes.length; at += 1) bytes[at] = (next += 1) % 251;
    });
    expect([ids.spanId(), ids.traceId(), ids.spanId()]).toEqual([
      "0102030405060708",
      "090a0b0c0d0e0f101112131415161718",
      "191a1b1c1d1e1f20",
    ]);
    // Past several fetchings: 251 is prime, so that a span id comes again after 251 of them at the soonest.
    const made = Array.from({ length: 2_000 }, () => ids.traceId());
    expect(made.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true);
    expect(new Set(made.slice(0, 251)).size).toBe(251);
  });

  test("are not all 0, even if chance would have it", () => {
    const ids = createTraceIds((bytes) => void bytes.fill(0));
    expect([ids.spanId(), ids.traceId()]).toEqual(["0000000000000001", `${"0".repeat(31)}1`]);
  });
});
