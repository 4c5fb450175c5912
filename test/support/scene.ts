// A gateway with everything it stands between: a database, an OpenID provider, an upstream that a test can bend.
import { type BearerClaims, createSessions } from "../../src/session.ts";
import { nothingEnded } from "./endings.ts";
import { freePort, type GatewayProcess, startGateway } from "./gateway.ts";
import { type HostileIdp, startHostileIdp } from "./hostile-idp.ts";
import { startPostgres } from "./postgres.ts";

export const jwtSecret = "0123456789abcdef0123456789abcdef";
export const upstreamKey = "sk-upstream-secret";

export type Seen = {
  method: string;
  url: string;
  headers: Headers;
  body: Uint8Array;
  closed: boolean;
};

export type BentUpstream = {
  url: string;
  seen: Seen[];
  /** What it answers; a well-formed message or count when not set. */
  answer: (seen: Seen) => Response | Promise<Response>;
  stop(): Promise<void>;
};

export type Scene = {
  gateway: GatewayProcess;
  idp: HostileIdp;
  upstream: BentUpstream;
  config: Record<string, unknown>;
  /** A bearer as a sign-in of this person would give it. */
  bearer: (claims?: BearerClaims) => Promise<string>;
  /** A Messages request as Ada. A body that is not a string is sent as JSON. */
  message: (body?: unknown, init?: MessageInit) => Promise<Response>;
  stop: () => Promise<void>;
};

/** What a test may change of the request. */
type MessageInit = { headers?: Record<string, string>; signal?: AbortSignal; redirect?: "manual" };

export const helloCall = {
  model: "claude-sonnet-4-6",
  max_tokens: 16,
  messages: [{ role: "user", content: "hi" }],
};

/**
 * @param change edits the configuration before the gateway starts.
 * @param command as in `startGateway`.
 */
export async function openScene(
  change: (config: any) => void = () => undefined,
  env: Record<string, string> = {},
  command?: readonly string[],
): Promise<Scene> {
  const [postgres, idp, port] = await Promise.all([startPostgres(), startHostileIdp(), freePort()]);
  const upstream = startUpstream();
  const publicUrl = `http://localhost:${port}`;
  const config = {
    listen: { host: "127.0.0.1", port, public_url: publicUrl },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret },
    session: { jwt_secret: jwtSecret },
    store: { postgres_url: await postgres.createDatabase() },
    upstreams: [{ provider: "anthropic", base_url: upstream.url, auth: { api_key: upstreamKey } }],
    rate_limits: { device_authorization: { max: 1000 }, device_verify: { max: 1000 } },
  };
  change(config);
  const gateway = await startGateway(config, env, command);
  const sessions = createSessions({
    secrets: [jwtSecret],
    issuer: publicUrl,
    ttlSeconds: 3600,
    endings: nothingEnded,
    now: Date.now,
  });
  const bearer = async (claims: BearerClaims = { sub: "ada", email: "ada@example.com" }) =>
    (await sessions.mint(claims)).accessToken;
  return {
    gateway,
    idp,
    upstream,
    config,
    bearer,
    async message(body = helloCall, init = {}) {
      return fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...init,
        headers: {
          authorization: `Bearer ${await bearer()}`,
          "content-type": "application/json",
          ...init.headers,
        },
      });
    },
    async stop() {
      await gateway.stop("SIGKILL");
      await Promise.all([upstream.stop(), idp.close()]);
    },
  };
}

/** Server-sent events as the Messages API writes them. */
export function eventStream(events: readonly { type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

export function startUpstream(): BentUpstream {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 60,
    development: false,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const { method, headers } = request;
      const one: Seen = {
        method,
        url: pathname + search,
        headers,
        body: await request.bytes(),
        closed: false,
      };
      request.signal.addEventListener("abort", () => (one.closed = true));
      seen.push(one);
      return upstream.answer(one);
    },
  });
  const upstream: BentUpstream = {
    url: `http://localhost:${server.port}`,
    seen,
    answer: ({ url }) =>
      url.startsWith("/v1/messages/count_tokens")
        ? Response.json({ input_tokens: 1 })
        : plainAnswer(),
    stop: () => server.stop(true),
  };
  return upstream;
}

export function plainAnswer(): Response {
  return Response.json(
    {
      id: "msg_1",
      type: "message",
      role: "assistant",
      content: [{ type: "text", text: "hello" }],
      usage: { input_tokens: 1, output_tokens: 1 },
    },
    { headers: { "request-id": "req_upstream" } },
  );
}
