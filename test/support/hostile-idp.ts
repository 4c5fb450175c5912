// An identity provider of our own that signs `ada` in without asking, on a free loopback port, and whose every answer a test
// can bend; and the sign-in against it. The real one is in idp.ts.
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { type IdentityProvider, IdpError, type IdpGrant } from "../../src/idp/provider.ts";
import { clientId, clientSecret, people, rejection } from "./idp.ts";

/** How the hostile IdP departs from the rules. Each is undone by `straighten`. */
export type Bend = {
  /** Claims of the next id_tokens, made from the right ones; a claim set to undefined is left out. */
  claims: (claims: Record<string, unknown>) => Record<string, unknown>;
  /** Signs the id_token some other way. */
  sign: ((claims: Record<string, unknown>) => string | Promise<string>) | undefined;
  /** What the token endpoint waits for before it does its work. */
  beforeTokens: (() => Promise<void>) | undefined;
  /** Fields of the token answer, made from the right ones. */
  tokens: (answer: Record<string, unknown>) => Record<string, unknown>;
  /** Whole answers instead of the right ones. */
  tokenAnswer: (() => Response | Promise<Response>) | undefined;
  userinfoAnswer: (() => Response | Promise<Response>) | undefined;
  jwksAnswer: (() => Response | Promise<Response>) | undefined;
  discoveryAnswer: ((document: Record<string, unknown>) => Response) | undefined;
  /** Parameters of the callback, after the right ones. */
  callback: Record<string, string>;
};

const straight: Bend = {
  claims: (claims) => claims,
  sign: undefined,
  beforeTokens: undefined,
  tokens: (answer) => answer,
  tokenAnswer: undefined,
  userinfoAnswer: undefined,
  jwksAnswer: undefined,
  discoveryAnswer: undefined,
  callback: {},
};

export type HostileIdp = {
  issuer: string;
  clientId: string;
  clientSecret: string;
  bend: Bend;
  straighten(): void;
  /** The public key that id_tokens are now signed with. */
  publicJwk(): JWK;
  /** These claims signed by its key, which is called something else, or nothing. */
  signAs(kid: string | undefined, claims: Record<string, unknown>): Promise<string>;
  /** From now on another key signs and is published, under a new kid. */
  rotateKey(): Promise<void>;
  /** What was asked since `straighten`: forms of the token endpoint with the Authorization header, and counts. */
  seen: {
    tokenRequests: { form: URLSearchParams; authorization: string | null }[];
    jwks: number;
    userinfo: number;
    discovery: number;
  };
  /** Signs `ada` in without asking; the callback's parameters. */
  authorize(authorizationUrl: URL): URLSearchParams;
  /** Nobody listens on its port any more, until `comeBack`. */
  goAway(): Promise<void>;
  comeBack(): void;
  close(): Promise<void>;
};

