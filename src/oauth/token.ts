// POST /oauth/token: the device grant's polls (RFC 8628 §3.4) and the refresh grant (RFC 6749 §6). What a refresh token is, is
// in refresh-token.ts; how a session ends before its time in revocation.ts.
import { randomBytes } from "node:crypto";
import { audit } from "../audit.ts";
import type { Endings } from "../endings/endings.ts";
import { issuedTo, type Session } from "../endings/known-endings.ts";
import { oauthError, oauthJson } from "../http/refusal.ts";
import { type Incoming, isForm, readForm } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import type { Expected } from "../idp/identity.ts";
import { type IdentityProvider, IdpError, type IdpGrant } from "../idp/provider.ts";
import { log } from "../log.ts";
import type { BearerClaims, Sessions } from "../session.ts";
import type { DeviceGrant, DeviceGrants } from "./device.ts";
import type { RefreshTokens } from "./refresh-token.ts";

export const deviceCodeGrantType = "urn:ietf:params:oauth:grant-type:device_code";
export const refreshTokenGrantType = "refresh_token";

/** Random bytes in the id of a session: enough that nobody guesses one, and no two are the same. */
const sessionIdBytes = 16;

/**
 * Answers 200 with tokens (RFC 6749 §5.1), 400 or 429 with the polling errors of RFC 8628 §3.5, 401 `invalid_grant` for a refresh
 * the IdP refuses or whose session has ended, 503 `temporarily_unavailable` for one the IdP cannot be asked about. A refresh needs
 * no store.
 */
export function createTokenEndpoint(deps: {
  grants: DeviceGrants;
  sessions: Pick<Sessions, "mint">;
  refreshTokens: RefreshTokens;
  endings: Pick<Endings, "hasEnded" | "hasEverEnded">;
  identityProvider: IdentityProvider;
  ttlHours: number;
  /** Whether anything depends on somebody's groups or e-mail address: which policy, which upstream. */
  decisive: Expected;
}): Handler {
  const { grants, sessions, refreshTokens, endings } = deps;

  async function issue(
    claims: BearerClaims,
    idpRefreshToken: string | undefined,
    session: Session,
  ): Promise<Response> {
    const { sub } = claims;
    const { accessToken, expiresInSeconds } = await sessions.mint(claims, session);
    const had = { groups: claims.groups !== undefined, email: claims.email !== undefined };
    const refreshToken =
      idpRefreshToken && (await refreshTokens.issue({ idpRefreshToken, sub, had, session }));
    return oauthJson(200, {
      access_token: accessToken,
      ...(refreshToken && { refresh_token: refreshToken }),
      token_type: "Bearer",
      expires_in: expiresInSeconds,
    });
  }

  async function poll(deviceCode: string, { requestId }: Incoming): Promise<Response> {
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
      case "approved": {
        // The row goes first: of polls that arrive together, one removes it and is answered with the tokens.
        if (!(await grants.take(stored))) return oauthError(400, "expired_token");
        const session = sessionOf(grant);
        if (!endings.hasEnded(issuedTo(grant.claims.sub, session)))
          return issue(grant.claims, grant.idpRefreshToken, session);
        log.warn(
          `sign-in not handed out request_id=${requestId}: ${grant.claims.sub} was signed out everywhere after it`,
        );
        return oauthError(400, "expired_token");
      }
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

    const opened = await refreshTokens.open(refreshToken);
    if (opened === undefined) {
      const err = "the refresh token was not issued under a current secret, or has expired";
      return fail(err, "refresh_token", "invalid_grant");
    }
    const { idpRefreshToken, sub, had, session } = opened;
    const ended = () => fail("the session has ended", "session", "invalid_grant");
    // Before the IdP is asked, which may rotate its token for nobody.
    if (await endings.hasEverEnded(issuedTo(sub ?? "", session))) return ended();

    const expected = {
      groups: had.groups && deps.decisive.groups,
      email: had.email && deps.decisive.email,
    };
    let renewed: IdpGrant;
    try {
      renewed = await deps.identityProvider.renew(idpRefreshToken, expected, {
        requestId: incoming.requestId,
        isBare: sub === undefined,
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
    if (sub !== undefined && sub !== identity.sub) {
      return fail(`sub changed from ${sub} to ${identity.sub}`, "refresh_token", "invalid_grant");
    }
    // And again, for somebody may have signed out meanwhile. Only of a bare token was it unknown whose it is: for any other the store,
    // which may fail, is not asked while the IdP's new token is on its way.
    const issued = issuedTo(identity.sub, session);
    if (sub === undefined ? await endings.hasEverEnded(issued) : endings.hasEnded(issued))
      return ended();
    audit({
      evt: "session.refresh",
      result: "success",
      sub: identity.sub,
      email: identity.email,
      ttl_hours: deps.ttlHours,
      ...who,
    });
    return issue(identity, renewed.refreshToken ?? idpRefreshToken, session);
  }

  return async (incoming) => {
    if (!isForm(incoming.request))
      return oauthError(400, "invalid_request", "the body must be form-encoded");
    const form = await readForm(incoming.request);
    switch (form.get("grant_type")) {
      case deviceCodeGrantType: {
        const deviceCode = form.get("device_code");
        return deviceCode
          ? poll(deviceCode, incoming)
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

/** The session that begins when an approved grant is handed out. It began when the person signed in. */
function sessionOf({
  beganAtSeconds,
  requestedAt,
}: Extract<DeviceGrant, { state: "approved" }>): Session {
  return {
    id: randomBytes(sessionIdBytes).toString("base64url"),
    beganAtSeconds: beganAtSeconds ?? Math.floor(requestedAt / 1000),
  };
}
