// The policies of the journeys, and the two people who differ by them: one in a group with few rights, one in no group that a
// policy names. Each thing here is something that a journey looks for later.

export type Role = "restricted" | "other";
export const people: Record<Role, string> = { restricted: "ada", other: "bob" };

/** The one model of the restricted, and one of those left to the others, with their names on the client's screens. */
export const offered = { id: "claude-haiku-4-5", shown: /Haiku 4\.5/ };
export const denied = { id: "claude-opus-4-8", shown: /Opus|Sonnet|Fable/ };

/** Something harmless in the environment: it needs the developer's consent all the same, and reaches every tool. */
export const marker = "GATEWAY_JOURNEY";

const catchAll = {
  permissions: { deny: ["WebSearch"] },
  env: { [marker]: "for everybody" },
};

const restricted = {
  permissions: { deny: ["WebFetch", "Bash(curl *)"] },
  availableModels: [offered.id],
  enforceAvailableModels: true,
  env: { [marker]: "for the restricted" },
  companyAnnouncements: ["Welcome, restricted"],
};

/** What a person ends up with: the policy's settings merged onto the catch-all's. */
export type Expected = {
  policyIndex: number;
  denies: readonly string[];
  announcement: string | undefined;
  environment: string;
};

export const expected: Record<Role, Expected> = {
  restricted: {
    policyIndex: 0,
    // Denials add up: nobody gets rid of the catch-all's by a policy of his own.
    denies: ["WebSearch", "WebFetch", "Bash(curl *)"],
    announcement: restricted.companyAnnouncements[0],
    environment: restricted.env[marker],
  },
  other: {
    policyIndex: 1,
    denies: ["WebSearch"],
    announcement: undefined,
    environment: catchAll.env[marker],
  },
};

/** The `managed` section, its settings under one of their names. */
export function managed(documentKey: "cli" | "code") {
  return {
    policies: [
      { match: { groups: ["eng"] }, [documentKey]: restricted },
      { match: {}, [documentKey]: catchAll },
    ],
  };
}
