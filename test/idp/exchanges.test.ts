// An IdP that is slow, silent or half away: how long anybody waits for it, how many do, and that a session outlives it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { OidcConfig } from "../../src/config/schema.ts";
import { discoverIdentityProvider } from "../../src/idp/provider.ts";
import { egressFor } from "../support/egress.ts";
import {
  type HostileIdp,
  idpErrorOf,
  signInAt,
  startHostileIdp,
  waysIn,
} from "../support/hostile-idp.ts";
import { oidcConfig } from "../support/idp.ts";
import { untilTrue } from "../support/until-true.ts";

const egress = egressFor({ timeoutMs: 10_000, responseBytesMax: 100_000 });
const log = { debug: () => {}, warn: () => {} };

let hostile: HostileIdp;
/** What was to run after how long, and has neither run nor been called off. */
let timers: Map<() => void, number>;
let release: () => void;
/** What an answer waits for that does not come. */
let never: Promise<void>;
beforeEach(async () => {
  hostile = await startHostileIdp();
  timers = new Map();
  ({ promise: never, resolve: release } = Promise.withResolvers<void>());
});
afterEach(() => {
  release();
  return hostile.close();
});

function after(ms: number, run: () => void): () => void {
  timers.set(run, ms);
  return () => timers.delete(run);
}
/** Lets the time of everybody who waits be up. */
function timeIsUp(): void {
  for (const run of timers.keys()) run();
}
const discover = (changes: Partial<OidcConfig> = {}) =>
  discoverIdentityProvider(oidcConfig(hostile, changes), {
    egress,
    directoryEgress: egress,
    log,
    after,
  });
const silence = async () => {
  await never;
  return new Response();
};
const thin = (claims: Record<string, unknown>) => ({ ...claims, email: undefined });

describe("an IdP that does not answer", () => {
  test("is waited for 8 s at a renewal, less than the 10 s of clients, and 20 s at a sign-in", async () => {
    const idp = await discover();
    hostile.bend.tokenAnswer = silence;
    const waits = [];
    for (const [, way] of waysIn(hostile)) {
      const waiting = idpErrorOf(way(idp));
      await untilTrue(() => timers.size === 1);
      waits.push(...timers.values());
      timeIsUp();
      expect(await waiting).toMatchObject({
        step: "token_endpoint",
        kind: "unavailable",
        message: expect.stringMatching(/the IdP took longer than (20000|8000) ms/),
      });
      expect(timers.size).toBe(0);
    }
    expect(waits).toEqual([20_000, 8_000]);
  });

  test("is waited for that long in all, whichever of its endpoints is silent", async () => {
    const idp = await discover({ userinfo_fallback: true });
    hostile.bend.jwksAnswer = silence;
    const forKeys = idpErrorOf(idp.renew("rt-0"));
    await untilTrue(() => hostile.seen.jwks === 1);
    timeIsUp();
    expect(await forKeys).toMatchObject({ step: "id_token", kind: "unavailable" });
    release();

    const other = await discover({ userinfo_fallback: true });
    ({ promise: never, resolve: release } = Promise.withResolvers<void>());
    hostile.bend = { ...hostile.bend, jwksAnswer: undefined, claims: thin };
    hostile.bend.userinfoAnswer = silence;
    const forUserinfo = idpErrorOf(other.renew("rt-0"));
    await untilTrue(() => hostile.seen.userinfo === 1);
    timeIsUp();
    expect(await forUserinfo).toMatchObject({ step: "userinfo", kind: "unavailable" });
  });

  test("has places of their own for tokens that may be anybody's invention", async () => {
    const idp = await discover();
    hostile.bend.tokenAnswer = silence;
    const bare = (n: number) => idpErrorOf(idp.renew(`junk-${n}`, undefined, { isBare: true }));
    const waiting = Array.from({ length: 16 }, (_, n) => bare(n));
    expect(await bare(16)).toMatchObject({ message: "16 others wait for the IdP already" });
    const ours = idpErrorOf(idp.renew("rt-0"));
    await untilTrue(() => timers.size === 17);
    timeIsUp();
    expect(await ours).toMatchObject({ message: expect.stringContaining("took longer") });
    await Promise.all(waiting);
    release();
    hostile.bend.tokenAnswer = undefined;
  });

  test("has 256 renewals wait for it and no more, and sign-ins have places of their own", async () => {
    const idp = await discover();
    hostile.bend.tokenAnswer = silence;
    const waiting = Array.from({ length: 256 }, (_, n) => idpErrorOf(idp.renew(`rt-${n}`)));
    expect(await idpErrorOf(idp.renew("one more"))).toMatchObject({
      step: "token_endpoint",
      kind: "unavailable",
      message: "256 others wait for the IdP already",
    });
    const signIn = idpErrorOf(signInAt(hostile, idp));
    await untilTrue(() => timers.size === 257);
    timeIsUp();
    expect((await Promise.all(waiting)).every(({ kind }) => kind === "unavailable")).toBe(true);
    await signIn;

    // They have left: there is room again.
    release();
    hostile.bend.tokenAnswer = undefined;
    expect((await idp.renew("another")).identity.sub).toBe("ada");
    expect(timers.size).toBe(0);
  });
});

