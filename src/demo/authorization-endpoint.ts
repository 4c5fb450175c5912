// The browser's half of the demo's identity provider: the authorization request (OpenID Connect Core §3.1.2), the page
// that asks who you are, and the way back to the client with a code. What the code is good for is token-endpoint.ts.
import { people, type Person } from "./people.ts";
import { createTickets, type Tickets } from "./tickets.ts";
import { cannotContinuePage, whoAreYouPage } from "./who-are-you.ts";

/** An authorization request that passed every check and waits for a person to be picked. */
type AuthorizationRequest = {
  state: string | null;
  nonce: string | null;
  codeChallenge: string;
  scopes: ReadonlySet<string>;
};

/** What an authorization code stands for until it is exchanged. */
export type AuthorizationCode = AuthorizationRequest & { person: Person };

/** An error that the client may be told (RFC 6749 §4.1.2.1). */
type Refusal = { error: string; error_description: string };

const requestTtlMs = 10 * 60_000;

/** The endpoint for one registered client. Codes are issued into `codes`. */
export function createAuthorizationEndpoint(o: {
  issuer: string;
  clientId: string;
  redirectUri: string;
  codes: Tickets<AuthorizationCode>;
  now: () => number;
}) {
  const requests = createTickets<AuthorizationRequest>({
    ttlMs: requestTtlMs,
    entriesMax: 1_000,
    now: o.now,
  });

  /** Redirects to the client with an authorization response; `iss` is RFC 9207's. */
  function backToClient(parameters: Record<string, string | null>): Response {
    const target = new URL(o.redirectUri);
    for (const [name, value] of Object.entries({ ...parameters, iss: o.issuer })) {
      if (value !== null) target.searchParams.set(name, value);
    }
    return redirect(target.href);
  }

  /** The page for a request that waits. */
  function ask(interaction: string): Response {
    if (requests.read(interaction) === undefined) return expired();
    const clientOrigin = new URL(o.redirectUri).origin;
    return whoAreYouPage({ formTarget: `/interaction/${interaction}`, clientOrigin });
  }

  return {
    /** Checks an authorization request, and sends the browser to the page that asks. */
    begin(query: URLSearchParams): Response {
      // Until both are known to be right, nothing may be sent to the redirect URI (RFC 6749 §4.1.2.1).
      if (query.get("client_id") !== o.clientId) {
        return cannotContinuePage("The client_id is not the one registered here.");
      }
      if (query.get("redirect_uri") !== o.redirectUri) {
        return cannotContinuePage("The redirect_uri is not the one registered here.");
      }
      const request = readRequest(query);
      if ("error" in request) return backToClient({ state: query.get("state"), ...request });
      return redirect(`${o.issuer}/interaction/${requests.issue(request)}`);
    },

    ask,

    /** The answer given on that page: back to the client with a code, once. */
    async pick(interaction: string, request: Request): Promise<Response> {
      const login = new URLSearchParams(await request.text()).get("login");
      const person = people.find((candidate) => candidate.sub === login);
      if (person === undefined) return ask(interaction);
      const waiting = requests.redeem(interaction);
      if (waiting === undefined) return expired();
      return backToClient({ state: waiting.state, code: o.codes.issue({ ...waiting, person }) });
    },
  };
}

function readRequest(query: URLSearchParams): AuthorizationRequest | Refusal {
  if (query.get("response_type") !== "code") {
    return refuse("unsupported_response_type", "response_type must be code");
  }
  if ((query.get("response_mode") ?? "query") !== "query") {
    return refuse("invalid_request", "response_mode must be query");
  }
  const scopes = new Set(query.get("scope")?.split(" "));
  if (!scopes.has("openid")) return refuse("invalid_scope", "scope must include openid");
  const codeChallenge = query.get("code_challenge") ?? "";
  if (query.get("code_challenge_method") !== "S256" || !/^[\w-]{43}$/.test(codeChallenge)) {
    return refuse("invalid_request", "PKCE with code_challenge_method S256 is required");
  }
  return { state: query.get("state"), nonce: query.get("nonce"), codeChallenge, scopes };
}

function refuse(error: string, error_description: string): Refusal {
  return { error, error_description };
}

function expired(): Response {
  return cannotContinuePage("This sign-in has expired. Start again.");
}

/** 303: whatever the method was, the browser goes on with GET. */
function redirect(location: string): Response {
  return new Response(null, { status: 303, headers: { location, "cache-control": "no-store" } });
}
