// A cloud's refusal as the developer may read it. A cloud's own words can quote what is the operator's business, so the
// developer gets fixed copy by status; of a 400 or 413, whose cause is the request itself, either the word for it that
// Claude Code acts on, or the message when it comes from the model's API (Anthropic's envelope). Which texts make which word
// is in capability.ts, what is taken out of a message in redaction.ts; what the log says of the text is cloud.ts's.
import type { ApiErrorType } from "../../http/errors.ts";
import { valueIn } from "../json.ts";
import { capabilityRejected } from "./capability.ts";
import { redacted } from "./redaction.ts";

/** An upstream's error as the developer may read it. */
export type Rejection = {
  readonly status: number;
  readonly type: ApiErrorType;
  readonly message: string;
  /** The message is the provider's, which may repeat a prompt. */
  readonly isRelayed?: true;
};

type Copy = Omit<Rejection, "status">;

/** Longest message that is relayed, in UTF-16 code units. */
const relayedTextMax = 1_000;

const copyByStatus: ReadonlyMap<number, Copy> = new Map([
  [
    401,
    {
      type: "authentication_error",
      message: "upstream authentication failed — check the gateway operator",
    },
  ],
  [
    403,
    {
      type: "permission_error",
      message: "upstream denied the request — check the gateway operator",
    },
  ],
  [404, { type: "not_found_error", message: "upstream resource not found" }],
  [429, { type: "rate_limit_error", message: "upstream rate limit exceeded" }],
  [501, { type: "not_supported", message: "upstream does not support this endpoint" }],
  // Read only when a lone upstream answers so: failover.ts passes its 529 on, other 5xx become a 502 there.
  [529, { type: "overloaded_error", message: "upstream overloaded" }],
]);

const copyOfOthers: Copy = { type: "api_error", message: "upstream error" };

/** Claude Code compacts the conversation when it reads exactly this. */
const inputTooLong = "Input is too long.";

/** Messages that mean it, whole. */
const inputTooLongTexts: readonly RegExp[] = [
  /^input is too long\.?$/i,
  /^the (?:request|message) size \(\d{1,20} bytes\) exceeds \d{1,9}(?:\.\d{1,9})? ?MB limit\.?$/i,
];

/** What Bedrock says of a model id it does not know; the whole message. */
const unknownModelText = "The provided model identifier is invalid.";

/** Types of the errors of Anthropic's API. An envelope with another one is some proxy's. */
const envelopeTypes: ReadonlySet<unknown> = new Set<ApiErrorType>([
  "invalid_request_error",
  "authentication_error",
  "billing_error",
  "permission_error",
  "not_found_error",
  "request_too_large",
  "rate_limit_error",
  "not_supported",
  "api_error",
  "overloaded_error",
]);

/**
 * What the developer is told of an upstream's error.
 * @param status of the upstream's answer, 400 or above; kept.
 * @param body text of the upstream's answer, of any shape.
 * @param about.model as the client wrote it.
 */
export function rejectionOf(
  status: number,
  body: string,
  about: { readonly model: string; readonly provider: string },
): Rejection {
  if (status === 400)
    return {
      status,
      type: "invalid_request_error",
      ...messageOf(body, (said) => copyOf400(said, about)),
    };
  if (status === 413) return { status, type: "request_too_large", ...messageOf(body, copyOf413) };
  return { status, ...(copyByStatus.get(status) ?? copyOfOthers) };
}

/** The message of Anthropic's envelope, or else our copy for what the cloud said. */
function messageOf(
  body: string,
  copyOf: (said: string) => string,
): Pick<Rejection, "message" | "isRelayed"> {
  const answer = valueIn(body);
  const relayed = envelopeMessage(answer);
  if (relayed === undefined) return { message: copyOf((saidIn(answer) ?? body).trim()) };
  // Cut last: half an ARN would not be recognised. A cut may part the two halves of one character.
  const message = redacted(relayed).slice(0, relayedTextMax).toWellFormed();
  return { message, isRelayed: true };
}

function copyOf400(said: string, about: { model: string; provider: string }): string {
  if (inputTooLongTexts.some((text) => text.test(said))) return inputTooLong;
  if (about.provider === "bedrock" && said === unknownModelText)
    return `model ${about.model} is not available on bedrock`;
  const capability = capabilityRejected(said);
  return capability === undefined
    ? "upstream rejected the request"
    : `capability_rejected: ${capability}`;
}

function copyOf413(said: string): string {
  return capabilityRejected(said) === "prompt_too_long"
    ? "capability_rejected: prompt_too_long"
    : "request too large for this upstream";
}

function envelopeMessage(answer: unknown): string | undefined {
  if (memberOf(answer, "type") !== "error") return undefined;
  const error = memberOf(answer, "error");
  return envelopeTypes.has(memberOf(error, "type"))
    ? textOrNothing(memberOf(error, "message"))
    : undefined;
}

/** The message of a cloud's JSON: AWS's, Google's (`streamRawPredict` answers with a list of one), Azure's. */
function saidIn(answer: unknown): string | undefined {
  if (typeof answer === "string") return answer;
  const first = Array.isArray(answer) ? answer[0] : answer;
  return (
    textOrNothing(memberOf(first, "message")) ??
    textOrNothing(memberOf(first, "Message")) ??
    textOrNothing(memberOf(memberOf(first, "error"), "message"))
  );
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textOrNothing(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
