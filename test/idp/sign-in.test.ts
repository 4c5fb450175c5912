// Signing in: through the real oidc-provider, and through an IdP that breaks one rule of the protocol at a time.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { OidcConfig } from "../../src/config/schema.ts";
import { egressFor } from "../support/egress.ts";
import { discoverIdentityProvider, type IdentityProvider } from "../../src/idp/provider.ts";
import {
  attempt,
  type HostileIdp,
  idpErrorOf,
  signInAt,
  startHostileIdp,
} from "../support/hostile-idp.ts";
import { oidcConfig, rejection, startOidcProvider } from "../support/idp.ts";

const egress = egressFor({ allowLoopback: true, timeoutMs: 5_000, responseBytesMax: 1_000_000 });
const log = { debug: () => {}, warn: () => {} };

let hostile: HostileIdp;
let provider: IdentityProvider;

beforeAll(async () => {
  hostile = await startHostileIdp();
  provider = await discover();
});
afterEach(() => hostile.straighten());
afterAll(() => hostile.close());

const discover = (changes: Partial<OidcConfig> = {}) =>
  discoverIdentityProvider(oidcConfig(hostile, changes), { egress, directoryEgress: egress, log });
const signIn = (idp = provider) => signInAt(hostile, idp);
const refusal = (idp = provider) => idpErrorOf(signIn(idp));

/** Ends a sign-in whose callback carries these parameters. */
const redeemWith = (changes: Record<string, string>) => {
  hostile.bend.callback = changes;
  return refusal();
};

describe("with the real oidc-provider", () => {
  test("a person signs in, is renewed with a rotated refresh token, and a used one is refused", async () => {
    const real = await startOidcProvider({ redirectUris: [attempt.redirectUri] });
    try {
      const scopes = ["openid", "profile", "email", "groups", "offline_access"];
      const idp = await discoverIdentityProvider(oidcConfig(real, { scopes }), {
        egress,
        directoryEgress: egress,
        log,
      });
      const callback = await real.signIn(await idp.authorizationUrl(attempt), "ada");
      expect(callback.href).toStartWith(`${attempt.redirectUri}?`);
      const first = await idp.redeem(callback.searchParams, attempt);
      const ada = {
        sub: "ada",
        email: "ada@example.com",
        name: "Ada Lovelace",
        groups: ["eng", "finops"],
      };
      expect(first.identity).toEqual(ada);

      const second = await idp.renew(first.refreshToken ?? "");
      expect(second.identity).toEqual(ada);
      expect(second.refreshToken).toBeString();
      expect(second.refreshToken).not.toBe(first.refreshToken);

      const reused = await rejection(idp.renew(first.refreshToken ?? ""));
      expect(reused).toMatchObject({
        step: "token_endpoint",
        kind: "refused",
        error: "invalid_grant",
      });
    } finally {
      await real.close();
    }
  });

  test("both ways of client authentication are accepted, with a secret that needs escaping", async () => {
    const real = await startOidcProvider({ redirectUris: [attempt.redirectUri] });
    try {
      for (const token_endpoint_auth_method of [
        "client_secret_basic",
        "client_secret_post",
      ] as const) {
        const idp = await discoverIdentityProvider(
          oidcConfig(real, { token_endpoint_auth_method }),
          { egress, directoryEgress: egress, log },
        );
        const callback = await real.signIn(await idp.authorizationUrl(attempt), "bob");
        expect((await idp.redeem(callback.searchParams, attempt)).identity.sub).toBe("bob");
      }
    } finally {
      await real.close();
    }
  });
});

