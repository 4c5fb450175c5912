// The IdP's authorization endpoint: the URL that the browser is sent to, and the parameters it comes back with.
import * as oauth from "oauth4webapi";
import { messageOf } from "../log.ts";
import { described } from "./answer.ts";
import { IdpError, type SignInAttempt } from "./identity.ts";
import type { RelyingParty } from "./relying-party.ts";

/** Errors of RFC 6749 §4.1.2.1 by which the IdP says that it could not, not that it would not. */
const outages = new Set(["temporarily_unavailable", "server_error"]);

/** The authorization request, its parameters in the order that operators know from their IdP's log. */
export async function authorizationUrl(party: RelyingParty, attempt: SignInAttempt): Promise<URL> {
  const { config, metadata } = party;
  const pkce = config.use_pkce
    ? {
        code_challenge: await oauth.calculatePKCECodeChallenge(attempt.codeVerifier),
        code_challenge_method: "S256",
      }
    : {};
  const parameters: Record<string, string> = {
    client_id: config.client_id,
    scope: config.scopes.join(" "),
    response_type: "code",
    redirect_uri: attempt.redirectUri,
    ...config.extra_auth_params,
    state: attempt.state,
    nonce: attempt.nonce,
    ...pkce,
    response_mode: "query",
  };
  const url = new URL(metadata.authorization_endpoint);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

/**
 * Checks the callback's query: our state, the issuer where it is named (RFC 9207), each parameter once, a code and no error.
 * The result is what the token request wants. Throws IdpError at step `authorization`.
 */
export function readCallback(
  party: RelyingParty,
  callback: URLSearchParams,
  state: string,
): URLSearchParams {
  const { metadata, client } = party;
  const iss = callback.get("iss");
  // First of all: not even an error is the IdP's when it is another's. An empty one is another's, too.
  if (iss !== null && iss !== metadata.issuer)
    throw refused(`iss mismatch, expected ${metadata.issuer}, got: ${iss}`);
  try {
    const parameters = oauth.validateAuthResponse(metadata, client, callback, state);
    const codes = parameters.getAll("code");
    if (codes.length !== 1 || codes[0] === "") throw new Error("the callback needs one code");
    return parameters;
  } catch (cause) {
    if (cause instanceof oauth.AuthorizationResponseError) {
      const { error, error_description: errorDescription } = cause;
      const kind = outages.has(error) ? "unavailable" : "refused";
      throw new IdpError(described(error, errorDescription), {
        step: "authorization",
        kind,
        error,
        errorDescription,
        cause,
      });
    }
    throw refused(messageOf(cause), cause);
  }
}

function refused(message: string, cause?: unknown): IdpError {
  return new IdpError(message, { step: "authorization", kind: "refused", cause });
}
