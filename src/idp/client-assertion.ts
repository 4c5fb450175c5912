// How the gateway proves to the IdP that it is itself by a signed assertion instead of a secret (`private_key_jwt`, OpenID
// Connect Core §9, RFC 7523 §2.2), and what the boot log says of the certificate. Reading key and certificate is
// config/client-assertion.ts.
import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import type { ClientAuth } from "oauth4webapi";
import { type ClientCredential, readClientAssertion } from "../config/client-assertion.ts";
import type { OidcConfig } from "../config/schema.ts";

/** Lifetime of an assertion in seconds: each serves for one request. */
const assertionTtlSeconds = 300;
/** How long before its end a certificate is warned of, in milliseconds. */
const expiryWarningMs = 30 * 24 * 60 * 60 * 1000;

type Assertion = NonNullable<OidcConfig["client_assertion"]>;

/**
 * Adds a fresh assertion to each token request. The key is named by its certificate's digests and no `kid`, as Microsoft Entra
 * wants it (RFC 7515 §4.1.7, §4.1.8). Throws an Error that names the setting when key or certificate cannot be read.
 *
 * @param now milliseconds since the epoch
 */
export function clientAssertion(pems: Assertion, now: () => number): ClientAuth {
  const { key, certificate } = readClientAssertion(pems);
  const header = {
    alg: "RS256",
    typ: "JWT",
    x5t: base64url(certificate.fingerprint),
    "x5t#S256": base64url(certificate.fingerprint256),
  };
  return async ({ token_endpoint: audience = "" }, { client_id: clientId }, body) => {
    const issuedAt = Math.floor(now() / 1000);
    const claims = {
      iss: clientId,
      sub: clientId,
      aud: audience,
      jti: randomUUID(),
      iat: issuedAt,
      nbf: issuedAt,
      exp: issuedAt + assertionTtlSeconds,
    };
    body.set("client_id", clientId);
    body.set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    body.set("client_assertion", await new SignJWT(claims).setProtectedHeader(header).sign(key));
  };
}

/** Sentences for the boot log about how we authenticate to the IdP; none where that is by a secret. */
export function describeClientAssertion(
  { client_assertion: pems }: Pick<OidcConfig, "client_assertion">,
  nowMs: number,
): { notes: string[]; warnings: string[] } {
  if (pems === undefined) return { notes: [], warnings: [] };
  const { certificate } = readClientAssertion(pems);
  const thumbprint = `SHA-1 thumbprint ${certificate.fingerprint.replaceAll(":", "")}`;
  return {
    notes: [
      `oidc: client authentication private_key_jwt; certificate ${subjectOf(certificate)}, ${thumbprint}, expires ${certificate.validTo}`,
    ],
    warnings: validityWarnings(certificate, thumbprint, nowMs),
  };
}

/** Only the IdP decides whether it takes the certificate: this is no reason not to start. */
function validityWarnings(
  { validFrom, validTo }: ClientCredential["certificate"],
  thumbprint: string,
  nowMs: number,
): string[] {
  const [beginsMs, endsMs] = [Date.parse(validFrom), Date.parse(validTo)];
  if (nowMs < beginsMs || nowMs > endsMs) {
    return [
      `oidc: the client_assertion certificate is not valid now (valid ${validFrom} to ${validTo}); the IdP will refuse sign-ins and refreshes until it is replaced`,
    ];
  }
  if (endsMs - nowMs > expiryWarningMs) return [];
  return [
    `oidc: the client_assertion certificate (${thumbprint}) expires ${validTo}; after that the IdP will refuse sign-ins and refreshes. To rotate: add a new certificate at the IdP and keep this one, restart every replica with the new key and certificate in oidc.client_assertion, then remove this one at the IdP`,
  ];
}

/** `CN=gateway, O=Example`; the runtime has no subject for an empty one, and a line for each part of others. */
function subjectOf({ subject }: { subject: string | undefined }): string {
  return subject ? subject.split("\n").join(", ") : "(no subject)";
}

/** A digest that is written as `AB:CD:…`. */
function base64url(fingerprint: string): string {
  return Buffer.from(fingerprint.replaceAll(":", ""), "hex").toString("base64url");
}
