// Why a streamed answer cannot be read on, as the readers of streams (sse.ts, bedrock-events.ts) tell it. What becomes of it for
// the client is event-relay.ts's and cloud.ts's.

import { memberOf } from "../../config/mapping.ts";
import { valueIn } from "../json.ts";
import { errorClassesIn } from "./refusal-facts.ts";

/** An error with which a provider ended its own stream, as it would have answered it with a status. */
export type StreamRefusal = {
  readonly status: number;
  /** The provider's own words; JSON mostly. */
  readonly text: string;
};

/** The stream cannot be read on: damaged, cut, or ended by an error of the provider's. The message is ours, for the log. */
export class UpstreamStreamError extends Error {
  override readonly name = "UpstreamStreamError";
  /** The events that the same chunk completed before it. */
  readonly completed: Uint8Array;
  /** Undefined when it was no error that the provider told. */
  readonly refusal: StreamRefusal | undefined;

  constructor(
    message: string,
    more: { completed?: Uint8Array; refusal?: StreamRefusal | undefined } = {},
  ) {
    super(message);
    this.completed = more.completed ?? nothing;
    this.refusal = more.refusal;
  }
}

/**
 * An error with which a provider ended its stream.
 * @param text its own words.
 * @param more.type as the provider names it beside them; without it as an Anthropic envelope does.
 * @param more.completed as in UpstreamStreamError.
 */
export function toldError(
  text: string,
  more: { type?: string | undefined; completed?: Uint8Array } = {},
): UpstreamStreamError {
  const type = more.type ?? typeIn(text);
  const known = errorClassesIn(`${type} ${text}`) || "of no known class";
  return new UpstreamStreamError(`told an error: ${known}`, {
    completed: more.completed ?? nothing,
    refusal: { status: statusOf(type), text },
  });
}

const nothing: Uint8Array = new Uint8Array();

const failed = 500;

/** The status that a provider answers with when it has one of these errors before its stream begins. */
const statuses: ReadonlyMap<string, number> = new Map([
  // Types of Anthropic's API. https://platform.claude.com/docs/en/api/errors
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["timeout_error", 504],
  ["overloaded_error", 529],
  // Exceptions in InvokeModelWithResponseStream's stream, and those of InvokeModel that have been seen there. A model that timed
  // out or failed (408 and 424 as answers) may do better elsewhere, as with any 5xx.
  // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ResponseStream.html
  ["validationException", 400],
  ["accessDeniedException", 403],
  ["resourceNotFoundException", 404],
  ["throttlingException", 429],
  ["serviceQuotaExceededException", 429],
  ["modelNotReadyException", 429],
  ["serviceUnavailableException", 503],
  ["modelTimeoutException", 504],
]);

/** Of a type that is not known it is the provider's own failure. */
function statusOf(type: string): number {
  // AWS spells its exceptions with a small letter in streams, and with a capital one elsewhere.
  return statuses.get(type) ?? statuses.get(type.charAt(0).toLowerCase() + type.slice(1)) ?? failed;
}

function typeIn(text: string): string {
  const type = memberOf(memberOf(valueIn(text), "error"), "type");
  return typeof type === "string" ? type : "";
}
