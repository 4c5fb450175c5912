// A small OpenID provider for the demo only, on loopback. It has no passwords, which is all that makes it unfit for
// anything else; what it checks, it checks as strictly as a real one, so that the gateway walks its real path. Here are
// its address, its routes and what it publishes; the two halves of the flow are authorization-endpoint.ts and
// token-endpoint.ts.
import { type AuthorizationCode, createAuthorizationEndpoint } from "./authorization-endpoint.ts";
import { createTickets } from "./tickets.ts";
import { createTokenEndpoint } from "./token-endpoint.ts";
import { cannotContinuePage } from "./who-are-you.ts";

const minuteMs = 60_000;

/**
 * Starts the provider on 127.0.0.1 (`port` 0 or absent: a free one) for one registered client. `now` is its clock, in
 * milliseconds. The issuer it returns is `http://localhost:<port>`.
 */
export function startDemoIdentityProvider(o: {
  port?: number;
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  now?: () => number;
}): { issuer: string; stop(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: o.port ?? 0,
    maxRequestBodySize: 64 * 1024,
    fetch: answer,
  });
  const issuer = `http://localhost:${server.port}`;
  const { host } = new URL(issuer);

  const now = o.now ?? Date.now;
  const codes = createTickets<AuthorizationCode>({ ttlMs: minuteMs, entriesMax: 1_000, now });
  const authorization = createAuthorizationEndpoint({ ...o, issuer, codes, now });
  const tokens = createTokenEndpoint({ ...o, issuer, codes, now });
  return { issuer, stop: () => server.stop(true) };

  function answer(request: Request): Response | Promise<Response> {
    // A page elsewhere that rebinds its own name to 127.0.0.1 still sends that name: it shall not read ours.
    if (request.headers.get("host") !== host) {
      return cannotContinuePage("This address is not the demo's.");
    }
    const url = new URL(request.url);
    const interaction = /^\/interaction\/([\w-]{43})$/.exec(url.pathname)?.[1];
    switch (`${request.method} ${interaction === undefined ? url.pathname : "/interaction"}`) {
      case "GET /.well-known/openid-configuration":
        return Response.json(discoveryDocument(issuer));
      case "GET /jwks":
        return tokens.publishKeys();
      case "GET /authorize":
        return authorization.begin(url.searchParams);
      case "GET /interaction":
        return authorization.ask(interaction ?? "");
      case "POST /interaction":
        return authorization.pick(interaction ?? "", request);
      case "POST /token":
        return tokens.exchange(request);
      case "GET /userinfo":
      case "POST /userinfo":
        return tokens.userinfo(request);
      default:
        return new Response("not found\n", { status: 404 });
    }
  }
}

/** OpenID Connect Discovery 1.0 §3. */
function discoveryDocument(issuer: string) {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ["code"],
    response_modes_supported: ["query"],
    grant_types_supported: ["authorization_code", "refresh_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256"],
    scopes_supported: ["openid", "profile", "email", "offline_access"],
    claims_supported: ["sub", "name", "email", "email_verified", "groups"],
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
    code_challenge_methods_supported: ["S256"],
    authorization_response_iss_parameter_supported: true,
  };
}
