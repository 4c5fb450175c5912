// Rules of `managed:` that a shape cannot say: whom a policy may be for, under which key its settings stand, and what the
// tables of the documents leave to rules. Texts begin with the key in front of which operators know them.
import { settingsProblems } from "./claude-code/rules.ts";
import { desktopProblems } from "./claude-desktop/rules.ts";
import { documentKeys, domainOf } from "./policy-schema.ts";
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";

type Policy = NonNullable<NonNullable<Partly<Written>["managed"]>["policies"]>[number];

type Surroundings = {
  /** Whether a variable of the gateway's environment is switched on. */
  isOn: (variable: string) => boolean;
};

const rules: readonly ((
  policy: NonNullable<Policy>,
  path: Finding["path"],
  around: Surroundings,
) => Finding[])[] = [
  ({ match }, path) =>
    (match?.groups ?? []).flatMap((group, index) =>
      when(
        group === "",
        [...path, "match", "groups", index],
        "match.groups contains an empty entry — set a group name or remove the entry",
      ),
    ),
  ({ match }, path) => {
    const written = match?.email_domain;
    if (written === undefined) return [];
    const place = [...path, "match", "email_domain"];
    const domain = domainOf(written);
    return [
      ...when(
        domain === "",
        place,
        "match.email_domain is empty — an empty domain disables the match and the policy would apply to every authenticated user; set a domain or remove the key",
      ),
      ...when(
        /[@\s,]/.test(domain),
        place,
        'match.email_domain contains "@", whitespace, or "," — write one bare domain (e.g. acme.com, not a full email address or a list); the matcher compares a single domain exactly',
      ),
    ];
  },
  (policy, path) =>
    policy.code === undefined
      ? []
      : olderKeys.flatMap((key) =>
          when(
            policy[key] !== undefined,
            [...path, key],
            `this policy has a code block and a ${key} block. Put all its settings into the one code block`,
          ),
        ),
  (policy, path, { isOn }) =>
    documentKeys.flatMap((key) => below([...path, key], settingsProblems(policy[key] ?? {}, isOn))),
  ({ desktop }, path) => below([...path, "desktop"], desktopProblems(desktop ?? {})),
];

/** Every broken rule of `managed.policies`. */
export function checkPolicies(
  { managed }: Pick<Partly<Written>, "managed">,
  around: Surroundings,
): Finding[] {
  const policies = managed?.policies ?? [];
  const found = policies.flatMap((policy, index) =>
    policy === undefined
      ? []
      : rules.flatMap((rule) => rule(policy, ["managed", "policies", index], around)),
  );
  return [...found, ...mixedKeys(policies)];
}

/** Findings of a document, at the place of the document. */
function below(place: Finding["path"], findings: readonly Finding[]): Finding[] {
  return findings.map(({ path, message }) => ({ path: [...place, ...path], message }));
}

/** The keys that `code` replaces. */
const olderKeys = ["cli", "settings"] as const;

/** `code` beside `cli` anywhere in the file: part of the rules would not reach Claude Desktop's Code tab. */
function mixedKeys(policies: readonly Policy[]): Finding[] {
  const first = policies.findIndex((policy) => policy?.code !== undefined);
  if (first < 0) return [];
  return policies.flatMap((policy, index) =>
    olderKeys.flatMap((key) =>
      when(
        policy?.[key] !== undefined && policy.code === undefined,
        ["managed", "policies", index, key],
        `managed.policies[${first}] has a code block, so this ${key} block's rules would not reach Claude Desktop's Code tab. ` +
          "Write every block under code, or every block under cli (terminal Claude Code only)",
      ),
    ),
  );
}
