// What a configuration may say of whom a policy, an upstream, the sign-in or the setting of caps is for, and nobody is: names and
// domains that no IdP and no directory answers like that. Whoever was meant falls to the next policy, which may be a looser one.
// What can be told for certain stops the start (config/group-checks.ts).
import { type GroupList, groupListsOf } from "../config/group-checks.ts";
import { formatPath } from "../config/problems.ts";
import type { Config } from "../config/schema.ts";
import { named } from "./named.ts";

type Read = Pick<Config, "oidc" | "policies" | "upstreams" | "admin">;

/** Sentences for the boot log; they begin with the setting they are about. */
export function matchWarnings({ oidc, policies, upstreams, admin }: Read): string[] {
  const policyGroups = policies.map(({ groups }) => groups);
  const lists = groupListsOf({ oidc, upstreams, policyGroups, admin });
  return [
    ...lists.flatMap(unseenCharacters),
    ...(oidc.google_groups === undefined ? [] : lists.flatMap(notAddresses)),
    ...policies.flatMap(({ emailDomain }, index) => {
      const fault = emailDomain === undefined ? undefined : faultOfDomain(emailDomain);
      return fault === undefined
        ? []
        : `managed.policies[${index}].match.email_domain: ${named([emailDomain])} ${fault}, and the domain of an address is compared to the letter: this policy is for nobody`;
    }),
  ];
}

/** What nobody sees around a name in a file. Inside of one, it may be part of an emoji. */
const unseenAround = /^[\s\p{Cc}\p{Cf}]|[\s\p{Cc}\p{Cf}]$/u;

function unseenCharacters({ path, groups }: GroupList): string[] {
  const odd = groups.filter((group) => group !== undefined && unseenAround.test(group));
  return odd.length === 0
    ? []
    : [
        `${formatPath(path)}: ${named(odd)} with blanks, or characters that are not shown, at an end: names of groups are compared to the letter, so only a group that is spelled like that fits`,
      ];
}

/** As Google's directory answers them. */
const lowerCaseAddress = /^[^\s@\p{Lu}]+@[^\s@\p{Lu}]+$/u;

function notAddresses({ path, groups }: GroupList): string[] {
  const odd = groups.filter((group) => group !== undefined && !lowerCaseAddress.test(group));
  return odd.length === 0
    ? []
    : [
        `${formatPath(path)}: ${named(odd)}: not an e-mail address in lower case, which is how oidc.google_groups reads groups from Google's directory, so nobody is in it. List groups by their addresses.`,
      ];
}

/** What no address has in its domain. Blanks around it and one leading `@` have been taken away. */
function faultOfDomain(domain: string): string | undefined {
  if (domain.endsWith(".")) return "ends in a dot";
  if (domain.startsWith("*")) return "begins with a wildcard, of which there is none";
  if (domain.startsWith(".")) return "begins with a dot";
  return unseen.test(domain) ? "holds characters that are not shown" : undefined;
}

const unseen = /[\p{Cc}\p{Default_Ignorable_Code_Point}]/u;
