// Shapes of Claude Desktop settings that have been replaced: a warning for each, and the document in the current ones. Claude
// Desktop rejects the old shapes after the date in the warning, and with them what they configure; the gateway takes them, so
// that a file which started a gateway before still does.
import type { SettingsDocument } from "../mapping.ts";
import type { Partly } from "../pieces.ts";
import type { ManagedMcpServer } from "./managed-mcp.ts";
import type { DesktopSettings } from "./settings.ts";

type Settings = Partly<DesktopSettings>;

/** One sentence for each replaced shape or key in a document. */
export function deprecationsOf(settings: Settings): string[] {
  return deprecations
    .filter(({ isIn }) => isIn(settings))
    .map(
      ({ what, until = "October 7, 2026", instead }) =>
        `${what} is deprecated, and Claude Desktop accepts it until ${until}: ${instead}`,
    );
}

/** The document with every replaced shape written in the current one. @param document one that has its shape. */
export function inCurrentShapes(document: SettingsDocument): SettingsDocument {
  const { builtinToolPolicy, orgPluginSettings, managedMcpServers } = document as DesktopSettings;
  return {
    ...document,
    ...(builtinToolPolicy && { builtinToolPolicy: askingEachTime(builtinToolPolicy) }),
    ...(orgPluginSettings && { orgPluginSettings: permissionList(orgPluginSettings) }),
    ...(managedMcpServers && { managedMcpServers: managedMcpServers.map(currentServer) }),
  };
}

type Deprecation = {
  what: string;
  until?: string;
  instead: string;
  isIn: (settings: Settings) => boolean;
};

const isSomeServer =
  (isOld: (server: Partly<ManagedMcpServer>) => boolean) =>
  ({ managedMcpServers }: Settings) =>
    managedMcpServers?.some((server) => server !== undefined && isOld(server)) ?? false;

const deprecations: readonly Deprecation[] = [
  {
    what: "organizationPluginsUrl",
    instead: 'write an allowedPluginMarketplaces entry with source: "url"',
    isIn: (settings) => settings.organizationPluginsUrl !== undefined,
  },
  {
    what: "allowOptionalClientAuth",
    until: "November 17, 2026",
    instead: "remove it once every device has Claude Desktop 1.49585.0 or later",
    isIn: (settings) => settings.allowOptionalClientAuth !== undefined,
  },
  {
    what: "orgPluginSettings as a mapping with mcpServers",
    instead: "write a list of entries with serverName and tools",
    isIn: ({ orgPluginSettings }) =>
      orgPluginSettings !== undefined && !Array.isArray(orgPluginSettings),
  },
  {
    what: '"ask-session" as a tool\'s permission',
    instead: 'write "ask"',
    isIn: ({ builtinToolPolicy, orgPluginSettings, managedMcpServers }) =>
      JSON.stringify([
        builtinToolPolicy,
        orgPluginSettings,
        managedMcpServers?.map((server) => server?.toolPolicy),
      ]).includes(':"ask-session"'),
  },
  {
    what: "a managedMcpServers entry without transport",
    instead: 'write transport: "http" (or "sse" or "stdio") unless the entry has server',
    isIn: isSomeServer(
      (server) => !Object.hasOwn(server, "transport") && !Object.hasOwn(server, "server"),
    ),
  },
  {
    what: 'transport: "builtin" in a managedMcpServers entry',
    instead: "remove it",
    isIn: isSomeServer(({ transport }) => transport === "builtin"),
  },
  {
    what: "scopes in a managedMcpServers entry",
    instead: "write scope, with blanks between the scopes",
    isIn: isSomeServer(({ scopes }) => scopes !== undefined),
  },
  {
    what: "authorityHost in a managedMcpServers entry",
    instead: 'write azureCloud: "us-gov-high" for a GCC High tenant, and nothing otherwise',
    isIn: isSomeServer((server) => Object.hasOwn(server, "authorityHost")),
  },
  {
    what: "oauth.scopes, or oauth.scope as a list, in a managedMcpServers entry",
    instead: "write oauth.scope as text, with blanks between the scopes",
    isIn: isSomeServer(
      ({ oauth }) =>
        typeof oauth === "object" && (oauth.scopes !== undefined || Array.isArray(oauth.scope)),
    ),
  },
];

type Policy = Readonly<Record<string, string>>;

function askingEachTime(policy: Policy): Policy {
  return Object.fromEntries(
    Object.entries(policy).map(([tool, permission]) => [tool, askingOnce(permission)]),
  );
}

function askingOnce(permission: string): string {
  return permission === "ask-session" ? "ask" : permission;
}

function permissionList(settings: NonNullable<DesktopSettings["orgPluginSettings"]>): unknown[] {
  if (!Array.isArray(settings)) {
    return Object.entries(settings.mcpServers ?? {}).map(([serverName, { toolPolicy = {} }]) => ({
      serverName,
      tools: Object.entries(toolPolicy).map(([toolName, permission]) => ({
        toolName,
        permission: askingOnce(permission),
      })),
    }));
  }
  return settings.map((server) => ({
    ...server,
    ...(server.tools && {
      tools: server.tools.map((tool) => ({ ...tool, permission: askingOnce(tool.permission) })),
    }),
  }));
}

function currentServer(server: ManagedMcpServer): Record<string, unknown> {
  const { transport, scopes, authorityHost, toolPolicy, oauth, ...others } = server;
  const isGovernment =
    typeof authorityHost === "string" && /(^|\/)login\.microsoftonline\.us\b/i.test(authorityHost);
  return {
    ...(server.server === undefined ? { transport: transport ?? "http" } : {}),
    ...(scopes && { scope: scopes.join(" ") }),
    ...(isGovernment && { azureCloud: "us-gov-high" }),
    ...others,
    ...(toolPolicy && { toolPolicy: askingEachTime(toolPolicy) }),
    ...(oauth === undefined ? {} : { oauth: typeof oauth === "object" ? inOneText(oauth) : oauth }),
  };
}

type OauthClient = Exclude<ManagedMcpServer["oauth"], boolean | undefined>;

function inOneText({ scope, scopes, ...others }: OauthClient): Record<string, unknown> {
  const written = scope ?? scopes;
  const text = Array.isArray(written) ? written.join(" ") : written;
  return { ...others, ...(text === undefined ? {} : { scope: text }) };
}
