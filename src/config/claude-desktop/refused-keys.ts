// Keys that Claude Desktop knows and a `desktop` document must not hold, each with the reason a person reads. Data only; it
// describes Claude Code 2.1.330 and was written from public documentation and observed answers.
import { refused } from "../pieces.ts";

const computed = refused(
  "set by the gateway from its own configuration — configure `upstreams:`/`models:` instead",
);

const relayed = refused(
  "set by the gateway — it relays OTLP itself; configure `telemetry.forward_to` instead",
);

const ofTheDevice = refused(
  "not deliverable via bootstrap — set it through MDM/local managed configuration instead",
);

const renamed = (name: string) => refused(`deprecated name for ${name} — use ${name}`);

const renamedAndRefused = (name: string) =>
  refused(`deprecated name for ${name}, which is not operator-settable here`);

/** What the gateway answers itself: where inference goes, with which credential, and which models there are. */
const computedKeys = {
  inferenceProvider: computed,
  inferenceModels: computed,
  inferenceCustomHeaders: computed,
  inferenceSessionLifetimeSec: computed,
  inferenceStreamIdleTimeoutSec: computed,
  inferenceCredentialKind: computed,
  inferenceCredentialHelper: computed,
  inferenceCredentialHelperTtlSec: computed,
  inferenceCredentialHelperTimeoutSec: computed,
  inferenceCredentialHelperSilentRefreshEnabled: computed,
  inferenceAnthropicApiKey: computed,
  inferenceBedrockRegion: computed,
  inferenceBedrockBaseUrl: computed,
  inferenceBedrockServiceTier: computed,
  inferenceBedrockBearerToken: computed,
  inferenceBedrockSsoStartUrl: computed,
  inferenceBedrockSsoRegion: computed,
  inferenceBedrockSsoAccountId: computed,
  inferenceBedrockSsoRoleName: computed,
  inferenceBedrockProfile: computed,
  inferenceBedrockAwsDir: computed,
  inferenceBedrockAwsCliPath: computed,
  inferenceFoundryResource: computed,
  inferenceFoundryApiKey: computed,
  inferenceFoundryTenantId: computed,
  inferenceFoundryClientId: computed,
  inferenceFoundryAuthFlow: computed,
  inferenceGatewayBaseUrl: computed,
  inferenceGatewayApiKey: computed,
  inferenceGatewayAuthScheme: computed,
  inferenceGatewayOidc: computed,
  inferenceGatewayOidcAuthFlow: computed,
  inferenceVertexProjectId: computed,
  inferenceVertexRegion: computed,
  inferenceVertexBaseUrl: computed,
  inferenceVertexOAuthClientId: computed,
  inferenceVertexOAuthClientSecret: computed,
  inferenceVertexOAuthScopes: computed,
  inferenceVertexOAuthLoginHint: computed,
  inferenceVertexWorkforceAudience: computed,
  inferenceVertexWorkforceUserProject: computed,
  inferenceVertexWorkforceAuthFlow: computed,
  inferenceVertexWorkforceOidc: computed,
  inferenceVertexCredentialsFile: computed,
  otlpEndpoint: relayed,
  otlpProtocol: relayed,
  otlpHeaders: relayed,
  otlpAuthMode: relayed,
  otlpHeadersHelper: relayed,
  otlpResourceAttributes: relayed,
} as const;

/** What Claude Desktop reads from the device only. */
const deviceKeys = {
  bootstrapEnabled: ofTheDevice,
  bootstrapUrl: ofTheDevice,
  bootstrapOidc: ofTheDevice,
  bootstrapHeaders: ofTheDevice,
  bootstrapHeadersHelper: ofTheDevice,
  trustBootstrapDelivery: ofTheDevice,
  disableMultiAccount: ofTheDevice,
  egressProxyUrl: ofTheDevice,
  egressProxyPacUrl: ofTheDevice,
  forceLoginOrgUUID: ofTheDevice,
  hardwareBuddyEnabled: ofTheDevice,
  isDesktopExtensionDirectoryEnabled: ofTheDevice,
  loginSsoOrgDomain: ofTheDevice,
  relocateUncUserData: ofTheDevice,
  requireCoworkFullVmSandbox: ofTheDevice,
  secureVmFeaturesEnabled: ofTheDevice,
} as const;

const earlierNames = {
  enduserAttribution: renamed("endUserAttribution"),
  isDxtEnabled: renamed("isDesktopExtensionEnabled"),
  isDxtSignatureRequired: renamed("isDesktopExtensionSignatureRequired"),
  isDxtDirectoryEnabled: renamedAndRefused("isDesktopExtensionDirectoryEnabled"),
  inferenceGatewayHeaders: renamedAndRefused("inferenceCustomHeaders"),
  trustBootstrapLocalExec: renamedAndRefused("trustBootstrapDelivery"),
} as const;

export const refusedKeys = { ...computedKeys, ...deviceKeys, ...earlierNames } as const;
