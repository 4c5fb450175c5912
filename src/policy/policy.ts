// Which policy a person is under, and what it comes to with the catch-all below it. All of it is worked out at boot; at run
// time a person's policy is one look-up. How two documents become one is in merge.ts, who may use which model in
// model-access.ts, and what is sent to clients in managed-settings.ts and bootstrap.ts.
import { domainOfAddress, isPlainAddress } from "../config/email-domain.ts";
import { isMapping, type SettingsDocument } from "../config/mapping.ts";
import type { PolicyConfig } from "../config/policy-schema.ts";
import type { Config } from "../config/schema.ts";
import { createModelDirectory } from "../models/resolve.ts";
import type { Principal } from "../session.ts";
import { mergeDesktop, mergeSettings } from "./merge.ts";
import {
  createModelAccess,
  everyModel,
  type ModelAccess,
  type UpstreamIdsOf,
} from "./model-access.ts";

/** What a policy decides by. */
export type Person = Pick<Principal, "email" | "groups">;

/** Whom a policy is for. */
type Match = Pick<PolicyConfig, "groups" | "emailDomain">;

/** A policy as it applies to the people it matches. */
export type Policy = {
  /** Its place in `managed.policies`, from 0. */
  index: number;
  /** As it is written. */
  written: PolicyConfig;
  /** Place of the catch-all that is merged under it; undefined without one, and for the catch-all itself. */
  baseIndex: number | undefined;
  /** Merged settings of Claude Code; empty when neither it nor the catch-all has any. */
  settings: SettingsDocument;
  /** Whether no session may be without its settings, in a terminal or in Claude Desktop: they stand under `code`. */
  isForEverySession: boolean;
  /** Whether sessions inside Claude Desktop are given its settings, if there are any. */
  reachesDesktop: boolean;
  /** Merged configuration of Claude Desktop; undefined when neither it nor the catch-all has opted in. */
  desktop: SettingsDocument | undefined;
  access: ModelAccess;
};

export type Policies = {
  /** In the order of the configuration. */
  all: readonly Policy[];
  /** The first policy whose match fits. */
  of(person: Person): Policy | undefined;
  /** What the person may use: every model when no policy fits. */
  accessOf(person: Person): ModelAccess;
};

type Read = Pick<Config, "policies" | "models" | "auto_include_builtin_models" | "upstreams">;

/** The policies of a configuration. The first one that is for everybody is laid under all others. */
export function createPolicies(config: Read): Policies {
  const { policies: configs } = config;
  const upstreamIdsOf = upstreamIds(config);
  const baseIndex = configs.findIndex(isCatchAll);
  const base = configs[baseIndex];
  const all = configs.map((written, index) => {
    const isBase = base === undefined || index === baseIndex;
    const { settings = {}, desktop } = isBase ? written : laidOver(base, written);
    const isCode = (written.settingsKey ?? base?.settingsKey) === "code";
    const isForEverySession = isCode && holdsAnything(settings);
    const servesDesktop = !isCode && (written.serveToDesktop ?? base?.serveToDesktop) === true;
    return {
      index,
      written,
      baseIndex: isBase ? undefined : baseIndex,
      settings,
      isForEverySession,
      reachesDesktop: isForEverySession || servesDesktop,
      desktop,
      access: createModelAccess(settings, upstreamIdsOf),
    };
  });
  // A bearer's principal is one object for as long as it is remembered: matching is paid once per bearer.
  const known = new WeakMap<Person, { policy: Policy | undefined }>();
  function of(person: Person): Policy | undefined {
    const remembered = known.get(person);
    if (remembered !== undefined) return remembered.policy;
    const groups = new Set(person.groups);
    const policy = all.find(({ written }) => matches(written, { ...person, groups }));
    known.set(person, { policy });
    return policy;
  }
  return { all, of, accessOf: (person) => of(person)?.access ?? everyModel };
}

/** Where a model would go, whoever asks and whatever its upstreams leave out: a denied model has no other name. */
function upstreamIds(config: Read): UpstreamIdsOf {
  const everybodys = config.upstreams.map((upstream) => ({
    ...upstream,
    groups: undefined,
    models: undefined,
  }));
  const models = createModelDirectory(config, everybodys);
  return (model) => models.resolve(model, []).routes.map(({ upstreamModel }) => upstreamModel);
}

/** A policy's documents over the catch-all's. Claude Desktop is opted in when either of them has a block for it. */
function laidOver(base: PolicyConfig, policy: PolicyConfig) {
  return {
    settings: mergeSettings(base.settings ?? {}, policy.settings ?? {}),
    desktop:
      base.desktop === undefined && policy.desktop === undefined
        ? undefined
        : mergeDesktop(base.desktop ?? {}, policy.desktop ?? {}),
  };
}

/** Whether a document says something: mappings without members do not. */
export function holdsAnything(value: unknown): boolean {
  return !isMapping(value) || Object.values(value).some(holdsAnything);
}

/** Whether a policy says nothing about whom it is for, which is everybody. */
export function isCatchAll({ groups, emailDomain }: Match): boolean {
  return groups === undefined && emailDomain === undefined;
}

/** Everything that a policy asks for has to fit; of its groups, any. Group names are compared as they are spelled. */
export function matches(
  { groups, emailDomain }: Match,
  person: { groups: ReadonlySet<string>; email: string | undefined },
): boolean {
  return (
    (groups === undefined || groups.some((group) => person.groups.has(group))) &&
    (emailDomain === undefined || isOfDomain(person.email ?? "", emailDomain))
  );
}

/** An address that could be read in two ways is of no domain. */
function isOfDomain(email: string, domain: string): boolean {
  return domainOfAddress(email) === domain && isPlainAddress(email);
}
