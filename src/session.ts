// The gateway's own bearer: minting it after a sign-in and turning one back into a principal. HS256 under
// session.jwt_secret, with the reference's claims and `kid`, so that its sessions stay valid here and ours there; `sid` and
// `auth_time` are ours, and say which session a bearer is of. Which sessions have ended is known in endings/. What the gateway
// encrypts to itself (grants, state, refresh tokens) is in sealed.ts.
import { createHash } from "node:crypto";
import { errors, jwtVerify, SignJWT, decodeProtectedHeader } from "jose";
import type { Endings } from "./endings/endings.ts";
import { idOf, type Issued, issuedTo, type Session } from "./endings/known-endings.ts";

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

/** A bearer's principal and session, and when it expires, in milliseconds since the epoch. */
type Verified = { principal: Principal; issued: Issued; expiresAt: number };

/** What the IdP says of a person and a bearer repeats. Absent claims stay absent. */
export type BearerClaims = { sub: string; email?: string; name?: string; groups?: string[] };

export type Denial = "missing_token" | "invalid_token" | "ended_session";

export type Sessions = {
  /**
   * Signs a bearer for an admitted person. `expiresInSeconds` is its whole lifetime.
   * @param session that it is of; without one it is as the reference's are, and can be ended alone
   */
  mint(
    claims: BearerClaims,
    session?: Session,
  ): Promise<{ accessToken: string; expiresInSeconds: number }>;
  /** The session of a bearer of ours that has not expired, and whose it is, whether it has ended or not. */
  issuedAs(bearer: string): Promise<{ issued: Issued; principal: Principal } | undefined>;
  /** The principal of an Authorization header, with the reason for the audit event when there is none. */
  authenticate(authorization: string | null): Promise<Principal | Denial>;
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
  endings: Pick<Endings, "hasEnded">;
  now: () => number;
}): Sessions {
  const keys = options.secrets.map((secret) => ({
    kid: keyId(secret),
    secret: new TextEncoder().encode(secret),
  }));
  const verified = new Map<string, Verified>();

  async function mint(claims: BearerClaims, session?: Session) {
    const [key] = keys;
    if (key === undefined) throw new Error("session.jwt_secret is empty");
    const issuedAt = Math.floor(options.now() / 1000);
    const { sub, email, name, groups } = claims;
    const own = {
      aud: audience,
      billing_group_tag: options.billingGroupTag,
      // OpenID Connect Core §2, Front-Channel Logout §3: when the person signed in, and the session that began with it.
      auth_time: session?.beganAtSeconds,
      sid: session?.id,
    };
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
      if (known.expiresAt > options.now()) return known;
      verified.delete(bearer);
      return undefined;
    }
    const fresh = await check(bearer);
    if (fresh !== undefined) remember(bearer, fresh);
    return fresh;
  }

  function remember(bearer: string, entry: Verified): void {
    if (bearer.length > verifiedLengthMax) return;
    const [oldest] = verified.keys();
    if (oldest !== undefined && verified.size >= verifiedMax) verified.delete(oldest);
    verified.set(bearer, entry);
  }

  async function check(bearer: string): Promise<Verified | undefined> {
    const dotAt = bearer.lastIndexOf(".");
    // The signature is of the rest as it is written, and alone could be written in more than one way.
    if (!isCanonical(bearer.slice(dotAt + 1))) return undefined;
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
      const principal = principalOf(payload);
      const issued = issuedTo(principal.sub, sessionOf(payload, bearer.slice(0, dotAt)));
      return { principal, issued, expiresAt: (payload.exp ?? 0) * 1000 };
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined;
      throw error;
    }
  }

  return {
    mint,
    issuedAs: verify,
    async authenticate(authorization) {
      if (authorization === null) return "missing_token";
      // RFC 9110 §11.1: the scheme is case-insensitive. Without a regular expression: those are slow on long text.
      if (authorization.slice(0, scheme.length).toLowerCase() !== scheme) return "missing_token";
      const known = await verify(authorization.slice(scheme.length).trim());
      if (known === undefined) return "invalid_token";
      return options.endings.hasEnded(known.issued) ? "ended_session" : known.principal;
    },
  };
}

/** The `kid` that names a secret without telling it: the first 16 hex digits of its SHA-256. */
export function keyId(secret: string): string {
  return createHash("sha256").update(secret).digest("hex").slice(0, 16);
}

/**
 * Whether this is the one way to write what it stands for in base64url (RFC 4648 §3.5, RFC 7515 §2). jose takes blanks, `=` and
 * spare bits that are not 0 besides: a token would have many spellings, and each would be another.
 */
export function isCanonical(base64url: string): boolean {
  return Buffer.from(base64url, "base64url").toString("base64url") === base64url;
}

function principalOf(payload: Record<string, unknown>): Principal {
  const groups = Array.isArray(payload.groups)
    ? payload.groups.filter((group) => typeof group === "string")
    : [];
  return {
    sub: textOf(payload.sub) ?? "",
    email: textOf(payload.email),
    name: textOf(payload.name),
    groups,
    billingGroupTag: textOf(payload.billing_group_tag),
  };
}

/** Of a bearer that names none, as the reference's and those of older versions, a session of its own. */
function sessionOf({ sid, auth_time, iat }: Record<string, unknown>, signed: string): Session {
  const [beganAtSeconds = 0] = [auth_time, iat].filter((time) => typeof time === "number");
  return { id: textOf(sid) ?? idOf(signed), beganAtSeconds };
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === "string" ? claim : undefined;
}
