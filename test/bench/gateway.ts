// A measured gateway: its configuration, the identity provider its boot asks, a bearer nobody signed in for, and how to
// start it. It is driven from outside only, so that any gateway with the same configuration can be measured.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { freePort, type Server, startServer } from "./processes.ts";

/** An entry of `upstreams:` by provider. The keys are those of AWS's documentation: every request is signed, none is checked. */
const upstreamEntry = {
  anthropic: (origin: string) => ({
    provider: "anthropic",
    base_url: origin,
    auth: { api_key: "sk-bench" },
  }),
  bedrock: (origin: string) => ({
    provider: "bedrock",
    region: "us-east-1",
    base_url: origin,
    auth: {
      aws_access_key_id: "AKIAIOSFODNN7EXAMPLE",
      aws_secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
  }),
};
export type Provider = keyof typeof upstreamEntry;

/** Of every measured gateway, as of replicas: a bearer of one is good at the other. */
const publicUrl = "http://localhost";
const jwtSecret = "a secret of the benchmark, of no use elsewhere";

export type Gateway = {
  readonly start: () => Promise<Server>;
  /** Ends what stands beside the gateway, not the gateway. */
  readonly close: () => Promise<void>;
};

/** Of the admin API, where spend is counted. */
const adminKey = "a key of the benchmark, of no use elsewhere";

/**
 * Writes gateway.yaml for one upstream of that provider and one database.
 * @param options.name of the gateway, among those of one run.
 * @param options.spend whether it counts spend, under a cap that nobody reaches.
 * @param options.collectorPort of a collector that takes everything the gateway has to tell; without one it tells nothing.
 * @param options.directory gets a directory of the gateway's own.
 * @param options.command a command line with `{config}` in it, run by the shell with `exec`.
 */
export function prepareGateway(options: {
  name: string;
  provider: Provider;
  spend: boolean;
  collectorPort?: number | undefined;
  command: string;
  directory: string;
  upstreamPort: number;
  postgresUrl: string;
}): Gateway {
  const port = freePort();
  const identityProvider = serveDiscovery();
  const directory = join(options.directory, options.name);
  const home = join(directory, "home");
  mkdirSync(home, { recursive: true });
  const configPath = join(directory, "gateway.yaml");
  const stderrPath = join(directory, "gateway.stderr");
  // JSON is YAML.
  writeFileSync(
    configPath,
    JSON.stringify({
      listen: { host: "127.0.0.1", port, public_url: publicUrl },
      oidc: {
        issuer: identityProvider.issuer,
        client_id: "bench",
        client_secret: "of-no-use-elsewhere",
      },
      session: { jwt_secret: jwtSecret, ttl_hours: 1 },
      store: { postgres_url: options.postgresUrl },
      upstreams: [upstreamEntry[options.provider](`http://127.0.0.1:${options.upstreamPort}`)],
      auto_include_builtin_models: true,
      ...(options.spend && { admin: { write_keys: [{ id: "bench", key: adminKey }] } }),
      ...(options.collectorPort !== undefined && everythingTold(options.collectorPort)),
    }),
    { mode: 0o600 },
  );
  const argv = ["/bin/sh", "-c", `exec ${options.command.replaceAll("{config}", configPath)}`];
  // Nothing of the caller's environment but PATH: a proxy variable or a lifted limit would be measured as well.
  const env = {
    PATH: process.env.PATH ?? "/usr/bin:/bin",
    HOME: home,
    CLAUDE_CONFIG_DIR: join(home, ".claude"),
    LANG: "C.UTF-8",
    CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1",
  };
  return {
    async start() {
      const server = await startServer(
        `gateway (${options.name})`,
        { argv, env, stderrPath },
        port,
      );
      if (options.spend) await setCap(port);
      return server;
    },
    close: identityProvider.close,
  };
}

/** All of the telemetry that there is, to one collector; and the metrics also to read. */
function everythingTold(collectorPort: number) {
  const collector = {
    url: `http://127.0.0.1:${collectorPort}`,
    metrics: true,
    logs: true,
    traces: true,
    requests: true,
    gateway_metrics: true,
  };
  return {
    telemetry: { verify_identity: true, forward_to: [collector] },
    metrics: { port: freePort() },
  };
}

/** A cap on everybody's month: from then on each request is held against it, and each answer tells of it. */
async function setCap(port: number): Promise<void> {
  const cap = { scope: { type: "organization" }, amount: "100000000000000", period: "monthly" };
  const answer = await fetch(`http://127.0.0.1:${port}/v1/organizations/spend_limits`, {
    method: "POST",
    headers: { "x-api-key": adminKey },
    body: JSON.stringify(cap),
  });
  if (!answer.ok) throw new Error(`the cap was not taken: ${answer.status} ${await answer.text()}`);
}

/** A bearer as the gateway mints it after a sign-in: HS256, `kid` is the first 16 hex digits of the secret's SHA-256. */
export function mintBearer(): Promise<string> {
  const kid = createHash("sha256").update(jwtSecret).digest("hex").slice(0, 16);
  const claims = {
    sub: "ada",
    email: "ada@example.com",
    name: "Ada Lovelace",
    groups: ["engineering", "platform"],
  };
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid })
    .setIssuer(publicUrl)
    .setAudience("claude-gateway")
    .setIssuedAt()
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(jwtSecret));
}

/** As much of an identity provider as a boot needs: the discovery document (OpenID Connect Discovery 1.0 §4) and no keys. */
function serveDiscovery(): { issuer: string; close: () => Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { origin: issuer, pathname } = new URL(request.url);
      if (pathname === "/jwks") return Response.json({ keys: [] });
      if (pathname !== "/.well-known/openid-configuration")
        return new Response("not found", { status: 404 });
      return Response.json({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        userinfo_endpoint: `${issuer}/userinfo`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
        code_challenge_methods_supported: ["S256"],
        scopes_supported: ["openid", "profile", "email", "offline_access"],
      });
    },
  });
  return { issuer: `http://localhost:${server.port}`, close: () => server.stop(true) };
}
