// Rules between the fields of `managedMcpServers`. Claude Desktop drops an entry that breaks one of them, and with it the server
// and its tool policy, without telling anybody but the person's log.
import { hostOf, isLoopbackHost } from "../addresses.ts";
import { type Finding, type Path, when } from "../problems.ts";
import type { Partly } from "../pieces.ts";
import {
  builtInServers,
  type ManagedMcpServer,
  managedMcpServer,
  type ServerKind,
  transports,
} from "./managed-mcp.ts";

type Server = Partly<ManagedMcpServer>;

/** Every broken rule of a list of servers. Fields that did not have their shape are undefined, and are passed over. */
export function managedServerProblems(
  servers: readonly (Server | undefined)[],
  path: Path,
): Finding[] {
  const names = servers.map((server) => server?.name);
  return servers.flatMap((server, index) => {
    if (server === undefined) return [];
    const place = [...path, index];
    return [
      ...when(
        server.name !== undefined && names.indexOf(server.name) < index,
        [...place, "name"],
        "the names of MCP servers must be unique",
      ),
      ...rules.flatMap((rule) => rule(server, place)),
    ];
  });
}

const rules: readonly ((server: Server, path: Path) => Finding[])[] = [
  kindProblems,
  ({ url }, path) => notLoopback(url, [...path, "url"]),
  ({ server, provider, customUrl, headers, headersHelper }, path) => [
    ...when(
      server === "websearch" && provider === "custom" && customUrl === undefined,
      [...path, "customUrl"],
      "is required when provider is custom",
    ),
    ...when(
      server === "websearch" &&
        provider !== undefined &&
        provider !== "custom" &&
        headers === undefined &&
        headersHelper === undefined,
      [...path, "headers"],
      `headers or headersHelper is required for provider "${provider ?? ""}"`,
    ),
  ],
  ({ oauth }, path) => (typeof oauth === "object" ? oauthProblems(oauth, path) : []),
];

/** Which fields an entry must and may have. */
function kindProblems(server: Server, path: Path): Finding[] {
  const { transport, server: builtIn } = server;
  if (builtIn !== undefined && transport !== undefined && transport !== "builtin") {
    return [
      {
        path: [...path, "transport"],
        message: "a server that comes with Claude Desktop has no transport: remove it, or server",
      },
    ];
  }
  const kind = kindOf(server);
  if (kind === undefined) return [];
  const { name, required, allowed } = kind;
  const missing = required
    .filter((field) => !Object.hasOwn(server, field))
    .map((field) => ({ path: [...path, field], message: `is required on an entry with ${name}` }));
  const foreign = Object.keys(server)
    .filter(
      (field) =>
        Object.hasOwn(managedMcpServer.properties, field) &&
        !allowed.some((other) => other === field),
    )
    .map((field) => ({
      path: [...path, field],
      message: `does not belong to an entry with ${name}, and would be ignored`,
    }));
  return [...missing, ...foreign];
}

/** Undefined when the word that says so did not have its shape. */
function kindOf(server: Server): (ServerKind & { name: string }) | undefined {
  const tag = Object.hasOwn(server, "server") ? "server" : "transport";
  const word = server[tag];
  if (word === undefined && Object.hasOwn(server, tag)) return undefined;
  // Deprecated, but meant; deprecated.ts warns of it.
  if (word === undefined) return named(transports.http, "a url");
  if (word === "builtin")
    return {
      name: "a server that comes with Claude Desktop",
      required: ["server"],
      allowed: fields,
    };
  return named(tag === "server" ? builtInServers[word] : transports[word], `${tag}: ${word}`);
}

const fields = Object.keys(managedMcpServer.properties) as (keyof ManagedMcpServer)[];

function named(kind: ServerKind | undefined, name: string) {
  return kind === undefined ? undefined : { ...kind, name };
}

type OauthClient = Extract<NonNullable<Server["oauth"]>, object>;

function oauthProblems(oauth: OauthClient, server: Path): Finding[] {
  const path = [...server, "oauth"];
  const hasSecret = oauth.clientSecret !== undefined || oauth.clientSecretHelper !== undefined;
  const registers = Object.keys(oauth).every((field) => ofAutomaticRegistration.has(field));
  return [
    ...when(
      oauth.clientSecret !== undefined &&
        (typeof oauth.clientSecret !== "string" || oauth.clientSecret === ""),
      [...path, "clientSecret"],
      "must be text; write it in quotes",
    ),
    ...when(
      hasSecret && !Object.hasOwn(oauth, "authorizationServer"),
      [...path, "authorizationServer"],
      "is required when a client secret is configured",
    ),
    ...when(
      Object.hasOwn(oauth, "authorizationUrl") !== Object.hasOwn(oauth, "tokenUrl"),
      [...path, Object.hasOwn(oauth, "tokenUrl") ? "authorizationUrl" : "tokenUrl"],
      "both authorizationUrl and tokenUrl are required when either is set",
    ),
    ...when(
      !registers && !Object.hasOwn(oauth, "clientId") && oauth.mode !== "hosted",
      [...path, "clientId"],
      "is required, except for automatic registration: that is oauth: true, or a mapping with only scope, appendOfflineAccess and additionalRedirectReferrerHosts",
    ),
    ...(oauth.authorizationServer ?? []).flatMap((url, index) =>
      notLoopback(url, [...path, "authorizationServer", index]),
    ),
  ];
}

const ofAutomaticRegistration: ReadonlySet<string> = new Set([
  "mode",
  "scope",
  "scopes",
  "appendOfflineAccess",
  "additionalRedirectReferrerHosts",
]);

/** A URL out of a policy means the same on every machine. */
export function notLoopback(url: string | undefined, path: Path): Finding[] {
  return when(
    url !== undefined && isLoopbackHost(hostOf(url)),
    path,
    "must not be a loopback address: every Claude Desktop would drop it",
  );
}
