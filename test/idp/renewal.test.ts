// Renewing at the IdP: what is a refusal, what is an outage, and what the IdP says now.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { OidcConfig } from "../../src/config/schema.ts";
import { egressFor } from "../support/egress.ts";
import { discoverIdentityProvider, type IdentityProvider } from "../../src/idp/provider.ts";
import { type HostileIdp, idpErrorOf, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig } from "../support/idp.ts";

const egress = egressFor({ allowLoopback: true, timeoutMs: 300, responseBytesMax: 100_000 });
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

/** The IdpError that a renewal ends with. */
const failure = (idp = provider) => idpErrorOf(idp.renew("rt-0"));

test("the identity is what the IdP says now, and the rotated refresh token comes along", async () => {
  hostile.bend.claims = (claims) => ({ ...claims, nonce: undefined, groups: ["new"] });
  const grant = await provider.renew("rt-0");
  expect(grant).toMatchObject({ identity: { sub: "ada", groups: ["new"] }, refreshToken: "rt-1" });
  expect(Object.fromEntries(hostile.seen.tokenRequests[0]?.form ?? [])).toEqual({
    grant_type: "refresh_token",
    refresh_token: "rt-0",
    client_id: "gw",
    client_secret: hostile.clientSecret,
  });
});

test("an IdP that does not rotate leaves the refresh token out or sends it again; neither is a new one", async () => {
  const idp = await discover();
  for (const refresh_token of [undefined, "rt-0"]) {
    hostile.bend.tokens = (answer) => ({ ...answer, refresh_token });
    expect(await idp.renew("rt-0")).not.toHaveProperty("refreshToken");
  }
});

test("scope_on_refresh sends the scope", async () => {
  await (await discover({ scope_on_refresh: true })).renew("rt-0");
  expect(hostile.seen.tokenRequests[0]?.form.get("scope")).toBe(
    "openid profile email offline_access",
  );
});

test("a changed sub is handed to the caller, who knows the old one", async () => {
  hostile.bend.claims = (claims) => ({ ...claims, sub: "eve" });
  expect((await provider.renew("rt-0")).identity.sub).toBe("eve");
});

describe("without an id_token", () => {
  test("userinfo says who it is", async () => {
    hostile.bend.tokens = (answer) => ({ ...answer, id_token: undefined });
    expect((await provider.renew("rt-0")).identity).toMatchObject({
      sub: "ada",
      groups: ["eng", "finops"],
    });
    expect(hostile.seen.userinfo).toBe(1);
  });

  test("and without a userinfo_endpoint the renewal is unavailable", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, userinfo_endpoint: undefined });
    const idp = await discover();
    hostile.bend.tokens = (answer) => ({ ...answer, id_token: undefined });
    expect(await failure(idp)).toMatchObject({ step: "userinfo", kind: "unavailable" });
  });
});

describe("is refused", () => {
  test("when the IdP says invalid_grant", async () => {
    hostile.bend.tokenAnswer = () =>
      Response.json(
        { error: "invalid_grant", error_description: "user disabled" },
        { status: 400 },
      );
    expect(await failure()).toMatchObject({
      step: "token_endpoint",
      kind: "refused",
      message: "invalid_grant (user disabled)",
    });
  });

  test("when the person is no longer admitted", async () => {
    const idp = await discover({ allowed_groups: ["eng"], allowed_email_domains: ["example.com"] });
    hostile.bend.claims = (claims) => ({ ...claims, groups: ["left"] });
    expect(await failure(idp)).toMatchObject({ step: "admission", kind: "refused" });
    hostile.bend.claims = (claims) => ({ ...claims, email: "ada@evil.com" });
    expect(await failure(idp)).toMatchObject({ step: "admission", kind: "refused" });
    hostile.bend.claims = (claims) => ({ ...claims, email_verified: false });
    expect(await failure(idp)).toMatchObject({ step: "admission", kind: "refused" });
  });
});

