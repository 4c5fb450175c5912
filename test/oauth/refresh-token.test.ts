// What a refresh token is, and how long.
import { expect, test } from "bun:test";
import { createRefreshTokens, type RefreshTokenContent } from "../../src/oauth/refresh-token.ts";
import { createSealed } from "../../src/sealed.ts";

let clockMs = Date.parse("2026-11-22");
const day = 86_400_000;
const sealed = createSealed<RefreshTokenContent>("refresh token", {
  secrets: ["0123456789abcdef0123456789abcdef"],
  now: () => clockMs,
});
const refreshTokens = createRefreshTokens(sealed);
const content = {
  idpRefreshToken: "rt-1",
  sub: "ada",
  had: { groups: true, email: false },
  session: { id: "s", beganAtSeconds: 5 },
};

test("a refresh token opens to what was issued, for 400 days", async () => {
  const token = await refreshTokens.issue(content);
  clockMs += 400 * day - 1_000;
  expect(await refreshTokens.open(token)).toEqual(content);
  clockMs += 2_000;
  expect(await refreshTokens.open(token)).toBeUndefined();
});

test("tokens that name no session are of one when the identity provider's token in them is the same", async () => {
  const unnamed = { idpRefreshToken: "rt-1", sub: "ada" };
  const [one, two] = [await sealed.seal(unnamed), await sealed.seal(unnamed)];
  const other = await sealed.seal({ ...unnamed, idpRefreshToken: "rt-2" });
  const idOf = async (token: string) => (await refreshTokens.open(token))?.session.id;
  const [a, b] = [await idOf(`gwr.${one}`), await idOf(`gwr.${two}`)];
  const [bare, c] = [await idOf("rt-1"), await idOf(`gwr.${other}`)];
  expect([b, bare]).toEqual([a, a]);
  expect(c).not.toBe(a);
});
