// From claims to an admitted identity: which claim is the e-mail address, which are the groups, and who may sign in. Pure
// functions over what id-token.ts and userinfo have vouched for; nothing here asks anybody.
import type { OidcConfig } from "../config/schema.ts";
import type { Identity } from "./identity.ts";

export type Claims = Readonly<Record<string, unknown>>;

export type ClaimRules = Pick<
  OidcConfig,
  "email_claim" | "groups_claim" | "allowed_email_domains" | "allowed_groups"
>;

/** `refused` is the reason as the operator reads it in the audit. */
export type Admission = { identity: Identity } | { refused: string };

/** Most groups of one person. More refuse the sign-in: part of the list could mean a looser policy than the whole. */
const groupsMax = 10_000;
/** Longest `sub`, address, name or group in characters (OpenID Connect Core §2 allows 255 for `sub`). */
const textLengthMax = 1_024;

/** True when userinfo could add what the rules read: an e-mail address or groups. A missing name alone is not worth a request. */
export function hasGaps(rules: ClaimRules, claims: Claims): boolean {
  return emailIn(rules, claims) === undefined || groupsIn(rules, claims) === undefined;
}

/**
 * Reads an identity and applies the rules of `oidc`. `sources` stand in order of precedence (id_token, then userinfo): a
 * later one only fills what the earlier ones leave out. `sub` comes from the first; that the others speak of the same
 * person is checked by whoever fetched them.
 */
export function admit(rules: ClaimRules, sources: readonly [Claims, ...Claims[]]): Admission {
  const sub = text(sources[0].sub);
  if (!sub) return { refused: "IdP claims missing required `sub`" };
  if (!sources.every(emailMayBeTrusted)) return { refused: "id_token email is not verified" };

  const email = firstOf(sources, (claims) => emailIn(rules, claims));
  const refusedEmail = refusalOfEmail(rules.allowed_email_domains, email);
  if (refusedEmail) return { refused: refusedEmail };

  const groups = firstOf(sources, (claims) => groupsIn(rules, claims));
  const refusedGroups = refusalOfGroups(rules.allowed_groups, groups ?? []);
  if (refusedGroups) return { refused: refusedGroups };

  const name = firstOf(sources, (claims) => text(claims.name) || undefined);
  return {
    identity: {
      sub,
      ...(email === undefined ? {} : { email }),
      ...(name === undefined ? {} : { name }),
      ...(groups === undefined ? {} : { groups }),
    },
  };
}

/** Absent, null, true and "true" pass; whatever else an IdP writes here is not a clear yes. */
function emailMayBeTrusted(claims: Claims): boolean {
  const verified = claims.email_verified;
  return verified === undefined || verified === null || verified === true || verified === "true";
}

function emailIn(rules: ClaimRules, claims: Claims): string | undefined {
  return firstOf([rules.email_claim].flat(), (path) => text(claimAt(claims, path)));
}

/** A string is a list of one; members that are not strings, and empty ones, are dropped; nothing left is no claim. */
function groupsIn(rules: ClaimRules, claims: Claims): string[] | undefined {
  const groups = [claimAt(claims, rules.groups_claim)]
    .flat()
    .filter((group) => typeof group === "string");
  const named = groups.filter((group) => group !== "");
  return named.length === 0 ? undefined : named;
}

function refusalOfEmail(
  allowedDomains: readonly string[],
  email: string | undefined,
): string | undefined {
  if (allowedDomains.length === 0) return undefined;
  if (email === undefined) {
    return "id_token missing email claim — configure your IdP to include `email` in the id_token, or set oidc.email_claim if it uses a different claim name";
  }
  // From the right: what stands before the last @ is the local part, and a local part may hold anything, also another @.
  const domain = email.slice(email.lastIndexOf("@") + 1);
  const allowed =
    email.includes("@") &&
    allowedDomains.some((one) => asciiLowerCase(one) === asciiLowerCase(domain));
  if (!allowed) return "email domain not allowed";
  if (!plainAddress.test(email))
    return "email domain not allowed: the claim is not one plain address";
  return undefined;
}

/** One `local@domain` without blanks, quotes, comments, lists or a second @: what mail software might read in two ways. */
const plainAddress = /^[^\s@"(),:;<>[\\\]]+@[^\s@"(),:;<>[\\\]]+$/u;

/** Letters A to Z only: `toLowerCase` makes a plain k of the Kelvin sign, and two domains that differ become equal. */
function asciiLowerCase(domain: string): string {
  return domain.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function refusalOfGroups(
  allowedGroups: readonly string[],
  groups: readonly string[],
): string | undefined {
  if (groups.length > groupsMax) return `the groups claim lists more than ${groupsMax} groups`;
  if (groups.some((group) => text(group) === undefined))
    return "the groups claim holds a name that is too long or not readable";
  if (allowedGroups.length > 0 && !groups.some((group) => allowedGroups.includes(group))) {
    return "user is not a member of an allowed group";
  }
  return undefined;
}

/** A claim by its name or, when it starts with a slash, by JSON Pointer (RFC 6901). */
function claimAt(claims: Claims, path: string): unknown {
  if (!path.startsWith("/")) return member(claims, path);
  const steps = path.slice(1).split("/");
  return steps.reduce<unknown>(
    (value, step) => member(value, step.replaceAll("~1", "/").replaceAll("~0", "~")),
    claims,
  );
}

function member(holder: unknown, name: string): unknown {
  return isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A string that can be a key and a header value everywhere: bounded, no control characters, no half of a character. */
function text(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > textLengthMax) return undefined;
  return /\p{Cc}/u.test(value) || !value.isWellFormed() ? undefined : value;
}

function firstOf<Source, Found>(
  sources: readonly Source[],
  read: (source: Source) => Found | undefined,
): Found | undefined {
  for (const source of sources) {
    const found = read(source);
    if (found !== undefined) return found;
  }
  return undefined;
}
