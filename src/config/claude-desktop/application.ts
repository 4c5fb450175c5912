// How Claude Desktop behaves as a program: updates, sign-in, telemetry, what it keeps and how it looks. Data only; it describes
// Claude Code 2.1.330 and was written from public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { open, text, words } from "../pieces.ts";
import { httpsUrl, optionalFlag, visibleText, wholeNumber } from "./values.ts";

const lifecycle = {
  disableAutoUpdates: optionalFlag,
  autoUpdaterEnforcementHours: Type.Optional(wholeNumber(1, 72)),
  updateViaUpdatesHost: optionalFlag,
  relaunchEnforcementHours: Type.Optional(wholeNumber(0, 336)),
  configRecheckIntervalMinutes: Type.Optional(wholeNumber(2, 30)),
  disableConfigDeprecationWarnings: optionalFlag,
} as const;

const signIn = {
  disableDeploymentModeChooser: optionalFlag,
  disableDeepLinkRegistration: optionalFlag,
  microsoftAuthBroker: Type.Optional(words("auto", "disabled", "required")),
  /** Deprecated; see deprecated.ts. */
  allowOptionalClientAuth: optionalFlag,
  endUserAttribution: optionalFlag,
} as const;

const telemetry = {
  deploymentOrganizationUuid: Type.Optional(text("a UUID")),
  disableEssentialTelemetry: optionalFlag,
  disableNonessentialTelemetry: optionalFlag,
  disableNonessentialServices: optionalFlag,
  otlpTracesEnabled: optionalFlag,
  otlpDesktopLogLevel: Type.Optional(words("off", "error", "warn", "info", "debug")),
  otlpContentCapture: Type.Optional(
    Type.Array(
      words("userPrompts", "assistantResponses", "toolDetails", "toolContent", "rawApiBodies"),
    ),
  ),
} as const;

const days = Type.Optional(wholeNumber(1, 3650));

const retention = {
  chatSessionRetentionDays: days,
  coworkSessionRetentionDays: days,
  codeSessionRetentionDays: days,
  sessionRetentionHold: optionalFlag,
} as const;

const displayText = visibleText("text of 1 to 60 characters", 60);

/** What of a banner Claude Desktop shows is in rules.ts: one that is off may hold anything. */
const banner = Type.Object(
  {
    enabled: optionalFlag,
    text: Type.Optional(Type.String()),
    backgroundColor: Type.Optional(Type.String()),
    textColor: Type.Optional(Type.String()),
    linkUrl: Type.Optional(Type.String()),
  },
  open,
);

const claudeAiImport = Type.Object(
  {
    enabled: optionalFlag,
    exportEnabled: optionalFlag,
    automatic3pImport: optionalFlag,
    bannerBehavior: Type.Optional(Type.Unknown()),
  },
  open,
);

const appearance = {
  deploymentDisplayName: Type.Optional(displayText),
  deploymentDisplaySubtitle: Type.Optional(displayText),
  banner: Type.Optional(banner),
  disableFeatureDiscovery: optionalFlag,
  userContentRendererUrl: Type.Optional(httpsUrl),
  claudeAiImport: Type.Optional(claudeAiImport),
} as const;

export const applicationSettings = {
  ...lifecycle,
  ...signIn,
  ...telemetry,
  ...retention,
  ...appearance,
} as const;