describe("the authorization request", () => {
  test("has its parameters in the order of the reference", async () => {
    const idp = await discover({ extra_auth_params: { prompt: "consent", domain_hint: "x" } });
    const url = await idp.authorizationUrl(attempt);
    expect([...url.searchParams]).toEqual([
      ["client_id", "gw"],
      ["scope", "openid profile email offline_access"],
      ["response_type", "code"],
      ["redirect_uri", attempt.redirectUri],
      ["prompt", "consent"],
      ["domain_hint", "x"],
      ["state", "state-1"],
      ["nonce", "nonce-1"],
      ["code_challenge", createHash("sha256").update(attempt.codeVerifier).digest("base64url")],
      ["code_challenge_method", "S256"],
      ["response_mode", "query"],
    ]);
    expect(idp.authorizationOrigin()).toBe(hostile.issuer);
  });

  test("keeps the query that the IdP's endpoint already has", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, authorization_endpoint: `${hostile.issuer}/auth?tenant=t1` });
    const url = await (await discover()).authorizationUrl(attempt);
    expect(url.search).toStartWith("?tenant=t1&client_id=gw&");
  });

  test("without use_pkce neither challenge nor verifier is sent", async () => {
    const idp = await discover({ use_pkce: false });
    const url = await idp.authorizationUrl(attempt);
    expect(url.searchParams.has("code_challenge")).toBe(false);
    expect(url.searchParams.has("code_challenge_method")).toBe(false);
    await signIn(idp);
    expect(hostile.seen.tokenRequests[0]?.form.has("code_verifier")).toBe(false);
  });
});

describe("the callback", () => {
  test("is refused with another issuer's iss, even when it reports an error", async () => {
    const expected = {
      step: "authorization",
      kind: "refused",
      message: `iss mismatch, expected ${hostile.issuer}, got: https://evil.example`,
    };
    expect(await redeemWith({ iss: "https://evil.example" })).toMatchObject(expected);
    expect(await redeemWith({ iss: "https://evil.example", error: "access_denied" })).toMatchObject(
      expected,
    );
    expect(hostile.seen.tokenRequests).toEqual([]);
  });

  test("is refused with an empty iss, whatever the IdP promises", async () => {
    expect(await redeemWith({ iss: "" })).toMatchObject({
      step: "authorization",
      kind: "refused",
      message: `iss mismatch, expected ${hostile.issuer}, got: `,
    });
  });

  test("is refused without iss when the IdP promises one", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, authorization_response_iss_parameter_supported: true });
    const idp = await discover();
    const callback = hostile.authorize(await idp.authorizationUrl(attempt));
    const withIss = new URLSearchParams(callback);
    callback.delete("iss");
    expect(await idpErrorOf(idp.redeem(callback, attempt))).toMatchObject({
      step: "authorization",
      kind: "refused",
      message: 'response parameter "iss" (issuer) missing',
    });
    expect(hostile.seen.tokenRequests).toEqual([]);
    expect((await idp.redeem(withIss, attempt)).identity.sub).toBe("ada");
    // An IdP that promises nothing may leave it out.
    expect((await provider.redeem(callback, attempt)).identity.sub).toBe("ada");
  });

  test("is refused with another state, and the state is not told", async () => {
    const error = await redeemWith({ state: "state-2" });
    expect(error).toMatchObject({ step: "authorization", kind: "refused" });
    expect(error.message).not.toContain("state-1");
  });

  test("is refused with a parameter given twice", async () => {
    const callback = hostile.authorize(await provider.authorizationUrl(attempt));
    callback.append("code", "another");
    const error = await rejection(provider.redeem(callback, attempt));
    expect(error).toMatchObject({ kind: "refused" });
    expect(hostile.seen.tokenRequests).toEqual([]);
  });

  test("is refused without a code", async () => {
    expect(await redeemWith({ code: "" })).toMatchObject({
      step: "authorization",
      kind: "refused",
    });
  });

  test("carries the IdP's own error and description", async () => {
    expect(
      await redeemWith({ error: "access_denied", error_description: "said <b>no</b>" }),
    ).toMatchObject({
      message: "access_denied (said <b>no</b>)",
      step: "authorization",
      kind: "refused",
      error: "access_denied",
      errorDescription: "said <b>no</b>",
    });
    expect(await redeemWith({ error: "temporarily_unavailable" })).toMatchObject({
      kind: "unavailable",
    });
  });
});

