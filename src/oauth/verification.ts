// The verification page (RFC 8628 §3.3): a person compares the code, then goes on to the IdP or denies. What the pages look
// like is pages.ts; the way back from the IdP is callback.ts.
import { randomBytes } from "node:crypto";
import { audit } from "../audit.ts";
import { type Incoming, readForm } from "../http/request.ts";
import type { Handler } from "../http/router.ts";
import type { IdentityProvider } from "../idp/provider.ts";
import { log, messageOf } from "../log.ts";
import type { Sealed } from "../sealed.ts";
import {
  type AuthorizationState,
  authorizationTtlSeconds,
  bindBrowser,
  isSameOriginPost,
} from "./browser.ts";
import { type DeviceGrants, lettersOf, type PendingGrant } from "./device.ts";
import type { PublicBase } from "./origin.ts";
import {
  approvalPage,
  codeEntryPage,
  deniedPage,
  type DeviceRequest,
  type Page,
  refusals,
} from "./pages.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Names of applications by their `surface`. Only these are shown: anything else would be the asker's own words. */
const surfaceNames: Readonly<Record<string, string>> = { claude_code: "Claude Code" };

/** `show` answers GET /device, `confirm` and `deny` its two buttons. All answer 200 with a page, but for the 302 to the IdP. */
export function createVerification(deps: {
  grants: DeviceGrants;
  /** For codes that are posted. */
  rateLimit: RateLimit;
  /** For codes that are only looked at, so that the page is no faster an oracle than the form. */
  lookupLimit: RateLimit;
  sealed: Sealed<AuthorizationState>;
  identityProvider: IdentityProvider;
  base: PublicBase;
  formActionOrigins: readonly string[];
  loginNotice: string | undefined;
}): { show: Handler; confirm: Handler; deny: Handler } {
  /** What both pages with a form have. The IdP may move its authorization endpoint while the gateway runs. */
  const form = () => ({
    formActionOrigins: [deps.identityProvider.authorizationOrigin(), ...deps.formActionOrigins],
    notice: deps.loginNotice,
  });

  async function show(incoming: Incoming): Promise<Response> {
    const userCode = new URLSearchParams(incoming.search).get("user_code");
    // A sentence in place of a code would be shown as large as one: a link may not bring its own words.
    if (userCode === null || lettersOf(userCode) === undefined) {
      return pageResponse(codeEntryPage(form()));
    }
    const request = await describe(userCode, incoming);
    return pageResponse(
      approvalPage({ ...form(), userCode, request, browserAddress: incoming.clientIp }),
    );
  }

  /** What the grant behind a code says of itself. An unknown code and too many looks give the same page, without it. */
  async function describe(
    userCode: string,
    incoming: Incoming,
  ): Promise<DeviceRequest | undefined> {
    try {
      if (!(await deps.lookupLimit.admits(incoming.clientIp))) return undefined;
      const stored = await deps.grants.findPending(userCode);
      return stored && requestOf(stored);
    } catch (error) {
      // The page works without it, and a post will say that the store is down.
      log.warn(`verification page request_id=${incoming.requestId}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** The grant a form names, once the form is ours and its sender within the limit; else the page that says why not. */
  async function readPost(
    incoming: Incoming,
  ): Promise<{ userCode: string; stored: PendingGrant | undefined } | Response> {
    const who = { request_id: incoming.requestId, client_ip: incoming.clientIp };
    const refuse = (result: "csrf_rejected" | "rate_limited", refusal: string) => {
      audit({ evt: "device.verify", result, ...who });
      return pageResponse(codeEntryPage({ ...form(), refusal }));
    };
    // Before the counter: another site must not be able to use up a person's attempts.
    if (!isSameOriginPost(incoming.request, deps.base))
      return refuse("csrf_rejected", refusals.crossSite);
    if (!(await deps.rateLimit.admits(incoming.clientIp)))
      return refuse("rate_limited", refusals.tooManyAttempts);
    const userCode = (await readForm(incoming.request)).get("user_code") ?? "";
    return { userCode, stored: await deps.grants.findPending(userCode) };
  }

  async function confirm(incoming: Incoming): Promise<Response> {
    const post = await readPost(incoming);
    if (post instanceof Response) return post;
    const who = { request_id: incoming.requestId, client_ip: incoming.clientIp };
    if (post.stored === undefined) {
      audit({ evt: "device.verify", result: "unknown_code", ...who });
      return pageResponse(codeEntryPage({ ...form(), refusal: refusals.codeNotRecognized }));
    }
    const base = deps.base.of(incoming.request);
    const { setCookie, browserHash } = bindBrowser(base);
    const [nonce, codeVerifier] = [
      randomBytes(32).toString("base64url"),
      randomBytes(32).toString("base64url"),
    ];
    const { userCode } = post;
    const state = await deps.sealed.seal(
      { grantKey: post.stored.key, userCode, nonce, codeVerifier, browserHash },
      authorizationTtlSeconds,
    );
    const location = await deps.identityProvider.authorizationUrl({
      state,
      nonce,
      codeVerifier,
      redirectUri: `${base}/oauth/callback`,
    });
    audit({ evt: "device.verify", result: "redirect", ...who });
    return new Response(null, {
      status: 302,
      headers: { location: location.href, "set-cookie": setCookie, "cache-control": "no-store" },
    });
  }

  async function deny(incoming: Incoming): Promise<Response> {
    const post = await readPost(incoming);
    if (post instanceof Response) return post;
    const { stored } = post;
    if (stored === undefined || !(await deps.grants.deny(stored))) {
      return pageResponse(codeEntryPage({ ...form(), refusal: refusals.notWaiting }));
    }
    audit({
      evt: "device.deny",
      request_id: incoming.requestId,
      result: "denied",
      client_ip: incoming.clientIp,
      requested_from: stored.grant.requestedFrom,
      requested_at: new Date(stored.grant.requestedAt).toISOString(),
    });
    return pageResponse(deniedPage());
  }

  return { show, confirm, deny };
}

/** A page as a response. Sign-in pages answer 200 also when they refuse: they are read by people. */
export function pageResponse(page: Page, headers: Record<string, string> = {}): Response {
  return new Response(page.html, { headers: { ...page.headers, ...headers } });
}

function requestOf({ grant }: PendingGrant): DeviceRequest {
  return {
    surface: surfaceNames[grant.surface ?? ""] ?? "An application that does not say its name",
    askedAt: new Date(grant.requestedAt),
    fromAddress: grant.requestedFrom,
  };
}
