// The MCP servers and plugins of a `desktop` document, and the shapes that have been replaced.
import { describe, expect, test } from "bun:test";
import { inCurrentShapes } from "../../src/config/claude-desktop/deprecated.ts";
import { desktopWarnings } from "../../src/config/claude-desktop/rules.ts";
import {
  blamed,
  type Document,
  full,
  local,
  market,
  office,
  problems,
  remote,
  servers,
} from "./desktop-samples.ts";

describe("an MCP server is refused", () => {
  const url = { ...remote, transport: "http" };
  const cases: [string, Document, string][] = [
    ["without a name", { ...url, name: undefined }, "name"],
    ["over an unknown transport", { ...url, transport: "ws" }, "transport"],
    ["over http without a URL", { name: "a", transport: "http" }, "url"],
    ["over plain http", { ...url, url: "http://mcp.example" }, "url"],
    ["on the person's own machine", { ...url, url: "https://127.0.0.1/mcp" }, "url"],
    ["with a command over http", { ...url, command: "/x" }, "command"],
    ["over stdio without a command", { name: "a", transport: "stdio" }, "command"],
    ["over stdio with a URL", { ...local, url: "https://a.example" }, "url"],
    ["with a command that needs a shell", { ...local, command: "npx foo" }, "command"],
    ["with a command on a share", { ...local, command: "\\\\h\\x" }, "command"],
    [
      "with a start that may take forever",
      { ...local, startupTimeoutSec: 601 },
      "startupTimeoutSec",
    ],
    ["with a policy only and a URL", { ...url, transport: "policy-only" }, "url"],
    ["that does not come with Claude Desktop", { name: "a", server: "gitlab" }, "server"],
    ["built in and over a transport", { ...office, transport: "http" }, "transport"],
    ["without a tenant", { ...office, tenantId: undefined }, "tenantId"],
    ["of a tenant that is no GUID", { ...office, tenantId: "contoso" }, "tenantId"],
    ["searching without a key", { name: "w", server: "websearch", provider: "brave" }, "headers"],
    ["searching nowhere", { name: "w", server: "websearch", provider: "custom" }, "customUrl"],
    ["with a permission nobody knows", { ...url, toolPolicy: { t: "deny" } }, "toolPolicy.t"],
    ["with headers of another type", { ...url, headers: { A: 5 } }, "headers.A"],
    ["with oauth as text", { ...url, oauth: "true" }, "oauth"],
    ["with a field of oauth nobody knows", { ...url, oauth: { foo: 1 } }, "oauth.foo"],
    [
      "with half of the endpoints",
      { ...url, oauth: { clientId: "a", tokenUrl: "https://a.example" } },
      "oauth.authorizationUrl",
    ],
    [
      "with a secret for any server",
      { ...url, oauth: { clientId: "a", clientSecret: "s" } },
      "oauth.authorizationServer",
    ],
    ["with a port and no client", { ...url, oauth: { callbackPort: 2000 } }, "oauth.clientId"],
    [
      "with a port of the system",
      { ...url, oauth: { clientId: "a", callbackPort: 80 } },
      "oauth.callbackPort",
    ],
  ];
  test.each(cases)("%s", (_, server, field) => {
    expect(blamed(servers(server))).toEqual([`managedMcpServers[0].${field}`]);
  });

  test("when it has the name of another", () => {
    expect(blamed(servers(remote, { ...local, name: remote.name }))).toEqual([
      "managedMcpServers[1].name",
    ]);
  });

  test("without its secret being repeated", () => {
    const oauth = {
      clientId: "a",
      clientSecret: 918_273,
      authorizationServer: ["https://a.example"],
    };
    const [message = ""] = problems(servers({ ...remote, oauth }));
    expect(message).toStartWith("managedMcpServers[0].oauth.clientSecret");
    expect(message).not.toContain("918273");
  });
});

