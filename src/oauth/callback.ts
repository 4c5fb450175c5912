// GET /oauth/callback: the way back from the IdP. Redeems the code, admits the person, approves the device grant. Every
// ending is a page for a person; only a completed attempt moves the grant, and one that an outage of the IdP ended is not.
import { audit } from "../audit.ts";
import type { Incoming } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import { type IdentityProvider, IdpError } from "../idp/provider.ts";
import { log } from "../log.ts";
import type { Sealed } from "../sealed.ts";
import { type AuthorizationState, isBoundBrowser, unbindBrowser } from "./browser.ts";
import { type DeviceGrants, isPending } from "./device.ts";
import type { PublicBase } from "./origin.ts";
import {
  interruptedPage,
  type Page,
  signedInPage,
  signInFailedPage,
  signInFailures,
} from "./pages.ts";
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
  /** Attempts under way, by their `state`: who reloads the page of a slow IdP would send it the same code twice. */
  const underWay = new Map<string, Promise<Ending>>();

  async function callback(incoming: Incoming): Promise<Response> {
    const { request } = incoming;
    const forget = { "set-cookie": unbindBrowser(deps.base.of(request)) };
    const parameters = new URLSearchParams(incoming.search);
    const sealedState = parameters.get("state") ?? "";
    const state = await deps.sealed.open(sealedState);
    if (state === undefined) return pageResponse(failedPage(signInFailures.linkExpired));
    if (!isBoundBrowser(request, state.browserHash)) {
      audit({ evt: "device.callback", result: "browser_mismatch", ...whoIn(incoming) });
      return pageResponse(failedPage(signInFailures.otherBrowser), forget);
    }
    const attempt =
      underWay.get(sealedState) ??
      complete(incoming, parameters, { ...state, sealed: sealedState }).finally(() =>
        underWay.delete(sealedState),
      );
    underWay.set(sealedState, attempt);
    const { page, isOver } = await attempt;
    return pageResponse(page, isOver ? forget : {});
  }

  /** From the code to the grant, for the browser that began. */
  async function complete(
    incoming: Incoming,
    parameters: URLSearchParams,
    state: AuthorizationState & { sealed: string },
  ): Promise<Ending> {
    const { requestId } = incoming;
    const who = whoIn(incoming);
    const codeUsed = { page: failedPage(signInFailures.codeUsed), isOver: true };
    const stored = await grants.read(state.grantKey);
    if (stored === undefined || !isPending(stored)) return codeUsed;

    try {
      const { identity, refreshToken } = await deps.identityProvider.redeem(parameters, {
        state: state.sealed,
        nonce: state.nonce,
        codeVerifier: state.codeVerifier,
        redirectUri: `${deps.base.of(incoming.request)}/oauth/callback`,
        requestId,
      });
      if (!(await grants.approve(stored, identity, refreshToken))) return codeUsed;
      const { sub, email } = identity;
      audit({
        evt: "session.mint",
        result: "success",
        sub,
        email,
        ttl_hours: deps.ttlHours,
        ...who,
      });
      return { page: signedInPage(), isOver: true };
    } catch (error) {
      if (!(error instanceof IdpError)) throw error;
      const { step, message } = error;
      // The IdP did not let the person through, or they turned back: they may try again with the same code.
      if (step === "authorization") {
        if (error.error === undefined)
          log.warn(`callback refused request_id=${requestId}: ${message}`);
        return { page: failedPage(authorizationFailure(error)), isOver: false };
      }
      log.warn(`token exchange failed request_id=${requestId}: ${message}`);
      audit({ evt: "session.mint", result: "fail", err: message, step, ...who });
      // The device still waits. This way back leads nowhere any more, since the IdP's code may be used up.
      if (error.kind === "unavailable") return { page: interruptedPage(state), isOver: true };
      await grants.deny(stored);
      return { page: failedPage(error.forPerson ?? signInFailures.notCompleted), isOver: true };
    }
  }

  // We ask for response_mode=query; a form post would carry no Lax cookie, so it cannot be the browser that began.
  const refusePost: Handler = () => pageResponse(failedPage(signInFailures.linkExpired));
  return { callback, refusePost };
}

/** What a person sees of an attempt, and whether the browser's binding has done its work. */
type Ending = { page: Page; isOver: boolean };

function failedPage(message: string): Page {
  return signInFailedPage({ message });
}

function whoIn({ requestId, clientIp }: Incoming) {
  return { request_id: requestId, client_ip: clientIp };
}

/** The IdP's own words, which the page escapes (RFC 6749 §4.1.2.1). */
function authorizationFailure(error: IdpError): string {
  if (error.error === undefined) return signInFailures.notCompleted;
  return error.errorDescription === undefined
    ? `Identity provider returned: ${error.error}`
    : `${error.error}: ${error.errorDescription}`;
}
