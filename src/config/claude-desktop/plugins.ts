// Plugins, extensions and MCP servers in Claude Desktop: what is provided, what people may add, what their tools may do. Data
// only; it describes Claude Code 2.1.330 and was written from public documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { closed, open, text, words } from "../pieces.ts";
import { managedMcpServer } from "./managed-mcp.ts";
import { httpsUrl, optionalFlag, visibleText, wholeNumber } from "./values.ts";

const serverPatterns = Type.Optional(
  Type.Array(Type.Object({ serverUrl: visibleText("a URL pattern") }, closed)),
);

const mcp = {
  managedMcpServers: Type.Optional(Type.Array(managedMcpServer)),
  isLocalDevMcpEnabled: optionalFlag,
  mcpPersistentAlwaysAllowEnabled: optionalFlag,
  mcpScheduledTaskApprovalLifetimeDays: Type.Optional(wholeNumber(0, 3650)),
  mcpToolTimeoutSec: Type.Optional(wholeNumber(60, 3600)),
  allowedPluginMcpServers: serverPatterns,
  deniedPluginMcpServers: serverPatterns,
} as const;

const permission = words("allow", "ask", "ask-session", "blocked");

const toolPermissions = Type.Object(
  {
    serverName: text("a server's name"),
    tools: Type.Optional(
      Type.Array(Type.Object({ toolName: text("a tool's name"), permission }, open)),
    ),
  },
  open,
);

/** Deprecated; see deprecated.ts. */
const toolPermissionsByServer = Type.Object(
  {
    mcpServers: Type.Optional(
      Type.Record(
        Type.String(),
        Type.Object({ toolPolicy: Type.Optional(Type.Record(Type.String(), permission)) }, closed),
      ),
    ),
  },
  closed,
);

const commonOfMarketplaces = {
  ref: Type.Optional(text("a commit SHA, branch or tag")),
  path: Type.Optional(text("a folder within the repository")),
  expectedName: Type.Optional(
    Type.String({
      pattern: "^(?!.*\\.$)[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
      description: "letters, numbers, dots, underscores and hyphens, 128 at most",
    }),
  ),
  installationPreference: Type.Optional(words("available", "auto_install", "required")),
  credentialHelper: Type.Optional(text("the path of an executable")),
} as const;

const gitCredential = Type.Optional(words("anonymous", "userGit", "credentialHelper"));

const marketplace = Type.Union(
  [
    Type.Object(
      {
        source: Type.Literal("github"),
        repo: Type.String({ pattern: "^[^\\s/]+/[^\\s/]+$", description: "owner/repo" }),
        credentialKind: gitCredential,
        ...commonOfMarketplaces,
      },
      open,
    ),
    Type.Object(
      {
        source: Type.Literal("git"),
        url: httpsUrl,
        credentialKind: gitCredential,
        ...commonOfMarketplaces,
      },
      open,
    ),
    Type.Object(
      {
        source: Type.Literal("url"),
        url: httpsUrl,
        manifestSha256: Type.Optional(
          Type.String({ pattern: "^[0-9A-Fa-f]{64}$", description: "a SHA-256 in 64 hex digits" }),
        ),
        credentialKind: Type.Optional(
          words("anonymous", "userGit", "credentialHelper", "inferenceCredential"),
        ),
        ...commonOfMarketplaces,
      },
      open,
    ),
  ],
  { discriminator: "source" },
);

const plugins = {
  orgPluginSettings: Type.Optional(
    Type.Union([Type.Array(toolPermissions), toolPermissionsByServer]),
  ),
  allowedPluginMarketplaces: Type.Optional(Type.Array(marketplace)),
  userPluginMarketplacesEnabled: optionalFlag,
  userPluginUploadsEnabled: optionalFlag,
  /** Deprecated; see deprecated.ts. */
  organizationPluginsUrl: Type.Optional(httpsUrl),
  isDesktopExtensionEnabled: optionalFlag,
  isDesktopExtensionSignatureRequired: optionalFlag,
} as const;

export const pluginSettings = { ...mcp, ...plugins } as const;
