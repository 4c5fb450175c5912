// The IdP's signing keys while the gateway runs: rotations, floods of unknown ones, and key sets that are none or too much.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { egressFor } from "../support/egress.ts";
import { type HostileIdp, startHostileIdp } from "../support/hostile-idp.ts";
import { oidcConfig, rejection } from "../support/idp.ts";

const egress = egressFor({ timeoutMs: 2_000, responseBytesMax: 1_000_000 });
const log = { debug: () => {}, warn: () => {} };

let hostile: HostileIdp;
beforeAll(async () => {
  hostile = await startHostileIdp();
});
afterEach(() => hostile.straighten());
afterAll(() => hostile.close());

const discover = (now: () => number = Date.now) =>
  discoverIdentityProvider(oidcConfig(hostile), { egress, directoryEgress: egress, log, now });

/** The keys that are published from now on, beside the one that signs. */
function publish(keys: JWK[]): void {
  hostile.bend.jwksAnswer = () => Response.json({ keys });
}

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

  test("may rotate under many who sign in at once: one fetch serves them all", async () => {
    const idp = await discover();
    await idp.renew("rt-0");
    await hostile.rotateKey();
    const all = await Promise.all(Array.from({ length: 30 }, (_, n) => idp.renew(`rt-0-${n}`)));
    expect(all.every(({ identity }) => identity.sub === "ada")).toBe(true);
    expect(hostile.seen.jwks).toBe(2);
  });

  test("that nobody knows cause a handful of fetches, however many id_tokens name them", async () => {
    let now = Date.now();
    const idp = await discover(() => now);
    await idp.renew("rt-0");
    publish([{ ...hostile.publicJwk(), kid: "another" }]);
    await hostile.rotateKey();
    for (let count = 0; count < 50; count++) await idp.renew("rt-0").catch(() => {});
    expect(hostile.seen.jwks).toBe(5);

    for (let second = 0; second < 60; second++) {
      now += 1_000;
      await idp.renew("rt-0").catch(() => {});
    }
    expect(hostile.seen.jwks).toBe(10);
  });

  test("that rotate under such a flood are accepted after seconds, and the flood is an outage", async () => {
    let now = Date.now();
    const idp = await discover(() => now);
    publish([{ ...hostile.publicJwk(), kid: "another" }]);
    for (let count = 0; count < 20; count++) await idp.renew("rt-0").catch(() => {});

    await hostile.rotateKey();
    hostile.bend.jwksAnswer = undefined;
    expect(await rejection(idp.renew("rt-0"))).toMatchObject({
      step: "id_token",
      kind: "unavailable",
      message: "jwks_uri was asked too often for unknown keys",
    });
    now += 12_000;
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
  });

  test("that are known go on to serve under such a flood", async () => {
    const idp = await discover();
    await idp.renew("rt-0");
    const sign = hostile.bend.sign;
    for (let count = 0; count < 20; count++) {
      hostile.bend.sign = () => forged(`invented-${count}`);
      await idp.renew("rt-0").catch(() => {});
    }
    hostile.bend.sign = sign;
    expect((await idp.renew("rt-0")).identity.sub).toBe("ada");
    expect(hostile.seen.jwks).toBe(5);
  });

  test("of one name are all tried, a few of them", async () => {
    const right = hostile.publicJwk();
    const { kid = "" } = right;
    const { publicKey } = await generateKeyPair("RS256");
    const wrong = { ...(await exportJWK(publicKey)), kid };
    publish([wrong, right]);
    expect((await (await discover()).renew("rt-0")).identity.sub).toBe("ada");

    publish([...Array.from({ length: 4 }, () => wrong), right]);
    expect(await rejection((await discover()).renew("rt-0"))).toMatchObject({
      step: "id_token",
      message: "failed to validate JWT signature",
    });
  });

  test("without a kid in the id_token must be one", async () => {
    hostile.bend.sign = (claims) => hostile.signAs(undefined, claims);
    const one = hostile.publicJwk();
    publish([one]);
    expect((await (await discover()).renew("rt-0")).identity.sub).toBe("ada");
    publish([one, { ...one, kid: "another" }]);
    expect((await rejection((await discover()).renew("rt-0"))).message).toContain(
      "a kid must be provided",
    );
  });

  test("for something else than signatures do not verify", async () => {
    const right = hostile.publicJwk();
    for (const change of [{ use: "enc" }, { alg: "PS256" }, { key_ops: ["encrypt"] }]) {
      publish([{ ...right, ...change }]);
      expect((await rejection((await discover()).renew("rt-0"))).message).toContain(
        "no valid key found",
      );
    }
  });

  test("of very many are looked through, up to the size of an answer; more is an outage", async () => {
    const right = hostile.publicJwk();
    const others = Array.from({ length: 2_000 }, (_, n) => ({ ...right, kid: `other-${n}` }));
    publish([...others, right]);
    expect((await (await discover()).renew("rt-0")).identity.sub).toBe("ada");

    publish([...others, ...others, right]);
    expect(await rejection((await discover()).renew("rt-0"))).toMatchObject({
      step: "id_token",
      kind: "unavailable",
      message: expect.stringContaining("answer is longer than 1000000 bytes"),
    });
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

/** An id_token that names this key, with a signature of nobody. */
function forged(kid: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", kid })}.${part({ sub: "ada" })}.${part({})}`;
}
