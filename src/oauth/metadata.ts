// GET /.well-known/oauth-authorization-server: authorization server metadata (RFC 8414) for the client. There is no
// authorization endpoint: people are sent to the IdP from the verification page only.
import type { Handler } from "../http/router.ts";
import type { PublicBase } from "./origin.ts";
import { deviceCodeGrantType, refreshTokenGrantType } from "./token.ts";

/** Version of the wire protocol described in protocol.md. */
const gatewayProtocolVersion = 1;

/** Answers 200 with the metadata, every URL in it built from the public base. */
export function createMetadata(base: PublicBase): Handler {
  return ({ request }) => {
    const issuer = base.of(request);
    return Response.json({
      issuer,
      device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
      token_endpoint: `${issuer}/oauth/token`,
      revocation_endpoint: `${issuer}/oauth/revoke`,
      grant_types_supported: [deviceCodeGrantType, refreshTokenGrantType],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ["none"],
      revocation_endpoint_auth_methods_supported: ["none"],
      scopes_supported: ["openid", "profile", "email"],
      gateway_protocol_version: gatewayProtocolVersion,
    });
  };
}
