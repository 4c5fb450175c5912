// A real identity provider for tests: npm's `oidc-provider` on a free loopback port, whose login and consent pages a small
// browser fills in; and what tests need with any IdP. The one that breaks rules is in hostile-idp.ts.
import { createServer } from "node:http";
import type { Server } from "node:net";
import type { OidcConfig } from "../../src/config/schema.ts";

export const clientId = "gw";
/** Characters that must be escaped for client_secret_basic (RFC 6749 §2.3.1). */
export const clientSecret = "s3cret+/:% s3cret-s3cret";

export type Person = Record<string, unknown>;

/** Entra's mark for groups that it left out. The endpoint is of an API that is gone. */
export const overage = {
  _claim_names: { groups: "src1" },
  _claim_sources: {
    src1: { endpoint: "https://graph.windows.net/tenant/users/olga/getMemberObjects" },
  },
};

export const people: Record<string, Person> = {
  ada: {
    email: "ada@example.com",
    email_verified: true,
    name: "Ada Lovelace",
    groups: ["eng", "finops"],
  },
  bob: { email: "bob@example.com", email_verified: true, name: "Bob", groups: ["contractors"] },
  /** With groups as Entra writes them. */
  eve: {
    email: "eve@example.com",
    email_verified: true,
    name: "Eve",
    groups: ["00000000-0000-4000-8000-00000000cafe"],
  },
  /** In more groups than Entra puts into a token, as Entra says so. */
  olga: { email: "olga@example.com", email_verified: true, name: "Olga", ...overage },
};

/** An `oidc` section as the loaded configuration has it, every default filled in, for one of the test IdPs. */
export function oidcConfig(idp: { issuer: string }, changes: Partial<OidcConfig> = {}): OidcConfig {
  return {
    issuer: idp.issuer,
    client_id: clientId,
    client_secret: clientSecret,
    allowed_email_domains: [],
    allowed_groups: [],
    groups_claim: "groups",
    email_claim: "email",
    scopes: ["openid", "profile", "email", "offline_access"],
    scope_on_refresh: false,
    extra_auth_params: {},
    userinfo_fallback: false,
    use_pkce: true,
    clock_skew_seconds: 0,
    id_token_signed_response_alg: "RS256",
    additional_authorized_parties: [],
    form_action_origins: [],
    ...changes,
  };
}

/** The error that `work` ends with. */
export async function rejection(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("it was not rejected with an Error");
}

/** The TCP port of a listening server. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on TCP");
  return address.port;
}

export type OidcProvider = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Follows an authorization URL as a browser would, signs in and consents; resolves with the URL it is sent back to. */
  signIn(authorizationUrl: string | URL, login: string): Promise<URL>;
  close(): Promise<void>;
};

/** The real OpenID provider, with its development pages, refresh tokens and a `groups` claim in scope `groups`. */
export async function startOidcProvider(options: {
  redirectUris: string[];
  /** Other metadata of the client (OpenID Connect Registration §2). */
  client?: Record<string, unknown>;
  /** Further fields of the discovery document. */
  discovery?: Record<string, unknown>;
  /** False: a refresh token serves again and again, as Google's and Entra's do. */
  rotateRefreshToken?: boolean;
}): Promise<OidcProvider> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const issuer = `http://127.0.0.1:${portOf(server)}`;
  const provider = await quietly(async () => {
    const { default: Provider } = await import("oidc-provider");
    return new Provider(issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: options.redirectUris,
          grant_types: ["authorization_code", "refresh_token"],
          response_types: ["code"],
          ...options.client,
        },
      ],
      scopes: ["openid", "offline_access", "email", "profile", "groups"],
      claims: {
        openid: ["sub"],
        email: ["email", "email_verified"],
        profile: ["name"],
        groups: ["groups"],
      },
      discovery: options.discovery ?? {},
      conformIdTokenClaims: false,
      cookies: { keys: ["test"] },
      rotateRefreshToken: options.rotateRefreshToken ?? true,
      // Without prompt=consent the provider would leave offline_access out.
      issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed("refresh_token"),
      ttl: {
        Interaction: 600,
        Session: 600,
        Grant: 600,
        AccessToken: 600,
        RefreshToken: 600,
        IdToken: 600,
      },
      findAccount: async (_ctx, id) => ({
        accountId: id,
        claims: async () => ({ sub: id, ...people[id] }),
      }),
    });
  });
  server.on("request", provider.callback());
  return {
    issuer,
    clientId,
    clientSecret,
    signIn: (authorizationUrl, login) => browse(new URL(authorizationUrl), issuer, login),
    close: () => new Promise((closed) => server.close(() => closed()).closeAllConnections()),
  };
}

/** oidc-provider prints development warnings while it is loaded and built; a test run has no use for them. */
async function quietly<T>(build: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  console.warn = console.info = () => {};
  try {
    return await build();
  } finally {
    Object.assign(console, { warn, info });
  }
}

async function browse(start: URL, issuer: string, login: string): Promise<URL> {
  const jar = new Map<string, string>();
  let url = start;
  let form: URLSearchParams | undefined;
  for (let hop = 0; hop < 15; hop++) {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie },
      ...(form ? { method: "POST", body: form } : {}),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const location = response.headers.get("location");
    const page = await response.text();
    form = location ? undefined : filledIn(page, login);
    url = new URL(location ?? /action="([^"]+)"/.exec(page)?.[1] ?? "", url);
    if (url.origin !== issuer) return url;
  }
  throw new Error(`sign-in at ${issuer} did not come back`);
}

function filledIn(page: string, login: string): URLSearchParams {
  const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
  if (!prompt) throw new Error(`not an interaction page: ${page.slice(0, 500)}`);
  return new URLSearchParams(prompt === "login" ? { prompt, login, password: "any" } : { prompt });
}
