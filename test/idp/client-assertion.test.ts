// private_key_jwt: what the gateway sends an IdP to be known by, and what the boot log says of the certificate.
import { createHash, X509Certificate } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { decodeProtectedHeader, exportJWK, jwtVerify } from "jose";
import type { OidcConfig } from "../../src/config/schema.ts";
import { describeClientAssertion } from "../../src/idp/client-assertion.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { clientCertificate } from "../support/client-certificate.ts";
import { egressFor } from "../support/egress.ts";
import { attempt, type HostileIdp, signInAt, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig, rejection, startOidcProvider } from "../support/idp.ts";

const egress = egressFor({ responseBytesMax: 100_000 });
const log = { debug: () => {}, warn: () => {} };
const certificate = new X509Certificate(clientCertificate.cert);
const keyed: Partial<OidcConfig> = {
  token_endpoint_auth_method: "private_key_jwt",
  client_assertion: {
    private_key_pem: clientCertificate.key,
    certificate_pem: clientCertificate.cert,
  },
};
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** The configuration without a secret: it is not there, and not only undefined. */
function keyedConfig(idp: { issuer: string }, changes: Partial<OidcConfig> = {}): OidcConfig {
  const { client_secret: _, ...rest } = oidcConfig(idp, { ...keyed, ...changes });
  return rest;
}

let hostile: HostileIdp;
beforeAll(async () => {
  hostile = await startHostileIdp();
});
afterEach(() => hostile.straighten());
afterAll(() => hostile.close());

const discover = (changes: Partial<OidcConfig> = {}, now: () => number = Date.now) =>
  discoverIdentityProvider(keyedConfig(hostile, changes), {
    egress,
    directoryEgress: egress,
    log,
    now,
  });
const formAt = (index: number) => hostile.seen.tokenRequests[index]?.form ?? new URLSearchParams();

describe("a token request", () => {
  test("carries an assertion of five minutes, signed by the key and named by the certificate's digests", async () => {
    const now = Date.parse("2026-12-01T00:00:00Z");
    await (await discover({}, () => now)).renew("rt-0").catch(() => {});
    const assertion = formAt(0).get("client_assertion") ?? "";
    const digest = (algorithm: string) =>
      createHash(algorithm).update(certificate.raw).digest("base64url");
    expect(JSON.stringify(decodeProtectedHeader(assertion))).toBe(
      JSON.stringify({
        alg: "RS256",
        typ: "JWT",
        x5t: digest("sha1"),
        "x5t#S256": digest("sha256"),
      }),
    );
    const { payload } = await jwtVerify(assertion, certificate.publicKey, {
      currentDate: new Date(now),
    });
    expect(payload).toEqual({
      iss: "gw",
      sub: "gw",
      aud: `${hostile.issuer}/token`,
      jti: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      iat: now / 1000,
      nbf: now / 1000,
      exp: now / 1000 + 300,
    });
  });

  test("has no secret and no Authorization header, for a code and for a refresh token", async () => {
    const idp = await discover();
    await signInAt(hostile, idp);
    await idp.renew("rt-0");
    for (const { form, authorization } of hostile.seen.tokenRequests) {
      expect(authorization).toBeNull();
      expect(form.has("client_secret")).toBe(false);
      expect(form.get("client_id")).toBe("gw");
      expect(form.get("client_assertion_type")).toBe(assertionType);
    }
    expect(hostile.seen.tokenRequests).toHaveLength(2);
  });

  test("has an assertion of its own each time", async () => {
    const idp = await discover();
    await Promise.all([idp.renew("rt-0"), idp.renew("rt-2")]);
    expect(formAt(0).get("client_assertion")).not.toBe(formAt(1).get("client_assertion"));
  });

  test("is addressed to the token endpoint to the letter, query included", async () => {
    const token_endpoint = `${hostile.issuer}/token?tenant=x`;
    hostile.bend.discoveryAnswer = (document) => Response.json({ ...document, token_endpoint });
    await (await discover()).renew("rt-0");
    const { payload } = await jwtVerify(
      formAt(0).get("client_assertion") ?? "",
      certificate.publicKey,
    );
    expect(payload.aud).toBe(token_endpoint);
  });

  test("is the same whatever ways of authentication the IdP says it knows", async () => {
    for (const token_endpoint_auth_methods_supported of [["client_secret_post"], undefined]) {
      hostile.bend.discoveryAnswer = (document) =>
        Response.json({ ...document, token_endpoint_auth_methods_supported });
      await (await discover()).renew("rt-0");
    }
    expect(formAt(0).get("client_assertion_type")).toBe(assertionType);
    expect(formAt(1).get("client_assertion_type")).toBe(assertionType);
  });

  test("sends the scopes, too, with scope_on_refresh", async () => {
    await (await discover({ scope_on_refresh: true, scopes: ["openid", "email"] })).renew("rt-0");
    expect(formAt(0).get("scope")).toBe("openid email");
    expect(formAt(0).has("client_assertion")).toBe(true);
  });
});

