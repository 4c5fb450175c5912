// The IdP's discovery document: where its endpoints are and how it wants to be spoken to. A document that cannot be used is an
// error; one that only looks odd is warned about. When it is read is current-metadata.ts's.
import { isMetadataUrl } from "../config/addresses.ts";
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { messageOf } from "../log.ts";
import { readAnswer } from "./answer.ts";

/** What we use of the document (OpenID Connect Discovery §3, RFC 8414 §2, RFC 9207 §3), under its own names. */
export type ProviderMetadata = {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
  jwks_uri: string;
  userinfo_endpoint?: string;
  /** Where Microsoft Graph is in this cloud: only Entra's documents say so, and no standard. */
  msgraph_host?: string;
  authorization_response_iss_parameter_supported: boolean;
  token_endpoint_auth_methods_supported: string[];
};

/**
 * Fetches and checks the document of `oidc.issuer`, or of `oidc.discovery_url` where that is set. Throws an Error whose
 * message names oidc.issuer and what is wrong: no answer, not JSON, or an endpoint that is missing or not http(s).
 */
export async function readDiscovery(config: OidcConfig, egress: Egress): Promise<ProviderMetadata> {
  const url =
    config.discovery_url ?? `${withoutSlash(config.issuer)}/.well-known/openid-configuration`;
  try {
    return checked(await readDocument(url, egress));
  } catch (error) {
    throw new Error(`oidc.issuer ${config.issuer}: ${messageOf(error)}`, { cause: error });
  }
}

async function readDocument(url: string, egress: Egress): Promise<Record<string, unknown>> {
  const answer = await readAnswer(
    await egress.fetch(url, { headers: { accept: "application/json" } }),
  );
  if (answer.status !== 200) throw new Error(`${url}: ${answer.failure}`);
  if (!answer.body)
    throw new Error(`${url} is not a discovery document: its body is not a JSON object`);
  return answer.body;
}

function checked(document: Record<string, unknown>): ProviderMetadata {
  const { issuer } = document;
  if (typeof issuer !== "string" || issuer === "")
    throw new Error("the discovery document has no issuer");
  const { userinfo_endpoint: userinfo, msgraph_host: graphHost } = document;
  return {
    issuer,
    authorization_endpoint: endpoint(document, "authorization_endpoint"),
    token_endpoint: endpoint(document, "token_endpoint"),
    jwks_uri: endpoint(document, "jwks_uri"),
    ...(userinfo === undefined
      ? {}
      : { userinfo_endpoint: endpoint(document, "userinfo_endpoint") }),
    ...(typeof graphHost === "string" ? { msgraph_host: graphHost } : {}),
    authorization_response_iss_parameter_supported:
      document.authorization_response_iss_parameter_supported === true,
    token_endpoint_auth_methods_supported: [document.token_endpoint_auth_methods_supported]
      .flat()
      .filter((method) => typeof method === "string"),
  };
}

function endpoint(document: Record<string, unknown>, field: string): string {
  const value = document[field];
  if (value === undefined) throw new Error(`the discovery document has no ${field}`);
  const protocol = typeof value === "string" ? URL.parse(value)?.protocol : undefined;
  if (typeof value !== "string" || (protocol !== "https:" && protocol !== "http:"))
    throw new Error(`${field} of the discovery document is not an http(s) URL`);
  // Names are looked up and checked when they are asked; what the URL itself says is refused now.
  if (isMetadataUrl(value))
    throw new Error(`${field} of the discovery document is a cloud metadata endpoint: ${value}`);
  // As it is written: it is also the audience of a client assertion.
  return value;
}

/** What looks odd in a document beside this configuration, in sentences for the boot log. */
export function metadataWarnings(config: OidcConfig, metadata: ProviderMetadata): string[] {
  const warnings: string[] = [];
  if (withoutSlash(metadata.issuer) !== withoutSlash(config.issuer)) {
    warnings.push(
      `oidc: the discovery document names the issuer ${metadata.issuer}, oidc.issuer is ${config.issuer}; id_tokens are checked against the document's`,
    );
  }
  if (config.userinfo_fallback && !metadata.userinfo_endpoint) {
    warnings.push(
      "oidc: userinfo_fallback is set but the discovery document has no userinfo_endpoint; sign-ins whose id_token lacks claims will fail",
    );
  }
  if (config.google_groups && new URL(config.issuer).host !== "accounts.google.com") {
    warnings.push(
      "oidc.google_groups is set but oidc.issuer is not accounts.google.com — the Directory API only returns groups for Google Workspace users, so every login will be refused",
    );
  }
  if (config.entra_groups && metadata.msgraph_host === undefined) {
    warnings.push(
      "oidc: entra_groups is set but the discovery document has no msgraph_host, which Microsoft Entra's has; groups that an id_token leaves out are asked of graph.microsoft.com",
    );
  }
  const tokensGoTo = new URL(metadata.token_endpoint);
  if (config.issuer.startsWith("https:") && tokensGoTo.protocol === "http:") {
    warnings.push(
      "oidc: the issuer is https but its token_endpoint is http; what authenticates the gateway crosses the network in the clear",
    );
  }
  return warnings;
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}
