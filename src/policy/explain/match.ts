// Why each policy applies to a person or does not: what it asks for, what of that is missing, and whether it was reached at
// all. Which one applies is policy.ts's, and asked of it; the rest of an explanation is in explain.ts.
import type { PolicyConfig } from "../../config/policy-schema.ts";
import { isCatchAll, matches, type Person, type Policies, type Policy } from "../policy.ts";

export type PolicyVerdict = {
  index: number;
  /** Sentences; none of a policy for everybody. */
  asksFor: readonly string[];
  /** Those of them that the person does not meet. */
  unmet: readonly string[];
  /** Groups of the person that are spelled otherwise than the policy's, and would fit but for that. */
  misspelt: readonly string[];
  /** `never reached`: by nobody, since an earlier one is for everybody. */
  outcome: "applies" | "laid under" | "does not fit" | "comes later" | "never reached";
};

type Demand = Pick<PolicyConfig, "groups" | "emailDomain">;

/** The verdict on each policy, in the order of the configuration. */
export function verdictsOn(policies: Policies, person: Person): PolicyVerdict[] {
  const applying = policies.of(person);
  const endsAt = policies.all.findIndex(({ written }) => isCatchAll(written));

  function outcomeOf({ index }: Policy): PolicyVerdict["outcome"] {
    if (applying === undefined || index < applying.index) return "does not fit";
    if (index === applying.index) return "applies";
    if (index === applying.baseIndex) return "laid under";
    return endsAt >= 0 && index > endsAt ? "never reached" : "comes later";
  }

  const met = { email: person.email, groups: new Set(person.groups) };
  return policies.all.map((policy) => {
    const asked = demandsOf(policy.written);
    const unmet = asked.filter(({ alone }) => !matches(alone, met));
    return {
      index: policy.index,
      asksFor: asked.map(({ sentence }) => sentence),
      unmet: unmet.map(({ sentence }) => sentence),
      misspelt: unmet.flatMap(({ alone }) => nearMisses(alone.groups ?? [], person.groups)),
      outcome: outcomeOf(policy),
    };
  });
}

/** Each thing that a policy asks for, in words and as a match that asks for nothing else. */
function demandsOf({ groups, emailDomain }: PolicyConfig): { sentence: string; alone: Demand }[] {
  const demands: { sentence: string; alone: Demand }[] = [];
  if (groups !== undefined) {
    const some = groups.length === 1 ? `group ${groups[0]}` : `one of ${groups.join(", ")}`;
    demands.push({ sentence: `needs ${some}`, alone: { groups, emailDomain: undefined } });
  }
  if (emailDomain !== undefined) {
    demands.push({ sentence: `is for @${emailDomain}`, alone: { groups: undefined, emailDomain } });
  }
  return demands;
}

/** Of the groups a person has, those that a policy spells otherwise: in another case, with blanks, or composed differently. */
function nearMisses(wanted: readonly string[], had: readonly string[]): string[] {
  const plain = (group: string) => group.trim().normalize("NFC").toLowerCase();
  const meant = new Set(wanted.map(plain));
  return had.filter((group) => meant.has(plain(group)));
}
