// A guardrail is the operator's: while one is configured, no request may bring settings of its own for it.
import { ApiError } from "../http/errors.ts";
import type { MessagesCall } from "./request/call.ts";

/**
 * Refuses a body with a top-level `amazon-bedrock-…` field, in whatever case and whatever escapes, before any upstream sees it.
 * @throws ApiError `invalid_request_error`
 */
export function refuseGuardrailFields({ body }: MessagesCall): void {
  // The whole body is parsed: this is for deployments with a guardrail only, and a name that is compared must be read.
  const field = topLevelNames(body).find((name) =>
    name.toLowerCase().startsWith("amazon-bedrock-"),
  );
  if (field === undefined) return;
  throw new ApiError(
    "invalid_request_error",
    `${field.slice(0, 64)} is not permitted: this gateway applies a guardrail to Bedrock requests`,
  );
}

function topLevelNames(body: Uint8Array): string[] {
  try {
    return Object.keys(JSON.parse(Buffer.from(body).toString()) as object);
  } catch {
    // Too deep for the parser, or an escape that call.ts left unchecked: not to be looked into is not to be sent.
    throw new ApiError("invalid_request_error", "invalid JSON");
  }
}
