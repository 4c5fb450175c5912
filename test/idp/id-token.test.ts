// What an id_token must be to be believed, and what userinfo may add to it.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { exportJWK, generateKeyPair, type JWTHeaderParameters, SignJWT, UnsecuredJWT } from "jose";
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
import { oidcConfig } from "../support/idp.ts";

const egress = egressFor({ allowLoopback: true, timeoutMs: 5_000, responseBytesMax: 1_000_000 });
const logged: string[] = [];
const log = {
  debug: (line: string) => logged.push(line),
  warn: (line: string) => logged.push(line),
};

let hostile: HostileIdp;
let provider: IdentityProvider;

beforeAll(async () => {
  hostile = await startHostileIdp();
  provider = await discover();
});
afterEach(() => hostile.straighten());
afterAll(() => hostile.close());

const discover = (changes: Partial<OidcConfig> = {}, now: () => number = Date.now) =>
  discoverIdentityProvider(oidcConfig(hostile, changes), {
    egress,
    directoryEgress: egress,
    log,
    now,
  });
const signIn = (idp = provider) => signInAt(hostile, idp);
const refusal = (idp = provider) => idpErrorOf(signIn(idp));

const seconds = () => Math.floor(Date.now() / 1000);
/** A clock by which the id_tokens expired that many seconds ago. */
const late = (secondsLate: number) => () => Date.now() + (600 + secondsLate) * 1000;
const thin = (claims: Record<string, unknown>) => ({
  ...claims,
  email: undefined,
  groups: undefined,
});

