// The IdP's token endpoint: a code or a refresh token goes in, tokens or a refusal come out. The id_token is handed on
// unread: id-token.ts alone decides whether it is believed.
import * as oauth from "oauth4webapi";
import { asResponse, failureKind, readAnswer, unavailableUnlessSaid } from "./answer.ts";
import { IdpError } from "./identity.ts";
import type { RelyingParty } from "./relying-party.ts";

export type TokenAnswer = {
  accessToken: string;
  refreshToken: string | undefined;
  idToken: unknown;
};

/**
 * Redeems the code of a callback that `readCallback` has checked (RFC 6749 §4.1.3). Throws IdpError at step
 * `token_endpoint`: `refused` for invalid_grant, `failed` or `unavailable` for all else.
 */
export function redeemCode(
  party: RelyingParty,
  callback: URLSearchParams,
  attempt: { redirectUri: string; codeVerifier: string },
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const { config, metadata, client, clientAuthentication, request } = party;
  const verifier = config.use_pkce ? attempt.codeVerifier : oauth.nopkce;
  return unavailableUnlessSaid("token_endpoint", async () => {
    const response = await oauth.authorizationCodeGrantRequest(
      metadata,
      client,
      clientAuthentication,
      callback,
      attempt.redirectUri,
      verifier,
      { ...request, signal },
    );
    const secrets = [callback.get("code"), attempt.codeVerifier, config.client_secret];
    return readTokens(response, secrets, (rest) =>
      oauth.processAuthorizationCodeResponse(metadata, client, rest),
    );
  });
}

/**
 * Trades the IdP's refresh token (RFC 6749 §6). Throws as `redeemCode` does. No signal ends it but the egress's own: an IdP that
 * is slow has perhaps replaced the token already, and its answer must not be lost.
 */
export function refresh(party: RelyingParty, refreshToken: string): Promise<TokenAnswer> {
  const { config, metadata, client, clientAuthentication, request } = party;
  const scope = config.scope_on_refresh
    ? { additionalParameters: { scope: config.scopes.join(" ") } }
    : {};
  return unavailableUnlessSaid("token_endpoint", async () => {
    const options = { ...request, ...scope };
    const response = await oauth.refreshTokenGrantRequest(
      metadata,
      client,
      clientAuthentication,
      refreshToken,
      options,
    );
    return readTokens(response, [refreshToken, config.client_secret], (rest) =>
      oauth.processRefreshTokenResponse(metadata, client, rest),
    );
  });
}

async function readTokens(
  response: Response,
  secrets: readonly (string | null | undefined)[],
  check: (withoutIdToken: Response) => Promise<oauth.TokenEndpointResponse>,
): Promise<TokenAnswer> {
  const answer = await readAnswer(response, secrets);
  const { status, body, error, errorDescription, failure } = answer;
  if (status !== 200) {
    // Only this code ends a session, whichever 4xx an IdP puts it into: RFC 6749 §5.2 has 400, Auth0 403. 429 is about haste.
    const refuses = error === "invalid_grant" && status >= 400 && status < 500 && status !== 429;
    const kind = refuses ? "refused" : failureKind(answer);
    throw new IdpError(failure, { step: "token_endpoint", kind, error, errorDescription });
  }
  if (!body) throw new Error("the token endpoint's answer is not a JSON object");
  const { id_token: idToken, ...rest } = body;
  const tokens = await check(asResponse(rest));
  return { accessToken: tokens.access_token, refreshToken: tokens.refresh_token, idToken };
}