describe("signs nobody out", () => {
  const answers: [string, "failed" | "unavailable", () => Response | Promise<Response>][] = [
    ["500", "failed", () => Response.json({ error: "server_error" }, { status: 500 })],
    ["500 without a word", "unavailable", () => new Response(null, { status: 500 })],
    [
      "503 with invalid_grant",
      "unavailable",
      () => Response.json({ error: "invalid_grant" }, { status: 503 }),
    ],
    [
      "500 with invalid_grant",
      "failed",
      () => Response.json({ error: "invalid_grant" }, { status: 500 }),
    ],
    [
      "429 with invalid_grant",
      "unavailable",
      () => Response.json({ error: "invalid_grant" }, { status: 429 }),
    ],
    ["200 with invalid_grant", "unavailable", () => Response.json({ error: "invalid_grant" })],
    ["429", "unavailable", () => Response.json({ error: "slow_down" }, { status: 429 })],
    ["invalid_client", "failed", () => Response.json({ error: "invalid_client" }, { status: 401 })],
    [
      "unauthorized_client",
      "failed",
      () => Response.json({ error: "unauthorized_client" }, { status: 400 }),
    ],
    [
      "interaction_required",
      "failed",
      () => Response.json({ error: "interaction_required" }, { status: 400 }),
    ],
    ["403 with an empty body", "unavailable", () => new Response(null, { status: 403 })],
    ["400 in HTML", "unavailable", () => new Response("invalid_grant", { status: 400 })],
    [
      "a list that names invalid_grant",
      "unavailable",
      () => Response.json([{ error: "invalid_grant" }], { status: 400 }),
    ],
    ["204", "unavailable", () => new Response(null, { status: 204 })],
    [
      "HTML",
      "unavailable",
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    ],
    ["cut JSON", "unavailable", () => new Response('{"access_token":')],
    ["an endless answer", "unavailable", () => new Response("x".repeat(200_000))],
    ["a redirect", "unavailable", () => Response.redirect("/elsewhere")],
    ["silence", "unavailable", () => Bun.sleep(2_000).then(() => new Response())],
  ];
  test.each(answers)("when the token endpoint answers with %s", async (_, kind, answer) => {
    hostile.bend.tokenAnswer = answer;
    expect(await failure()).toMatchObject({ step: "token_endpoint", kind });
  });

  test("when an id_token cannot be believed", async () => {
    hostile.bend.claims = (claims) => ({ ...claims, aud: "other" });
    expect(await failure()).toMatchObject({
      step: "id_token",
      kind: "unavailable",
      message: "aud mismatch, expected gw, got: other",
    });
  });

  test("when the keys cannot be fetched", async () => {
    const idp = await discover();
    hostile.bend.jwksAnswer = () => new Response("down", { status: 503 });
    expect(await failure(idp)).toMatchObject({
      step: "id_token",
      kind: "unavailable",
      message: expect.stringContaining("/jwks: expected 200 OK, got: 503"),
    });
    for (let count = 0; count < 6; count++) await failure(idp);
    hostile.bend.jwksAnswer = undefined;
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
  });

  test("when userinfo fails, or speaks of nobody", async () => {
    hostile.bend.tokens = (answer) => ({ ...answer, id_token: undefined });
    hostile.bend.userinfoAnswer = () =>
      new Response(null, {
        status: 401,
        headers: { "www-authenticate": 'Bearer error="invalid_token"' },
      });
    expect(await failure()).toMatchObject({ step: "userinfo", kind: "unavailable" });
    hostile.bend.userinfoAnswer = () => Response.json({ email: "ada@example.com" });
    expect(await failure()).toMatchObject({ step: "userinfo", kind: "unavailable" });
  });

  test("when nobody listens", async () => {
    const gone = await startHostileIdp();
    const idp = await discoverIdentityProvider(oidcConfig(gone), {
      egress,
      directoryEgress: egress,
      log,
    });
    await gone.close();
    expect(await failure(idp)).toMatchObject({
      step: "token_endpoint",
      kind: "unavailable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });
});
