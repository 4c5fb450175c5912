// Settings of Claude Code 2.1.330 for those who run it for others: sign-in and providers, versions, privacy, how managed settings
// themselves arrive. From public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open, words } from "../pieces.ts";
import {
  aFlag,
  anyMapping,
  anything,
  anyUrl,
  aText,
  oneOf,
  orNothing,
  wholeNumber,
} from "./kinds.ts";

export const administrationKeys = {
  // sign-in and providers
  apiKeyHelper: aText,
  awsAuthRefresh: aText,
  awsCredentialExport: aText,
  gcpAuthRefresh: aText,
  otelHeadersHelper: aText,
  allowedProviders: Type.Optional(
    Type.Array(
      words(
        "anthropic",
        "customEndpoint",
        "bedrock",
        "vertex",
        "foundry",
        "anthropicAws",
        "mantle",
        "gateway",
      ),
    ),
  ),
  forceLoginMethod: anything,
  forceLoginGatewayUrl: anything,
  /** One organization, or several. */
  forceLoginOrgUUID: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  gatewayInternalNetworks: anything,
  // versions
  autoUpdatesChannel: oneOf("latest", "stable", "rc"),
  minimumVersion: aText,
  requiredMinimumVersion: aText,
  requiredMaximumVersion: aText,
  // privacy
  cleanupPeriodDays: Type.Optional(wholeNumber(1)),
  desktopSessionCleanupPeriodDays: Type.Optional(wholeNumber(0)),
  feedbackSurveyRate: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: "a number from 0 to 1" }),
  ),
  feedbackDrafts: oneOf("notify", "quiet", "off"),
  skipWebFetchPreflight: aFlag,
  // how managed settings arrive
  forceRemoteSettingsRefresh: aFlag,
  parentSettingsBehavior: oneOf("first-wins", "merge"),
  managedSourcesBehavior: oneOf("first-wins", "merge"),
  wslInheritsWindowsSettings: aFlag,
  policyHelper: orNothing(
    Type.Object(
      {
        path: Type.Union([Type.String(), Type.Null()], { description: "a path" }),
        timeoutMs: orNothing(wholeNumber(1000), "a whole number of milliseconds, at least 1000"),
        refreshIntervalMs: Type.Optional(
          Type.Union([Type.Literal(0), wholeNumber(60_000), Type.Null()], {
            description: "0, or a whole number of milliseconds, at least 60000",
          }),
        ),
      },
      open,
    ),
    "a mapping with path",
  ),
  /** No public page describes it. */
  policyHelpers: orNothing(anyMapping, "a mapping"),
} as const;

/** Keys that are taken only where the gateway runs with the variable they stand under set to 1 or true. */
export const gatedSettings = {
  CLAUDE_CODE_ENABLE_XAA: {
    /** Cross-app access: the identity provider that MCP servers are signed in to. */
    xaaIdp: Type.Optional(
      Type.Object(
        {
          issuer: anyUrl,
          clientId: Type.String(),
          callbackPort: Type.Optional(wholeNumber(1)),
        },
        open,
      ),
    ),
  },
} as const;
