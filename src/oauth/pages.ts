// Owns what the sign-in says in a browser: the pages and their texts, as pure functions from data to HTML. When which page
// is shown lives in verification.ts; the document around them in page-frame.ts. There is no script on any page, and no
// page submits itself: a person reads, then presses.
import { lettersOf } from "./device.ts";
import { markup, literalMarkup } from "./markup.ts";
import type { Markup } from "./markup.ts";
import { formActionSources, framePage } from "./page-frame.ts";
import type { Page } from "./page-frame.ts";

export type { Page } from "./page-frame.ts";

/** Why a form was not accepted, as the person may read it; the `refusal` of the two form pages. */
export const refusals = {
  codeNotRecognized:
    "That code was not recognized — it may have expired. Check your device and try again.",
  crossSite:
    "This request came from another site and was blocked. Open the verification link directly.",
  tooManyAttempts:
    "Too many attempts came from your network, which other people may share. Wait a few minutes and try again.",
  notWaiting: "This sign-in isn't waiting for approval.",
} as const;

/** Why the way back from the identity provider ended without a sign-in; the `message` of `signInFailedPage`. */
export const signInFailures = {
  notCompleted: "Sign-in could not be completed.",
  linkExpired: "This sign-in link has expired. Try again from your device.",
  otherBrowser:
    "This sign-in link was started in a different browser. Open the verification link on the same device that showed the code.",
  codeUsed: "This device code has already been used or has expired.",
} as const;

/** What a page shows of the device grant behind a code. */
export type DeviceRequest = {
  /** Name of the application, from a list of our own: the asker's words could be a message to the person. */
  surface: string;
  askedAt: Date;
  fromAddress: string;
};

type FormPage = {
  formActionOrigins: readonly string[];
  notice?: string | undefined;
  refusal?: string | undefined;
};

/** GET /device without a code: a person types the code that the device shows. */
export function codeEntryPage(page: FormPage): Page {
  return framePage({
    title: titled("Enter the code", page.refusal),
    formAction: formActionSources(page.formActionOrigins),
    main: markup`<h1>Enter the code from your device</h1>
${refusalBox(page.refusal)}${noticeBox(page.notice)}<form method="post" action="/device">
<label for="user-code">Code</label>
<p class="hint" id="hint">Eight letters, such as BCDF-GHJK. Capitals, blanks and the dash do not matter.</p>
<input id="user-code" name="user_code" type="text" required maxlength="64" autocomplete="one-time-code" autocapitalize="characters" autocorrect="off" inputmode="text" spellcheck="false" enterkeyhint="go" aria-describedby="${page.refusal === undefined ? "" : "refusal "}hint caution">
<p class="caution" id="caution">Only enter a code that your own device is showing right now. If someone sent you a code, do not enter it.</p>
<div class="actions"><button type="submit">Continue</button></div>
</form>`,
  });
}

/**
 * GET /device with a code: "Approve sign-in?". The code is text from the address line and may be anything.
 * @param page.request the waiting device grant; absent when nothing is known of the code
 * @param page.browserAddress the address this page is read from, to be compared with the device's
 * @param page.now what "2 minutes ago" is counted from
 */
export function approvalPage(
  page: FormPage & {
    userCode: string;
    request?: DeviceRequest | undefined;
    browserAddress?: string | undefined;
    now?: Date | undefined;
  },
): Page {
  return framePage({
    title: titled("Approve sign-in?", page.refusal),
    formAction: formActionSources(page.formActionOrigins),
    main: markup`<h1>Approve sign-in?</h1>
${refusalBox(page.refusal)}${noticeBox(page.notice)}<p>A device wants to sign in <strong>as you</strong>. Compare this code with the one it shows:</p>
${codeBox(page.userCode)}
${requestDetails(page.request, page.browserAddress, page.now ?? new Date())}
<p class="caution" id="caution">Continue only if <strong>you</strong> started this sign-in just now and your device shows exactly this code. If someone sent you the link or the code, choose Deny.</p>
<form method="post" action="/device">
<input type="hidden" name="user_code" value="${page.userCode}">
<div class="actions two">
<button type="submit" aria-describedby="caution">This matches my device — continue</button>
<button type="submit" class="deny" formaction="/device/deny">Deny</button>
</div>
</form>`,
  });
}

/** After Deny. */
export function deniedPage(): Page {
  return framePage({
    title: "Sign-in denied",
    formAction: formActionSources([]),
    main: markup`<h1 class="outcome bad">${stopSign}<span>Sign-in denied</span></h1>
<p>You stopped this sign-in. No access was granted, and the code is no longer valid.</p>
<p>If someone sent you the link or the code, tell your IT administrator. You can close this tab.</p>`,
  });
}

/** The identity provider sent the person back and a session was minted for the device. */
export function signedInPage(): Page {
  return framePage({
    title: "You're signed in",
    formAction: formActionSources([]),
    main: markup`<h1 class="outcome good">${checkSign}<span>You're signed in.</span></h1>
<p>Return to your device — it should connect within a few seconds. You can close this tab.</p>`,
  });
}

/** The way back from the identity provider ended without a sign-in. The message may hold the provider's own words. */
export function signInFailedPage(page: { message: string }): Page {
  return framePage({
    title: "Sign-in failed",
    formAction: formActionSources([]),
    main: markup`<h1 class="outcome bad">${stopSign}<span>Sign-in failed</span></h1>
<p>We couldn't finish signing you in. Close this tab and try signing in again. If the error persists, share the message below with your IT administrator.</p>
<p class="message" role="alert">${page.message}</p>`,
  });
}