describe("a refresh token stays usable", () => {
  /** Rotates strictly, from rt-0 on: whoever comes with a used one is refused. */
  function rotateStrictly(): void {
    let newest = "rt-0";
    hostile.bend.tokens = (answer) => {
      const used = hostile.seen.tokenRequests.at(-1)?.form.get("refresh_token");
      if (used !== newest) return { error: "invalid_grant" };
      newest = `${newest}'`;
      return { ...answer, refresh_token: newest };
    };
  }
  const failures: [string, () => void, () => void][] = [
    [
      "when the keys cannot be had",
      () => (hostile.bend.jwksAnswer = () => new Response(null, { status: 503 })),
      () => (hostile.bend.jwksAnswer = undefined),
    ],
    [
      "when userinfo cannot be asked",
      () => {
        hostile.bend.claims = thin;
        hostile.bend.userinfoAnswer = () => new Response("<html>", { status: 502 });
      },
      () => (hostile.bend.userinfoAnswer = undefined),
    ],
    [
      "when the id_token cannot be believed",
      () => (hostile.bend.claims = (claims) => ({ ...claims, iss: "https://other.example" })),
      () => (hostile.bend.claims = (claims) => claims),
    ],
  ];
  test.each(failures)("%s after the IdP has replaced it", async (_, bend, mend) => {
    const idp = await discover({ userinfo_fallback: true });
    rotateStrictly();
    bend();
    for (let count = 0; count < 3; count++)
      expect(await idpErrorOf(idp.renew("rt-0"))).toMatchObject({ kind: "unavailable" });
    mend();
    expect(await idp.renew("rt-0")).toMatchObject({
      identity: { sub: "ada" },
      refreshToken: "rt-0''''",
    });
  });

  test("when the IdP replaces it after we have stopped waiting", async () => {
    const idp = await discover();
    rotateStrictly();
    hostile.bend.beforeTokens = () => never;
    const waiting = idpErrorOf(idp.renew("rt-0"));
    await untilTrue(() => hostile.seen.tokenRequests.length === 1);
    timeIsUp();
    expect(await waiting).toMatchObject({ kind: "unavailable" });
    release();
    await Bun.sleep(20);
    expect((await idp.renew("rt-0")).refreshToken).toBe("rt-0''");
  });

  test("when it is used twice at once", async () => {
    const idp = await discover();
    rotateStrictly();
    const grants = await Promise.all([idp.renew("rt-0"), idp.renew("rt-0")]);
    expect(grants.map(({ refreshToken }) => refreshToken)).toEqual(["rt-0'", "rt-0'"]);
  });
});
