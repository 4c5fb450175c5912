// Everything that makes an id_token believable: signature, algorithm, issuer, audience, authorized party, lifetime, nonce and
// at_hash (OpenID Connect Core §3.1.3.7). What its claims mean for us is in claims.ts.
import { createHash } from "node:crypto";
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from "jose";
import { messageOf } from "../log.ts";
import { orAborted } from "../timer.ts";
import { IdpError } from "./identity.ts";

export type IdTokenRules = {
  issuer: string;
  clientId: string;
  /** The one algorithm that is accepted. */
  algorithm: string;
  clockSkewSeconds: number;
  /** Clients other than ours that may stand in `azp`. */
  additionalAuthorizedParties: readonly string[];
};

/** What the id_token must belong to. A renewed id_token carries no nonce of ours (OpenID Connect Core §12.2): leave it out. */
export type IdTokenContext = { accessToken: string; nonce?: string };

/** How far the IdP's clock may be ahead of ours, beyond `clockSkewSeconds`, before an id_token was issued in the future. */
const iatAheadSecondsMax = 60;
/** Keys of one kid that are tried. A rotation has two for a while, where the IdP gives them the same name. */
const sameKidMax = 4;

/**
 * Makes the check of an id_token; it resolves with the claims. Throws IdpError: `refused` when the id_token is at fault,
 * `unavailable` when the keys to check it with cannot be had.
 *
 * @param now milliseconds since the epoch
 */
export function createIdTokenVerifier(
  rules: IdTokenRules,
  deps: { keySet: JWTVerifyGetKey; now: () => number },
) {
  return async (
    idToken: unknown,
    context: IdTokenContext,
    signal: AbortSignal,
  ): Promise<JWTPayload> => {
    if (typeof idToken !== "string") throw refused("the IdP's answer has no id_token");
    const nowMs = deps.now();
    const verifying = verified(idToken, deps.keySet, {
      algorithms: [rules.algorithm],
      issuer: rules.issuer,
      audience: rules.clientId,
      requiredClaims: ["sub", "iat", "exp"],
      clockTolerance: rules.clockSkewSeconds,
      currentDate: new Date(nowMs),
    });
    // The keys are fetched for all who wait for them: that goes on when one of them gives up.
    const claims = await orAborted(signal, verifying).catch((error: unknown) => {
      throw explained(error, idToken, rules, nowMs);
    });
    const wrong =
      wrongTime(claims, rules, Math.floor(nowMs / 1000)) ??
      wrongParty(claims, rules) ??
      wrongNonce(claims, context) ??
      wrongAccessToken(claims, context, rules.algorithm);
    if (wrong) throw refused(wrong);
    return claims;
  };
}

/** Claims of an id_token whose signature holds: by the key that its kid names, or by one of those, where several have that name. */
async function verified(
  idToken: string,
  keySet: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(idToken, keySet, options)).payload;
  } catch (error) {
    const isNamesake = headerOf(idToken).kid !== undefined;
    if (!(error instanceof errors.JWKSMultipleMatchingKeys) || !isNamesake) throw error;
    let tried = 0;
    for await (const key of error) {
      if (++tried > sameKidMax) break;
      try {
        return (await jwtVerify(idToken, key, options)).payload;
      } catch (wrongKey) {
        if (!(wrongKey instanceof errors.JWSSignatureVerificationFailed)) throw wrongKey;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

/** An `iat` of the future is of a clock that cannot be believed, and a lifetime counted from it could be any. */
function wrongTime({ iat = 0 }: JWTPayload, rules: IdTokenRules, now: number): string | undefined {
  const latest = now + rules.clockSkewSeconds + iatAheadSecondsMax;
  return iat > latest ? `JWT issued in the future, now ${now}, iat ${iat}` : undefined;
}

/** `azp` is who the id_token was issued to: needed beside several audiences, and ours or a listed one wherever it stands. */
function wrongParty({ aud, azp }: JWTPayload, rules: IdTokenRules): string | undefined {
  if (azp === undefined) {
    return Array.isArray(aud) && aud.length > 1 ? "missing required JWT property azp" : undefined;
  }
  const parties: readonly unknown[] = [rules.clientId, ...rules.additionalAuthorizedParties];
  return parties.includes(azp) ? undefined : `azp mismatch, got: ${shown(azp)}`;
}

function wrongNonce(claims: JWTPayload, { nonce }: IdTokenContext): string | undefined {
  if (nonce === undefined || claims.nonce === nonce) return undefined;
  return `nonce mismatch, expected ${nonce}, got: ${shown(claims.nonce)}`;
}

/** `at_hash`, where present, binds the access token that came along: the left half of its hash (OpenID Connect Core §3.1.3.6). */
function wrongAccessToken(
  { at_hash }: JWTPayload,
  { accessToken }: IdTokenContext,
  algorithm: string,
): string | undefined {
  if (at_hash === undefined) return undefined;
  const digest = createHash(`sha${/\d+$/.exec(algorithm)?.[0] ?? "512"}`)
    .update(accessToken)
    .digest();
  const expected = digest.subarray(0, digest.length / 2).toString("base64url");
  return at_hash === expected
    ? undefined
    : `at_hash mismatch, expected ${expected}, got: ${shown(at_hash)}`;
}

/** jose's errors in the words that operators search their logs for. What is not the id_token's fault is `unavailable`. */
function explained(error: unknown, idToken: string, rules: IdTokenRules, nowMs: number): IdpError {
  if (error instanceof IdpError) return error;
  if (error instanceof errors.JOSEAlgNotAllowed) {
    return refused(
      `unexpected JWT alg received, expected ${rules.algorithm}, got: ${shown(headerOf(idToken).alg)}`,
    );
  }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return refused("failed to validate JWT signature");
  if (error instanceof errors.JWKSNoMatchingKey) {
    return refused(
      `no valid key found in issuer's jwks_uri for kid ${shown(headerOf(idToken).kid)}`,
    );
  }
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return refused(
      "multiple matching keys found in issuer's jwks_uri, a kid must be provided in the id_token",
    );
  }
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) {
    return refused(wrongClaim(error, rules, Math.floor(nowMs / 1000)));
  }
  if (error instanceof errors.JWSInvalid || error instanceof errors.JWTInvalid) {
    return refused("the id_token is not a readable JWT");
  }
  return new IdpError(`could not check the id_token: ${messageOf(error)}`, {
    step: "id_token",
    kind: "unavailable",
    cause: error,
  });
}

function wrongClaim(
  { claim, reason, payload }: errors.JWTExpired | errors.JWTClaimValidationFailed,
  rules: IdTokenRules,
  now: number,
): string {
  if (reason === "missing") return `missing required JWT property ${claim}`;
  if (reason === "invalid") return `JWT ${claim} claim must be a JSON numeric value`;
  if (claim === "exp") return `JWT expired, now ${now}, exp ${shown(payload.exp)}`;
  if (claim === "nbf") return `JWT not active yet, now ${now}, nbf ${shown(payload.nbf)}`;
  if (claim === "iss")
    return `unexpected iss value, expected ${rules.issuer}, got: ${shown(payload.iss)}`;
  return `${claim} mismatch, expected ${rules.clientId}, got: ${shown(payload[claim])}`;
}

function headerOf(idToken: string): Record<string, unknown> {
  try {
    return { ...decodeProtectedHeader(idToken) };
  } catch {
    return {};
  }
}

/** A value of the IdP's inside a message: short, and a string without its quotes. */
function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function refused(message: string): IdpError {
  return new IdpError(message, { step: "id_token", kind: "refused" });
}
