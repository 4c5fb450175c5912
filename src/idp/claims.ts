// From claims to an admitted identity: which claim is the e-mail address, which are the groups, whether an IdP left groups
// out, and who may sign in. Pure functions over what id-token.ts and userinfo have vouched for; nothing here asks anybody.
import { domainOfAddress, isPlainAddress, lowerCased } from "../config/email-domain.ts";
import type { OidcConfig } from "../config/schema.ts";
import { isObject } from "./answer.ts";
import type { Identity } from "./identity.ts";

export type Claims = Readonly<Record<string, unknown>>;

export type ClaimRules = Pick<
  OidcConfig,
  "email_claim" | "groups_claim" | "allowed_email_domains" | "allowed_groups" | "google_groups"
>;

/** `refused` is the reason as the operator reads it in the audit. */
export type Admission = { identity: Identity } | { refused: string };

/** Groups as claims tell them. `leftOut`: the IdP says that there are some and does not name them. */
export type ClaimedGroups = { groups: string[] } | { leftOut: true };

/** Most groups of one person. More refuse the sign-in: part of the list could mean a looser policy than the whole. */
export const groupsMax = 10_000;
/** Longest `sub`, address, name or group in characters (OpenID Connect Core §2 allows 255 for `sub`). */
const textLengthMax = 1_024;

/**
 * True when userinfo could add what the rules read: an e-mail address, or groups unless Google's directory has them. A missing
 * name alone is not worth a request.
 */
export function hasGaps(rules: ClaimRules, claims: Claims): boolean {
  const wantsGroups = rules.google_groups === undefined && groupsIn(rules, claims) === undefined;
  return wantsGroups || emailIn(rules, claims) === undefined;
}

/**
 * Reads who this is, groups excepted, and applies the rules for e-mail addresses. `sources` stand in order of precedence
 * (id_token, then userinfo): a later one only fills what the earlier ones leave out. `sub` comes from the first; that the
 * others speak of the same person is checked by whoever fetched them.
 */
export function identify(rules: ClaimRules, sources: readonly [Claims, ...Claims[]]): Admission {
  const sub = text(sources[0].sub);
  if (!sub) return { refused: "IdP claims missing required `sub`" };
  if (!sources.every(emailMayBeTrusted)) return { refused: "id_token email is not verified" };

  const email = firstOf(sources, (claims) => emailIn(rules, claims));
  const refusedEmail = refusalOfEmail(rules, email);
  if (refusedEmail) return { refused: refusedEmail };

  const name = firstOf(sources, (claims) => text(claims.name) || undefined);
  return {
    identity: {
      sub,
      ...(email === undefined ? {} : { email }),
      ...(name === undefined ? {} : { name }),
    },
  };
}

/** The groups of the first source that names some. Sources stand as for `identify`. */
export function claimedGroups(rules: ClaimRules, sources: readonly Claims[]): ClaimedGroups {
  const groups = firstOf(sources, (claims) => groupsIn(rules, claims));
  if (groups === undefined && sources.some((claims) => leavesGroupsOut(rules, claims)))
    return { leftOut: true };
  return { groups: groups ?? [] };
}

/** Adds the groups to an identity, wherever they come from, and applies the rules for groups. No groups are no claim. */
export function admit(rules: ClaimRules, person: Identity, groups: readonly string[]): Admission {
  const refused = refusalOfGroups(rules.allowed_groups, groups);
  if (refused) return { refused };
  return { identity: groups.length === 0 ? person : { ...person, groups: [...groups] } };
}

/** Absent, null, true and "true" pass; whatever else an IdP writes here is not a clear yes. */
function emailMayBeTrusted(claims: Claims): boolean {
  const verified = claims.email_verified;
  return verified === undefined || verified === null || verified === true || verified === "true";
}

function emailIn(rules: ClaimRules, claims: Claims): string | undefined {
  return firstOf([rules.email_claim].flat(), (path) => text(claimAt(claims, path)));
}

/**
 * A string is a list of one; members that are not strings, and empty ones, are dropped; nothing left is no claim. Of groups
 * that the same source calls left out, what it lists would be a part: no claim either.
 */
function groupsIn(rules: ClaimRules, claims: Claims): string[] | undefined {
  if (leavesGroupsOut(rules, claims)) return undefined;
  const groups = [claimAt(claims, rules.groups_claim)]
    .flat()
    .filter((group) => typeof group === "string");
  const named = groups.filter((group) => group !== "");
  return named.length === 0 ? undefined : named;
}

/**
 * Whether these claims say that the groups are elsewhere: as a distributed claim (OpenID Connect Core §5.6.2), which is how
 * Entra writes more than 200 groups, or with the `hasgroups` of Entra's shorter tokens.
 */
function leavesGroupsOut({ groups_claim: path }: ClaimRules, claims: Claims): boolean {
  const [claim = path] = path.startsWith("/") ? stepsOf(path) : [path];
  if (member(claims["_claim_names"], claim) !== undefined) return true;
  return claim === "groups" && (claims.hasgroups === true || claims.hasgroups === "true");
}

function refusalOfEmail(
  { allowed_email_domains: allowedDomains }: ClaimRules,
  email: string | undefined,
): string | undefined {
  if (allowedDomains.length === 0) return undefined;
  if (email === undefined) {
    return "id_token missing email claim — configure your IdP to include `email` in the id_token, or set oidc.email_claim if it uses a different claim name";
  }
  const domain = domainOfAddress(email);
  if (!allowedDomains.some((one) => lowerCased(one) === domain)) return "email domain not allowed";
  if (!isPlainAddress(email)) return "email domain not allowed: the claim is not one plain address";
  return undefined;
}

function refusalOfGroups(
  allowedGroups: readonly string[],
  groups: readonly string[],
): string | undefined {
  if (groups.length > groupsMax) return `the person is in more than ${groupsMax} groups`;
  if (groups.some((group) => text(group) === undefined))
    return "the groups hold a name that is too long or not readable";
  if (allowedGroups.length > 0 && !groups.some((group) => allowedGroups.includes(group))) {
    return "user is not a member of an allowed group";
  }
  return undefined;
}

/** A claim by its name or, when it starts with a slash, by JSON Pointer (RFC 6901). */
function claimAt(claims: Claims, path: string): unknown {
  if (!path.startsWith("/")) return member(claims, path);
  return stepsOf(path).reduce<unknown>(member, claims);
}

function stepsOf(pointer: string): string[] {
  const steps = pointer.slice(1).split("/");
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function member(holder: unknown, name: string): unknown {
  return isObject(holder) && Object.hasOwn(holder, name) ? holder[name] : undefined;
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
