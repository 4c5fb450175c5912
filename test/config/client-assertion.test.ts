// How the gateway may authenticate to the IdP: by a secret or by a key with its certificate, and what is wrong with either.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { expect, test } from "bun:test";
import { readClientAssertion } from "../../src/config/client-assertion.ts";
import { clientCertificate, rsaPssKey } from "../support/client-certificate.ts";
import { describeRefused, type Edit, edited, load, type Refused, said } from "./samples.ts";

const { cert, key } = clientCertificate;
const keyed =
  (pems: unknown): Edit =>
  (c) => {
    delete c.oidc.client_secret;
    Object.assign(c.oidc, {
      token_endpoint_auth_method: "private_key_jwt",
      client_assertion: pems,
    });
  };
const withKey = (private_key_pem: string) => keyed({ private_key_pem, certificate_pem: cert });
const withCertificate = (certificate_pem: string) =>
  keyed({ private_key_pem: key, certificate_pem });

const place = "oidc.client_assertion";
const keyPlace = `${place}.private_key_pem`;
const certificatePlace = `${place}.certificate_pem`;
const noKey = `${keyPlace} → ${keyPlace} is not a PEM private key the gateway can read — expected a key beginning with "-----BEGIN PRIVATE KEY-----" (PKCS#8) or "-----BEGIN RSA PRIVATE KEY-----" (PKCS#1)`;
const encryptedKey = `${keyPlace} → ${keyPlace} is encrypted with a passphrase; the gateway needs the key as an unencrypted PEM file`;
const notRsa = `${keyPlace} → ${keyPlace} must be an RSA key (the client assertion is signed with RS256)`;
const noCertificate = `${certificatePlace} → ${certificatePlace} is not a PEM certificate the gateway can read — expected one beginning with "-----BEGIN CERTIFICATE-----"`;
const secretRequired =
  "oidc.client_secret → oidc.client_secret is required — or, if your IdP issues certificates instead of secrets (for example Microsoft Entra certificate credentials), set token_endpoint_auth_method: private_key_jwt with a client_assertion block";
const secretTooMuch =
  "oidc.client_secret → oidc.client_secret must be removed when token_endpoint_auth_method is private_key_jwt — the gateway authenticates to the IdP with the client_assertion certificate instead";
const assertionRequired = `${place} → oidc.client_assertion is required when token_endpoint_auth_method is private_key_jwt: private_key_pem (the key the gateway signs with) and certificate_pem (the certificate you uploaded to the IdP)`;
const assertionTooMuch = `${place} → oidc.client_assertion is only used with token_endpoint_auth_method: private_key_jwt — set that and remove client_secret, or remove this block`;

const pem = (one: KeyObject, type: "pkcs1" | "pkcs8" = "pkcs8") =>
  one.export({ type, format: "pem" });
const encrypted = (type: "pkcs1" | "pkcs8") =>
  createPrivateKey(key).export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "x" });
const publicKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({
  type: "spki",
  format: "pem",
});

const accepted: [string, string, string][] = [
  ["as they are", key, cert],
  ["with a key in PKCS#1", pem(createPrivateKey(key), "pkcs1"), cert],
  ["with the line ends of Windows", key.replaceAll("\n", "\r\n"), cert.replaceAll("\n", "\r\n")],
  ["without the last line end", key.trim(), cert.trim()],
  [
    "with the text that openssl writes above",
    `Bag Attributes\n  x: y\n${key}`,
    `subject=\n${cert}`,
  ],
  ["both in either", `${cert}${key}`, `${cert}${key}`],
  ["of nobody", key, clientCertificate.withoutSubject],
];
test.each(accepted)("key and certificate are read, %s", (_, private_key_pem, certificate_pem) => {
  const { config } = load(edited(keyed({ private_key_pem, certificate_pem })));
  const read = readClientAssertion(config.oidc.client_assertion ?? {});
  expect(read.key.equals(createPrivateKey(key))).toBe(true);
  expect(read.certificate.checkPrivateKey(read.key)).toBe(true);
});

