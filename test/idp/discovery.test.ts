// The discovery document at boot, and the IdP's keys while the gateway runs.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { OidcConfig } from "../../src/config/schema.ts";
import { createEgress } from "../../src/http/egress.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { type HostileIdp, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig, rejection } from "../support/idp.ts";

const egress = createEgress({ allowLoopback: true, timeoutMs: 2_000, responseBytesMax: 1_000_000 });
const warnings: string[] = [];
const log = { debug: () => {}, warn: (line: string) => warnings.push(line) };

let hostile: HostileIdp;
beforeAll(async () => {
  hostile = await startHostileIdp();
});
afterEach(() => {
  hostile.straighten();
  warnings.length = 0;
});
afterAll(() => hostile.close());

const discover = (changes: Partial<OidcConfig> = {}, now?: () => number) =>
  discoverIdentityProvider(oidcConfig(hostile, changes), {
    egress,
    directoryEgress: egress,
    log,
    ...(now ? { now } : {}),
  });

async function bootError(changes: Partial<OidcConfig> = {}, way = egress): Promise<string> {
  return (
    await rejection(
      discoverIdentityProvider(oidcConfig(hostile, changes), {
        egress: way,
        directoryEgress: way,
        log,
      }),
    )
  ).message;
}

describe("discovery", () => {
  test("of a plain document warns about nothing", async () => {
    await discover();
    expect(warnings).toEqual([]);
  });

  test("reads discovery_url where that is set", async () => {
    const discovery_url = `${hostile.issuer}/.well-known/openid-configuration`;
    const idp = await discover({ issuer: "http://not-there.invalid", discovery_url });
    expect(idp.issuer).toBe("http://not-there.invalid");
  });

  test("of another issuer is warned about by both names, a trailing slash is not", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, issuer: "https://other.example" });
    await discover();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("https://other.example");
    expect(warnings[0]).toContain(hostile.issuer);

    warnings.length = 0;
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, issuer: `${hostile.issuer}/` });
    await discover();
    expect(warnings).toEqual([]);
  });

  test("of another issuer has id_tokens checked against the document's", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, issuer: "https://other.example" });
    const idp = await discover();
    expect((await rejection(idp.renew("rt-0"))).message).toContain(
      `unexpected iss value, expected https://other.example, got: ${hostile.issuer}`,
    );
    hostile.bend.claims = (claims) => ({ ...claims, iss: "https://other.example" });
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
  });

  test.each(["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"])(
    "without %s names the field",
    async (field) => {
      hostile.bend.discoveryAnswer = (document) =>
        Response.json({ ...document, [field]: undefined });
      expect(await bootError()).toBe(
        `oidc.issuer ${hostile.issuer}: the discovery document has no ${field}`,
      );
    },
  );

  test.each([5, "not a url", "javascript:alert(1)", "file:///etc/passwd"])(
    "with the token_endpoint %p is refused",
    async (token_endpoint) => {
      hostile.bend.discoveryAnswer = (document) => Response.json({ ...document, token_endpoint });
      expect(await bootError()).toContain(
        "token_endpoint of the discovery document is not an http(s) URL",
      );
    },
  );

  test.each([
    ["HTML", () => new Response("<html>"), "is not a discovery document"],
    ["a JSON list", () => Response.json([1]), "is not a discovery document"],
    [
      "503",
      () => Response.json({ error: "temporarily_unavailable" }, { status: 503 }),
      "temporarily_unavailable",
    ],
    ["a redirect", () => Response.redirect("/elsewhere"), "redirect refused"],
    [
      "10 MB",
      () => new Response(`{"issuer":"${"x".repeat(10_000_000)}"}`),
      "answer is longer than 1000000 bytes",
    ],
  ])("answered with %s stops the boot", async (_, answer, reason) => {
    hostile.bend.discoveryAnswer = answer;
    expect(await bootError()).toContain(reason);
  });

  test("names oidc.issuer and the cause when nobody listens, or loopback is not allowed", async () => {
    expect(await bootError({ issuer: "http://127.0.0.1:1" })).toMatch(
      /^oidc\.issuer http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
    );
    const guarded = createEgress({
      allowLoopback: false,
      timeoutMs: 2_000,
      responseBytesMax: 1_000,
    });
    expect(await bootError({}, guarded)).toContain(
      "set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment",
    );
  });

  test("warns when userinfo_fallback has nowhere to ask", async () => {
    hostile.bend.discoveryAnswer = (document) =>
      Response.json({ ...document, userinfo_endpoint: undefined });
    await discover({ userinfo_fallback: true });
    expect(warnings.join()).toContain("userinfo_endpoint");
  });
});

describe("signing keys", () => {
  test("are fetched once for many id_tokens", async () => {
    const idp = await discover();
    await Promise.all(Array.from({ length: 20 }, () => idp.renew("rt-0")));
    await idp.renew("rt-0");
    expect(hostile.seen.jwks).toBe(1);
  });

  test("may rotate: an id_token of the new key is accepted at once, by one more fetch", async () => {
    const idp = await discover();
    await idp.renew("rt-0");
    await hostile.rotateKey();
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
    await hostile.rotateKey();
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
    expect(hostile.seen.jwks).toBe(3);
  });

  test("that nobody knows cause a handful of fetches, however many id_tokens name them, and only for a minute", async () => {
    let now = Date.now();
    const idp = await discover({}, () => now);
    await idp.renew("rt-0");
    const right = hostile.publicJwk();
    hostile.bend.jwksAnswer = () => Response.json({ keys: [{ ...right, kid: "another" }] });
    await hostile.rotateKey();
    for (let count = 0; count < 50; count++) await idp.renew("rt-0").catch(() => {});
    expect(hostile.seen.jwks).toBe(5);

    hostile.bend.jwksAnswer = undefined;
    expect((await rejection(idp.renew("rt-0"))).message).toContain(
      "jwks_uri was asked too often for unknown keys",
    );
    now += 60_000;
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
  });

  test("of another kid than the id_token names do not verify it", async () => {
    const idp = await discover();
    const right = hostile.publicJwk();
    hostile.bend.jwksAnswer = () => Response.json({ keys: [{ ...right, kid: "another" }] });
    expect((await rejection(idp.renew("rt-0"))).message).toContain(
      `no valid key found in issuer's jwks_uri for kid ${right.kid}`,
    );
  });

  test("that are no key set are an outage", async () => {
    const idp = await discover();
    for (const body of [[], { keys: "none" }, { keys: [5] }]) {
      hostile.bend.jwksAnswer = () => Response.json(body);
      expect(await rejection(idp.renew("rt-0"))).toMatchObject({
        step: "id_token",
        kind: "unavailable",
      });
    }
  });
});
