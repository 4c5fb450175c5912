// What the rest of the gateway knows of the identity provider: an identity, the grant that carries it, the provider's three
// verbs and the one error they throw. How they work with OpenID Connect is in provider.ts.
import type { BearerClaims } from "../session.ts";

/** Whom the IdP says has signed in, read from its claims and admitted by the rules of `oidc`. Absent claims are absent. */
export type Identity = BearerClaims;

/** `refreshToken` is the IdP's own: a secret that never leaves the gateway in the clear. */
export type IdpGrant = { identity: Identity; refreshToken?: string };

/** What one sign-in remembers between the redirect to the IdP and the callback. */
export type SignInAttempt = {
  state: string;
  nonce: string;
  codeVerifier: string;
  redirectUri: string;
};

/** `requestId` only names the request in the debug log. */
export type Traced = { requestId?: string | undefined };

/** `isBare`: nothing shows that the refresh token was ever issued to somebody, so anybody may be asking. */
export type Asking = Traced & { isBare?: boolean };

/** What a renewal has to tell again: whatever policies depend on and the person had before. */
export type Expected = { groups: boolean; email: boolean };

export type IdentityProvider = {
  /** As configured: for the boot log and the landing page. */
  issuer: string;
  /** Where the browser is sent, for `form-action` of the pages' content security policy. */
  authorizationOrigin(): string;
  /** The authorization request (RFC 6749 §4.1.1, PKCE by RFC 7636, OpenID Connect Core §3.1.2.1). */
  authorizationUrl(attempt: SignInAttempt): Promise<URL>;
  /** Turns the callback's query into an admitted identity. Throws IdpError. */
  redeem(callback: URLSearchParams, attempt: SignInAttempt & Traced): Promise<IdpGrant>;
  /**
   * Asks the IdP again with its refresh token and applies the same rules to what it says now. `refreshToken` of the result
   * is the rotated one, absent when the IdP did not rotate. Whether the `sub` is still the same is the caller's to check.
   * Throws IdpError, within seconds; its kind is `refused` only for the IdP's own invalid_grant, for a person whom the
   * directory does not know, and for an identity that is no longer admitted or of whom it no longer tells what is expected.
   */
  renew(refreshToken: string, expected?: Expected, asking?: Asking): Promise<IdpGrant>;
};

/** Where a sign-in or a renewal failed. */
export type IdpStep =
  | "authorization"
  | "token_endpoint"
  | "id_token"
  | "userinfo"
  | "directory"
  | "admission";

/**
 * `refused`: somebody said no to this person. `failed`: the IdP answered with an error that is not about the person, such as
 * invalid_client or server_error. `unavailable`: nobody gave an answer worth the name, and asking again later may help.
 */
export type IdpErrorKind = "refused" | "failed" | "unavailable";

type IdpErrorDetails = {
  step: IdpStep;
  kind: IdpErrorKind;
  error?: string | undefined;
  errorDescription?: string | undefined;
  forPerson?: string | undefined;
  cause?: unknown;
};

/** Longest text in characters that is taken over from an IdP's answer into an error. */
const textLengthMax = 500;

/** A sign-in or renewal that came to nothing. The message is for the operator (audit `err`), not for the browser. */
export class IdpError extends Error {
  override readonly name = "IdpError";
  readonly step: IdpStep;
  readonly kind: IdpErrorKind;
  /** Error code of the IdP (RFC 6749 §4.1.2.1, §5.2), where it sent one. Its text is the IdP's: escape it before showing it. */
  readonly error: string | undefined;
  readonly errorDescription: string | undefined;
  /** Words of ours that the person may read in place of "could not be completed", where there is something they can do. */
  readonly forPerson: string | undefined;

  constructor(message: string, details: IdpErrorDetails) {
    super(cut(message), { cause: details.cause });
    this.step = details.step;
    this.kind = details.kind;
    this.error = details.error === undefined ? undefined : cut(details.error);
    this.errorDescription =
      details.errorDescription === undefined ? undefined : cut(details.errorDescription);
    this.forPerson = details.forPerson;
  }
}

function cut(text: string): string {
  return text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
}
