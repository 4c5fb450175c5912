// The socket side of the gateway: Bun.serve, the limits that apply before any handler, the headers that every answer
// carries, and the drain. Knows no domain: what to answer comes from the handler it is given. Who may come in at all is
// asked of admission.ts.
import http from "node:http";
import type { Server } from "bun";
import type { Config } from "../config/schema.ts";
import { messageOf } from "../log.ts";
import type { Admission } from "./admission.ts";
import { ApiError } from "./errors.ts";
import { refusalOf, refusalResponse } from "./refusal.ts";
import { discardBody, type Incoming, requestIdOf, splitUrl } from "./request.ts";
import type { Handler } from "./router.ts";

/** Bun refuses larger request headers by itself, with 431. A bearer that lists many groups needs room. */
const requestHeaderBytesMax = 256 * 1024;

/**
 * Seconds without a byte in either direction after which a connection is closed (Bun's largest value). Streams have the
 * provider's pings, so only dead peers are that quiet; a handler that waits for an upstream lifts it (`holdOpen`).
 */
const idleTimeoutSeconds = 255;

const healthPaths = new Set(["/healthz", "/readyz"]);

export type Listener = {
  /** `http://HOST:PORT` or `https://HOST:PORT` as bound. */
  readonly url: string;
  /** Requests whose answer is not finished. */
  openRequests(): number;
  /** Stops accepting, waits for open requests up to the time-out, cuts what is left. Resolves with how many were cut. */
  drain(timeoutMs: number): Promise<number>;
};

/** What a handler may ask of the connection it answers on. */
export type Connections = {
  /** Lets a connection be quiet without end, while an upstream that has its own time-out is waited for. */
  holdOpen(request: Request): void;
  /** Puts the idle time-out back, once the answer has begun. */
  release(request: Request): void;
};

/**
 * Binds and serves.
 * @param options.tls PEM texts, not paths.
 * @throws Error naming listen.host and listen.port when the address cannot be bound.
 */
export function listen(options: {
  listen: Pick<Config["listen"], "host" | "port">;
  limits: Config["limits"];
  tls: { cert: string; key: string } | undefined;
  admission: Admission;
  handler: (connections: Connections) => Handler;
}): Listener {
  const { limits, admission } = options;
  // Read by Bun.serve when it starts; typed as a constant, documented as settable.
  (http as { maxHeaderSize: number }).maxHeaderSize = requestHeaderBytesMax;
  const everyAnswer = [...securityHeaders, ...(options.tls ? [transportSecurity] : [])];

  const connections: Connections = {
    holdOpen: (request) => server.timeout(request, 0),
    release: (request) => server.timeout(request, idleTimeoutSeconds),
  };
  const handler = options.handler(connections);

  async function answer(request: Request, server: Server<undefined>): Promise<Response> {
    const { path, search } = splitUrl(request.url);
    const requestId = requestIdOf(request.headers);
    const client = admission.clientOf(request.headers, server.requestIP(request)?.address);
    const incoming: Incoming = {
      request,
      requestId,
      clientIp: client.ip ?? "unknown",
      path,
      search,
      receivedAt: Date.now(),
      startedMs: performance.now(),
    };
    let response: Response;
    try {
      admission.check(client, requestId, healthPaths.has(path));
      if (!healthPaths.has(path)) checkSizes(request, path.length + search.length);
      response = await handler(incoming);
    } catch (error) {
      response = refusalResponse(path, requestId, refusalOf(error, requestId));
      await discardBody(request);
    }
    for (const [name, value] of everyAnswer) response.headers.set(name, value);
    response.headers.set("x-request-id", requestId);
    return response;
  }

  /** Refuses by what the head of the request says, before a byte of the body is read. */
  function checkSizes(request: Request, urlLength: number): void {
    if (limits.max_url_length !== undefined && urlLength > limits.max_url_length) {
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
    const contentLength = request.headers.get("content-length");
    if (contentLength !== null && Number(contentLength) > limits.max_request_bytes) {
      throw new ApiError("request_too_large", "payload too large");
    }
    if (contentLength === null && request.headers.has("transfer-encoding")) {
      throw new ApiError("invalid_request_error", "length required", { status: 411 });
    }
  }

  const server = serve();
  const scheme = options.tls ? "https" : "http";

  function serve(): Server<undefined> {
    try {
      return Bun.serve({
        hostname: options.listen.host,
        port: options.listen.port,
        idleTimeout: idleTimeoutSeconds,
        // Ours is checked first and answers with an envelope; every accepted body has a Content-Length, so Bun's never applies.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        ...(options.tls && { tls: options.tls }),
        fetch: answer,
        error: (error) => refusalResponse("", "", refusalOf(error, "unknown")),
      });
    } catch (error) {
      const cause = messageOf(error);
      throw new Error(
        `cannot listen on ${options.listen.host} port ${options.listen.port} (listen.host, listen.port): ${cause}`,
        { cause: error },
      );
    }
  }

  return {
    url: `${scheme}://${options.listen.host}:${server.port}`,
    openRequests: () => server.pendingRequests,
    async drain(timeoutMs) {
      void server.stop();
      const deadline = Date.now() + timeoutMs;
      while (server.pendingRequests > 0 && Date.now() < deadline) await Bun.sleep(20);
      const cut = server.pendingRequests;
      void server.stop(true);
      return cut;
    },
  };
}

const securityHeaders = [
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-opener-policy", "same-origin"],
] as const;
const transportSecurity = [
  "strict-transport-security",
  "max-age=31536000; includeSubDomains",
] as const;

/** Bytes of the header fields as HTTP/1.1 writes them: `name: value` and the line break. */
function headerBytes(headers: Headers): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + 4;
  return bytes;
}