describe("a plugin marketplace", () => {
  const cases: [string, Document, string][] = [
    ["without a source", { repo: "a/b" }, "source"],
    ["of a repository that is none", { source: "github", repo: "ab" }, "repo"],
    ["over plain http", { source: "git", url: "http://a.example/r.git" }, "url"],
    ["on the person's own machine", { source: "url", url: "https://localhost/m.json" }, "url"],
    [
      "with a digest that is none",
      { source: "url", url: "https://a.example", manifestSha256: "x" },
      "manifestSha256",
    ],
    [
      "with a helper that is missing",
      { source: "github", repo: "a/b", credentialKind: "credentialHelper" },
      "credentialHelper",
    ],
    [
      "with a helper nobody asks",
      { source: "github", repo: "a/b", credentialHelper: "/h" },
      "credentialHelper",
    ],
    [
      "with the gateway's credential for git",
      { source: "git", url: "https://a.example", credentialKind: "inferenceCredential" },
      "credentialKind",
    ],
  ];
  test.each(cases)("is refused %s", (_, entry, field) => {
    expect(blamed(market(entry))).toEqual([`allowedPluginMarketplaces[0].${field}`]);
  });

  test("that installs by itself is warned of until it is pinned", () => {
    const auto = { source: "github", repo: "a/b", installationPreference: "auto_install" };
    expect(desktopWarnings(market(auto))).toHaveLength(1);
    expect(desktopWarnings(market({ ...auto, ref: "main" }))).toHaveLength(1);
    expect(desktopWarnings(market({ ...auto, ref: "a".repeat(40) }))).toEqual([]);
    const hosted = { source: "url", url: "https://a.example", installationPreference: "required" };
    expect(desktopWarnings(market(hosted))).toHaveLength(1);
    expect(desktopWarnings(market({ ...hosted, manifestSha256: "a".repeat(64) }))).toEqual([]);
  });
});

describe("a replaced shape is taken, warned of, and written in the current one:", () => {
  const { transport: _, ...withoutTransport } = remote;
  const { toolPolicy, oauth } = { toolPolicy: { t: "ask-session" }, oauth: { clientId: "a" } };
  const cases: [string, string, Document, Document][] = [
    [
      "a server without a transport",
      "without transport",
      servers(withoutTransport),
      servers(remote),
    ],
    [
      "a transport of a built-in server",
      '"builtin"',
      servers({ ...office, transport: "builtin" }),
      servers(office),
    ],
    [
      "scopes in a list",
      "scopes",
      servers({ ...office, scopes: ["a", "b"] }),
      servers({ ...office, scope: "a b" }),
    ],
    [
      "the host of a government cloud",
      "authorityHost",
      servers({ ...office, authorityHost: "https://login.microsoftonline.us" }),
      servers({ ...office, azureCloud: "us-gov-high" }),
    ],
    [
      "another host",
      "authorityHost",
      servers({ ...office, authorityHost: "login.microsoftonline.com" }),
      servers(office),
    ],
    [
      "a scope of oauth in a list",
      "oauth.scope",
      servers({ ...remote, oauth: { ...oauth, scope: ["a", "b"] } }),
      servers({ ...remote, oauth: { ...oauth, scope: "a b" } }),
    ],
    [
      "scopes of oauth",
      "oauth.scopes",
      servers({ ...remote, oauth: { ...oauth, scopes: ["a"] } }),
      servers({ ...remote, oauth: { ...oauth, scope: "a" } }),
    ],
    [
      "ask-session of a server",
      "ask-session",
      servers({ ...remote, toolPolicy }),
      servers({ ...remote, toolPolicy: { t: "ask" } }),
    ],
    [
      "ask-session of a built-in tool",
      "ask-session",
      { builtinToolPolicy: { Bash: "ask-session" } },
      { builtinToolPolicy: { Bash: "ask" } },
    ],
    [
      "ask-session of a plugin",
      "ask-session",
      {
        orgPluginSettings: [
          { serverName: "s", tools: [{ toolName: "t", permission: "ask-session" }] },
        ],
      },
      { orgPluginSettings: [{ serverName: "s", tools: [{ toolName: "t", permission: "ask" }] }] },
    ],
    [
      "permissions by server",
      "orgPluginSettings",
      { orgPluginSettings: { mcpServers: { s: { toolPolicy: { t: "blocked" } } } } },
      {
        orgPluginSettings: [{ serverName: "s", tools: [{ toolName: "t", permission: "blocked" }] }],
      },
    ],
    [
      "a URL of plugins",
      "organizationPluginsUrl",
      { organizationPluginsUrl: "https://a.example" },
      { organizationPluginsUrl: "https://a.example" },
    ],
    [
      "a client certificate as an option",
      "allowOptionalClientAuth",
      { allowOptionalClientAuth: true },
      { allowOptionalClientAuth: true },
    ],
  ];
  test.each(cases)("%s", (_name, word, old, current) => {
    expect(problems(old)).toEqual([]);
    expect(desktopWarnings(old)).toEqual([expect.stringContaining(word)]);
    expect(inCurrentShapes(old)).toEqual(current);
  });

  test("current shapes stay as they are", () => {
    expect(inCurrentShapes({ ...full, keyOfTomorrow: 1 })).toEqual({ ...full, keyOfTomorrow: 1 });
  });
});
