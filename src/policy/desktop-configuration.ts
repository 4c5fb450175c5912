// What Claude Desktop is told: part of it the gateway knows by itself (where inference and telemetry go), part follows from
// the person's settings for Claude Code, so that the two do not contradict each other, and the rest is the policy's
// `desktop` block as it is written.
import { memberOf, type SettingsDocument } from "../config/mapping.ts";
import { offersLongContext } from "../models/long-context.ts";
import type { ModelDirectory } from "../models/resolve.ts";
import type { Principal } from "../session.ts";
import { identityAttributesOf } from "./identity-attributes.ts";
import { modelsFor } from "./model-list.ts";
import type { Policy } from "./policy.ts";

export type DesktopSession = {
  principal: Principal;
  /** The gateway's address as clients know it, without a slash at its end. */
  base: string;
  models: ModelDirectory;
  /** Labels of the telemetry that clients send here; undefined when none is relayed. */
  telemetryLabels: Readonly<Record<string, string>> | undefined;
  /** Seconds since the epoch. */
  expiresAt: number;
};

/** One model as Claude Desktop lists it. */
type DesktopModel = { name: string; supports1m?: true; labelOverride?: string };

/** Variables by which a policy says how telemetry is encoded. */
const protocolVariables = [
  "OTEL_EXPORTER_OTLP_PROTOCOL",
  "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
  "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
  "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
];

/**
 * The configuration of one person's Claude Desktop.
 * @param desktop the policy's merged `desktop` block, whose keys win where the settings for Claude Code would say otherwise
 */
export function desktopConfiguration(
  policy: Policy,
  desktop: SettingsDocument,
  session: DesktopSession,
): SettingsDocument {
  const { settings, isForEverySession } = policy;
  const models = desktopModels(policy, session);
  const disabledTools = disabledToolsOf(settings, desktop);
  const hosts = allowedHostsOf(settings);
  return {
    inferenceProvider: "gateway",
    inferenceGatewayBaseUrl: session.base,
    inferenceCredentialKind: "interactive",
    ...(isForEverySession && { inferenceGatewayManagedClaudeCode: true }),
    ...telemetryOf(settings, session),
    ...(models.length > 0 && { inferenceModels: models }),
    ...(hosts.length > 0 && { coworkEgressAllowedHosts: hosts }),
    ...desktop,
    ...(disabledTools !== undefined && { disabledBuiltinTools: disabledTools }),
    expiresAt: session.expiresAt,
  };
}

/** The models that the person may use, marked where they have the long context. */
function desktopModels(
  { settings, access }: Policy,
  { models, principal: { groups } }: DesktopSession,
): DesktopModel[] {
  const isLongContextOff = isOn(memberOf(settings.env, "CLAUDE_CODE_DISABLE_1M_CONTEXT"));
  return modelsFor(groups, access, models).map(({ id, display_name: label }) => {
    const ids = models.resolve(id, groups).routes.map(({ upstreamModel }) => upstreamModel);
    return {
      name: id,
      ...(!isLongContextOff && offersLongContext(id, ids) && { supports1m: true }),
      ...(label !== id && { labelOverride: label }),
    };
  });
}

/**
 * Tools that are denied as a whole, also as `Bash(*)`; a rule about some uses of a tool (`Bash(rm *)`) has no counterpart in
 * Claude Desktop.
 */
function disabledToolsOf(
  settings: SettingsDocument,
  { disabledBuiltinTools: own }: SettingsDocument,
): string[] | undefined {
  const denied = textsIn(memberOf(settings.permissions, "deny"))
    .map((rule) => rule.replace(everyUse, ""))
    .filter((rule) => !rule.includes("(") && !rule.startsWith("mcp__"));
  if (denied.length === 0 && own === undefined) return undefined;
  return [...new Set([...denied, ...textsIn(own)])];
}

/** What follows a tool's name in a rule about all of its uses. */
const everyUse = /(?<=^WebFetch)\(\s*domain:\s*\*\s*\)$|\(\s*\*\s*\)$/;

function allowedHostsOf({ sandbox }: SettingsDocument): string[] {
  return textsIn(memberOf(memberOf(sandbox, "network"), "allowedDomains"));
}

function telemetryOf(
  { env }: SettingsDocument,
  { base, principal, telemetryLabels: labels }: DesktopSession,
): SettingsDocument {
  if (labels === undefined) return {};
  const isJson = protocolVariables.some((name) => memberOf(env, name) === "http/json");
  return {
    otlpEndpoint: base,
    otlpProtocol: isJson ? "http/json" : "http/protobuf",
    otlpResourceAttributes: { ...labels, ...identityAttributesOf(principal) },
  };
}

/** How Claude Code reads a switch in its environment. */
function isOn(value: unknown): boolean {
  return /^\s*(1|true|yes|on)\s*$/i.test(String(value));
}

function textsIn(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === "string") : [];
}
