// The socket side of the gateway: Bun.serve, how long a connection may be slow, the headers that every answer carries, and the
// drain. Knows no domain: what to answer comes from the handler it is given. Who may come in at all is asked of admission.ts,
// what the head of a request must be of request-head.ts, and which path it names of target.ts.
import http from "node:http";
import type { Server } from "bun";
import type { Config } from "../config/schema.ts";
import { messageOf } from "../log.ts";
import type { Admission } from "./admission.ts";
import { ApiError } from "./errors.ts";
import { refusalOf, refusalResponse } from "./refusal.ts";
import { discardBody, requestIdOf } from "./request.ts";
import { checkFraming, checkSizes } from "./request-head.ts";
import type { Handler, Router } from "./router.ts";
import { type AnswerTo, targetsOf } from "./target.ts";

/** Bun refuses larger request headers by itself, with 431. A bearer that lists many groups needs room. */
const requestHeaderBytesMax = 256 * 1024;

/**
 * Seconds after which a connection is closed that stands still. The first request's head must be there within 10 s, which is
 * Bun's own.
 */
const patienceOfListener: Patience = {
  // Bun's largest value. Streams have the provider's pings, so only dead peers are that quiet; a handler that waits for an
  // upstream lifts it (`holdOpen`).
  idleSeconds: 255,
  bodySeconds: 30,
};

export type Patience = {
  /** For the next request's head, all of it; for an answer of which nothing is taken. */
  idleSeconds: number;
  /** For a request's body, or for as much of it as 16 KB/s come to in that time. */
  bodySeconds: number;
};

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
  /** One that does not tell its paths is given them as the runtime reads them, leniently. */
  handler: (connections: Connections) => Handler | Router;
  /** For tests, which have less. */
  patience?: Patience;
}): Listener {
  const { limits, admission, patience = patienceOfListener } = options;
  // Read by Bun.serve when it starts; typed as a constant, documented as settable.
  (http as { maxHeaderSize: number }).maxHeaderSize = requestHeaderBytesMax;
  const everyAnswer = [...securityHeaders, ...(options.tls ? [transportSecurity] : [])];

  const connections: Connections = {
    holdOpen: (request) => server.timeout(request, 0),
    release: (request) => server.timeout(request, patience.idleSeconds),
  };
  const handler = options.handler(connections);

  const answer: AnswerTo<Server<undefined>> = async (request, on, { path, search }) => {
    const requestId = requestIdOf(request.headers);
    let bodyBytes = 0;
    let isFramed = false;
    let response: Response;
    try {
      const client = admission.clientOf(request.headers, on.requestIP(request)?.address);
      bodyBytes = checkFraming(request);
      isFramed = true;
      admission.check(client, requestId, healthPaths.has(path));
      const urlLength = path.length + search.length;
      if (!healthPaths.has(path)) checkSizes(request, { urlLength, bodyBytes }, limits);
      if (bodyBytes > 0) on.timeout(request, patience.bodySeconds);
      response = await handler({
        request,
        requestId,
        clientIp: client.ip ?? "unknown",
        path,
        search,
        receivedAt: Date.now(),
        startedMs: performance.now(),
      });
    } catch (error) {
      // A body that stopped coming is nothing that went wrong here.
      if (request.signal.aborted && !(error instanceof ApiError)) return new Response(null);
      response = refusalResponse(path, requestId, refusalOf(error, requestId));
      // What follows a request without a clear end is not read as the next one.
      if (!(await discardBody(request)) || !isFramed) response.headers.set("connection", "close");
    }
    if (bodyBytes > 0) on.timeout(request, patience.idleSeconds);
    return finished(response, requestId);
  };

  function finished(response: Response, requestId: string): Response {
    for (const [name, value] of everyAnswer) response.headers.set(name, value);
    response.headers.set("x-request-id", requestId);
    return response;
  }

  const server = serve();
  const scheme = options.tls ? "https" : "http";

  function serve(): Server<undefined> {
    const paths = "paths" in handler ? handler.paths : { exact: [], below: [] };
    try {
      return Bun.serve({
        ...targetsOf(paths, answer),
        hostname: options.listen.host,
        port: options.listen.port,
        idleTimeout: patience.idleSeconds,
        // Ours is checked first and answers with an envelope; every accepted body has a Content-Length, so Bun's never applies.
        maxRequestBodySize: Number.MAX_SAFE_INTEGER,
        ...(options.tls && { tls: options.tls }),
        error: (error) =>
          finished(refusalResponse("", "unknown", refusalOf(error, "unknown")), "unknown"),
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
