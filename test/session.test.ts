// The bearer: what the reference mints is accepted here, and nothing that only looks like it.
import { expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { createSessions } from "../src/session.ts";

const secret = "0123456789abcdef0123456789abcdef";
const older = "fedcba9876543210fedcba9876543210";
const issuer = "https://gw.example.com";
const claims = { sub: "ada", email: "ada@example.com", name: "Ada", groups: ["eng"] };

let clockMs = Date.parse("2026-11-22T12:00:00Z");
const sessionsWith = (secrets: string[], at: string | undefined = issuer) =>
  createSessions({ secrets, issuer: at, ttlSeconds: 3600, now: () => clockMs });
const sessions = sessionsWith([secret, older]);

/** A token as somebody else would make one, byte by byte. */
function forge(header: object, payload: object, key = secret, algorithm = "sha256"): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part(header)}.${part(payload)}`;
  return `${signed}.${createHmac(algorithm, key).update(signed).digest("base64url")}`;
}
const seconds = () => Math.floor(clockMs / 1000);
const valid = () => ({
  ...claims,
  aud: "claude-gateway",
  iss: issuer,
  iat: seconds(),
  exp: seconds() + 60,
});
const hs256 = { alg: "HS256", typ: "JWT" };

test("a minted bearer carries the reference's claims and a kid that names the secret", async () => {
  const { accessToken, expiresInSeconds } = await sessions.mint(claims);
  expect(decodeProtectedHeader(accessToken)).toEqual({
    alg: "HS256",
    typ: "JWT",
    kid: createHash("sha256").update(secret).digest("hex").slice(0, 16),
  });
  expect(decodeJwt(accessToken)).toEqual({
    ...claims,
    aud: "claude-gateway",
    iss: issuer,
    iat: seconds(),
    exp: seconds() + 3600,
  });
  expect(expiresInSeconds).toBe(3600);
});

test("a bearer names the tag that says which group a request is for, where one is configured", async () => {
  const tagging = createSessions({
    secrets: [secret],
    issuer,
    billingGroupTag: "team",
    ttlSeconds: 3600,
    now: () => clockMs,
  });
  const { accessToken } = await tagging.mint(claims);
  expect(decodeJwt(accessToken)["billing_group_tag"]).toBe("team");
  // Also one that was minted before the setting went away: the client goes by its bearer.
  expect(await sessions.verify(accessToken)).toEqual({ ...claims, billingGroupTag: "team" });
  const plain = (await sessions.mint(claims)).accessToken;
  expect((await tagging.verify(plain))?.billingGroupTag).toBeUndefined();
});

test("a bearer's tag that is no text is none", async () => {
  for (const tag of [5, null, ["team"]]) {
    const bearer = forge(hs256, { ...valid(), billing_group_tag: tag });
    expect((await sessions.verify(bearer))?.billingGroupTag).toBeUndefined();
    expect((await sessions.verify(bearer))?.sub).toBe("ada");
  }
});

test("claims that the IdP did not give are left out of the bearer", async () => {
  const { accessToken } = await sessions.mint({ sub: "ada" });
  expect(Object.keys(decodeJwt(accessToken)).toSorted()).toEqual([
    "aud",
    "exp",
    "iat",
    "iss",
    "sub",
  ]);
});

test("a minted bearer verifies to its principal", async () => {
  const { accessToken } = await sessions.mint(claims);
  expect(await sessions.verify(accessToken)).toEqual(claims);
});

test("a bearer without kid is checked against the first secret only", async () => {
  expect(await sessions.verify(forge(hs256, valid()))).toBeDefined();
  expect(await sessions.verify(forge(hs256, valid(), older))).toBeUndefined();
});

test("a bearer under an older secret verifies until the secret is removed", async () => {
  const { accessToken } = await sessionsWith([older]).mint(claims);
  expect(await sessions.verify(accessToken)).toEqual(claims);
  expect(await sessionsWith([secret]).verify(accessToken)).toBeUndefined();
});

const refused: [string, () => string | Promise<string>][] = [
  ["signed under another secret", () => forge(hs256, valid(), "x".repeat(32))],
  ["with an unknown kid", () => forge({ ...hs256, kid: "ffffffffffffffff" }, valid())],
  ["with algorithm none", () => forge({ alg: "none" }, valid()).replace(/[^.]*$/, "")],
  [
    "with HS512 under the right secret",
    () => forge({ alg: "HS512", typ: "JWT" }, valid(), secret, "sha512"),
  ],
  ["without exp", () => forge(hs256, { ...valid(), exp: undefined })],
  ["without sub", () => forge(hs256, { ...valid(), sub: undefined })],
  ["past its exp by a second", () => forge(hs256, { ...valid(), exp: seconds() - 1 })],
  ["before its nbf", () => forge(hs256, { ...valid(), nbf: seconds() + 30 })],
  ["for another audience", () => forge(hs256, { ...valid(), aud: "other" })],
  ["of another issuer", () => forge(hs256, { ...valid(), iss: "https://evil.example" })],
  [
    "with a changed payload",
    () =>
      forge(hs256, valid()).replace(
        /\.[^.]+\./,
        `.${Buffer.from(JSON.stringify({ ...valid(), sub: "bob" })).toString("base64url")}.`,
      ),
  ],
  ["cut short", () => forge(hs256, valid()).slice(0, -2)],
  ["that is no token", () => "junk"],
  ["that is empty between its dots", () => ".."],
  [
    "with a critical header we do not know",
    () =>
      new SignJWT(valid())
        .setProtectedHeader({ alg: "HS256", crit: ["x"], x: 1 })
        .sign(Buffer.from(secret), { crit: { x: true } }),
  ],
];
for (const [what, make] of refused) {
  test(`a bearer ${what} is refused`, async () => {
    expect(await sessions.verify(await make())).toBeUndefined();
  });
}

test("a bearer that was accepted before is refused once it has expired", async () => {
  const { accessToken } = await sessions.mint(claims);
  expect(await sessions.verify(accessToken)).toBeDefined();
  const then = clockMs;
  clockMs += 3600 * 1000 + 1;
  expect(await sessions.verify(accessToken)).toBeUndefined();
  clockMs = then;
});

test("a bearer minted without a public URL has no issuer", async () => {
  const loopback = createSessions({
    secrets: [secret],
    issuer: undefined,
    ttlSeconds: 60,
    now: () => clockMs,
  });
  const { accessToken } = await loopback.mint(claims);
  expect(decodeJwt(accessToken).iss).toBeUndefined();
  expect(await loopback.verify(accessToken)).toEqual(claims);
});

test("the scheme of the Authorization header is read in any case, and only Bearer is", async () => {
  const { accessToken } = await sessions.mint(claims);
  expect(await sessions.authenticate(`bearer ${accessToken}`)).toEqual(claims);
  expect(await sessions.authenticate(`Basic ${accessToken}`)).toBe("missing_token");
  expect(await sessions.authenticate(null)).toBe("missing_token");
  expect(await sessions.authenticate("Bearer junk")).toBe("invalid_token");
});

test("the bearer of somebody in thousands of groups is as good as any", async () => {
  const groups = Array.from({ length: 4_000 }, (_, index) => `department-${index}-of-the-company`);
  const { accessToken } = await sessions.mint({ sub: "ada", groups });
  expect(accessToken.length).toBeGreaterThan(100_000);
  for (let times = 0; times < 2; times++)
    expect((await sessions.verify(accessToken))?.groups).toEqual(groups);
});
