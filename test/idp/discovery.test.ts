// The discovery document at boot. While the gateway runs: current-metadata.test.ts.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { OidcConfig } from "../../src/config/schema.ts";
import { egressFor } from "../support/egress.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { type HostileIdp, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig, rejection } from "../support/idp.ts";

const egress = egressFor({ allowLoopback: true, timeoutMs: 2_000, responseBytesMax: 1_000_000 });
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
    ["token_endpoint", "https://169.254.169.254/token"],
    ["jwks_uri", "http://METADATA.google.internal./jwks"],
    ["userinfo_endpoint", "https://[::ffff:a9fe:a9fe]/userinfo"],
  ])("with the %s %p, where clouds hand out credentials, is refused", async (field, url) => {
    hostile.bend.discoveryAnswer = (document) => Response.json({ ...document, [field]: url });
    expect(await bootError()).toContain(
      `${field} of the discovery document is a cloud metadata endpoint`,
    );
  });

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
    const guarded = egressFor({
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
