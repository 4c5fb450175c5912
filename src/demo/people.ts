// The two people of the demo, who differ in their groups so that policies and spend caps have somebody to tell apart.
// Signing them in is identity-provider.ts; walking through a sign-in as one of them is walk-through.ts.

export type PersonId = "ada" | "bob";

/** What the demo's identity provider says about a person: the standard OIDC claims plus `groups`. */
export type Person = {
  sub: PersonId;
  name: string;
  email: string;
  email_verified: true;
  groups: readonly string[];
};

export const people: readonly Person[] = [
  { sub: "ada", name: "Ada", email: "ada@example.com", email_verified: true, groups: ["platform"] },
  { sub: "bob", name: "Bob", email: "bob@example.com", email_verified: true, groups: ["interns"] },
];