describe("an id_token", () => {
  const wrongs: [string, (claims: Record<string, unknown>) => Record<string, unknown>, RegExp][] = [
    [
      "of another issuer",
      (c) => ({ ...c, iss: "http://evil.example" }),
      /^unexpected iss value, expected http:\/\/127.*, got: http:\/\/evil\.example$/,
    ],
    [
      "whose iss has one slash more",
      (c) => ({ ...c, iss: `${String(c.iss)}/` }),
      /^unexpected iss value/,
    ],
    [
      "for another audience",
      (c) => ({ ...c, aud: "other" }),
      /^aud mismatch, expected gw, got: other$/,
    ],
    ["without audience", (c) => ({ ...c, aud: undefined }), /^missing required JWT property aud$/],
    [
      "for several audiences without azp",
      (c) => ({ ...c, aud: ["gw", "x"] }),
      /^missing required JWT property azp$/,
    ],
    [
      "issued to another party",
      (c) => ({ ...c, aud: ["gw", "x"], azp: "x" }),
      /^azp mismatch, got: x$/,
    ],
    [
      "whose azp differs beside one audience",
      (c) => ({ ...c, azp: "x" }),
      /^azp mismatch, got: x$/,
    ],
    [
      "with another nonce",
      (c) => ({ ...c, nonce: "zzz" }),
      /^nonce mismatch, expected nonce-1, got: zzz$/,
    ],
    [
      "without nonce",
      (c) => ({ ...c, nonce: undefined }),
      /^nonce mismatch, expected nonce-1, got: undefined$/,
    ],
    ["that has expired", (c) => ({ ...c, exp: seconds() - 1 }), /^JWT expired, now \d+, exp \d+$/],
    [
      "that is not valid yet",
      (c) => ({ ...c, nbf: seconds() + 60 }),
      /^JWT not active yet, now \d+, nbf \d+$/,
    ],
    [
      "of the future",
      (c) => ({ ...c, iat: seconds() + 70 }),
      /^JWT issued in the future, now \d+, iat \d+$/,
    ],
    [
      "whose iat is no number",
      (c) => ({ ...c, iat: "now" }),
      /^JWT iat claim must be a JSON numeric value$/,
    ],
    ["for nobody", (c) => ({ ...c, aud: [] }), /^aud mismatch/],
    [
      "for an audience that begins like ours",
      (c) => ({ ...c, aud: "gw " }),
      /^aud mismatch, expected gw, got: gw $/,
    ],
    ["whose azp is a list", (c) => ({ ...c, azp: ["gw"] }), /^azp mismatch, got: \["gw"\]$/],
    [
      "whose nonce is a list",
      (c) => ({ ...c, nonce: ["nonce-1"] }),
      /^nonce mismatch, expected nonce-1, got: \["nonce-1"\]$/,
    ],
    ["without exp", (c) => ({ ...c, exp: undefined }), /^missing required JWT property exp$/],
    [
      "whose exp is no number",
      (c) => ({ ...c, exp: "never" }),
      /^JWT exp claim must be a JSON numeric value$/,
    ],
    ["without iat", (c) => ({ ...c, iat: undefined }), /^missing required JWT property iat$/],
    ["without sub", (c) => ({ ...c, sub: undefined }), /^missing required JWT property sub$/],
    [
      "with the hash of another access token",
      (c) => ({ ...c, at_hash: "zzzz" }),
      /^at_hash mismatch, expected \S+, got: zzzz$/,
    ],
  ];
  test.each(wrongs)("%s is refused", async (_, bent, message) => {
    hostile.bend.claims = bent;
    expect(await refusal()).toMatchObject({
      step: "id_token",
      kind: "refused",
      message: expect.stringMatching(message),
    });
  });

  test("with an empty sub, or one that is no string, is not admitted", async () => {
    const idp = await discover({ userinfo_fallback: true });
    for (const sub of ["", 5]) {
      hostile.bend.claims = (claims) => ({ ...thin(claims), sub });
      const message = "IdP claims missing required `sub`";
      expect(await refusal(idp)).toMatchObject({ step: "admission", kind: "refused", message });
    }
  });

  test("with the right at_hash, one audience in a list, or an iat of another clock is accepted", async () => {
    const at_hash = createHash("sha256")
      .update("at-1")
      .digest()
      .subarray(0, 16)
      .toString("base64url");
    hostile.bend.claims = (claims) => ({ ...claims, at_hash, aud: ["gw"], iat: seconds() + 30 });
    expect((await signIn()).identity.sub).toBe("ada");
  });

  test("issued to an additional authorized party is accepted", async () => {
    hostile.bend.claims = (claims) => ({ ...claims, aud: ["gw", "x"], azp: "broker" });
    const idp = await discover({ additional_authorized_parties: ["broker"] });
    expect((await signIn(idp)).identity.sub).toBe("ada");
  });

  test("without signature (alg none) is refused", async () => {
    hostile.bend.sign = (claims) => new UnsecuredJWT(claims).encode();
    expect(await refusal()).toMatchObject({
      step: "id_token",
      kind: "refused",
      message: "unexpected JWT alg received, expected RS256, got: none",
    });
  });

  test("signed by HS256 with the public key as secret is refused", async () => {
    hostile.bend.sign = (claims) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256", kid: "k1" })
        .sign(new TextEncoder().encode(JSON.stringify(hostile.publicJwk())));
    expect(await refusal()).toMatchObject({
      kind: "refused",
      message: "unexpected JWT alg received, expected RS256, got: HS256",
    });
  });

  test("that brings its own key is not believed by it", async () => {
    const { publicKey, privateKey } = await generateKeyPair("RS256");
    const jwk = await exportJWK(publicKey);
    const headers: JWTHeaderParameters[] = [
      { alg: "RS256", jwk },
      { alg: "RS256", jwk, kid: hostile.publicJwk().kid ?? "" },
      { alg: "RS256", jku: `${hostile.issuer}/other-keys`, kid: hostile.publicJwk().kid ?? "" },
    ];
    for (const header of headers) {
      hostile.bend.sign = (claims) =>
        new SignJWT(claims).setProtectedHeader(header).sign(privateKey);
      expect(await refusal()).toMatchObject({
        step: "id_token",
        kind: "refused",
        message: "failed to validate JWT signature",
      });
    }
  });

  test("whose header asks for what we do not know is not believed", async () => {
    const header = { alg: "RS256", kid: "k1", crit: ["x"], x: 1 };
    hostile.bend.tokens = (answer) => {
      const [, claims, signature] = String(answer.id_token).split(".");
      const changed = Buffer.from(JSON.stringify(header)).toString("base64url");
      return { ...answer, id_token: `${changed}.${claims}.${signature}` };
    };
    expect((await refusal()).step).toBe("id_token");
  });

  test("of ten thousand groups is read, and of more refused", async () => {
    const groups = Array.from({ length: 10_001 }, (_, n) => `00000000-0000-4000-8000-${n}`);
    hostile.bend.claims = (claims) => ({ ...claims, groups: groups.slice(1) });
    expect((await signIn()).identity.groups).toHaveLength(10_000);
    hostile.bend.claims = (claims) => ({ ...claims, groups });
    expect(await refusal()).toMatchObject({
      step: "admission",
      kind: "refused",
      message: "the person is in more than 10000 groups",
    });
  });

  test("signed by another algorithm than the configured one is refused", async () => {
    const idp = await discover({ id_token_signed_response_alg: "ES256" });
    expect(await refusal(idp)).toMatchObject({
      kind: "refused",
      message: "unexpected JWT alg received, expected ES256, got: RS256",
    });
  });

  test("whose claims were changed after signing is refused", async () => {
    hostile.bend.tokens = (answer) => {
      const [header, , signature] = String(answer.id_token).split(".");
      const claims = {
        iss: hostile.issuer,
        aud: "gw",
        sub: "eve",
        nonce: "nonce-1",
        iat: seconds(),
        exp: seconds() + 60,
      };
      return {
        ...answer,
        id_token: [
          header,
          Buffer.from(JSON.stringify(claims)).toString("base64url"),
          signature,
        ].join("."),
      };
    };
    expect(await refusal()).toMatchObject({
      kind: "refused",
      message: "failed to validate JWT signature",
    });
  });

  test("that is missing, or not a JWT, is refused", async () => {
    for (const id_token of [undefined, 5, "junk", "a.b.c", ""]) {
      hostile.bend.tokens = (answer) => ({ ...answer, id_token });
      expect(await refusal()).toMatchObject({ step: "id_token", kind: "refused" });
    }
  });

  test("of an ES256 or EdDSA IdP is accepted when that is the configured algorithm", async () => {
    for (const alg of ["ES256", "EdDSA"] as const) {
      const other = await startHostileIdp(alg);
      try {
        const idp = await discoverIdentityProvider(
          oidcConfig(other, { id_token_signed_response_alg: alg }),
          { egress, directoryEgress: egress, log },
        );
        const callback = other.authorize(await idp.authorizationUrl(attempt));
        expect((await idp.redeem(callback, attempt)).identity.sub).toBe("ada");
      } finally {
        await other.close();
      }
    }
  });

  test("may be late by clock_skew_seconds and no more", async () => {
    expect((await signIn(await discover({ clock_skew_seconds: 30 }, late(20)))).identity.sub).toBe(
      "ada",
    );
    expect(await refusal(await discover({ clock_skew_seconds: 30 }, late(40)))).toMatchObject({
      message: expect.stringContaining("JWT expired"),
    });
  });
});

