// GET /oauth/callback: the way back from the IdP. Redeems the code, admits the person, approves the device grant. Every
// ending is a page for a person; only a completed attempt moves the grant.
import { audit } from "../audit.ts";
import type { Incoming } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import { type IdentityProvider, IdpError } from "../idp/provider.ts";
import { log } from "../log.ts";
import type { Sealed } from "../sealed.ts";
import { type AuthorizationState, isBoundBrowser, unbindBrowser } from "./browser.ts";
import { type DeviceGrants, isPending } from "./device.ts";
import type { PublicBase } from "./origin.ts";
import { signedInPage, signInFailedPage, signInFailures } from "./pages.ts";
import { pageResponse } from "./verification.ts";

/** `callback` answers the redirect of the IdP (RFC 6749 §4.1.2), always with a page; `refusePost` a form post to the same path. */
export function createCallback(deps: {
  grants: DeviceGrants;
  sealed: Sealed<AuthorizationState>;
  identityProvider: IdentityProvider;
  base: PublicBase;
  ttlHours: number;
}): { callback: Handler; refusePost: Handler } {
  const { grants } = deps;
  const failed = (message: string, headers?: Record<string, string>) =>
    pageResponse(signInFailedPage({ message }), headers);

  async function callback(incoming: Incoming): Promise<Response> {
    const { request, requestId, clientIp } = incoming;
    const who = { request_id: requestId, client_ip: clientIp };
    const base = deps.base.of(request);
    const forget = { "set-cookie": unbindBrowser(base) };
    const parameters = new URLSearchParams(incoming.search);
    const sealedState = parameters.get("state") ?? "";
    const state = await deps.sealed.open(sealedState);
    if (state === undefined) return failed(signInFailures.linkExpired);
    if (!isBoundBrowser(request, state.browserHash)) {
      audit({ evt: "device.callback", result: "browser_mismatch", ...who });
      return failed(signInFailures.otherBrowser, forget);
    }
    const stored = await grants.read(state.grantKey);
    if (stored === undefined || !isPending(stored)) return failed(signInFailures.codeUsed, forget);

    try {
      const { identity, refreshToken } = await deps.identityProvider.redeem(parameters, {
        state: sealedState,
        nonce: state.nonce,
        codeVerifier: state.codeVerifier,
        redirectUri: `${base}/oauth/callback`,
        requestId,
      });
      if (!(await grants.approve(stored, identity, refreshToken)))
        return failed(signInFailures.codeUsed, forget);
      audit({
        evt: "session.mint",
        result: "success",
        sub: identity.sub,
        email: identity.email,
        ttl_hours: deps.ttlHours,
        ...who,
      });
      return pageResponse(signedInPage(), forget);
    } catch (error) {
      if (!(error instanceof IdpError)) throw error;
      // The IdP did not let the person through, or they turned back: they may try again with the same code.
      if (error.step === "authorization") return failed(authorizationFailure(error));
      log.warn(`token exchange failed request_id=${requestId}: ${error.message}`);
      const { step, message } = error;
      audit({ evt: "session.mint", result: "fail", err: message, step, ...who });
      await grants.deny(stored);
      return failed(signInFailures.notCompleted, forget);
    }
  }

  // We ask for response_mode=query; a form post would carry no Lax cookie, so it cannot be the browser that began.
  return { callback, refusePost: () => failed(signInFailures.linkExpired) };
}

/** The IdP's own words, which the page escapes (RFC 6749 §4.1.2.1). */
function authorizationFailure(error: IdpError): string {
  if (error.error === undefined) return signInFailures.notCompleted;
  return error.errorDescription === undefined
    ? `Identity provider returned: ${error.error}`
    : `${error.error}: ${error.errorDescription}`;
}
