// Mistakes in a policy's settings for Claude Code, each named where it is.
import { describe, expect, test } from "bun:test";
import { describedVersion } from "../../src/config/claude-code/settings.ts";
import { command, type Document, https, saidOf } from "./claude-code-samples.ts";

/** What is wrong, the document, and how each thing that is said begins. */
const mistaken: [string, Document, ...string[]][] = [
  [
    "a misspelt key",
    { availableModel: [] },
    'availableModel → unknown key; did you mean "availableModels"?',
  ],
  [
    "a key of no setting",
    { zebra: 1 },
    `zebra → unknown key; no setting of Claude Code ${describedVersion}`,
  ],
  ["a word for a list", { availableModels: "haiku" }, "availableModels → must be a list"],
  ["a number in a list of texts", { deniedModels: [1] }, "deniedModels[0] → must be text, got 1"],
  ["text for a switch", { verbose: "yes" }, 'verbose → must be true or false, got "yes"'],
  ["nothing for a text", { model: null }, "model → must be text, got nothing"],
  ["a list for a mapping", { sandbox: [] }, "sandbox → must be a mapping, got a list"],
  ["an unknown word", { tui: "wide" }, 'tui → must be one of default, fullscreen, got "wide"'],
  [
    "the one word there is",
    { disableAutoMode: true },
    'disableAutoMode → must be "disable", got true',
  ],
  [
    "no days",
    { cleanupPeriodDays: 0 },
    "cleanupPeriodDays → must be a whole number, at least 1, got 0",
  ],
  ["half a day", { cleanupPeriodDays: 1.5 }, "cleanupPeriodDays → must be a whole number"],
  [
    "more than the whole",
    { feedbackSurveyRate: 1.1 },
    "feedbackSurveyRate → must be a number from 0 to 1",
  ],
  [
    "null inside",
    { sandbox: { enabled: null } },
    "sandbox.enabled → must be true or false, got nothing",
  ],
  ["two mistakes", { verbose: 1, model: 2 }, "verbose → ", "model → "],
  [
    "MCP servers of .mcp.json",
    { mcpServers: {} },
    'mcpServers → not a managed-settings key — use "managedMcpServers"',
  ],
  [
    "a misspelt event",
    { hooks: { PreToolUs: [] } },
    'hooks.PreToolUs → unknown key; did you mean "PreToolUse"?',
  ],
  [
    "a hook of no type",
    { hooks: { Stop: [{ hooks: [{ command: "x" }] }] } },
    "hooks.Stop[0].hooks[0].type → hooks.Stop[0].hooks[0].type is required",
  ],
  [
    "a hook without its command",
    { hooks: { Stop: [{ hooks: [{ type: "command" }] }] } },
    "hooks.Stop[0].hooks[0].command → ",
  ],
  [
    "a hook of an unknown type",
    { hooks: { Stop: [{ hooks: [{ type: "shell" }] }] } },
    "hooks.Stop[0].hooks[0].type → must be one of command, prompt, agent, http, mcp_tool",
  ],
  [
    "a hook that may take no time",
    { hooks: { Stop: [{ hooks: [{ ...command, timeout: 0 }] }] } },
    "hooks.Stop[0].hooks[0].timeout → must be a number of seconds",
  ],
  ["a hook outside a matcher", { hooks: { Stop: [command] } }, "hooks.Stop[0].hooks → "],
  [
    "a hook's URL without a scheme",
    { hooks: { Stop: [{ hooks: [{ type: "http", url: "example.com/x" }] }] } },
    "hooks.Stop[0].hooks[0].url → must be a URL",
  ],
  ["a status line that is text", { statusLine: "date" }, "statusLine → must be a mapping"],
  [
    "an attribution that is text",
    { attribution: "me" },
    "attribution → must be true or false, or a mapping",
  ],
  [
    "an unknown permission mode",
    { permissions: { defaultMode: "yolo" } },
    "permissions.defaultMode → must be one of acceptEdits,",
  ],
  [
    "a provider there is not",
    { allowedProviders: ["openai"] },
    "allowedProviders[0] → must be one of anthropic,",
  ],
  [
    "an MCP server of two kinds",
    { allowedMcpServers: [{ serverName: "a", serverUrl: "b" }] },
    "allowedMcpServers[0] → serverName and serverUrl exclude each other",
  ],
  [
    "an MCP server of no kind",
    { deniedMcpServers: [{}] },
    "deniedMcpServers[0] → needs one of serverName, serverCommand, serverUrl",
  ],
  [
    "an allowed name with a blank",
    { allowedMcpServers: [{ serverName: "claude.ai Slack" }] },
    "allowedMcpServers[0].serverName → must be a name of letters",
  ],
  [
    "a command without words",
    { allowedMcpServers: [{ serverCommand: [] }] },
    "allowedMcpServers[0].serverCommand → needs at least one element",
  ],
  [
    "a server that is a program",
    { managedMcpServers: { x: { type: "stdio", command: "npx" } } },
    "managedMcpServers.x.type → must be one of http, sse, streamable-http",
  ],
  [
    "a server with a program beside its URL",
    { managedMcpServers: { x: { type: "http", url: https, command: "npx" } } },
    "managedMcpServers.x.command → not allowed in managedMcpServers",
  ],
  [
    "a server without TLS",
    { managedMcpServers: { x: { type: "http", url: "http://mcp.example.com" } } },
    "managedMcpServers.x.url → must be an https URL",
  ],
  [
    "a header that moves the cursor",
    { managedMcpServers: { x: { type: "http", url: https, headers: { A: "\u001b[2J" } } } },
    "managedMcpServers.x.headers.A → must be text without control",
  ],
  [
    "servers as a list",
    { managedMcpServers: [{ name: "x" }] },
    "managedMcpServers → must be a mapping of server names to servers",
  ],
  [
    "a marketplace of an unknown source",
    { extraKnownMarketplaces: { x: { source: { source: "svn" } } } },
    "extraKnownMarketplaces.x.source.source → must be one of github, git, url,",
  ],
  [
    "a marketplace without its repository",
    { strictKnownMarketplaces: [{ source: "github" }] },
    "strictKnownMarketplaces[0].repo → ",
  ],
  [
    "a wildcard for more than an owner",
    { blockedMarketplaces: [{ source: "github", repo: "*/*" }] },
    "blockedMarketplaces[0].repo → must be a repository as owner/name, or owner/*",
  ],
  [
    "a source that only a block list knows",
    { strictKnownMarketplaces: [{ source: "pluginDirectory" }] },
    "strictKnownMarketplaces[0].source → must be one of",
  ],
  [
    "a plugin without a repository to be relative to",
    {
      extraKnownMarketplaces: {
        x: { source: { source: "settings", name: "x", plugins: [{ name: "p", source: "./p" }] } },
      },
    },
    "extraKnownMarketplaces.x.source.plugins[0].source → must be a mapping with source",
  ],
  [
    "a plugin's switch as text",
    { enabledPlugins: { "a@b": "on" } },
    'enabledPlugins["a@b"] → must be true or false, or a list',
  ],
  [
    "a plugin's answer that is a mapping",
    { pluginConfigs: { p: { options: { o: {} } } } },
    "pluginConfigs.p.options.o → must be text, a number",
  ],
  [
    "an extract without a group",
    { sandbox: { credentials: { files: [{ path: "x", mode: "mask", extract: "(?:a)" }] } } },
    "sandbox.credentials.files[0].extract → must be a regular expression",
  ],
  [
    "a variable's name with a dash",
    { sandbox: { credentials: { envVars: [{ name: "MY-KEY", mode: "deny" }] } } },
    "sandbox.credentials.envVars[0].name → must be the name of an environment variable",
  ],
  [
    "a price for nothing",
    { modelPricing: { multiplier: 0 } },
    "modelPricing.multiplier → must be a number greater than 0",
  ],
  [
    "half a price",
    { modelPricing: { overrides: { m: { input: 1 } } } },
    "modelPricing.overrides.m.output → ",
    "modelPricing.overrides.m.cacheRead → ",
    "modelPricing.overrides.m.cacheWrite → ",
  ],
  [
    "a helper asked too often",
    { policyHelper: { path: "/x", refreshIntervalMs: 1000 } },
    "policyHelper.refreshIntervalMs → must be 0, or a whole number of milliseconds",
  ],
];

describe("named:", () => {
  test.each(mistaken)("%s", (_, document, ...beginnings) => {
    const lines = saidOf(document);
    expect(lines).toHaveLength(beginnings.length);
    for (const beginning of beginnings) {
      expect(lines.filter((line) => line.startsWith(beginning))).toHaveLength(1);
    }
  });
});
