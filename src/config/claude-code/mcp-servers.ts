// Settings of Claude Code 2.1.330 for MCP servers: which may be used, and those that a policy brings along. From public
// documentation and observed answers.
import { Type } from "@sinclair/typebox";
import { closed, open, refused } from "../pieces.ts";
import { aFlag, aText, httpsUrl, oneOf, printable, someText, texts, wholeNumber } from "./kinds.ts";

const runsProgram = refused(
  "not allowed in managedMcpServers: a policy must not name a program to run on developers' machines; only servers at an https URL are handed out",
);

const remoteServer = {
  url: Type.String({
    pattern: `^ *[Hh][Tt][Tt][Pp][Ss]:[/\\\\]*[^\\s/?#\\\\]+ *(?:[/?#\\\\]${printable})?$`,
    description: "an https URL",
  }),
  headers: Type.Optional(
    Type.Record(
      Type.String(),
      Type.String({
        pattern: `^${printable}$`,
        description: "text without control or invisible characters",
      }),
    ),
  ),
  oauth: Type.Optional(
    Type.Object(
      {
        clientId: aText,
        callbackPort: Type.Optional(wholeNumber(1)),
        authServerMetadataUrl: Type.Optional(httpsUrl),
        scopes: someText,
        xaa: aFlag,
      },
      open,
    ),
  ),
  timeout: Type.Optional(wholeNumber(1)),
  alwaysLoad: aFlag,
  tools: Type.Optional(
    Type.Array(
      Type.Object(
        {
          name: Type.String(),
          permission_policy: oneOf("always_allow", "always_ask", "always_deny"),
        },
        open,
      ),
    ),
  ),
  command: runsProgram,
  args: runsProgram,
  env: runsProgram,
  headersHelper: runsProgram,
};

const managedServer = Type.Union(
  [
    Type.Object({ type: Type.Literal("http"), ...remoteServer }, open),
    Type.Object({ type: Type.Literal("sse"), ...remoteServer }, open),
    // another spelling of http
    Type.Object({ type: Type.Literal("streamable-http"), ...remoteServer }, open),
  ],
  { discriminator: "type" },
);

const byCommand = Type.Object(
  {
    serverCommand: Type.Array(Type.String(), {
      minItems: 1,
      whenEmpty: "needs at least one element, the command",
    }),
  },
  open,
);
const byUrl = Type.Object({ serverUrl: Type.String() }, open);

/** Names of servers that may be allowed; a connector of claude.ai is allowed by its URL. */
const allowedByName = Type.Object(
  {
    serverName: Type.String({
      pattern: "^[A-Za-z0-9_-]+$",
      description: "a name of letters, digits, - and _ (use serverUrl for any other server)",
    }),
  },
  open,
);
const deniedByName = Type.Object(
  { serverName: Type.String({ pattern: "\\S", description: "the name of a server" }) },
  open,
);

export const mcpServerKeys = {
  managedMcpServers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[A-Za-z0-9_-]+$" }), managedServer, {
      ...closed,
      description: "a mapping of server names to servers",
      whenUnknown: "the name of a server holds letters, digits, - and _ only",
    }),
  ),
  mcpServers: refused(
    'not a managed-settings key — use "managedMcpServers" (http/sse servers only; same entry shape as .mcp.json)',
  ),
  allowedMcpServers: Type.Optional(Type.Array(Type.Union([allowedByName, byCommand, byUrl]))),
  deniedMcpServers: Type.Optional(Type.Array(Type.Union([deniedByName, byCommand, byUrl]))),
  allowManagedMcpServersOnly: aFlag,
  allowAllClaudeAiMcps: aFlag,
  allowClaudeInChromeWithManagedMcp: aFlag,
  disableClaudeAiConnectors: aFlag,
  enableAllProjectMcpServers: aFlag,
  enabledMcpjsonServers: texts,
  disabledMcpjsonServers: texts,
} as const;
