// The discovery document while the gateway runs: an IdP may move its endpoints, and nobody waits for the document or loses by it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openMetadata } from "../../src/idp/current-metadata.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { egressFor } from "../support/egress.ts";
import { type HostileIdp, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig, rejection } from "../support/idp.ts";
import { untilTrue } from "../support/until-true.ts";

const egress = egressFor({ timeoutMs: 2_000, responseBytesMax: 100_000 });
const hourMs = 60 * 60_000;

let hostile: HostileIdp;
let now: number;
let warnings: string[];
beforeEach(async () => {
  hostile = await startHostileIdp();
  now = Date.now();
  warnings = [];
});
afterEach(() => hostile.close());

const log = { debug: () => {}, warn: (line: string) => warnings.push(line) };
const open = () => openMetadata(oidcConfig(hostile), { egress, log, now: () => now });
const discover = () =>
  discoverIdentityProvider(oidcConfig(hostile), {
    egress,
    directoryEgress: egress,
    log,
    now: () => now,
  });
/** The document says this, too, from now on. */
function announce(changes: Record<string, unknown>): void {
  hostile.bend.discoveryAnswer = (document) => Response.json({ ...document, ...changes });
}
const warned = (text: string) => untilTrue(() => warnings.some((line) => line.includes(text)));

describe("the document", () => {
  test("is read once an hour, in the background, and stays the same object while it says the same", async () => {
    const current = await open();
    const first = current.now();
    now += hourMs - 1;
    current.now();
    expect(hostile.seen.discovery).toBe(1);
    now += 1;
    for (let count = 0; count < 100; count++) expect(current.now()).toBe(first);
    await untilTrue(() => hostile.seen.discovery === 2);
    expect(current.now()).toBe(first);
    expect(warnings).toEqual([]);
  });

  test("is read again a minute after the last time when an exchange came to nothing, and no sooner", async () => {
    const current = await open();
    for (let count = 0; count < 100; count++) {
      current.doubt();
      current.now();
    }
    expect(hostile.seen.discovery).toBe(1);
    now += 60_000;
    for (let count = 0; count < 100; count++) {
      current.now();
      current.doubt();
    }
    await untilTrue(() => hostile.seen.discovery === 2);
    now += 59_000;
    current.now();
    await Bun.sleep(20);
    expect(hostile.seen.discovery).toBe(2);
  });

  test("that changes is followed, and the change is told", async () => {
    const current = await open();
    announce({ token_endpoint: `${hostile.issuer}/elsewhere`, userinfo_endpoint: undefined });
    now += hourMs;
    expect(current.now().token_endpoint).toBe(`${hostile.issuer}/token`);
    await warned("has changed");
    expect(current.now().token_endpoint).toBe(`${hostile.issuer}/elsewhere`);
    expect(warnings).toEqual([
      `oidc: the discovery document has changed: token_endpoint is now "${hostile.issuer}/elsewhere", userinfo_endpoint is now left out`,
    ]);
  });

  const unusable: [string, () => Response, string][] = [
    ["of another issuer", () => Response.json({ issuer: "x" }), "has no authorization_endpoint"],
    ["in HTML", () => new Response("<html>"), "is not a discovery document"],
    ["with 503", () => new Response(null, { status: 503 }), "503"],
    ["that is cut", () => new Response('{"issuer":'), "is not a discovery document"],
    ["too long", () => new Response("x".repeat(200_000)), "is longer than"],
  ];
  test.each(unusable)(
    "%s leaves the one before in place, and is tried again after a minute",
    async (_, answer, reason) => {
      const current = await open();
      const before = current.now();
      hostile.bend.discoveryAnswer = answer;
      now += hourMs;
      current.now();
      await warned(reason);
      expect(current.now()).toBe(before);

      announce({ jwks_uri: `${hostile.issuer}/new` });
      now += 60_000;
      current.now();
      await warned("has changed");
      expect(current.now().jwks_uri).toBe(`${hostile.issuer}/new`);
    },
  );

  test("that names another issuer now is not followed", async () => {
    const current = await open();
    announce({ issuer: "https://evil.example", token_endpoint: "https://evil.example/token" });
    now += hourMs;
    current.now();
    await warned("names another issuer now, https://evil.example");
    expect(current.now().token_endpoint).toBe(`${hostile.issuer}/token`);
  });

  test("that takes an endpoint from https to http is not followed", async () => {
    announce({ token_endpoint: "https://idp.example/token" });
    const current = await open();
    announce({ token_endpoint: "HTTP://idp.example/token" });
    now += hourMs;
    current.now();
    await warned("token_endpoint of the discovery document was https and is no more");
    expect(current.now().token_endpoint).toBe("https://idp.example/token");
  });
});

describe("the provider", () => {
  test("goes where the endpoints have moved, after a minute of failures at most", async () => {
    const idp = await discover();
    await idp.renew("rt-0");
    const moved = await startHostileIdp();
    try {
      // The keys move as well: another IdP in all but its name.
      announce({ token_endpoint: `${moved.issuer}/token`, jwks_uri: `${moved.issuer}/jwks` });
      moved.bend.claims = (claims) => ({ ...claims, iss: hostile.issuer });
      hostile.bend.tokenAnswer = () => new Response(null, { status: 404 });
      now += 60_000;
      expect(await rejection(idp.renew("rt-0"))).toMatchObject({ kind: "unavailable" });
      expect(await rejection(idp.renew("rt-0"))).toMatchObject({ kind: "unavailable" });
      await warned("has changed");
      expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
      expect(moved.seen.jwks).toBe(1);
    } finally {
      await moved.close();
    }
  });

  test("sends browsers to the authorization endpoint that is named now", async () => {
    const idp = await discover();
    announce({ authorization_endpoint: "https://new.example/auth" });
    now += hourMs;
    idp.authorizationOrigin();
    await warned("has changed");
    expect(idp.authorizationOrigin()).toBe("https://new.example");
  });

  test("keeps its keys when the document says the same", async () => {
    const idp = await discover();
    await idp.renew("rt-0");
    now += hourMs;
    hostile.bend.claims = (claims) => ({ ...claims, iat: now / 1000, exp: now / 1000 + 60 });
    await idp.renew("rt-0");
    await untilTrue(() => hostile.seen.discovery === 2);
    await idp.renew("rt-0");
    expect(hostile.seen.jwks).toBe(1);
  });
});
