// How a request ended, in attributes that its record and its spans have in common.
import type { Charged } from "../../spend/answer-watch.ts";
import type { RequestAttributes } from "./attributes.ts";
import { boundedText } from "./bounded-text.ts";
import type { FinishedAttempt, FinishedRequest } from "./finished-request.ts";
import { secondsOf } from "./times.ts";

/**
 * The conventions' names of providers, by ours. What Anthropic itself runs behind a cloud's account is Anthropic's. Foundry
 * serves Claude from the host names of Azure AI Inference; a name of its own it does not have yet.
 */
const providerNames: ReadonlyMap<string, string> = new Map([
  ["anthropic", "anthropic"],
  ["anthropicAws", "anthropic"],
  ["anthropicGoogleCloud", "anthropic"],
  ["bedrock", "aws.bedrock"],
  ["mantle", "aws.bedrock"],
  ["vertex", "gcp.vertex_ai"],
  ["foundry", "azure.ai.inference"],
]);

/** A provider in the conventions' words; one that they do not know goes by its own name. */
export function providerNameOf(provider: string): string {
  return providerNames.get(provider) ?? provider;
}

/** The conventions know of no counting, and allow for names of one's own. */
export function operationOf({ path }: FinishedRequest): "chat" | "count_tokens" {
  return path === "/v1/messages" ? "chat" : "count_tokens";
}

/** Whether it failed, and not through the client's fault. */
export function hasFailed({ status, ending, answer }: FinishedRequest): boolean {
  return status >= 500 || ending === "broken" || answer?.errorType !== undefined;
}

/** Why it was not answered as it should; undefined when it was. Few values: a type of error, a word, a status. */
export function errorTypeOf({ status, ending, answer }: FinishedRequest): string | undefined {
  if (answer?.errorType !== undefined) return boundedText(answer.errorType);
  if (ending !== "complete") return ending;
  return status >= 400 ? String(status) : undefined;
}

/** The attempt whose answer went to the client. No upstream is asked twice. */
export function answeringAttemptOf(finished: FinishedRequest): FinishedAttempt | undefined {
  const { attempts, answeredBy } = finished;
  return attempts.find(({ upstream }) => upstream === answeredBy?.upstream);
}

/** What the answer says of itself and of what was used, in the conventions' words. */
export function addAnswer(attributes: RequestAttributes, finished: FinishedRequest): void {
  const { answer, charged, isStreamed, firstByteMs } = finished;
  if (isStreamed) attributes["gen_ai.request.stream"] = true;
  if (answer?.id !== undefined) attributes["gen_ai.response.id"] = boundedText(answer.id);
  if (answer?.model !== undefined) attributes["gen_ai.response.model"] = boundedText(answer.model);
  if (answer?.stopReason !== undefined) {
    attributes["gen_ai.response.finish_reasons"] = [boundedText(answer.stopReason)];
  }
  if (charged !== undefined) addUsage(attributes, charged);
  const attempt = answeringAttemptOf(finished);
  if (isStreamed && firstByteMs !== undefined && attempt !== undefined) {
    const waitedMs = Math.max(0, firstByteMs - attempt.beganMs);
    attributes["gen_ai.response.time_to_first_chunk"] = secondsOf(waitedMs);
  }
}

function addUsage(attributes: RequestAttributes, { usage }: Charged): void {
  const written = usage.cacheWrite5mTokens + usage.cacheWrite1hTokens;
  // "This value SHOULD include all types of input tokens, including cached tokens."
  attributes["gen_ai.usage.input_tokens"] = usage.inputTokens + usage.cacheReadTokens + written;
  attributes["gen_ai.usage.output_tokens"] = usage.outputTokens;
  if (usage.cacheReadTokens > 0)
    attributes["gen_ai.usage.cache_read.input_tokens"] = usage.cacheReadTokens;
  if (written > 0) attributes["gen_ai.usage.cache_creation.input_tokens"] = written;
}