describe("userinfo", () => {
  test("fills what the id_token leaves out, when userinfo_fallback is set", async () => {
    hostile.bend.claims = thin;
    expect((await signIn()).identity).toEqual({ sub: "ada", name: "Ada Lovelace" });
    expect(hostile.seen.userinfo).toBe(0);
    expect((await signIn(await discover({ userinfo_fallback: true }))).identity).toMatchObject({
      email: "ada@example.com",
      groups: ["eng", "finops"],
    });
  });

  test("is not asked when nothing is missing", async () => {
    await signIn(await discover({ userinfo_fallback: true }));
    expect(hostile.seen.userinfo).toBe(0);
  });

  test("about somebody else is refused", async () => {
    hostile.bend.claims = thin;
    const idp = await discover({ userinfo_fallback: true });
    for (const body of [{ sub: "eve", email: "eve@example.com" }, { email: "eve@example.com" }]) {
      hostile.bend.userinfoAnswer = () => Response.json(body);
      expect(await refusal(idp)).toMatchObject({
        step: "userinfo",
        kind: "refused",
        message: "userinfo sub missing or does not match id_token sub",
      });
    }
  });

  test("that fails ends the sign-in rather than letting it go on without groups", async () => {
    hostile.bend.claims = thin;
    const idp = await discover({ userinfo_fallback: true });
    hostile.bend.userinfoAnswer = () => Response.json({ error: "server_error" }, { status: 500 });
    expect(await refusal(idp)).toMatchObject({
      step: "userinfo",
      kind: "failed",
      message: "server_error",
    });
    hostile.bend.userinfoAnswer = () => new Response("<html>");
    expect(await refusal(idp)).toMatchObject({ step: "userinfo", kind: "unavailable" });
  });

  test("and id_token are logged by the names of their claims, never the values", async () => {
    logged.length = 0;
    hostile.bend.claims = (claims) => ({ ...claims, groups: undefined });
    await signIn(await discover({ userinfo_fallback: true }));
    expect(logged).toEqual([
      "oidc id_token claim names request_id=req-1: aud,email,email_verified,exp,iat,iss,name,nonce,sub; userinfo claim names: email,email_verified,groups,name,sub",
    ]);
  });
});
