// Documents for Claude Desktop, and what is said about them.
import { edited, said } from "./samples.ts";

export type Document = Record<string, unknown>;

/** A gateway.yaml with one policy that holds the document. */
export function withDesktop(document: unknown): string {
  return edited((config) => {
    config.managed = { policies: [{ match: {}, desktop: document }] };
  });
}

/** Everything said about a document in a gateway.yaml, without the place of the document. */
export function problems(document: unknown): string[] {
  return said(withDesktop(document)).map((line) =>
    line.replace(/^managed\.policies\[0\]\.desktop\.?/, ""),
  );
}

/** Paths of the settings that something is said about. */
export function blamed(document: unknown): string[] {
  return problems(document).map((line) => line.split(" → ")[0] ?? "");
}

export const remote = { name: "search", transport: "http", url: "https://mcp.example" };
export const local = { name: "files", transport: "stdio", command: "/opt/files" };
export const office = {
  name: "office",
  server: "microsoft365",
  tenantId: "11111111-2222-4333-8444-555555555555",
  clientId: "app",
};
export const servers = (...managedMcpServers: unknown[]) => ({ managedMcpServers });
export const market = (entry: Document) => ({ allowedPluginMarketplaces: [entry] });

export const price = {
  name: "claude-opus-5",
  inputPerMtok: 1,
  outputPerMtok: 2,
  cacheReadPerMtok: 0,
  cacheWritePerMtok: 1.5,
};

/** One document with every kind of setting in it. */
export const full = {
  disableAutoUpdates: true,
  relaunchEnforcementHours: 0,
  microsoftAuthBroker: "required",
  otlpContentCapture: ["toolDetails"],
  chatSessionRetentionDays: 3650,
  deploymentDisplayName: "Claude at Example",
  organizationInstructions: "Answer in\nEnglish.",
  banner: {
    enabled: true,
    text: "Internal",
    backgroundColor: "#F5F5F5",
    linkUrl: "https://a.example",
  },
  claudeAiImport: { enabled: true, bannerBehavior: "detect" },
  disabledBuiltinTools: ["WebFetch", "AToolOfTomorrow"],
  builtinToolPolicy: { Bash: "ask", "Bash(curl *)": "allow", "Edit(**/*.env)": "ask" },
  allowedWorkspaceFolders: ["~/work", { path: "/srv", mode: "ro", isDefaultSelected: true }],
  coworkEgressAllowedHosts: ["*", "localhost:3000", "10.0.0.1", "*.a.example:8443", "A_b.example"],
  sshHostAllowlist: ["*.corp.example"],
  sshClientPath: "C:\\Program Files\\OpenSSH\\ssh.exe",
  builtinBrowserAllowedDomains: ["*.a.example"],
  builtinBrowserBlockedDomains: ["*"],
  inferenceModelPricing: [price],
  inferenceModelPricingMultiplier: 0.5,
  inferenceMaxTokensPerWindow: 1_000_000,
  managedMcpServers: [
    { ...remote, headers: { "X-Team": "a" }, oauth: true, toolPolicy: { "read_*": "allow" } },
    { ...local, args: ["-v"], env: { A: "b" }, envHelper: "/opt/env", startupTimeoutSec: 600 },
    { ...office, azureCloud: "us-gov-dod", continuousAccessEvaluation: true },
    { name: "web", server: "websearch", provider: "custom", customUrl: "https://s.example" },
    { name: "code", server: "github", clientId: "app", readOnly: true },
    { name: "locked", transport: "policy-only", toolPolicy: { x: "blocked" } },
  ],
  allowedPluginMcpServers: [{ serverUrl: "https://*.a.example/*" }],
  orgPluginSettings: [{ serverName: "s", tools: [{ toolName: "t", permission: "blocked" }] }],
  allowedPluginMarketplaces: [
    { source: "github", repo: "a/b", credentialKind: "credentialHelper", credentialHelper: "/h" },
    { source: "git", url: "https://git.example/r.git", ref: "main" },
    { source: "url", url: "https://m.example/marketplace.json", manifestSha256: "0".repeat(64) },
  ],
};
