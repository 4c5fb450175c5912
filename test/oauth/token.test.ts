// A refresh of somebody who was signed out, where memory does not hold all endings and the store may be away. The grants as a
// client meets them are in test/gateway/.
import { expect, test } from "bun:test";
import type { Identity, IdentityProvider } from "../../src/idp/identity.ts";
import type { DeviceGrants } from "../../src/oauth/device.ts";
import { createRefreshTokens, type RefreshTokenContent } from "../../src/oauth/refresh-token.ts";
import { createTokenEndpoint } from "../../src/oauth/token.ts";
import { createSealed } from "../../src/sealed.ts";
import { createSessions } from "../../src/session.ts";
import { createWorld } from "../endings/replicas.ts";
import { incomingOf } from "../support/incoming.ts";

const secrets = ["0123456789abcdef0123456789abcdef"];

/** A token endpoint that has forgotten that ada was signed out everywhere, two days ago. */
async function open(options: { whenRenewing?: () => void } = {}) {
  const world = createWorld();
  const endings = await world.replica({ knownMax: 0 });
  await endings.endPrincipals(["ada"], "admin-key:ops");
  await world.pass(2 * 86_400_000);
  const now = () => world.seconds() * 1000;
  const sealed = createSealed<RefreshTokenContent>("refresh token", { secrets, now });
  const refreshTokens = createRefreshTokens(sealed);
  const identityProvider: Pick<IdentityProvider, "renew"> = {
    async renew(refreshToken) {
      options.whenRenewing?.();
      const identity = { sub: refreshToken.replace("rt-", "") } as Identity;
      return { identity, refreshToken: "rt-2" };
    },
  };
  const endpoint = createTokenEndpoint({
    grants: {} as DeviceGrants,
    sessions: createSessions({ secrets, issuer: undefined, ttlSeconds: 3_600, endings, now }),
    refreshTokens,
    endings,
    identityProvider: identityProvider as IdentityProvider,
    ttlHours: 1,
    decisive: { groups: false, email: false },
  });
  async function refresh(refresh_token: string) {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token });
    const request = new Request("http://gateway/oauth/token", { method: "POST", body });
    const response = await endpoint(incomingOf(request));
    return [response.status, ((await response.json()) as { error?: string }).error];
  }
  const sealedFor = (sub: string, beganAtSeconds: number) =>
    refreshTokens.issue({
      idpRefreshToken: `rt-${sub}`,
      sub,
      had: { groups: false, email: false },
      session: { id: `session of ${sub}`, beganAtSeconds },
    });
  return { world, endings, refresh, sealedFor };
}

test("whoever was signed out so long ago that only the store knows gets nothing, whatever they hold", async () => {
  const { world, refresh, sealedFor } = await open();
  const beforeIt = world.seconds() - 3 * 86_400;
  expect(await refresh(await sealedFor("ada", beforeIt))).toEqual([401, "invalid_grant"]);
  expect(await refresh("rt-ada")).toEqual([401, "invalid_grant"]);
  expect(await refresh("rt-bob")).toEqual([200, undefined]);
  expect(await refresh(await sealedFor("ada", world.seconds()))).toEqual([200, undefined]);
});

test("a store that goes away while the identity provider renews a token of ours does not lose it", async () => {
  const whenRenewing = () => void (endings.isCutOff = true);
  const { endings, refresh, sealedFor } = await open({ whenRenewing });
  expect(await refresh(await sealedFor("bob", 1))).toEqual([200, undefined]);
});

test("who signs out while the identity provider renews their token gets no other", async () => {
  const whenRenewing = () => void endings.endSession("session of bob");
  const { endings, refresh, sealedFor } = await open({ whenRenewing });
  expect(await refresh(await sealedFor("bob", 1))).toEqual([401, "invalid_grant"]);
});