/** An IdP of our own that signs `ada` in without asking, and can be told to misbehave. */
export async function startHostileIdp(algorithm = "RS256"): Promise<HostileIdp> {
  let serial = 0;
  let key = await newKey(algorithm, ++serial);
  const nonces = new Map<string, string>();
  let server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  const port = server.port ?? 0;
  const issuer = `http://127.0.0.1:${port}`;

  async function answer(request: Request): Promise<Response> {
    const { bend, seen } = idp;
    switch (new URL(request.url).pathname) {
      case "/.well-known/openid-configuration": {
        seen.discovery++;
        const document = discoveryDocument(issuer);
        return bend.discoveryAnswer?.(document) ?? Response.json(document);
      }
      case "/jwks":
        seen.jwks++;
        return bend.jwksAnswer?.() ?? Response.json({ keys: [key.publicJwk] });
      case "/token": {
        const form = new URLSearchParams(await request.text());
        seen.tokenRequests.push({ form, authorization: request.headers.get("authorization") });
        await bend.beforeTokens?.();
        return bend.tokenAnswer?.() ?? Response.json(bend.tokens(await tokensFor(form)));
      }
      case "/userinfo":
        seen.userinfo++;
        return bend.userinfoAnswer?.() ?? Response.json({ sub: "ada", ...people.ada });
      default:
        return new Response(null, { status: 404 });
    }
  }

  async function tokensFor(form: URLSearchParams): Promise<Record<string, unknown>> {
    const now = Math.floor(Date.now() / 1000);
    const nonce = nonces.get(form.get("code") ?? "");
    const base = {
      iss: issuer,
      aud: clientId,
      sub: "ada",
      iat: now,
      exp: now + 600,
      nonce,
      ...people.ada,
    };
    const claims = idp.bend.claims(base);
    const idToken = await (idp.bend.sign?.(claims) ?? signed(claims, key, algorithm));
    return {
      access_token: "at-1",
      token_type: "Bearer",
      expires_in: 600,
      refresh_token: "rt-1",
      id_token: idToken,
    };
  }

  const idp: HostileIdp = {
    issuer,
    clientId,
    clientSecret,
    bend: { ...straight },
    seen: { tokenRequests: [], jwks: 0, userinfo: 0, discovery: 0 },
    straighten() {
      idp.bend = { ...straight };
      idp.seen = { tokenRequests: [], jwks: 0, userinfo: 0, discovery: 0 };
    },
    publicJwk: () => key.publicJwk,
    signAs: (kid, claims) => signed(claims, { ...key, kid }, algorithm),
    async rotateKey() {
      key = await newKey(algorithm, ++serial);
    },
    authorize(authorizationUrl) {
      const { searchParams } = authorizationUrl;
      const code = `code-${nonces.size}`;
      nonces.set(code, searchParams.get("nonce") ?? "");
      return new URLSearchParams({
        code,
        state: searchParams.get("state") ?? "",
        iss: issuer,
        ...idp.bend.callback,
      });
    },
    goAway: () => server.stop(true),
    comeBack() {
      server = Bun.serve({ port, hostname: "127.0.0.1", fetch: answer });
    },
    close: () => server.stop(true),
  };
  return idp;
}

function discoveryDocument(issuer: string): Record<string, unknown> {
  return {
    issuer,
    authorization_endpoint: `${issuer}/auth`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
  };
}

type SigningKey = { kid: string | undefined; privateKey: CryptoKey; publicJwk: JWK };

async function newKey(algorithm: string, serial: number): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm);
  const kid = `k${serial}`;
  return {
    kid,
    privateKey,
    publicJwk: { ...(await exportJWK(publicKey)), kid, use: "sig", alg: algorithm },
  };
}

function signed(
  claims: Record<string, unknown>,
  key: SigningKey,
  algorithm: string,
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: algorithm, ...(key.kid !== undefined && { kid: key.kid }) })
    .sign(key.privateKey);
}

/** What a sign-in in these tests remembers. */
export const attempt = {
  state: "state-1",
  nonce: "nonce-1",
  codeVerifier: "v".repeat(43),
  redirectUri: "http://gateway.test/oauth/callback",
};

/** One sign-in at the hostile IdP, from the authorization request to the grant. */
export async function signInAt(hostile: HostileIdp, provider: IdentityProvider) {
  const callback = hostile.authorize(await provider.authorizationUrl(attempt));
  return provider.redeem(callback, { ...attempt, requestId: "req-1" });
}

/** Both ways to an identity at the hostile IdP, by name. */
export function waysIn(
  hostile: HostileIdp,
): [string, (provider: IdentityProvider) => Promise<IdpGrant>][] {
  return [
    ["sign-in", (provider) => signInAt(hostile, provider)],
    ["renewal", (provider) => provider.renew("rt-0")],
  ];
}

/** The IdpError that a sign-in or renewal ends with. */
export async function idpErrorOf(work: Promise<unknown>): Promise<IdpError> {
  const error = await rejection(work);
  if (error instanceof IdpError) return error;
  throw error;
}
