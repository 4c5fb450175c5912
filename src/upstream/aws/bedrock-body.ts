// A Messages request as Amazon Bedrock wants it in the body of InvokeModel, and of CountTokens, which takes less.
import { betasSent } from "../request/betas.ts";
import { type FieldName, fieldText, fieldValue, type MessagesCall } from "../request/call.ts";
import {
  anthropicVersion,
  type BodyChange,
  cloudBody,
  requestTagsBeta,
} from "../request/cloud-request.ts";
import type { Omissions } from "../exchange.ts";
import type { OutboundCall } from "../upstream.ts";

/** The version of Bedrock's Messages format. */
const bedrockVersion = "bedrock-2023-05-31";

/** Betas that CountTokens takes; with any other it refuses the whole call. */
const countBetas = new Set(["claude-code-20250219", "context-management-2025-06-27"]);

/** What the path, the operation and `anthropic_beta` in the body stand for, and what Bedrock refuses. */
const dropped: readonly FieldName[] = ["model", "stream", "tags", "anthropic_beta"];

/** The body of InvokeModel: a Messages request without what goes in the path. */
export function invokeBody(outbound: OutboundCall, omit: Omissions): Uint8Array {
  return cloudBody(outbound, omit, {
    drop: dropped,
    set: versionAndBetas(outbound.call, betasTaken(outbound, omit)),
  });
}

/** The body of CountTokens: an InvokeModel body, as Base64 in JSON. */
export function countBody(outbound: OutboundCall, omit: Omissions): Uint8Array {
  const { call } = outbound;
  const betas = betasTaken(outbound, omit).filter((beta) => countBetas.has(beta));
  const body = cloudBody(outbound, omit, {
    drop: hasNoTools(call) ? [...dropped, "tools"] : dropped,
    set: [...versionAndBetas(call, betas), ["max_tokens", maxTokens(call)]],
  });
  return wrapped(body);
}

const wrapperHead = '{"input":{"invokeModel":{"body":"';
const wrapperTail = '"}}}';

/** In one piece and as bytes: a body may have 32 MB, and nobody else is served meanwhile. */
function wrapped(body: Uint8Array): Uint8Array {
  const encoded = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("base64");
  const whole = Buffer.allocUnsafe(wrapperHead.length + encoded.length + wrapperTail.length);
  whole.write(wrapperHead, 0, "latin1");
  whole.write(encoded, wrapperHead.length, "latin1");
  whole.write(wrapperTail, wrapperHead.length + encoded.length, "latin1");
  return whole;
}

function versionAndBetas(call: MessagesCall, betas: readonly string[]): BodyChange["set"] {
  const version = ["anthropic_version", anthropicVersion(call, bedrockVersion)] as const;
  return betas.length > 0 ? [version, ["anthropic_beta", JSON.stringify(betas)]] : [version];
}

/** Without the one that goes with `tags`. */
function betasTaken(outbound: OutboundCall, omit: Omissions): string[] {
  return betasSent(outbound, new Set([...omit.betas, requestTagsBeta]));
}

/** InvokeModel wants it, counting does not: the client's own, or the least that goes with its thinking budget. */
function maxTokens(call: MessagesCall): string {
  const own = Number(fieldText(call, "max_tokens") ?? NaN);
  const budget = thinkingBudget(fieldValue(call, "thinking"));
  return String(Number.isSafeInteger(own) && own > budget ? own : budget + 1);
}

function thinkingBudget(thinking: unknown): number {
  if (typeof thinking !== "object" || thinking === null || !("budget_tokens" in thinking)) return 0;
  const { budget_tokens: budget } = thinking;
  return Number.isSafeInteger(budget) ? Math.max(0, Number(budget)) : 0;
}

/** Longest list that is looked into: an empty one has blanks in it at most. */
const emptyListBytesMax = 64;

/** Claude Code sends an empty list, which CountTokens refuses. */
function hasNoTools(call: MessagesCall): boolean {
  const { tools } = call.fields;
  if (tools === undefined || tools.valueEnd - tools.valueStart > emptyListBytesMax) return false;
  return /^\[\s*\]$/.test(fieldText(call, "tools") ?? "");
}
