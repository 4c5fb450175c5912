// The gateway.yaml of the demo, as text: a complete configuration with a comment on every section, so that a person can
// keep it and replace one part after the other by their own. What the sections mean is config/schema.ts.

/** A model API: where it is, and its key, either by the name of the environment variable that holds it or as it is. */
export type DemoUpstream = { baseUrl: string } & ({ apiKeyVariable: string } | { apiKey: string });

export const demoClientId = "claude-gateway-demo";

/** Where the identity provider sends the browser back to, for a gateway on this port. */
export function callbackUri(port: number): string {
  return `http://localhost:${port}/oauth/callback`;
}

/**
 * The demo's configuration. Secrets that the demo makes up stand in it as they are: they are worth nothing after it, and
 * the file is readable by its owner only. A real API key never does; it stays in the environment.
 */
export function demoConfigText(o: {
  port: number;
  issuer: string;
  clientSecret: string;
  jwtSecret: string;
  directory: string;
  upstream: DemoUpstream;
}): string {
  const apiKey = "apiKey" in o.upstream ? o.upstream.apiKey : `\${${o.upstream.apiKeyVariable}}`;
  return `# The configuration of \`claude-gateway demo\`. Try out a change: claude-gateway check --config FILE

# This machine only. For a team: host 0.0.0.0, and the https:// address developers reach it by as public_url.
listen:
  host: 127.0.0.1
  port: ${o.port}
  public_url: http://localhost:${o.port}

# Who may sign in. Replace the demo's identity provider by your company's, with <public_url>/oauth/callback registered
# there as the redirect URI, and add allowed_email_domains.
oidc:
  issuer: ${quoted(o.issuer)}
  client_id: ${demoClientId}
  client_secret: ${quoted(o.clientSecret)}

# Developers' sessions: signed with this secret, renewed at the identity provider every hour.
# For a team: jwt_secret: \${GATEWAY_JWT_SECRET}, from \`openssl rand -base64 48\`.
session:
  jwt_secret: ${quoted(o.jwtSecret)}
  ttl_hours: 1

# A database inside the process, for one machine. For replicas: postgres_url: \${GATEWAY_POSTGRES_URL}
store:
  embedded: ${quoted(o.directory)}

# Where requests go, in this order: the next one is tried when one fails.
upstreams:
  - provider: anthropic
    base_url: ${quoted(o.upstream.baseUrl)}
    auth:
      api_key: ${quoted(apiKey)}
`;
}

/** A JSON string is a YAML string too, whatever is in it. */
function quoted(text: string): string {
  return JSON.stringify(text);
}
