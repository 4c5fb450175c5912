// A guardrail is the operator's: while one is configured, no request may bring settings of its own for it.
import { ApiError } from "../http/errors.ts";
import type { MessagesCall } from "./request/call.ts";

/**
 * Refuses a body with a top-level `amazon-bedrock-…` field, in whatever case and whatever escapes, before any upstream sees it.
 * @throws ApiError `invalid_request_error`
 */
export function refuseGuardrailFields({ fields }: MessagesCall): void {
  const field = Object.keys(fields).find((name) =>
    name.toLowerCase().startsWith("amazon-bedrock-"),
  );
  if (field === undefined) return;
  throw new ApiError(
    "invalid_request_error",
    `${field.slice(0, 64)} is not permitted: this gateway applies a guardrail to Bedrock requests`,
  );
}
