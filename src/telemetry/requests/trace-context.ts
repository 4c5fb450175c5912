// Where a request stands in a trace (W3C Trace Context Level 1, https://www.w3.org/TR/trace-context-1/): read from the client's
// headers, written into those that go on to an upstream. `baggage` goes nowhere: clients may keep anything in it, people's names
// too. What becomes of a trace in a collector is spans.ts's. Runs for every request, and loads nothing of OpenTelemetry for it.
import { randomIds, type TraceIds } from "./trace-ids.ts";

/** One span's place in a trace. */
export type SpanContext = {
  /** 32 and 16 hexadecimal digits in lower case, not all of them 0. */
  readonly traceId: string;
  readonly spanId: string;
  /** The `sampled` flag: whoever began the trace records it. */
  readonly isSampled: boolean;
};

/** The trace that a request belongs to. Without a place in it of the client's or the gateway's, it belongs to none. */
export type RequestTrace = {
  /** The span that the client sends the request from; undefined when it says nothing that can be read. */
  readonly parent: SpanContext | undefined;
  /** The same as it wrote it. */
  readonly traceparent: string | undefined;
  /** Its `tracestate`, which goes on as it is with a parent, and without one is none. */
  readonly traceState: string | undefined;
  /** The gateway's own span for the request; undefined when no collector takes any. */
  readonly span: SpanContext | undefined;
};

/** What one attempt sends, and the span that it is. */
export type AttemptTrace = {
  /** `traceparent` and `tracestate`, as far as there are such. */
  readonly headers: Readonly<Record<string, string>>;
  /** The attempt's own span, which is the one that `traceparent` names; undefined when the gateway records none. */
  readonly spanId: string | undefined;
};

export type Traces = {
  /** The trace of a request that has just come. Never throws, whatever its headers hold. */
  readonly traceOf: (headers: Headers) => RequestTrace;
};

const noTrace: RequestTrace = {
  parent: undefined,
  traceparent: undefined,
  traceState: undefined,
  span: undefined,
};

/**
 * @param options.isRecorded whether the gateway records spans: each request then has one, a child of the client's where there
 *   is one, else the first of a trace, which is sampled. Otherwise what the client says goes on as it came.
 */
export function createTraces({
  isRecorded,
  ids = randomIds,
}: {
  isRecorded: boolean;
  ids?: TraceIds;
}): Traces {
  if (!isRecorded) return { traceOf: readTraceContext };
  return {
    traceOf(headers) {
      const told = readTraceContext(headers);
      const { parent } = told;
      const span = {
        traceId: parent?.traceId ?? ids.traceId(),
        spanId: ids.spanId(),
        isSampled: parent?.isSampled ?? true,
      };
      return { ...told, span };
    },
  };
}

/** For the next attempt of a request: a new span of the same trace, if the request has one, or else what the client sent. */
export function attemptTrace(trace: RequestTrace, ids: TraceIds = randomIds): AttemptTrace {
  const { span, traceparent, traceState } = trace;
  if (span === undefined) {
    return { headers: headersOf(traceparent, traceState), spanId: undefined };
  }
  const spanId = ids.spanId();
  return { headers: headersOf(traceparentOf({ ...span, spanId }), traceState), spanId };
}

const noHeaders: AttemptTrace["headers"] = {};

function headersOf(
  traceparent: string | undefined,
  tracestate: string | undefined,
): AttemptTrace["headers"] {
  if (traceparent === undefined) return noHeaders;
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

/**
 * Version, trace id, span id and flags. A higher version may say more after another `-`: of it nothing is read. Two headers of
 * the name, which reach us as one with a comma, say nothing that could be trusted.
 */
const traceparentForm =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-[!-+\--~]*)?$/;

/** Characters of a `traceparent` of version 00, and the longest of a higher version that is taken for one. */
const traceparentLength = 55;
const traceparentLengthMax = 128;

/** The first flag: sampled. Others are of later levels. */
const sampledFlag = 1;

/** Longest `tracestate` that goes on, in characters: what everybody must be able to pass on. */
const traceStateLengthMax = 512;

/** What the client says: nothing at all when there is no `traceparent` that can be read. Never throws. */
export function readTraceContext(headers: Headers): RequestTrace {
  const traceparent = headers.get("traceparent");
  if (traceparent === null || traceparent.length > traceparentLengthMax) return noTrace;
  const [, version, traceId, spanId, flags] = traceparentForm.exec(traceparent) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return noTrace;
  if (version === "00" && traceparent.length !== traceparentLength) return noTrace;
  const isSampled = (Number.parseInt(flags, 16) & sampledFlag) !== 0;
  const traceState = passedOn(headers.get("tracestate"));
  return { parent: { traceId, spanId, isSampled }, traceparent, traceState, span: undefined };
}

/** A `tracestate` that is sent on as it is: short, and nothing but printable ASCII. What its members say is their systems'. */
function passedOn(traceState: string | null): string | undefined {
  if (traceState === null || traceState.length > traceStateLengthMax) return undefined;
  return /^[ -~]+$/.test(traceState) ? traceState : undefined;
}

/** The header's value for what is sent from this span: version 00, no flag but `sampled`. */
export function traceparentOf({ traceId, spanId, isSampled }: SpanContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** How the audit trail names the place of a request in its trace: the gateway's own span, or else the client's. */
export function auditedTraceparent(trace: RequestTrace | undefined): string | undefined {
  return trace?.span === undefined ? trace?.traceparent : traceparentOf(trace.span);
}
