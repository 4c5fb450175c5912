// The gateway's own spans of one inference request: one for the request, below the client's, and below that one for each
// attempt. Plain objects, as records.ts has them. Who the request is from is not in them: traces are read by more people than
// logs are. Whoever may read both finds the record by its trace, or by `request_id`.
import {
  type SpanContext as ExportedContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  TraceFlags,
} from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { RequestAttributes } from "./attributes.ts";
import { boundedText } from "./bounded-text.ts";
import type { FinishedAttempt, FinishedRequest } from "./finished-request.ts";
import type { Origin } from "./origin.ts";
import {
  addAnswer,
  answeringAttemptOf,
  errorTypeOf,
  hasFailed,
  operationOf,
  providerNameOf,
} from "./request-attributes.ts";
import { hrDurationOf, hrTimeOf } from "./times.ts";
import type { SpanContext } from "./trace-context.ts";

const unset: SpanStatus = { code: SpanStatusCode.UNSET };
const failed: SpanStatus = { code: SpanStatusCode.ERROR };

/** The request's span, and those of its attempts in their order. None when it has no span of ours, or is not sampled. */
export function spansOf(finished: FinishedRequest, origin: Origin): ReadableSpan[] {
  const { trace, path } = finished;
  if (trace?.span === undefined || !trace.span.isSampled) return [];
  const own = exported(trace.span);
  const spans = [
    spanOf(finished, origin, {
      name: `POST ${path}`,
      kind: SpanKind.SERVER,
      context: own,
      parent: trace.parent && { ...exported(trace.parent), isRemote: true },
      beganMs: 0,
      endedMs: finished.durationMs,
      hasFailed: hasFailed(finished),
      attributes: requestAttributes(finished),
    }),
  ];
  const answering = answeringAttemptOf(finished);
  for (const attempt of finished.attempts) {
    if (attempt.spanId === undefined) continue;
    const isAnswering = attempt === answering;
    spans.push(
      spanOf(finished, origin, {
        name: `${operationOf(finished)} ${boundedText(attempt.upstreamModel)}`,
        kind: SpanKind.CLIENT,
        context: { ...own, spanId: attempt.spanId },
        parent: own,
        beganMs: attempt.beganMs,
        // The exchange that the client reads the answer of lasts as long as the answer does.
        endedMs: isAnswering ? finished.durationMs : attempt.endedMs,
        hasFailed: hasAttemptFailed(attempt) || (isAnswering && hasFailed(finished)),
        attributes: attemptAttributes(finished, attempt, isAnswering),
      }),
    );
  }
  return spans;
}

type Facts = Pick<ReadableSpan, "name" | "kind"> & {
  context: ExportedContext;
  parent: ExportedContext | undefined;
  /** Milliseconds since the request came. */
  beganMs: number;
  endedMs: number;
  hasFailed: boolean;
  attributes: RequestAttributes;
};

function spanOf(
  { receivedAt }: FinishedRequest,
  { resource, scope }: Origin,
  { name, kind, context, parent, beganMs, endedMs, hasFailed: isError, attributes }: Facts,
): ReadableSpan {
  // Clocks that were set back must not make a span end before it began: stores drop those.
  const fromMs = Math.max(0, beganMs);
  const toMs = Math.max(fromMs, endedMs);
  return {
    name,
    kind,
    spanContext: () => context,
    ...(parent && { parentSpanContext: parent }),
    startTime: hrTimeOf(receivedAt, fromMs),
    endTime: hrTimeOf(receivedAt, toMs),
    duration: hrDurationOf(toMs - fromMs),
    ended: true,
    status: isError ? failed : unset,
    attributes,
    links: [],
    events: [],
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

/** Without `tracestate`: what other systems keep in it is not ours to publish. */
function exported({ traceId, spanId, isSampled }: SpanContext): ExportedContext {
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

function requestAttributes(finished: FinishedRequest): RequestAttributes {
  const { path, sessionId, model } = finished;
  const attributes: RequestAttributes = {
    request_id: boundedText(finished.requestId),
    "http.request.method": "POST",
    "url.path": path,
    "http.response.status_code": finished.status,
    "claude_gateway.ending": finished.ending,
    "claude_gateway.attempts": finished.attempts.length,
  };
  if (sessionId !== undefined) attributes["session.id"] = boundedText(sessionId);
  if (model !== undefined) attributes["gen_ai.request.model"] = boundedText(model);
  const errorType = errorTypeOf(finished);
  if (errorType !== undefined) attributes["error.type"] = errorType;
  return attributes;
}

function attemptAttributes(
  finished: FinishedRequest,
  attempt: FinishedAttempt,
  isAnswering: boolean,
): RequestAttributes {
  const { sessionId, agentId } = finished;
  const attributes: RequestAttributes = {
    "gen_ai.operation.name": operationOf(finished),
    "gen_ai.provider.name": providerNameOf(attempt.provider),
    "gen_ai.request.model": boundedText(attempt.upstreamModel),
    "claude_gateway.upstream.name": boundedText(attempt.upstream),
    "claude_gateway.upstream.provider": attempt.provider,
    "claude_gateway.attempt.outcome": attempt.outcome,
  };
  if (attempt.status !== undefined) attributes["http.response.status_code"] = attempt.status;
  if (sessionId !== undefined) attributes["gen_ai.conversation.id"] = boundedText(sessionId);
  if (agentId !== undefined) attributes["gen_ai.agent.id"] = boundedText(agentId);
  const errorType = attemptErrorType(attempt) ?? (isAnswering ? errorTypeOf(finished) : undefined);
  if (errorType !== undefined) attributes["error.type"] = errorType;
  if (isAnswering) addAnswer(attributes, finished);
  return attributes;
}

/** A client that hung up is nobody's failure. */
function hasAttemptFailed({ outcome }: FinishedAttempt): boolean {
  return outcome === "refused" || outcome === "no answer";
}

function attemptErrorType({ outcome, status }: FinishedAttempt): string | undefined {
  switch (outcome) {
    case "refused":
      return String(status ?? outcome);
    case "no answer":
      return "no_answer";
    case "client gone":
      return "client_gone";
    case "answered":
      return undefined;
  }
}
