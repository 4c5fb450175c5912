// The MCP servers that Claude Desktop is given, and which fields an entry of which kind has. Data only; it describes Claude
// Code 2.1.330 and was written from public documentation and observed answers. The rules between the fields are in
// managed-mcp-rules.ts.
import { type Static, Type } from "@sinclair/typebox";
import { closed, flag, open, text, words } from "../pieces.ts";
import {
  guid,
  httpsUrl,
  localPath,
  optionalFlag,
  wholeNumber,
  wholeNumberAbove0,
} from "./values.ts";

const command = Type.String({
  pattern: String.raw`^(?:(?!\.\.$)[^\\/~\s]+|(?:/(?!/)|[A-Za-z]:[\\/])(?!(?:.*[\\/])?\.\.(?:[\\/]|$))[^\x00-\x1f\x7f]*)$`,
  description:
    "a bare command name, such as npx, or a local absolute path with no ~, .. or UNC prefix",
});

const scopes = Type.Array(text("a scope"));

/** Claude Desktop takes no field more than these: an entry with another one is dropped. */
const oauthClient = Type.Object(
  {
    mode: Type.Optional(words("dcr", "byo", "hosted")),
    clientId: Type.Optional(text("an OAuth client id")),
    // Of any type, so that no message repeats it; managed-mcp-rules.ts asks for text.
    clientSecret: Type.Optional(Type.Unknown()),
    clientSecretHelper: Type.Optional(text("the path of an executable")),
    authorizationServer: Type.Optional(Type.Array(httpsUrl)),
    authorizationUrl: Type.Optional(httpsUrl),
    tokenUrl: Type.Optional(httpsUrl),
    tenantId: Type.Optional(guid),
    authFlow: Type.Optional(words("browser", "broker")),
    scope: Type.Optional(Type.Union([text("scopes with blanks between them"), scopes])),
    /** Deprecated; see deprecated.ts. */
    scopes: Type.Optional(scopes),
    appendOfflineAccess: optionalFlag,
    callbackHost: Type.Optional(words("127.0.0.1", "localhost")),
    callbackPort: Type.Optional(wholeNumber(1024, 65_535)),
    additionalRedirectReferrerHosts: Type.Optional(text("host names with blanks between them")),
  },
  closed,
);

export const managedMcpServer = Type.Object(
  {
    name: text("a name"),
    transport: Type.Optional(words("http", "sse", "stdio", "policy-only", "builtin")),
    server: Type.Optional(words("microsoft365", "websearch", "github")),
    toolPolicy: Type.Optional(
      Type.Record(Type.String(), words("allow", "ask", "ask-session", "blocked")),
    ),
    url: Type.Optional(httpsUrl),
    oauth: Type.Optional(Type.Union([flag, oauthClient])),
    headers: Type.Optional(Type.Record(Type.String(), Type.String())),
    headersHelper: Type.Optional(text("the path of an executable")),
    headersHelperTtlSec: Type.Optional(wholeNumberAbove0),
    headersHelperRefreshBufferSec: Type.Optional(wholeNumberAbove0),
    command: Type.Optional(command),
    args: Type.Optional(Type.Array(Type.String())),
    env: Type.Optional(Type.Record(Type.String(), Type.String())),
    envHelper: Type.Optional(localPath),
    envHelperTtlSec: Type.Optional(wholeNumberAbove0),
    startupTimeoutSec: Type.Optional(wholeNumber(5, 600)),
    tenantId: Type.Optional(guid),
    clientId: Type.Optional(text("an OAuth client id")),
    azureCloud: Type.Optional(words("global", "us-gov-high", "us-gov-dod")),
    scope: Type.Optional(text("scopes with blanks between them")),
    continuousAccessEvaluation: Type.Optional(Type.Union([flag, words("enabled", "disabled")])),
    provider: Type.Optional(words("brave", "tavily", "exa", "custom")),
    customUrl: Type.Optional(httpsUrl),
    host: Type.Optional(text("the host of a GitHub Enterprise Server")),
    toolsets: Type.Optional(text("toolsets with commas between them")),
    readOnly: optionalFlag,
    /** Deprecated; see deprecated.ts. */
    scopes: Type.Optional(scopes),
    authorityHost: Type.Optional(Type.Unknown()),
  },
  open,
);

export type ManagedMcpServer = Static<typeof managedMcpServer>;
type Field = keyof ManagedMcpServer;

/** One kind of entry. */
export type ServerKind = {
  readonly required: readonly Field[];
  readonly allowed: readonly Field[];
};

const ofAll: readonly Field[] = ["name", "transport", "server", "toolPolicy"];
const helped: readonly Field[] = [
  "headers",
  "headersHelper",
  "headersHelperTtlSec",
  "headersHelperRefreshBufferSec",
];
const kind = (required: readonly Field[], others: readonly Field[]): ServerKind => ({
  required,
  allowed: [...ofAll, ...required, ...others],
});
const remote = kind(["url"], ["oauth", ...helped]);

/** Which fields an entry has, by the word of its `transport`. */
export const transports: Readonly<Record<string, ServerKind>> = {
  http: remote,
  sse: remote,
  stdio: kind(["command"], ["args", "env", "envHelper", "envHelperTtlSec", "startupTimeoutSec"]),
  "policy-only": kind([], []),
};

/** The same by the word of its `server`: a server that comes with Claude Desktop. */
export const builtInServers: Readonly<Record<string, ServerKind>> = {
  microsoft365: kind(
    ["tenantId", "clientId"],
    ["azureCloud", "scope", "continuousAccessEvaluation", "scopes", "authorityHost"],
  ),
  websearch: kind(["provider"], ["customUrl", ...helped]),
  github: kind(["clientId"], ["host", "toolsets", "readOnly", "scope", "scopes"]),
};
