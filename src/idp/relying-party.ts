// Our side of the conversation with the IdP, as oauth4webapi wants it: the IdP's metadata, our client, how we authenticate and
// the way out. Made for each discovery document and handed to authorization.ts, token-endpoint.ts and userinfo.ts.
import * as oauth from "oauth4webapi";
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { clientAssertion } from "./client-assertion.ts";
import type { ProviderMetadata } from "./discovery.ts";

export type RelyingParty = {
  config: OidcConfig;
  metadata: ProviderMetadata;
  client: oauth.Client;
  clientAuthentication: oauth.ClientAuth;
  request: {
    [oauth.customFetch]: (url: string, init: RequestInit) => Promise<Response>;
    [oauth.allowInsecureRequests]: true;
  };
};

/**
 * What oauth4webapi needs to speak as our client to this IdP, over the given egress. Throws an Error that names the setting when
 * we have nothing to authenticate with.
 *
 * @param deps.now milliseconds since the epoch
 */
export function relyingParty(
  config: OidcConfig,
  metadata: ProviderMetadata,
  { egress, now }: { egress: Egress; now: () => number },
): RelyingParty {
  return {
    config,
    metadata,
    client: { client_id: config.client_id },
    clientAuthentication: clientAuthentication(config, metadata, now),
    request: {
      [oauth.customFetch]: (url, init) => egress.fetch(url, init),
      // An http issuer is the operator's choice; which hosts may be reached at all is the egress's.
      [oauth.allowInsecureRequests]: true,
    },
  };
}

/** As configured, else post where the IdP offers it, else the default of the specification (OpenID Connect Discovery §3). */
function clientAuthentication(
  config: OidcConfig,
  metadata: ProviderMetadata,
  now: () => number,
): oauth.ClientAuth {
  const { client_secret: secret, client_assertion: assertion } = config;
  if (assertion) return clientAssertion(assertion, now);
  if (secret === undefined) throw new Error("oidc.client_secret is required");
  const offersPost = metadata.token_endpoint_auth_methods_supported.includes("client_secret_post");
  const method =
    config.token_endpoint_auth_method ??
    (offersPost ? "client_secret_post" : "client_secret_basic");
  return method === "client_secret_post"
    ? oauth.ClientSecretPost(secret)
    : oauth.ClientSecretBasic(secret);
}
