// What the gateway shows the IdP instead of a client secret (`oidc.client_assertion`): reads the private key and its certificate
// out of their PEM texts, and says what is wrong with them or with settings beside them. What is signed with the key is in
// idp/client-assertion.ts.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Partly } from "./pieces.ts";
import { type Finding, when } from "./problems.ts";
import type { OidcConfig, Written } from "./schema.ts";

export type ClientCredential = { key: KeyObject; certificate: X509Certificate };

type Pems = Partly<NonNullable<OidcConfig["client_assertion"]>>;

/** Shortest RSA key that may sign (RFC 7518 §3.3). */
const keyBitsMin = 2048;

const keyPem = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[^]*?-----END \1-----/;
const certificatePem = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g;

/** The key and its certificate, of settings that have passed `checkClientAssertion`. Throws an Error that names the setting. */
export function readClientAssertion(pems: Pems): ClientCredential {
  const read = readBoth(pems);
  if ("path" in read) throw new Error(read.message);
  return read;
}

/** How the gateway authenticates to the IdP: by a secret, or by a key with its certificate, and by not both. */
export function checkClientAssertion({ oidc }: Pick<Partly<Written>, "oidc">): Finding[] {
  if (oidc === undefined) return [];
  // A method that is none has been spoken of, and what it was to be is not known.
  const hasMethod = "token_endpoint_auth_method" in oidc;
  if (hasMethod && oidc.token_endpoint_auth_method === undefined) return [];
  const isKeyed = oidc.token_endpoint_auth_method === "private_key_jwt";
  // A setting that does not have its shape is there all the same.
  const [hasSecret, hasAssertion] = ["client_secret" in oidc, "client_assertion" in oidc];
  const [secret, assertion] = [
    ["oidc", "client_secret"],
    ["oidc", "client_assertion"],
  ] as const;
  return [
    ...when(
      !isKeyed && !hasSecret,
      secret,
      "oidc.client_secret is required — or, if your IdP issues certificates instead of secrets (for example Microsoft Entra certificate credentials), set token_endpoint_auth_method: private_key_jwt with a client_assertion block",
    ),
    ...when(
      isKeyed && hasSecret,
      secret,
      "oidc.client_secret must be removed when token_endpoint_auth_method is private_key_jwt — the gateway authenticates to the IdP with the client_assertion certificate instead",
    ),
    ...when(
      isKeyed && !hasAssertion,
      assertion,
      "oidc.client_assertion is required when token_endpoint_auth_method is private_key_jwt: private_key_pem (the key the gateway signs with) and certificate_pem (the certificate you uploaded to the IdP)",
    ),
    ...when(
      !isKeyed && hasAssertion,
      assertion,
      "oidc.client_assertion is only used with token_endpoint_auth_method: private_key_jwt — set that and remove client_secret, or remove this block",
    ),
    ...(oidc.client_assertion === undefined ? [] : faultsOf(oidc.client_assertion)),
  ];
}

function faultsOf(pems: Pems): Finding[] {
  if (pems.private_key_pem === undefined || pems.certificate_pem === undefined) return [];
  const read = readBoth(pems);
  return "path" in read ? [read] : [];
}

/** One fault at a time: of a certificate nothing can be said as long as the key is none. */
function readBoth({ private_key_pem: keyText = "", certificate_pem: text = "" }: Pems) {
  const key = readKey(keyText);
  if (typeof key === "string") return fault("private_key_pem", key);
  const certificates = text.match(certificatePem) ?? [];
  if (certificates.length > 1)
    return fault(
      "certificate_pem",
      "must contain only the client certificate, not a chain — keep the one certificate issued for private_key_pem (with openssl pkcs12, add -clcerts)",
    );
  const certificate = readCertificate(certificates[0]);
  if (certificate === undefined)
    return fault(
      "certificate_pem",
      'is not a PEM certificate the gateway can read — expected one beginning with "-----BEGIN CERTIFICATE-----"',
    );
  return certificate.checkPrivateKey(key)
    ? { key, certificate }
    : fault(
        "certificate_pem",
        "does not match private_key_pem — use the certificate that was issued for this key",
      );
}

function fault(key: keyof Pems, message: string): Finding {
  const path = ["oidc", "client_assertion", key];
  return { path, message: `${path.join(".")} ${message}` };
}

/** The first private key of a text, or what is wrong with it. Never quotes the text. */
function readKey(text: string): KeyObject | string {
  const [pem = "", label = ""] = keyPem.exec(text) ?? [];
  if (label.startsWith("ENCRYPTED") || pem.includes("Proc-Type: 4,ENCRYPTED"))
    return "is encrypted with a passphrase; the gateway needs the key as an unencrypted PEM file";
  const key = orUndefined(() => createPrivateKey(pem));
  const { asymmetricKeyType: type = "", asymmetricKeyDetails: details } = key ?? {};
  // An RSA-PSS key may not sign RS256 either.
  if (key === undefined || type === "rsa-pss")
    return 'is not a PEM private key the gateway can read — expected a key beginning with "-----BEGIN PRIVATE KEY-----" (PKCS#8) or "-----BEGIN RSA PRIVATE KEY-----" (PKCS#1)';
  if (type !== "rsa")
    return `must be an RSA key (the client assertion is signed with RS256); got ${type}`;
  const bits = details?.modulusLength ?? 0;
  return bits < keyBitsMin ? `must be an RSA key of at least ${keyBitsMin} bits; got ${bits}` : key;
}

function readCertificate(pem: string | undefined): X509Certificate | undefined {
  return pem === undefined ? undefined : orUndefined(() => new X509Certificate(pem));
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
