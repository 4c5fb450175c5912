// We are the relying party of the company's OpenID provider. This file puts the steps together: authorization.ts, then
// token-endpoint.ts, then id-token.ts (is it believed), userinfo.ts (what it left out), groups.ts (which groups) and claims.ts
// (who may sign in); and around them what holds when the IdP does not: exchanges.ts, rotation.ts and current-metadata.ts.
import { derivedOnce } from "../config/derived.ts";
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import type { log } from "../log.ts";
import { orAborted, type Timer } from "../timer.ts";
import { unavailableUnlessSaid } from "./answer.ts";
import { authorizationUrl, readCallback } from "./authorization.ts";
import { type Admission, admit, type Claims, hasGaps, identify } from "./claims.ts";
import { openMetadata } from "./current-metadata.ts";
import type { ProviderMetadata } from "./discovery.ts";
import { createExchanges, type ExchangeBounds, type Exchanges } from "./exchanges.ts";
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
import { createRotation } from "./rotation.ts";
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
  /** Milliseconds since the epoch, for the lifetime of id_tokens, access tokens and what is kept of the IdP. */
  now?: () => number;
  after?: Timer;
};

/** A browser waits, and directories may have many pages. */
const signInBounds: ExchangeBounds = { timeoutMs: 20_000, atOnceMax: 64 };
/**
 * A client waits that has work to do. Apart from sign-ins, since anybody can ask for a renewal. Those of 10,000 people within a
 * minute are 170 a second, which fit as long as the IdP takes less than 1.5 s.
 */
const renewalBounds: ExchangeBounds = { timeoutMs: 8_000, atOnceMax: 256 };

/** Of tokens that may be anybody's invention. People who signed in at another gateway have one until the first renewal. */
const bareRenewalBounds: ExchangeBounds = { timeoutMs: 8_000, atOnceMax: 16 };

const nothingExpected: Expected = { groups: false, email: false };

/** Reads the IdP's discovery document and hands out its verbs. Throws an Error that names the setting and the cause. */
export async function discoverIdentityProvider(
  config: OidcConfig,
  deps: IdpDeps,
): Promise<IdentityProvider> {
  const { egress, directoryEgress, log } = deps;
  const { now = Date.now, after = inRealTime } = deps;
  const current = await openMetadata(config, { egress, log, now });
  const groupsOf = await openGroups(config, current.now(), { egress: directoryEgress, now });
  const rotation = createRotation({ now });
  const signIns = createExchanges(signInBounds, after);
  const renewals = createExchanges(renewalBounds, after);
  const bareRenewals = createExchanges(bareRenewalBounds, after);

  /** What follows from a discovery document, made once for each. */
  const speaking = derivedOnce((metadata: ProviderMetadata) => ({
    party: relyingParty(config, metadata, { egress, now }),
    verifyIdToken: createIdTokenVerifier(
      {
        issuer: metadata.issuer,
        clientId: config.client_id,
        algorithm: config.id_token_signed_response_alg,
        clockSkewSeconds: config.clock_skew_seconds,
        additionalAuthorizedParties: config.additional_authorized_parties,
      },
      { keySet: createKeySet(metadata.jwks_uri, { egress, now }), now },
    ),
  }));
  type Idp = ReturnType<typeof speaking>;
  type Context = Traced & { nonce?: string; signal: AbortSignal };

  /** Claims that the id_token vouches for, and those of userinfo where they are asked for and something is missing. */
  async function claimsOf(
    { party, verifyIdToken }: Idp,
    answer: TokenAnswer,
    context: Context,
  ): Promise<Told> {
    const { accessToken, idToken } = answer;
    const { signal } = context;
    const claims = await verifyIdToken(idToken, { accessToken, ...context }, signal);
    // Without a sub to compare it with, nobody's userinfo would do; `identify` refuses such claims.
    const hasSub = typeof claims.sub === "string" && claims.sub !== "";
    const asksUserinfo = config.userinfo_fallback && hasSub && hasGaps(config, claims);
    const more = asksUserinfo ? [await readUserinfo(party, accessToken, signal, claims.sub)] : [];
    const moreNames = more
      .map((userinfo) => `; userinfo claim names: ${namesOf(userinfo)}`)
      .join("");
    log.debug(
      `oidc id_token claim names request_id=${context.requestId ?? "-"}: ${namesOf(claims)}${moreNames}`,
    );
    return { sources: [claims, ...more], hasIdToken: true, accessToken, signal };
  }

  /** A refreshed answer may leave the id_token out (OpenID Connect Core §12.2); userinfo alone then says who it is. */
  async function renewedClaimsOf(idp: Idp, answer: TokenAnswer, context: Context): Promise<Told> {
    const { accessToken, idToken } = answer;
    const { requestId, signal } = context;
    if (idToken !== undefined) return claimsOf(idp, answer, context);
    const claims = await readUserinfo(idp.party, accessToken, signal);
    log.debug(`oidc userinfo claim names request_id=${requestId ?? "-"}: ${namesOf(claims)}`);
    return { sources: [claims], hasIdToken: false, accessToken, signal };
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

  /** One exchange within the bounds, with the IdP as its discovery document says now. */
  async function withIdp<T>(
    exchanges: Exchanges,
    exchange: (idp: Idp, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    try {
      return await exchanges((signal) => exchange(speaking(current.now()), signal));
    } catch (error) {
      if (!(error instanceof IdpError) || error.kind === "unavailable") current.doubt();
      throw error;
    }
  }

  return {
    issuer: config.issuer,
    authorizationOrigin: () => new URL(current.now().authorization_endpoint).origin,
    authorizationUrl: (attempt) => authorizationUrl(speaking(current.now()).party, attempt),

    redeem: (callback, { state, nonce, codeVerifier, redirectUri, requestId }) =>
      withIdp(signIns, async (idp, signal) => {
        const parameters = readCallback(idp.party, callback, state);
        const sent = { redirectUri, codeVerifier };
        const answer = await redeemCode(idp.party, parameters, sent, signal);
        const told = await claimsOf(idp, answer, { nonce, requestId, signal });
        return grant(await admitted(told), answer.refreshToken);
      }),

    renew: (refreshToken, expected = nothingExpected, { isBare = false, requestId } = {}) =>
      withIdp(isBare ? bareRenewals : renewals, async (idp, signal) => {
        const asking = rotation.exchange(refreshToken, (newest) => refresh(idp.party, newest));
        const answer = await unavailableUnlessSaid("token_endpoint", () =>
          orAborted(signal, asking),
        );
        // The IdP did renew: an id_token or userinfo that we cannot make sense of is no refusal, and must not sign anybody out.
        const told = await renewedClaimsOf(idp, answer, { requestId, signal }).catch(
          (error: unknown) => {
            if (!(error instanceof IdpError)) throw error;
            const { message, step } = error;
            throw new IdpError(message, { step, kind: "unavailable", cause: error });
          },
        );
        const identity = await admitted(told);
        requireExpected(identity, told, expected);
        rotation.delivered(refreshToken);
        return grant(
          identity,
          answer.refreshToken === refreshToken ? undefined : answer.refreshToken,
        );
      }),
  };
}

function inRealTime(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
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
