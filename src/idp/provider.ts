// We are the relying party of the company's OpenID provider. This file puts the steps together: authorization.ts, then
// token-endpoint.ts, then id-token.ts (is it believed), userinfo.ts (what it left out), groups.ts (which groups) and claims.ts
// (who may sign in).
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import type { log } from "../log.ts";
import { authorizationUrl, readCallback } from "./authorization.ts";
import { type Admission, admit, type Claims, hasGaps, identify } from "./claims.ts";
import { readDiscovery } from "./discovery.ts";
import { openGroups, type Told } from "./groups.ts";
import { createIdTokenVerifier } from "./id-token.ts";
import {
  type Expected,
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
  /** To the IdP. */
  egress: Egress;
  /** To Google's and Microsoft's directories: over the public internet, with the system's trust store. */
  directoryEgress: Egress;
  log: Pick<typeof log, "debug" | "warn">;
  /** Milliseconds since the epoch, for the lifetime of id_tokens and access tokens. */
  now?: () => number;
};

const nothingExpected: Expected = { groups: false, email: false };

/** Reads the IdP's discovery document and hands out its verbs. Throws an Error that names the setting and the cause. */
export async function discoverIdentityProvider(
  config: OidcConfig,
  deps: IdpDeps,
): Promise<IdentityProvider> {
  const { egress, directoryEgress, log, now = Date.now } = deps;
  const metadata = await readDiscovery(config, { egress, log });
  const party = relyingParty(config, metadata, egress);
  const groupsOf = await openGroups(config, metadata, { egress: directoryEgress, now });
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
  ): Promise<Told> {
    const { accessToken, idToken } = answer;
    const claims = await verifyIdToken(idToken, { accessToken, ...context });
    // Without a sub to compare it with, nobody's userinfo would do; `identify` refuses such claims.
    const hasSub = typeof claims.sub === "string" && claims.sub !== "";
    const asksUserinfo = config.userinfo_fallback && hasSub && hasGaps(config, claims);
    const more = asksUserinfo ? [await readUserinfo(party, accessToken, claims.sub)] : [];
    const moreNames = more
      .map((userinfo) => `; userinfo claim names: ${namesOf(userinfo)}`)
      .join("");
    log.debug(
      `oidc id_token claim names request_id=${context.requestId ?? "-"}: ${namesOf(claims)}${moreNames}`,
    );
    return { sources: [claims, ...more], hasIdToken: true, accessToken };
  }

  /** A refreshed answer may leave the id_token out (OpenID Connect Core §12.2); userinfo alone then says who it is. */
  async function renewedClaimsOf(answer: TokenAnswer, trace: Traced): Promise<Told> {
    const { accessToken, idToken } = answer;
    if (idToken !== undefined) return claimsOf(answer, trace);
    const claims = await readUserinfo(party, accessToken);
    log.debug(`oidc userinfo claim names request_id=${trace.requestId ?? "-"}: ${namesOf(claims)}`);
    return { sources: [claims], hasIdToken: false, accessToken };
  }

  /** Nobody's groups are asked for before we know that it is somebody of ours. */
  async function admitted(told: Told): Promise<Identity> {
    const person = unlessRefused(identify(config, told.sources));
    return unlessRefused(admit(config, person, await groupsOf(person, told)));
  }

  /** Whoever is left without an e-mail address or groups because nobody tells them would be under a looser policy. */
  function requireExpected(identity: Identity, { hasIdToken }: Told, expected: Expected) {
    const step = hasIdToken ? "id_token" : "userinfo";
    const refuse = (message: string) => {
      throw new IdpError(message, { step, kind: "refused" });
    };
    if (expected.email && identity.email === undefined)
      refuse("the refresh brought no e-mail address of a person who had one");
    // An id_token without groups says that there are none; userinfo need not list any.
    const asksDirectory = config.google_groups !== undefined || config.entra_groups !== undefined;
    const isTold = hasIdToken || asksDirectory || identity.groups !== undefined;
    if (expected.groups && !isTold)
      refuse(
        "the refresh brought no id_token, and userinfo lists no groups of a person who had some: " +
          "let the IdP issue id_tokens on refresh (oidc.scope_on_refresh: true may do), or list groups in userinfo",
      );
  }

  return {
    issuer: config.issuer,
    authorizationOrigin: new URL(metadata.authorization_endpoint).origin,
    authorizationUrl: (attempt) => authorizationUrl(party, attempt),

    async redeem(callback, { state, nonce, codeVerifier, redirectUri, requestId }) {
      const parameters = readCallback(party, callback, state);
      const answer = await redeemCode(party, parameters, { redirectUri, codeVerifier });
      const told = await claimsOf(answer, { nonce, requestId });
      return grant(await admitted(told), answer.refreshToken);
    },

    async renew(refreshToken, expected = nothingExpected, trace = {}) {
      const answer = await refresh(party, refreshToken);
      // The IdP did renew: an id_token or userinfo that we cannot make sense of is no refusal, and must not sign anybody out.
      const told = await renewedClaimsOf(answer, trace).catch((error: unknown) => {
        if (!(error instanceof IdpError)) throw error;
        throw new IdpError(error.message, { step: error.step, kind: "unavailable", cause: error });
      });
      const identity = await admitted(told);
      requireExpected(identity, told, expected);
      return grant(
        identity,
        answer.refreshToken === refreshToken ? undefined : answer.refreshToken,
      );
    },
  };
}

function unlessRefused(admission: Admission): Identity {
  if ("refused" in admission)
    throw new IdpError(admission.refused, { step: "admission", kind: "refused" });
  return admission.identity;
}

function grant(identity: Identity, refreshToken: string | undefined): IdpGrant {
  return refreshToken === undefined ? { identity } : { identity, refreshToken };
}

/** Names, never values: claims are personal data. */
function namesOf(claims: Claims): string {
  return Object.keys(claims).toSorted().join(",");
}
