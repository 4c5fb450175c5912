// POST /oauth/token: the device grant's polls (RFC 8628 §3.4) and the refresh grant (RFC 6749 §6). The IdP's refresh token
// never leaves the gateway: the client holds it sealed, together with the `sub` it was issued to.
import { audit } from "../audit.ts";
import { oauthError, oauthJson } from "../http/refusal.ts";
import { type Incoming, isForm, readForm } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import type { Expected } from "../idp/identity.ts";
import { type IdentityProvider, IdpError, type IdpGrant } from "../idp/provider.ts";
import { log } from "../log.ts";
import type { Sealed } from "../sealed.ts";
import type { BearerClaims, Sessions } from "../session.ts";
import type { DeviceGrants } from "./device.ts";

export const deviceCodeGrantType = "urn:ietf:params:oauth:grant-type:device_code";
export const refreshTokenGrantType = "refresh_token";

/** What a refresh token of ours holds. */
export type RefreshTokenContent = {
  idpRefreshToken: string;
  sub: string;
  /** What was known of the person when it was issued; absent from tokens that are older than this. */
  had?: Expected;
};

/** Tells our refresh tokens from the bare ones of an IdP, which clients that signed in at the reference still hold. */
const refreshTokenPrefix = "gwr.";

/**
 * Answers 200 with tokens (RFC 6749 §5.1), 400 or 429 with the polling errors of RFC 8628 §3.5, 401 `invalid_grant` for a refresh
 * the IdP refuses, 503 `temporarily_unavailable` for one it cannot be asked about. A refresh needs no store.
 */
export function createTokenEndpoint(deps: {
  grants: DeviceGrants;
  sessions: Sessions;
  sealed: Sealed<RefreshTokenContent>;
  identityProvider: IdentityProvider;
  ttlHours: number;
  /** Whether anything depends on somebody's groups or e-mail address: which policy, which upstream. */
  decisive: Expected;
}): Handler {
  const { grants, sessions, sealed } = deps;

  async function issue(
    claims: BearerClaims,
    idpRefreshToken: string | undefined,
  ): Promise<Response> {
    const { accessToken, expiresInSeconds } = await sessions.mint(claims);
    const had = { groups: claims.groups !== undefined, email: claims.email !== undefined };
    const content =
      idpRefreshToken === undefined ? undefined : { idpRefreshToken, sub: claims.sub, had };
    return oauthJson(200, {
      access_token: accessToken,
      ...(content && { refresh_token: refreshTokenPrefix + (await sealed.seal(content)) }),
      token_type: "Bearer",
      expires_in: expiresInSeconds,
    });
  }

  async function poll(deviceCode: string): Promise<Response> {
    const key = grants.keyOf(deviceCode);
    const stored = await grants.read(key);
    if (stored === undefined) return oauthError(400, "expired_token");
    const { grant } = stored;
    switch (grant.state) {
      case "pending":
        if (await grants.pollsTooFast(key)) return oauthError(429, "slow_down");
        return oauthError(400, "authorization_pending");
      case "denied":
        return oauthError(400, (await grants.take(stored)) ? "access_denied" : "expired_token");
      case "approved":
        // The row goes first: of polls that arrive together, one removes it and is answered with the tokens.
        if (!(await grants.take(stored))) return oauthError(400, "expired_token");
        return issue(grant.claims, grant.idpRefreshToken);
    }
  }

  async function refresh(refreshToken: string, incoming: Incoming): Promise<Response> {
    const who = { request_id: incoming.requestId, client_ip: incoming.clientIp };
    const fail = (
      err: string,
      step: string,
      answer: "invalid_grant" | "temporarily_unavailable",
    ) => {
      log.warn(`refresh failed request_id=${incoming.requestId}: ${err} (at ${step})`);
      audit({ evt: "session.refresh", result: "fail", err, step, answer, ...who });
      return oauthError(answer === "invalid_grant" ? 401 : 503, answer);
    };

    const ours = refreshToken.startsWith(refreshTokenPrefix);
    const content = ours
      ? await sealed.open(refreshToken.slice(refreshTokenPrefix.length))
      : undefined;
    if (ours && content === undefined)
      return fail(
        "the refresh token was not issued under a current secret",
        "refresh_token",
        "invalid_grant",
      );
    const idpRefreshToken = content?.idpRefreshToken ?? refreshToken;
    // Of a bare token, and of one that is older than the note, nothing is known.
    const { had = { groups: true, email: true } } = content ?? {};
    const expected = {
      groups: had.groups && deps.decisive.groups,
      email: had.email && deps.decisive.email,
    };

    let renewed: IdpGrant;
    try {
      renewed = await deps.identityProvider.renew(idpRefreshToken, expected, {
        requestId: incoming.requestId,
      });
    } catch (error) {
      if (!(error instanceof IdpError)) throw error;
      return fail(
        error.message,
        error.step,
        error.kind === "refused" ? "invalid_grant" : "temporarily_unavailable",
      );
    }
    const { identity } = renewed;
    if (content !== undefined && content.sub !== identity.sub) {
      return fail(
        `sub changed from ${content.sub} to ${identity.sub}`,
        "refresh_token",
        "invalid_grant",
      );
    }
    audit({
      evt: "session.refresh",
      result: "success",
      sub: identity.sub,
      email: identity.email,
      ttl_hours: deps.ttlHours,
      ...who,
    });
    return issue(identity, renewed.refreshToken ?? idpRefreshToken);
  }

  return async (incoming) => {
    if (!isForm(incoming.request))
      return oauthError(400, "invalid_request", "the body must be form-encoded");
    const form = await readForm(incoming.request);
    switch (form.get("grant_type")) {
      case deviceCodeGrantType: {
        const deviceCode = form.get("device_code");
        return deviceCode
          ? poll(deviceCode)
          : oauthError(400, "invalid_request", "device_code is required");
      }
      case refreshTokenGrantType: {
        const refreshToken = form.get("refresh_token");
        return refreshToken
          ? refresh(refreshToken, incoming)
          : oauthError(400, "invalid_request", "refresh_token is required");
      }
      default:
        return oauthError(400, "unsupported_grant_type");
    }
  };
}
