// One log record for each inference request, in the organisation's own collector: who used which model, for how much and how
// fast. Made from named facts only, so that nothing of a prompt or an answer can be in it. A plain object, which exporters take
// as well as a logger's own and which costs half as much. What the attributes mean is in attributes.ts; the sending is export/'s.
import {
  SeverityNumber,
  type SpanContext as ExportedContext,
  TraceFlags,
} from "@opentelemetry/api";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { Charged } from "../../spend/answer-watch.ts";
import { centsNumber } from "../../spend/money.ts";
import type { RequestAttributes } from "./attributes.ts";
import { boundedText } from "./bounded-text.ts";
import type { FinishedRequest } from "./finished-request.ts";
import { identityOf } from "./identity.ts";
import type { Origin } from "./origin.ts";
import {
  addAnswer,
  errorTypeOf,
  hasFailed,
  operationOf,
  providerNameOf,
} from "./request-attributes.ts";
import { hrTimeOf, secondsOf } from "./times.ts";
import type { RequestTrace } from "./trace-context.ts";

/**
 * The event's name, and for stores that show only a body its body, as Claude Code does it. The conventions'
 * `gen_ai.client.inference.operation.details` is for the text of prompts and answers, which collectors keep elsewhere.
 */
export const recordName = "claude_gateway.inference";

const info = { severityNumber: SeverityNumber.INFO, severityText: "INFO" } as const;
const warn = { severityNumber: SeverityNumber.WARN, severityText: "WARN" } as const;

/** The record of a request, at the moment of its end. */
export function recordOf(
  finished: FinishedRequest,
  { resource, scope }: Origin,
): ReadableLogRecord {
  const endedAt = hrTimeOf(finished.receivedAt, Math.max(0, finished.durationMs));
  const spanContext = finished.trace && contextOf(finished.trace);
  return {
    hrTime: endedAt,
    hrTimeObserved: endedAt,
    ...(hasFailed(finished) ? warn : info),
    eventName: recordName,
    body: recordName,
    ...(spanContext && { spanContext }),
    attributes: attributesOf(finished),
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
  };
}

/** The span in which the record was made: the gateway's own, or else the client's. */
function contextOf({ span, parent }: RequestTrace): ExportedContext | undefined {
  const context = span ?? parent;
  if (context === undefined) return undefined;
  const { traceId, spanId, isSampled } = context;
  return { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

function attributesOf(finished: FinishedRequest): RequestAttributes {
  const { sessionId, agentId, model, charged, firstByteMs } = finished;
  const attributes: RequestAttributes = {
    ...identityOf(finished.principal),
    request_id: boundedText(finished.requestId),
    "gen_ai.operation.name": operationOf(finished),
    "http.response.status_code": finished.status,
    "claude_gateway.ending": finished.ending,
    "claude_gateway.attempts": finished.attempts.length,
    "claude_gateway.duration_seconds": secondsOf(finished.durationMs),
  };
  if (sessionId !== undefined) attributes["session.id"] = boundedText(sessionId);
  if (agentId !== undefined) attributes["gen_ai.agent.id"] = boundedText(agentId);
  if (model !== undefined) attributes["gen_ai.request.model"] = boundedText(model);
  const errorType = errorTypeOf(finished);
  if (errorType !== undefined) attributes["error.type"] = errorType;
  if (firstByteMs !== undefined) {
    attributes["claude_gateway.first_byte_seconds"] = secondsOf(firstByteMs);
  }
  addUpstream(attributes, finished);
  addAnswer(attributes, finished);
  if (charged !== undefined) addCharge(attributes, charged);
  return attributes;
}

function addUpstream(attributes: RequestAttributes, { answeredBy }: FinishedRequest): void {
  if (answeredBy === undefined) return;
  const { upstream, provider, upstreamModel, requestId, cloudRequestId } = answeredBy;
  attributes["gen_ai.provider.name"] = providerNameOf(provider);
  attributes["claude_gateway.upstream.name"] = boundedText(upstream);
  attributes["claude_gateway.upstream.provider"] = provider;
  attributes["claude_gateway.upstream.model"] = boundedText(upstreamModel);
  if (requestId !== null) {
    attributes["claude_gateway.upstream.request_id"] = boundedText(requestId);
  }
  if (cloudRequestId !== null) {
    attributes["claude_gateway.upstream.cloud_request_id"] = boundedText(cloudRequestId);
  }
}

function addCharge(attributes: RequestAttributes, charged: Charged): void {
  const { usage, cost, isEstimate, isUnreadable } = charged;
  const { cacheWrite5mTokens, cacheWrite1hTokens, webSearches } = usage;
  attributes["claude_gateway.usage.input_tokens"] = usage.inputTokens;
  if (cacheWrite5mTokens > 0)
    attributes["claude_gateway.usage.cache_write_5m_tokens"] = cacheWrite5mTokens;
  if (cacheWrite1hTokens > 0)
    attributes["claude_gateway.usage.cache_write_1h_tokens"] = cacheWrite1hTokens;
  if (webSearches > 0) attributes["claude_gateway.usage.web_searches"] = webSearches;
  if (usage.isFast) attributes["claude_gateway.usage.fast"] = true;
  if (isEstimate || isUnreadable) attributes["claude_gateway.usage.estimated"] = true;
  // A number, since collectors add up numbers. The exporter writes a whole one as an integer.
  attributes["claude_gateway.cost.cents"] = centsNumber(cost);
}