test("an IdP that does not know the certificate signs nobody out", async () => {
  const error = { error: "invalid_client", error_description: "AADSTS700027: bad cert" };
  hostile.bend.tokenAnswer = () => Response.json(error, { status: 401 });
  expect(await rejection((await discover()).renew("rt-0"))).toMatchObject({
    kind: "failed",
    message: "invalid_client (AADSTS700027: bad cert)",
  });
});

test("the real oidc-provider takes the assertion for a sign-in and a refresh", async () => {
  const jwk = await exportJWK(certificate.publicKey);
  const real = await startOidcProvider({
    redirectUris: [attempt.redirectUri],
    client: {
      client_secret: undefined,
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [{ ...jwk, use: "sig", alg: "RS256" }] },
    },
  });
  try {
    const idp = await discoverIdentityProvider(keyedConfig(real), {
      egress,
      directoryEgress: egress,
      log,
    });
    const callback = await real.signIn(await idp.authorizationUrl(attempt), "ada");
    const { identity, refreshToken = "" } = await idp.redeem(callback.searchParams, attempt);
    expect(identity.sub).toBe("ada");
    expect((await idp.renew(refreshToken)).identity.sub).toBe("ada");
  } finally {
    await real.close();
  }
});

describe("the boot log", () => {
  const thumbprint = certificate.fingerprint.replaceAll(":", "");
  const pems = (certificate_pem: string) => ({
    client_assertion: { private_key_pem: clientCertificate.key, certificate_pem },
  });
  const at = (ms: number) => describeClientAssertion(pems(clientCertificate.cert), ms);
  const dayMs = 24 * 60 * 60 * 1000;
  const [beginsMs, endsMs] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];

  test("says nothing of a secret", () => {
    expect(describeClientAssertion({}, 0)).toEqual({ notes: [], warnings: [] });
  });

  test("names the certificate by its subject, thumbprint and end", () => {
    expect(at(beginsMs)).toEqual({
      notes: [
        `oidc: client authentication private_key_jwt; certificate CN=gw-client, O=Example, SHA-1 thumbprint ${thumbprint}, expires ${certificate.validTo}`,
      ],
      warnings: [],
    });
  });

  test("can name one of nobody", () => {
    const { notes } = describeClientAssertion(pems(clientCertificate.withoutSubject), beginsMs);
    expect(notes.join()).toContain("; certificate (no subject), SHA-1 thumbprint ");
  });

  test("warns in the last thirty days", () => {
    expect(at(endsMs - 31 * dayMs).warnings).toEqual([]);
    expect(at(endsMs - 30 * dayMs).warnings).toEqual([
      `oidc: the client_assertion certificate (SHA-1 thumbprint ${thumbprint}) expires ${certificate.validTo}; after that the IdP will refuse sign-ins and refreshes. To rotate: add a new certificate at the IdP and keep this one, restart every replica with the new key and certificate in oidc.client_assertion, then remove this one at the IdP`,
    ]);
  });

  test("warns before and after the certificate is valid", () => {
    const warning = `oidc: the client_assertion certificate is not valid now (valid ${certificate.validFrom} to ${certificate.validTo}); the IdP will refuse sign-ins and refreshes until it is replaced`;
    expect(at(beginsMs - 1000).warnings).toEqual([warning]);
    expect(at(endsMs + 1000).warnings).toEqual([warning]);
  });

  test("holds nothing of the key", () => {
    const said = JSON.stringify(at(endsMs));
    for (const line of clientCertificate.key.split("\n").filter((text) => text !== ""))
      expect(said).not.toContain(line);
  });
});
