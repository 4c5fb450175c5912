// Why a person is served what they are served, worked out from the configuration alone: whether they may sign in, which policy
// applies, where each key of their settings comes from, which models they may use and where those go. Plain data, which
// `claude-gateway explain --json` prints as it is; sentences are made of it in text.ts. Every answer is asked of the
// code that serves requests: nothing is decided here a second time.
import type { LoadedConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { isPlainAddress } from "../../config/email-domain.ts";
import { admit, identify } from "../../idp/claims.ts";
import { createModelDirectory, type ModelDirectory } from "../../models/resolve.ts";
import { type NotConfigured, whyNotConfigured } from "../bootstrap.ts";
import { createConcealed } from "./concealed.ts";
import { explainModel, type ModelVerdict } from "./model.ts";
import { type PolicyVerdict, verdictsOn } from "./match.ts";
import { mergeDesktop, mergeSettings } from "../merge.ts";
import { modelsFor } from "../model-list.ts";
import { originsOf, type Source, type Traced } from "./origins.ts";
import { createPolicies, type Person, type Policies, type Policy } from "../policy.ts";
import { createServedSettings } from "../served-settings.ts";

export type Explanation = {
  person: { email: string | null; groups: readonly string[] };
  /** Whether somebody of whom the IdP says this may sign in; all else is what holds if so. */
  signIn: { admitted: boolean; why: string | null };
  /** In the order of the configuration. */
  policies: readonly PolicyVerdict[];
  /** Index of the policy that applies; null when none does. */
  policy: number | null;
  /** Index of the catch-all that is laid under it. */
  base: number | null;
  settings: ExplainedSettings;
  desktop: ExplainedDesktop;
  models: ExplainedModels;
  /** Of the model that was asked about. */
  model: ModelVerdict | null;
};

export type ExplainedSettings = {
  /** False when the client is told that there are none. */
  served: boolean;
  /** The block they stand under: `code`, `cli` or `settings`; null when the policy has none. */
  under: string | null;
  /** Whether sessions inside Claude Desktop are served them, too. */
  reachesDesktop: boolean;
  keys: Readonly<Record<string, Traced>>;
};

export type ExplainedDesktop = {
  configured: boolean;
  /** As the audit names it; null when it is configured. */
  why: NotConfigured | null;
  /** Of the `desktop` block; what the gateway adds by itself (addresses, models) is left out. */
  keys: Readonly<Record<string, Traced>>;
};

export type ExplainedModels = {
  /** Who says which models are allowed, and which denied; null when nobody does. */
  availableModels: readonly Source[] | null;
  deniedModels: readonly Source[] | null;
  /** Ids of GET /v1/models. */
  listed: readonly string[];
  /** How many there would be without a policy. */
  servable: number;
};

type Asked = {
  /** As a client would write it. */
  model?: string | undefined;
  /** Shows what concealed.ts keeps back. */
  showValues?: boolean | undefined;
};

/** Explains a valid configuration to the person it is about. Reads nothing else and contacts nobody. */
export function explain(
  { config, textsFromOutside }: Pick<LoadedConfig, "config" | "textsFromOutside">,
  person: Person,
  asked: Asked = {},
): Explanation {
  const { email, groups } = person;
  const directory = createModelDirectory(config, config.upstreams);
  const policies = createPolicies(config);
  const policy = policies.of(person);
  const access = policies.accessOf(person);
  const base = policy?.baseIndex === undefined ? undefined : policies.all[policy.baseIndex];
  const settings = explainSettings(config, directory, policies, { policy, base });
  const desktop = explainDesktop(policies, { policy, base });
  const { availableModels, deniedModels } = settings.keys;
  const concealed = createConcealed(textsFromOutside);
  const shown = (keys: Readonly<Record<string, Traced>>) =>
    asked.showValues === true
      ? keys
      : Object.fromEntries(Object.entries(keys).map(([key, part]) => [key, concealed(key, part)]));

  return {
    person: { email: email ?? null, groups },
    signIn: explainSignIn(config.oidc, person),
    policies: verdictsOn(policies, person),
    policy: policy?.index ?? null,
    base: base?.index ?? null,
    settings: { ...settings, keys: shown(settings.keys) },
    desktop: { ...desktop, keys: shown(desktop.keys) },
    models: {
      availableModels: availableModels?.from ?? null,
      deniedModels: deniedModels?.from ?? null,
      listed: modelsFor(groups, access, directory).map(({ id }) => id),
      servable: directory.list(groups).length,
    },
    model:
      asked.model === undefined
        ? null
        : explainModel(config, directory, person, access, asked.model),
  };
}

function explainSignIn(oidc: Config["oidc"], { email, groups }: Person): Explanation["signIn"] {
  const refused = (why: string) => ({ admitted: false, why });
  if (email === undefined && oidc.allowed_email_domains.length > 0)
    return refused("oidc.allowed_email_domains asks for an e-mail address, and none is given");
  // Where a claim stands in the IdP's answer is not known here, only what it says.
  const rules = { ...oidc, email_claim: "email" };
  const identified = identify(rules, [{ sub: "somebody", ...(email !== undefined && { email }) }]);
  if ("refused" in identified) return refused(identified.refused);
  if (oidc.google_groups !== undefined && !isPlainAddress(email ?? ""))
    return refused("oidc.google_groups needs an e-mail address to look up groups by");
  const admitted = admit(rules, identified.identity, groups);
  return "refused" in admitted ? refused(admitted.refused) : { admitted: true, why: null };
}

type Layers = { policy: Policy | undefined; base: Policy | undefined };

function explainSettings(
  config: Config,
  models: ModelDirectory,
  policies: Policies,
  { policy, base }: Layers,
): ExplainedSettings {
  const settings = createServedSettings(config, policies, models);
  const document = settings.of(policy);
  return {
    served: document !== undefined,
    under: policy?.written.settingsKey ?? base?.written.settingsKey ?? null,
    reachesDesktop: policy?.reachesDesktop ?? false,
    keys: originsOf(
      document ?? {},
      {
        gateway: settings.addedTo(policy),
        base: base?.written.settings,
        policy: policy?.written.settings,
      },
      mergeSettings,
    ),
  };
}

function explainDesktop(policies: Policies, { policy, base }: Layers): ExplainedDesktop {
  if (policy?.desktop === undefined) {
    return { configured: false, why: whyNotConfigured(policies, policy), keys: {} };
  }
  const said = { base: base?.written.desktop, policy: policy.written.desktop };
  return { configured: true, why: null, keys: originsOf(policy.desktop, said, mergeDesktop) };
}