describe("the token request", () => {
  test("sends code, verifier and redirect_uri, and the secret in the body when the IdP offers both ways", async () => {
    expect((await signIn()).refreshToken).toBe("rt-1");
    const [request] = hostile.seen.tokenRequests;
    expect(request?.authorization).toBeNull();
    expect(Object.fromEntries(request?.form ?? [])).toEqual({
      grant_type: "authorization_code",
      code: expect.stringMatching(/^code-/),
      redirect_uri: attempt.redirectUri,
      code_verifier: attempt.codeVerifier,
      client_id: "gw",
      client_secret: hostile.clientSecret,
    });
  });

  test("uses client_secret_basic when configured, or when the IdP does not say", async () => {
    await signIn(await discover({ token_endpoint_auth_method: "client_secret_basic" }));
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, token_endpoint_auth_methods_supported: undefined });
    await signIn(await discover());
    const expected = `Basic ${btoa("gw:s3cret%2B%2F%3A%25+s3cret%2Ds3cret")}`;
    expect(hostile.seen.tokenRequests.map(({ authorization }) => authorization)).toEqual([
      expected,
      expected,
    ]);
    expect(hostile.seen.tokenRequests[0]?.form.has("client_secret")).toBe(false);
  });

  test.each([
    [400, { error: "invalid_grant", error_description: "desc" }, "invalid_grant (desc)", "refused"],
    [403, { error: "invalid_grant" }, "invalid_grant", "refused"],
    [500, { error: "invalid_grant" }, "invalid_grant", "failed"],
    [500, { error: "server_error" }, "server_error", "failed"],
    [401, { error: "invalid_client" }, "invalid_client", "failed"],
    [429, { error: "invalid_grant" }, "invalid_grant", "unavailable"],
    [400, { error: "temporarily_unavailable" }, "temporarily_unavailable", "unavailable"],
    [503, { error: "server_error" }, "server_error", "unavailable"],
    [400, "<html>", "expected 200 OK, got: 400", "unavailable"],
    [502, "<html>", "expected 200 OK, got: 502", "unavailable"],
    [504, "", "expected 200 OK, got: 504", "unavailable"],
    [200, "<html>", "the token endpoint's answer is not a JSON object", "unavailable"],
    [200, { token_type: "Bearer" }, '"response" body "access_token" property', "unavailable"],
  ])("answered with %p %j fails as %p, %s", async (status, body, message, kind) => {
    hostile.bend.tokenAnswer = () => {
      const headers = { "www-authenticate": "Basic realm=x" };
      return typeof body === "string"
        ? new Response(body, { status, headers })
        : Response.json(body, { status, headers });
    };
    const error = await refusal();
    expect(error).toMatchObject({ step: "token_endpoint", kind });
    expect(error.message).toStartWith(message);
  });

  test("is not redirected: the secret goes to the configured IdP only", async () => {
    hostile.bend.tokenAnswer = () => Response.redirect("http://evil.example/", 307);
    expect(await refusal()).toMatchObject({
      step: "token_endpoint",
      kind: "unavailable",
      message: expect.stringContaining("redirect refused"),
    });
  });
});

describe("admission", () => {
  test("refuses by domain and by group", async () => {
    expect(await refusal(await discover({ allowed_email_domains: ["other.com"] }))).toMatchObject({
      step: "admission",
      kind: "refused",
      message: "email domain not allowed",
    });
    expect(await refusal(await discover({ allowed_groups: ["other"] }))).toMatchObject({
      step: "admission",
      kind: "refused",
      message: "user is not a member of an allowed group",
    });
  });
});

test("no error holds the client secret, a code, a verifier or a token", async () => {
  const secrets = [hostile.clientSecret, "code-", attempt.codeVerifier, "at-1", "rt-1"];
  hostile.bend.tokenAnswer = () => new Response("x", { status: 500 });
  const error = await refusal();
  for (const secret of secrets) expect(error.message).not.toContain(secret);
});
