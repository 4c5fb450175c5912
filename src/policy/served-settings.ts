// The settings document that people under a policy are served: the policy's, merged, and what the gateway itself has to say to
// every client: where telemetry goes and what models cost. How it is sent is managed-settings.ts's.
import { isMapping, type SettingsDocument } from "../config/mapping.ts";
import type { Config } from "../config/schema.ts";
import type { ModelDirectory } from "../models/resolve.ts";
import { createModelPricing } from "./model-pricing.ts";
import type { Policies, Policy } from "./policy.ts";
import { telemetryEnvOf } from "./telemetry-env.ts";

export type ServedSettings = {
  /**
   * Of people under a policy, or under none. What the policy itself says wins over what the gateway adds. Undefined when there
   * is nothing to say to them: where there are policies and none fits, or no policies and nothing to add.
   */
  of(policy: Policy | undefined): SettingsDocument | undefined;
  /** What the gateway adds, as a document of its own. */
  addedTo(policy: Policy | undefined): SettingsDocument;
};

/** @param models of the same configuration */
export function createServedSettings(
  config: Pick<Config, "listen" | "telemetry" | "pricing" | "models" | "upstreams">,
  policies: Policies,
  models: ModelDirectory,
): ServedSettings {
  const env = telemetryEnvOf(config);
  const pricingFor = createModelPricing(config, models);

  function addedTo(policy: Policy | undefined): SettingsDocument {
    const modelPricing = pricingFor(policy);
    return {
      ...(env !== undefined && { env }),
      ...(modelPricing !== undefined && { modelPricing }),
    };
  }

  return {
    addedTo,
    of(policy) {
      if (policy === undefined) {
        return policies.all.length > 0 || env === undefined ? undefined : addedTo(policy);
      }
      const { settings } = policy;
      // A policy's variables take the place of the gateway's of the same name.
      const merged = isMapping(settings.env) ? { env: { ...env, ...settings.env } } : {};
      return underPolicy({ ...settings, ...merged }, addedTo(policy));
    },
  };
}

/** A policy's document and, behind it, what it does not say itself. */
function underPolicy(settings: SettingsDocument, added: SettingsDocument): SettingsDocument {
  const missing = Object.entries(added).filter(([key]) => settings[key] === undefined);
  return { ...settings, ...Object.fromEntries(missing) };
}
