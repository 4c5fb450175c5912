// The shape of `managed:`: whom a policy is for, and the documents it hands to Claude Code and Claude Desktop. What those
// documents may hold is in claude-code/ and claude-desktop/; rules between the keys are in policy-checks.ts; who is served
// what is decided in policy/.
import { type Static, Type } from "@sinclair/typebox";
import { underKnownNames } from "./claude-code/rules.ts";
import { claudeCodeSettings } from "./claude-code/settings.ts";
import { inCurrentShapes } from "./claude-desktop/deprecated.ts";
import { claudeDesktopSettings } from "./claude-desktop/settings.ts";
import { lowerCased } from "./email-domain.ts";
import type { SettingsDocument } from "./mapping.ts";
import { closed } from "./pieces.ts";

const match = Type.Object(
  {
    groups: Type.Optional(
      Type.Array(Type.String({ description: "an IdP group name" }), {
        minItems: 1,
        whenEmpty:
          "match.groups is empty — the policy would match no one (and is not a catch-all); list groups or remove the key",
      }),
    ),
    email_domain: Type.Optional(
      Type.String({ description: "an e-mail domain, for example corp.example.com" }),
    ),
  },
  { ...closed, description: "a mapping with groups, email_domain, both, or neither" },
);

const policy = Type.Object(
  {
    match: Type.Optional(match),
    code: Type.Optional(claudeCodeSettings),
    cli: Type.Optional(claudeCodeSettings),
    settings: Type.Optional(claudeCodeSettings),
    desktop: Type.Optional(claudeDesktopSettings),
    serve_to_desktop: Type.Optional(Type.Boolean()),
  },
  closed,
);

export const managed = Type.Object({ policies: Type.Array(policy, { default: [] }) }, closed);

/** The names under which a policy's settings document for Claude Code may stand; of two in one policy the first counts. */
export const documentKeys = ["code", "cli", "settings"] as const;
export type DocumentKey = (typeof documentKeys)[number];

/** A policy as it is written. */
export type WrittenPolicy = Static<typeof policy>;

/** A policy as the rest of the gateway reads it: its domain trimmed, its settings document under one name. */
export type PolicyConfig = {
  groups: readonly string[] | undefined;
  /** In lower case, without a leading `@`. */
  emailDomain: string | undefined;
  /** Settings of Claude Code; undefined when the policy has none. */
  settings: SettingsDocument | undefined;
  /** The key they stood under, which decides who they are served to. */
  settingsKey: DocumentKey | undefined;
  /** Whether there was another document that does not count: `settings` beside `cli`. */
  ignoresSettings: boolean;
  /** Configuration of Claude Desktop; undefined when the policy has not opted in. */
  desktop: SettingsDocument | undefined;
  serveToDesktop: boolean | undefined;
};

/** The domain that a policy is for: blanks around it and one leading `@` are not part of it. */
export function domainOf(emailDomain: string): string {
  return lowerCased(emailDomain.trim().replace(/^@/, ""));
}

/** A policy as it is read. */
export function policyOf(written: WrittenPolicy): PolicyConfig {
  const { match: { groups, email_domain: domain } = {}, desktop } = written;
  const settingsKey = documentKeys.find((key) => written[key] !== undefined);
  return {
    groups,
    emailDomain: domain === undefined ? undefined : domainOf(domain),
    settings: settingsKey === undefined ? undefined : underKnownNames(written[settingsKey] ?? {}),
    settingsKey,
    ignoresSettings: settingsKey === "cli" && written.settings !== undefined,
    desktop: desktop === undefined ? undefined : inCurrentShapes(desktop),
    serveToDesktop: written.serve_to_desktop,
  };
}
