// Settings documents for Claude Code that are taken, and the table that decides.
import { describe, expect, test } from "bun:test";
import { settingAliases } from "../../src/config/claude-code/marketplaces.ts";
import { claudeCodeSettings } from "../../src/config/claude-code/settings.ts";
import { shapeSettings } from "../../src/config/shape.ts";
import { command, type Document, https, saidOf } from "./claude-code-samples.ts";

/** Documents of the kinds people write. */
const written: Record<string, Document> = {
  "one model for a group": { availableModels: ["haiku"], model: "haiku", effortLevel: "low" },
  "nothing at all": {},
  "rules for tools": {
    permissions: {
      allow: [
        "Read",
        "Bash(npm run test:*)",
        "mcp__github__get_*",
        "WebFetch(domain:*.example.com)",
      ],
      ask: ["Bash(git push *)", "mcp__*"],
      deny: ["WebSearch", "Read(./.env)", "Edit(//etc/**)", "Bash(echo (a b))", "*"],
      defaultMode: "plan",
      disableBypassPermissionsMode: "disable",
    },
    allowManagedPermissionRulesOnly: true,
  },
  "hooks of every type": {
    hooks: {
      PreToolUse: [
        { matcher: "Bash", hooks: [{ ...command, timeout: 1.5, args: ["--all"] }] },
        { matcher: "Edit|Write", hooks: [{ type: "prompt", prompt: "Is this safe?" }] },
      ],
      Stop: [{ hooks: [{ type: "agent", prompt: "Verify", model: "haiku" }] }],
      SessionStart: [
        {
          hooks: [
            { type: "http", url: "http://localhost:9/x", headers: { A: "$TOKEN" } },
            { type: "mcp_tool", server: "log", tool: "write", input: { level: 3 } },
          ],
        },
      ],
    },
    allowManagedHooksOnly: true,
  },
  "a sandbox": {
    sandbox: {
      enabled: true,
      excludedCommands: ["docker"],
      network: { allowedDomains: ["*.example.com"], httpProxyPort: 3128 },
      filesystem: { denyRead: ["~/.ssh"] },
      credentials: {
        files: [
          { path: "~/.netrc", mode: "deny" },
          { path: "~/.config/gh/hosts.yml", mode: "mask", extract: "token: (.+)" },
        ],
        envVars: [{ name: "NPM_TOKEN", mode: "mask", decode: "jwt", maskClaims: ["sub"] }],
      },
    },
  },
  "servers for everyone": {
    managedMcpServers: {
      search: { type: "http", url: https, headers: { "X-Key": "k" }, timeout: 5000 },
      records: { type: "sse", url: https, oauth: { clientId: "cc", callbackPort: 8123 } },
      tickets: { type: "streamable-http", url: https },
    },
    allowedMcpServers: [{ serverUrl: "https://*.example.com/*" }, { serverName: "search" }],
    deniedMcpServers: [{ serverName: "claude.ai Slack" }, { serverCommand: ["npx", "evil"] }],
  },
  "plugins and where they come from": {
    enabledPlugins: { "formatter@tools": true, "linter@tools": ["1.2.0"] },
    pluginConfigs: {
      "deployer@tools": { options: { url: "x", retries: 3, dry: false, on: ["a"] } },
    },
    extraKnownMarketplaces: {
      tools: { source: { source: "github", repo: "acme/tools", ref: "main" }, autoUpdate: true },
      own: {
        source: {
          source: "settings",
          name: "own",
          plugins: [{ name: "p", source: { source: "npm", package: "@acme/p" } }],
        },
      },
    },
    strictKnownMarketplaces: [
      { source: "github", repo: "acme/*" },
      { source: "hostPattern", hostPattern: "^git\\.example\\.com$" },
    ],
    blockedMarketplaces: [{ source: "pluginDirectory" }],
  },
  "what a developer sees": {
    companyAnnouncements: ["Welcome"],
    statusLine: { type: "command", command: "date", padding: 0 },
    spinnerVerbs: { mode: "append", verbs: ["Pondering"] },
    attribution: { commit: "", pr: "" },
    cleanupPeriodDays: 30,
    feedbackSurveyRate: 0.05,
    modelPricing: {
      multiplier: 0.8,
      overrides: { m: { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 } },
    },
  },
  "values that clients judge for themselves": {
    theme: 5,
    effortLevel: null,
    env: { A: "1", B: 2, C: true, D: null },
    forceLoginGatewayUrl: "not a url",
  },
  "keys inside that no table names": {
    sandbox: { network: { newest: 1 }, newest: [] },
    permissions: { newest: {} },
    hooks: { Stop: [{ newest: 1, hooks: [{ ...command, newest: 1 }] }] },
    managedMcpServers: { search: { type: "http", url: https, newest: 1 } },
    allowedMcpServers: [{ serverName: "x", newest: 1 }],
    statusLine: { ...command, newest: 1 },
  },
  "a helper that is switched off": { policyHelper: null, strictPluginOnlyCustomization: ["mcp"] },
};

describe("taken as it is written:", () => {
  test.each(Object.entries(written))("%s", (_, document) => {
    expect(saidOf(document)).toEqual([]);
    const { value } = shapeSettings(claudeCodeSettings, document, new Set());
    expect(JSON.stringify(value)).toBe(JSON.stringify(document));
  });
});

describe("the table of settings", () => {
  test("demands no setting and fills in none", () => {
    expect(claudeCodeSettings.required).toBeUndefined();
    expect(shapeSettings(claudeCodeSettings, {}, new Set()).value).toEqual({});
    expect(JSON.stringify(claudeCodeSettings)).not.toContain('"default":');
  });

  test("has one shape for both spellings of a setting", () => {
    const { properties } = claudeCodeSettings;
    for (const [alias, canonical] of Object.entries(settingAliases)) {
      const shapes = new Map<string, unknown>(Object.entries(properties));
      expect(shapes.get(alias)).toBeDefined();
      expect(shapes.get(alias)).toEqual(shapes.get(canonical));
    }
  });
});
