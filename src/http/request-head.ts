// What the head of a request must be, before a byte of its body is read: a Host, one length that means what it says, and
// sizes within the limits. The runtime has refused most of what is ambiguous by then (RFC 9112 §11.2: two lengths that differ,
// a length beside Transfer-Encoding, any coding but `chunked`, bare line feeds, folded or nameless fields); what it lets
// through is refused here. What a refusal looks like is refusal.ts's.
import type { Config } from "../config/schema.ts";
import { ApiError } from "./errors.ts";

/** A name or an address, and perhaps a port. */
const nameAndPort = /^(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * Refuses a request whose end, or whose host, could be read in more than one way. Nothing after it on its connection should be
 * believed.
 * @returns bytes of body that the request says it has.
 * @throws ApiError 400 for a Host that is none (RFC 9112 §3.2) or a Content-Length that is no number, 411 without one.
 */
export function checkFraming({ headers }: Request): number {
  // Two of them arrive as `a, b`. HTTP/1.0 needs none; without one, HTTP/1.1 has been refused.
  const host = headers.get("host");
  if (host !== null && !nameAndPort.test(host)) {
    throw new ApiError("invalid_request_error", "invalid Host");
  }
  const contentLength = headers.get("content-length");
  if (contentLength === null) {
    if (!headers.has("transfer-encoding")) return 0;
    throw new ApiError("invalid_request_error", "length required", { status: 411 });
  }
  // The same length twice arrives as `5, 5`, which is no number that a limit could be held against.
  if (!/^\d{1,15}$/.test(contentLength)) {
    throw new ApiError("invalid_request_error", "invalid Content-Length");
  }
  return Number(contentLength);
}

/** @throws ApiError 414, 431 or 413 for a URL, a head or a body over its limit. */
export function checkSizes(
  request: Request,
  sizes: { urlLength: number; bodyBytes: number },
  limits: Config["limits"],
): void {
  if (limits.max_url_length !== undefined && sizes.urlLength > limits.max_url_length) {
    throw new ApiError("invalid_request_error", "uri too long", { status: 414 });
  }
  if (
    limits.max_request_header_bytes !== undefined &&
    headerBytes(request.headers) > limits.max_request_header_bytes
  ) {
    throw new ApiError("invalid_request_error", "request header fields too large", {
      status: 431,
    });
  }
  if (sizes.bodyBytes > limits.max_request_bytes) {
    throw new ApiError("request_too_large", "payload too large");
  }
}

/** Bytes of the header fields as HTTP/1.1 writes them: `name: value` and the line break. */
function headerBytes(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + 4;
  return bytes;
}
