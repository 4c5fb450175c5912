// We are the relying party of the company's OpenID provider. This file puts the steps together: authorization.ts, then
// token-endpoint.ts, then id-token.ts (is it believed), userinfo.ts (what it left out) and claims.ts (who may sign in).
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import type { log } from "../log.ts";
import { authorizationUrl, readCallback } from "./authorization.ts";
import { admit, type Claims, hasGaps } from "./claims.ts";
import { readDiscovery } from "./discovery.ts";
import { createIdTokenVerifier } from "./id-token.ts";
import {
  type Identity,
  type IdentityProvider,
  IdpError,
  type IdpGrant,
  type Traced,
} from "./identity.ts";
import { createKeySet } from "./key-set.ts";
import { relyingParty } from "./relying-party.ts";
import { redeemCode, refresh, type TokenAnswer } from "./token-endpoint.ts";
import { readUserinfo } from "./userinfo.ts";

export type { IdentityProvider, IdpGrant } from "./identity.ts";
export { IdpError } from "./identity.ts";

export type IdpDeps = {
  egress: Egress;
  log: Pick<typeof log, "debug" | "warn">;
  /** Milliseconds since the epoch, for the lifetime of id_tokens. */
  now?: () => number;
};

/** Reads the IdP's discovery document and hands out its verbs. Throws an Error that names oidc.issuer and the cause. */
export async function discoverIdentityProvider(
  config: OidcConfig,
  deps: IdpDeps,
): Promise<IdentityProvider> {
  const { egress, log, now = Date.now } = deps;
  const metadata = await readDiscovery(config, { egress, log });
  const party = relyingParty(config, metadata, egress);
  const verifyIdToken = createIdTokenVerifier(
    {
      issuer: metadata.issuer,
      clientId: config.client_id,
      algorithm: config.id_token_signed_response_alg,
      clockSkewSeconds: config.clock_skew_seconds,
      additionalAuthorizedParties: config.additional_authorized_parties,
    },
    { keySet: createKeySet(metadata.jwks_uri, { egress, now }), now },
  );

  /** Claims that the id_token vouches for, and those of userinfo where they are asked for and something is missing. */
  async function claimsOf(
    answer: TokenAnswer,
    context: Traced & { nonce?: string },
  ): Promise<[Claims, ...Claims[]]> {
    const { accessToken, idToken } = answer;
    const claims = await verifyIdToken(idToken, { accessToken, ...context });
    // Without a sub to compare it with, nobody's userinfo would do; `admit` refuses such claims.
    const hasSub = typeof claims.sub === "string" && claims.sub !== "";
    const asksUserinfo = config.userinfo_fallback && hasSub && hasGaps(config, claims);
    const more = asksUserinfo ? [await readUserinfo(party, accessToken, claims.sub)] : [];
    const moreNames = more
      .map((userinfo) => `; userinfo claim names: ${namesOf(userinfo)}`)
      .join("");
    log.debug(
      `oidc id_token claim names request_id=${context.requestId ?? "-"}: ${namesOf(claims)}${moreNames}`,
    );
    return [claims, ...more];
  }

  /** A refreshed answer may leave the id_token out (OpenID Connect Core §12.2); userinfo alone then says who it is. */
  async function renewedClaimsOf(
    answer: TokenAnswer,
    trace: Traced,
  ): Promise<[Claims, ...Claims[]]> {
    if (answer.idToken !== undefined) return claimsOf(answer, trace);
    const claims = await readUserinfo(party, answer.accessToken);
    log.debug(`oidc userinfo claim names request_id=${trace.requestId ?? "-"}: ${namesOf(claims)}`);
    return [claims];
  }

  function admitted(sources: [Claims, ...Claims[]]): Identity {
    const admission = admit(config, sources);
    if ("refused" in admission) {
      throw new IdpError(admission.refused, { step: "admission", kind: "refused" });
    }
    return admission.identity;
  }

  return {
    issuer: config.issuer,
    authorizationOrigin: new URL(metadata.authorization_endpoint).origin,
    authorizationUrl: (attempt) => authorizationUrl(party, attempt),

    async redeem(callback, { state, nonce, codeVerifier, redirectUri, requestId }) {
      const parameters = readCallback(party, callback, state);
      const answer = await redeemCode(party, parameters, { redirectUri, codeVerifier });
      return grant(admitted(await claimsOf(answer, { nonce, requestId })), answer.refreshToken);
    },

    async renew(refreshToken, trace = {}) {
      const answer = await refresh(party, refreshToken);
      // The IdP did renew: an id_token or userinfo that we cannot make sense of is no refusal, and must not sign anybody out.
      const sources = await renewedClaimsOf(answer, trace).catch((error: unknown) => {
        if (!(error instanceof IdpError)) throw error;
        throw new IdpError(error.message, { step: error.step, kind: "unavailable", cause: error });
      });
      return grant(
        admitted(sources),
        answer.refreshToken === refreshToken ? undefined : answer.refreshToken,
      );
    },
  };
}

function grant(identity: Identity, refreshToken: string | undefined): IdpGrant {
  return refreshToken === undefined ? { identity } : { identity, refreshToken };
}

/** Names, never values: claims are personal data. */
function namesOf(claims: Claims): string {
  return Object.keys(claims).toSorted().join(",");
}
