// What ties the browser that confirmed a code to the one that comes back from the IdP: a random cookie, and a sealed
// `state` that only its holder can redeem. Nothing of it is stored. And whether a form was sent by our own page.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { PublicBase } from "./origin.ts";

/** Seconds from confirming the code to the callback; the device code lives no longer either. */
export const authorizationTtlSeconds = 600;

const cookieName = "gw_dev";

/** Content of the sealed `state` parameter (RFC 6749 §10.12). */
export type AuthorizationState = {
  grantKey: string;
  /** As the person typed it: when the IdP is away, they are sent back with it. */
  userCode: string;
  nonce: string;
  codeVerifier: string;
  browserHash: string;
};

/** A fresh browser binding: the Set-Cookie value and the hash that goes into `state`. */
export function bindBrowser(base: string): { setCookie: string; browserHash: string } {
  const value = randomBytes(32).toString("base64url");
  return { setCookie: cookie(base, value, authorizationTtlSeconds), browserHash: hashOf(value) };
}

/** The Set-Cookie value that removes the binding. */
export function unbindBrowser(base: string): string {
  return cookie(base, "", 0);
}

/** Whether the request comes from the browser whose hash is in `state`. */
export function isBoundBrowser(request: Request, browserHash: string): boolean {
  const value = new Bun.CookieMap(request.headers.get("cookie") ?? "").get(cookieName);
  if (!value) return false;
  return timingSafeEqual(Buffer.from(hashOf(value)), Buffer.from(browserHash));
}

/**
 * Whether a form post came from our own page. Sec-Fetch-Site decides where the browser sends it; else Origin must be ours.
 * Neither: refused, since every browser that can run this flow sends one of them with a POST.
 */
export function isSameOriginPost(request: Request, base: PublicBase): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin" || site === "none";
  return request.headers.get("origin") === base.originOf(request);
}

// Lax, not Strict: the callback is a top-level navigation that starts at the IdP.
function cookie(base: string, value: string, maxAgeSeconds: number): string {
  const secure = base.startsWith("https:") ? "; Secure" : "";
  return `${cookieName}=${value}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax; Path=/${secure}`;
}

function hashOf(value: string): string {
  return createHash("sha256").update(value).digest("base64url");
}