test("a faulty key is never repeated in a message", () => {
  const secret = "MIIEpAIBAAKCAQEA-not-a-key";
  const text = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`;
  for (const bad of [text, { private_key_pem: text }, [text], 5])
    expect(said(edited(keyed(bad))).join()).not.toContain(secret);
  expect(said(edited(withKey(text))).join()).not.toContain(secret);
});

test("use_proxy has three states: unset, true and false", () => {
  expect(load(edited(() => undefined)).config.oidc.use_proxy).toBeUndefined();
  for (const use_proxy of [true, false])
    expect(load(edited((c) => (c.oidc.use_proxy = use_proxy))).config.oidc.use_proxy).toBe(
      use_proxy,
    );
});

describeRefused({
  "secret or certificate": [
    ["neither", (c) => delete c.oidc.client_secret, secretRequired],
    [
      "both",
      (c) => {
        keyed({ private_key_pem: key, certificate_pem: cert })(c);
        c.oidc.client_secret = "s3cret";
      },
      secretTooMuch,
    ],
    [
      "the method alone, beside a secret",
      (c) => (c.oidc.token_endpoint_auth_method = "private_key_jwt"),
      assertionRequired,
      secretTooMuch,
    ],
    [
      "the method alone",
      (c) => {
        keyed(undefined)(c);
        delete c.oidc.client_assertion;
      },
      assertionRequired,
    ],
    ...["client_secret_basic", "client_secret_post", undefined].map((method): Refused => [
      `a certificate, a secret and the method ${method}`,
      (c) => {
        const client_assertion = { private_key_pem: key, certificate_pem: cert };
        Object.assign(c.oidc, { client_assertion });
        if (method !== undefined) c.oidc.token_endpoint_auth_method = method;
      },
      assertionTooMuch,
    ]),
    [
      "a certificate alone",
      (c) => {
        keyed({ private_key_pem: key, certificate_pem: cert })(c);
        delete c.oidc.token_endpoint_auth_method;
      },
      secretRequired,
      assertionTooMuch,
    ],
    [
      "a method that is none, and nothing to authenticate with",
      (c) => {
        delete c.oidc.client_secret;
        c.oidc.token_endpoint_auth_method = "none";
      },
      'oidc.token_endpoint_auth_method → must be one of client_secret_basic, client_secret_post, private_key_jwt, got "none"',
    ],
  ],
  client_assertion: [
    [
      "a path",
      keyed("/etc/key.pem"),
      `${place} → must be a mapping with private_key_pem, certificate_pem, got text of 12 characters`,
    ],
    [
      "nothing",
      keyed(null),
      `${place} → must be a mapping with private_key_pem, certificate_pem, got nothing`,
    ],
    [
      "without a certificate",
      keyed({ private_key_pem: key }),
      `${certificatePlace} → ${certificatePlace} is required: a certificate as PEM text`,
    ],
    [
      "without a key",
      keyed({ certificate_pem: cert }),
      `${keyPlace} → ${keyPlace} is required: a private key as PEM text`,
    ],
    [
      "an empty key",
      withKey(""),
      `${keyPlace} → must be a private key as PEM text, got an empty string`,
    ],
    [
      "a key id",
      keyed({ private_key_pem: key, certificate_pem: cert, kid: "k" }),
      `${place}.kid → unknown key; known here: private_key_pem, certificate_pem`,
    ],
  ],
  "the key": [
    ["that is none", withKey("garbage"), noKey],
    ["that is a path", withKey("/etc/key.pem"), noKey],
    ["that is public", withKey(publicKey), noKey],
    ["that is a certificate", withKey(cert), noKey],
    ["with line ends spelled out", withKey(key.replaceAll("\n", "\\n")), noKey],
    ["for RSA-PSS", withKey(rsaPssKey), noKey],
    [
      "of an elliptic curve",
      withKey(pem(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey)),
      `${notRsa}; got ec`,
    ],
    [
      "of Ed25519",
      withKey(pem(generateKeyPairSync("ed25519").privateKey)),
      `${notRsa}; got ed25519`,
    ],
    [
      "of 1024 bits",
      withKey(pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey)),
      `${keyPlace} → ${keyPlace} must be an RSA key of at least 2048 bits; got 1024`,
    ],
    ["encrypted in PKCS#8", withKey(encrypted("pkcs8")), encryptedKey],
    ["encrypted in PKCS#1", withKey(encrypted("pkcs1")), encryptedKey],
    [
      "that is none, beside a certificate that is none",
      keyed({ private_key_pem: "x", certificate_pem: "x" }),
      noKey,
    ],
  ],
  "the certificate": [
    ["that is none", withCertificate("garbage"), noCertificate],
    ["that is cut", withCertificate(cert.slice(0, 400)), noCertificate],
    [
      "that is cut inside",
      withCertificate(`${cert.slice(0, 400)}\n-----END CERTIFICATE-----`),
      noCertificate,
    ],
    [
      "with its chain, even of another key",
      withCertificate(clientCertificate.ofAnother + cert),
      `${certificatePlace} → ${certificatePlace} must contain only the client certificate, not a chain — keep the one certificate issued for private_key_pem (with openssl pkcs12, add -clcerts)`,
    ],
    [
      "of another key",
      withCertificate(clientCertificate.ofAnother),
      `${certificatePlace} → ${certificatePlace} does not match private_key_pem — use the certificate that was issued for this key`,
    ],
  ],
});
