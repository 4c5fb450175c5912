// One incoming request as the rest of the gateway sees it: its id, its path, its client, and its body read within bounds.
// Who the client is behind proxies is decided in client-address.ts; refusals are written by errors.ts.
import { ApiError } from "./errors.ts";

export type Incoming = {
  readonly request: Request;
  readonly requestId: string;
  /** The client's address after trusted_proxies, without port; `unknown` when there is none. */
  readonly clientIp: string;
  /** As sent where it is a route's; another spelling of a route's is not that path (target.ts). */
  readonly path: string;
  /** `""` or `"?…"`, as sent. */
  readonly search: string;
  /** Milliseconds since the epoch when the request reached us. */
  readonly receivedAt: number;
  /** The same moment by `performance.now()`: durations count from here, since the clock of the epoch may be set. */
  readonly startedMs: number;
};

/** Most of a refused body that is taken in and thrown away, in bytes and milliseconds. */
const discardedBytesMax = 128 * 1024 * 1024;
const discardTimeoutMs = 10_000;

/** Longest form accepted at the sign-in endpoints, in bytes. */
const formBytesMax = 64 * 1024;

/** A client's `x-client-request-id` when it is usable as an id, else a fresh UUID. */
export function requestIdOf(headers: Headers): string {
  const asked = headers.get("x-client-request-id");
  return asked !== null && /^[A-Za-z0-9._-]{1,64}$/.test(asked) ? asked : crypto.randomUUID();
}

/**
 * The fields of a form-encoded body; empty for another content type or none.
 * @throws ApiError `request_too_large` past 64 KB.
 */
export async function readForm(request: Request): Promise<URLSearchParams> {
  if (!isForm(request)) return new URLSearchParams();
  // Asked before it is read: these endpoints answer to anybody. The listener has made sure that the length is given.
  if (Number(request.headers.get("content-length")) > formBytesMax) {
    throw new ApiError("request_too_large", "form too large");
  }
  return new URLSearchParams(await request.text());
}

/** Whether the body is declared `application/x-www-form-urlencoded`. */
export function isForm(request: Request): boolean {
  return /^application\/x-www-form-urlencoded *(;|$)/i.test(
    request.headers.get("content-type") ?? "",
  );
}

/**
 * Takes in a body that nobody will read, without keeping it. A client that is still sending when the connection closes sees
 * a broken pipe and not the refusal, and then retries what it should not.
 * @returns whether nothing of it is left to come, so that the connection can be used again.
 */
export async function discardBody(request: Request): Promise<boolean> {
  if (request.body === null || request.bodyUsed) return true;
  const reader = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    void reader.cancel();
  }, discardTimeoutMs);
  let bytes = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      bytes += part.value.length;
      if (bytes > discardedBytesMax) return false;
    }
    return !isLate;
  } catch {
    // The client hung up: there is nobody left to refuse.
    return false;
  } finally {
    clearTimeout(timer);
  }
}