/**
 * The way back from the identity provider was interrupted, and not by the person: the device grant still waits.
 * @param page.userCode text from the address line, as in `approvalPage`; undefined when it is not known
 */
export function interruptedPage(page: { userCode?: string | undefined }): Page {
  return framePage({
    title: "Sign-in interrupted",
    formAction: formActionSources([]),
    main: markup`<h1 class="outcome bad">${stopSign}<span>Sign-in interrupted</span></h1>
<p>Your organization's sign-in service could not be reached. Nothing is lost: your device still waits, and its code stays valid. Try again in a moment; if it keeps happening, tell your IT administrator.</p>
<form method="get" action="/device">
${page.userCode === undefined ? markup`` : markup`<input type="hidden" name="user_code" value="${page.userCode}">`}
<div class="actions"><button type="submit">Try again</button></div>
</form>`,
  });
}

/** GET /: what runs here and how a client is pointed at it. */
export function landingPage(page: {
  publicUrl: string;
  identityProviderHost: string;
  version: string;
}): Page {
  const settings = { forceLoginMethod: "gateway", forceLoginGatewayUrl: page.publicUrl };
  return framePage({
    title: "Connect",
    formAction: ["'none'"],
    main: markup`<h1>Connect Claude Code</h1>
<p>This gateway is running at <code class="address">${page.publicUrl}</code></p>
<ol>
<li>Put this into the managed settings file, <code>managed-settings.json</code>:
<pre translate="no">${JSON.stringify(settings, null, 2)}</pre></li>
<li>Start <code>claude</code> and sign in with <code>/login</code>. A browser opens and shows a code.</li>
<li>Approve it if it matches your device, then sign in with your work account.</li>
</ol>
<h2>This gateway</h2>
<dl>
<div><dt>Identity provider</dt><dd>${page.identityProviderHost}</dd></div>
<div><dt>Discovery</dt><dd><a href="/.well-known/oauth-authorization-server">/.well-known/oauth-authorization-server</a></dd></div>
<div><dt>Protocol</dt><dd><a href="/protocol">/protocol</a></dd></div>
<div><dt>Version</dt><dd>${page.version}</dd></div>
</dl>`,
  });
}

const checkSign = sign(`<path d="M7.5 12.5l3 3 6-6.5"/>`);
const stopSign = sign(`<path d="M8.5 8.5l7 7m0-7l-7 7"/>`);

function sign(path: string): Markup {
  return literalMarkup(
    `<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"><circle cx="12" cy="12" r="10"/>${path}</svg>`,
  );
}

/** A screen reader says the title first, before it comes to the alert. */
function titled(title: string, refusal: string | undefined): string {
  return refusal === undefined ? title : `Not accepted: ${title}`;
}

function refusalBox(refusal: string | undefined): Markup {
  if (refusal === undefined) return markup``;
  return markup`<p class="refusal" id="refusal" role="alert"><strong>Not accepted.</strong> ${refusal}</p>
`;
}

function noticeBox(notice: string | undefined): Markup {
  if (notice === undefined) return markup``;
  return markup`<section class="notice" aria-labelledby="notice"><h2 id="notice">Notice from your organization</h2><p>${notice}</p></section>
`;
}

/** Big and in two groups when it can be one of our codes, and spelled out for a screen reader, which would read a word. */
function codeBox(userCode: string): Markup {
  const letters = lettersOf(userCode);
  if (letters === undefined)
    return markup`<p class="code" dir="ltr" translate="no">${userCode}</p>`;
  const groups = [letters.slice(0, 4), letters.slice(4)];
  const spoken = groups.map((group) => group.split("").join(" ")).join(", ");
  return markup`<p class="code code-grouped" translate="no"><span aria-hidden="true">${groups.join("-")}</span><span class="spoken">${spoken}</span></p>`;
}

function requestDetails(
  request: DeviceRequest | undefined,
  browserAddress: string | undefined,
  now: Date,
): Markup {
  if (request === undefined) return markup`<p>There are no details to show for this code.</p>`;
  const { askedAt, fromAddress } = request;
  return markup`<dl>
<div><dt>Requested by</dt><dd>${request.surface}</dd></div>
<div><dt>Requested</dt><dd><time datetime="${askedAt.toISOString()}">${age(askedAt, now)} <span class="whole">(${utcMinute(askedAt)})</span></time></dd></div>
<div><dt>From address</dt><dd>${fromAddress}${addressComparison(fromAddress, browserAddress)}</dd></div>
</dl>`;
}

/** Few people know their address. Whether two are the same is what they can judge. */
function addressComparison(
  fromAddress: string,
  browserAddress: string | undefined,
): Markup | undefined {
  if (browserAddress === undefined) return undefined;
  if (browserAddress === fromAddress) return markup`<p>Same as this browser.</p>`;
  return markup`<p class="differs"><strong>Not the address of this browser</strong>, which is ${browserAddress}. That is expected if the device is a remote machine; otherwise choose Deny.</p>`;
}

/** `2026-11-22 17:43 UTC` */
function utcMinute(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}

/** A code lives ten minutes, so minutes are fine enough and hours never come up. */
function age(date: Date, now: Date): string {
  const minutes = Math.floor((now.getTime() - date.getTime()) / 60_000);
  if (minutes < 1) return "less than a minute ago";
  return minutes === 1 ? "1 minute ago" : `${minutes} minutes ago`;
}
