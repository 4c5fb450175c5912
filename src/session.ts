// The gateway's own bearer: minting it after a sign-in and turning one back into a principal. HS256 under
// session.jwt_secret, with the reference's claims and `kid`, so that its sessions stay valid here and ours there.
// What the gateway encrypts to itself (grants, state, refresh tokens) is in sealed.ts.
import { createHash } from "node:crypto";
import { errors, jwtVerify, SignJWT, decodeProtectedHeader } from "jose";

const audience = "claude-gateway";
const scheme = "bearer ";

/**
 * Verified bearers kept, so that the hot path pays the HMAC once per bearer and not once per request. Those of people in
 * very many groups are long, and checked each time rather than held by the thousand.
 */
const verifiedMax = 10_000;
const verifiedLengthMax = 8 * 1024;

/** Whom a verified bearer speaks for. */
export type Principal = {
  readonly sub: string;
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly groups: readonly string[];
  /** Name of the request tag that says which group a request is for: what `admin.billing_group_tag` was when it was minted. */
  readonly billingGroupTag?: string | undefined;
};

/** A bearer's principal, and when it ends, in milliseconds since the epoch. */
type Verified = { principal: Principal; expiresAt: number };

/** What the IdP says of a person and a bearer repeats. Absent claims stay absent. */
export type BearerClaims = { sub: string; email?: string; name?: string; groups?: string[] };

export type Sessions = {
  /** Signs a bearer for an admitted person. `expiresInSeconds` is its whole lifetime. */
  mint(claims: BearerClaims): Promise<{ accessToken: string; expiresInSeconds: number }>;
  /** The principal of a bearer, or `undefined` when it is not a bearer of ours that is valid now. */
  verify(bearer: string): Promise<Principal | undefined>;
  /** The principal of an Authorization header, with the reason for the audit event when there is none. */
  authenticate(
    authorization: string | null,
  ): Promise<Principal | "missing_token" | "invalid_token">;
};

/**
 * @param options.secrets session.jwt_secret as a list: the first signs, all verify (rotation).
 * @param options.issuer listen.public_url without trailing slash; without one, bearers carry no `iss`.
 * @param options.billingGroupTag admin.billing_group_tag: a bearer that names it has Claude Code write under that name, in
 *   `tags` of every request, which group it is for. Such tags must not reach an upstream (upstream/request/tags.ts).
 * @param options.now milliseconds since the epoch.
 */
export function createSessions(options: {
  secrets: readonly string[];
  issuer: string | undefined;
  billingGroupTag?: string | undefined;
  ttlSeconds: number;
  now: () => number;
}): Sessions {
  const keys = options.secrets.map((secret) => ({
    kid: keyId(secret),
    secret: new TextEncoder().encode(secret),
  }));
  const verified = new Map<string, Verified>();

  async function mint(claims: BearerClaims) {
    const [key] = keys;
    if (key === undefined) throw new Error("session.jwt_secret is empty");
    const issuedAt = Math.floor(options.now() / 1000);
    const { sub, email, name, groups } = claims;
    const own = { aud: audience, billing_group_tag: options.billingGroupTag };
    const token = new SignJWT({ sub, email, name, groups, ...own })
      .setProtectedHeader({ alg: "HS256", typ: "JWT", kid: key.kid })
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + options.ttlSeconds);
    if (options.issuer !== undefined) token.setIssuer(options.issuer);
    return { accessToken: await token.sign(key.secret), expiresInSeconds: options.ttlSeconds };
  }

  async function verify(bearer: string) {
    const known = verified.get(bearer);
    if (known !== undefined) {
      if (known.expiresAt > options.now()) return known.principal;
      verified.delete(bearer);
      return undefined;
    }
    const fresh = await check(bearer);
    if (fresh === undefined) return undefined;
    remember(bearer, fresh);
    return fresh.principal;
  }

  function remember(bearer: string, entry: Verified): void {
    if (bearer.length > verifiedLengthMax) return;
    const [oldest] = verified.keys();
    if (oldest !== undefined && verified.size >= verifiedMax) verified.delete(oldest);
    verified.set(bearer, entry);
  }

  async function check(bearer: string): Promise<Verified | undefined> {
    try {
      const { kid } = decodeProtectedHeader(bearer);
      const key = kid === undefined ? keys[0] : keys.find((candidate) => candidate.kid === kid);
      if (key === undefined) return undefined;
      const { payload } = await jwtVerify(bearer, key.secret, {
        algorithms: ["HS256"],
        audience,
        requiredClaims: ["sub", "exp"],
        currentDate: new Date(options.now()),
        ...(options.issuer !== undefined && { issuer: options.issuer }),
      });
      return { principal: principalOf(payload), expiresAt: (payload.exp ?? 0) * 1000 };
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  return {
    mint,
    verify,
    async authenticate(authorization) {
      if (authorization === null) return "missing_token";
      // RFC 9110 §11.1: the scheme is case-insensitive. Without a regular expression: those are slow on long text.
      if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) return "missing_token";
      const bearer = authorization.slice(scheme.length).trim();
      return (await verify(bearer)) ?? "invalid_token";
    },
  };
}

/** The `kid` that names a secret without telling it: the first 16 hex digits of its SHA-256. */
export function keyId(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 16);
}

function principalOf(payload: Record<string, unknown>): Principal {
  const text = (claim: unknown) => (typeof claim === "string" ? claim : undefined);
  const groups = Array.isArray(payload.groups)
    ? payload.groups.filter((group) => typeof group === "string")
    : [];
  return {
    sub: text(payload.sub) ?? "",
    email: text(payload.email),
    name: text(payload.name),
    groups,
    billingGroupTag: text(payload.billing_group_tag),
  };
}
