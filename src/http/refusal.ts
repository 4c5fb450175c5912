// How a refusal is written, by who reads it: OAuth clients get RFC 6749 §5.2, people and probes get plain text, and every
// API path, the unknown ones too, gets the Anthropic envelope that SDKs show to their user.
import { faultOf, log, messageOf } from "../log.ts";
import { ApiError, errorEnvelope } from "./errors.ts";

const plainTextPaths = new Set([
  "/",
  "/device",
  "/device/deny",
  "/healthz",
  "/oauth/callback",
  "/protocol",
  "/readyz",
]);
const oauthPaths = new Set(["/oauth/device_authorization", "/oauth/revoke", "/oauth/token"]);

/** What a client may read of an error: its own refusal, or nothing of what went wrong here, which is logged. */
export function refusalOf(error: unknown, requestId: string): ApiError {
  if (error instanceof ApiError) return error;
  // A message may quote what was asked.
  log.error(`unhandled request_id=${requestId}: ${faultOf(error)}`);
  log.debug(`unhandled request_id=${requestId}: ${messageOf(error)}`);
  return new ApiError("api_error", "internal server error");
}

/** The response for a refusal on a path. The request id is in the envelope; the header is set by the listener. */
export function refusalResponse(path: string, requestId: string, error: ApiError): Response {
  if (plainTextPaths.has(path))
    return new Response(error.message, { status: error.status, headers: error.headers });
  if (oauthPaths.has(path)) {
    // Whatever went wrong here, the client should keep what it holds and come back.
    if (error.status >= 500) return oauthError(503, "temporarily_unavailable");
    return oauthError(error.status, "invalid_request", error.message);
  }
  return new Response(errorEnvelope(error.type, error.message, requestId), {
    status: error.status,
    headers: { "content-type": "application/json", ...error.headers },
  });
}

/** An OAuth error response (RFC 6749 §5.2), never cached. */
export function oauthError(status: number, error: string, description?: string): Response {
  return oauthJson(status, {
    error,
    ...(description !== undefined && { error_description: description }),
  });
}

/** A JSON response of the authorization server, never cached (RFC 6749 §5.1). */
export function oauthJson(status: number, body: object): Response {
  return Response.json(body, { status, headers: notStored });
}

/** For what is about one person or one moment: no cache may keep it. */
export const notStored = { "cache-control": "no-store", pragma: "no-cache" } as const;
