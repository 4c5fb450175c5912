// The gateway's half of the demo's identity provider: codes and refresh tokens become id_tokens (OpenID Connect Core
// §3.1.3 and §12), and userinfo says the same. The codes come from authorization-endpoint.ts.
import { createHash, timingSafeEqual } from "node:crypto";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import type { AuthorizationCode } from "./authorization-endpoint.ts";
import type { Person } from "./people.ts";
import { createTickets, type Tickets } from "./tickets.ts";

/** What was granted: who, and which scopes. */
type Grant = { person: Person; scopes: ReadonlySet<string> };

const accessTokenTtlSeconds = 600;
const refreshTokenTtlSeconds = 24 * 3600;
const keyId = "demo-1";

/** The endpoint for one registered client, with a signing key made now. */
export function createTokenEndpoint(o: {
  issuer: string;
  clientId: string;
  clientSecret: string;
  redirectUri: string;
  codes: Tickets<AuthorizationCode>;
  now: () => number;
}) {
  const keys = generateKeyPair("RS256");
  const grants = (ttlSeconds: number) =>
    createTickets<Grant>({ ttlMs: ttlSeconds * 1000, entriesMax: 1_000, now: o.now });
  const accessTokens = grants(accessTokenTtlSeconds);
  const refreshTokens = grants(refreshTokenTtlSeconds);

  /** client_secret_basic or client_secret_post (RFC 6749 §2.3.1). */
  function isClient(authorization: string | null, form: URLSearchParams): boolean {
    const basic = /^Basic (\S+)$/i.exec(authorization ?? "")?.[1];
    const [id, secret] =
      basic === undefined
        ? [form.get("client_id"), form.get("client_secret")]
        : basicCredentials(basic);
    return sameText(id ?? "", o.clientId) && sameText(secret ?? "", o.clientSecret);
  }

  function exchangeCode(form: URLSearchParams): Response | Promise<Response> {
    const code = o.codes.redeem(form.get("code") ?? "");
    if (code === undefined) return refuse("invalid_grant", "the code is unknown, used or expired");
    if (form.get("redirect_uri") !== o.redirectUri) {
      return refuse("invalid_grant", "another redirect_uri");
    }
    if (codeChallengeOf(form.get("code_verifier") ?? "") !== code.codeChallenge) {
      return refuse("invalid_grant", "the code_verifier does not match");
    }
    const { person, scopes, nonce } = code;
    return mint(
      { person, scopes },
      nonce === null ? {} : { nonce },
      scopes.has("offline_access")
        ? { refresh_token: refreshTokens.issue({ person, scopes }) }
        : {},
    );
  }

  function refresh(form: URLSearchParams): Response | Promise<Response> {
    // Not rotated: the client proves itself with its secret (RFC 6749 §6), and a lost answer then costs nothing.
    const grant = refreshTokens.read(form.get("refresh_token") ?? "");
    if (grant === undefined) {
      return refuse("invalid_grant", "the refresh token is unknown or expired");
    }
    return mint(grant, {}, {});
  }

  async function mint(grant: Grant, claims: { nonce?: string }, extra: { refresh_token?: string }) {
    const issuedAt = Math.floor(o.now() / 1000);
    const id_token = await new SignJWT({ ...claimsFor(grant), ...claims })
      .setProtectedHeader({ alg: "RS256", kid: keyId })
      .setIssuer(o.issuer)
      .setAudience(o.clientId)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + accessTokenTtlSeconds)
      .sign((await keys).privateKey);
    const access_token = accessTokens.issue(grant);
    const expires_in = accessTokenTtlSeconds;
    return answer(200, { access_token, token_type: "Bearer", expires_in, id_token, ...extra });
  }

  return {
    /** The key set (RFC 7517) that the id_tokens verify with. */
    async publishKeys(): Promise<Response> {
      const jwk = await exportJWK((await keys).publicKey);
      return Response.json({ keys: [{ ...jwk, kid: keyId, use: "sig", alg: "RS256" }] });
    },

    /** POST /token. */
    async exchange(request: Request): Promise<Response> {
      const form = new URLSearchParams(await request.text());
      if (!isClient(request.headers.get("authorization"), form)) {
        return answer(401, { error: "invalid_client" });
      }
      const grantType = form.get("grant_type");
      if (grantType === "authorization_code") return exchangeCode(form);
      if (grantType === "refresh_token") return refresh(form);
      return answer(400, { error: "unsupported_grant_type" });
    },

    /** GET or POST /userinfo. */
    userinfo(request: Request): Response {
      const bearer = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
      const grant = accessTokens.read(bearer ?? "");
      if (grant !== undefined) return answer(200, claimsFor(grant));
      const challenge = { "www-authenticate": 'Bearer error="invalid_token"' };
      return new Response(null, { status: 401, headers: challenge });
    },
  };
}

/** Groups come with `profile`, as many identity providers do it: the gateway's default scopes ask for no more. */
function claimsFor({ person, scopes }: Grant) {
  return {
    sub: person.sub,
    ...(scopes.has("profile") ? { name: person.name, groups: person.groups } : {}),
    ...(scopes.has("email") ? { email: person.email, email_verified: person.email_verified } : {}),
  };
}

/** The S256 challenge of a verifier (RFC 7636 §4.6), or null when the verifier itself is malformed. */
function codeChallengeOf(verifier: string): string | null {
  return /^[\w.~-]{43,128}$/.test(verifier) ? sha256(verifier).toString("base64url") : null;
}

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1); URLSearchParams undoes exactly that. */
function basicCredentials(encoded: string): string[] {
  const decoded = Buffer.from(encoded, "base64").toString();
  const colon = decoded.indexOf(":");
  return [decoded.slice(0, colon), decoded.slice(colon + 1)].map(
    (half) => new URLSearchParams(`half=${half}`).get("half") ?? "",
  );
}

function sameText(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function refuse(error: string, error_description: string): Response {
  return answer(400, { error, error_description });
}

function answer(status: number, body: object): Response {
  return Response.json(body, { status, headers: { "cache-control": "no-store" } });
}
