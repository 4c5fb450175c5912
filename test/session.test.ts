// The bearer: what the reference mints is accepted here, and nothing that only looks like it.
import { expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { createKnownEndings } from "../src/endings/known-endings.ts";
import { createSessions, type Sessions } from "../src/session.ts";
import { otherSpellings } from "./support/spellings.ts";

const secret = "0123456789abcdef0123456789abcdef";
const older = "fedcba9876543210fedcba9876543210";
const issuer = "https://gw.example.com";
const claims = { sub: "ada", email: "ada@example.com", name: "Ada", groups: ["eng"] };

let clockMs = Date.parse("2026-11-22T12:00:00Z");
const endings = createKnownEndings({ max: 100, heldSeconds: 3600, now: () => clockMs });
const endSession = (id: string) => endings.learn({ sessions: [[id, 0]], principals: [] });
const sessionsWith = (secrets: string[], at: string | undefined = issuer) =>
  createSessions({ secrets, issuer: at, ttlSeconds: 3600, endings, now: () => clockMs });
const sessions = sessionsWith([secret, older]);

const principalOf = async (from: Sessions, bearer: string) =>
  (await from.issuedAs(bearer))?.principal;

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
    endings,
    now: () => clockMs,
  });
  const { accessToken } = await tagging.mint(claims);
  expect(decodeJwt(accessToken)["billing_group_tag"]).toBe("team");
  // Also one that was minted before the setting went away: the client goes by its bearer.
  expect(await principalOf(sessions, accessToken)).toEqual({ ...claims, billingGroupTag: "team" });
  const plain = (await sessions.mint(claims)).accessToken;
  expect((await principalOf(tagging, plain))?.billingGroupTag).toBeUndefined();
});

test("a bearer's tag that is no text is none", async () => {
  for (const tag of [5, null, ["team"]]) {
    const bearer = forge(hs256, { ...valid(), billing_group_tag: tag });
    expect((await principalOf(sessions, bearer))?.billingGroupTag).toBeUndefined();
    expect((await principalOf(sessions, bearer))?.sub).toBe("ada");
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
  expect(await principalOf(sessions, accessToken)).toEqual(claims);
});

test("a bearer without kid is checked against the first secret only", async () => {
  expect(await principalOf(sessions, forge(hs256, valid()))).toBeDefined();
  expect(await principalOf(sessions, forge(hs256, valid(), older))).toBeUndefined();
});

test("a bearer under an older secret verifies until the secret is removed", async () => {
  const { accessToken } = await sessionsWith([older]).mint(claims);
  expect(await principalOf(sessions, accessToken)).toEqual(claims);
  expect(await principalOf(sessionsWith([secret]), accessToken)).toBeUndefined();
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
    expect(await principalOf(sessions, await make())).toBeUndefined();
  });
}

test("a bearer that was accepted before is refused once it has expired", async () => {
  const { accessToken } = await sessions.mint(claims);
  expect(await principalOf(sessions, accessToken)).toBeDefined();
  const then = clockMs;
  clockMs += 3600 * 1000 + 1;
  expect(await principalOf(sessions, accessToken)).toBeUndefined();
  clockMs = then;
});

test("a bearer is good as it was written, and in no other spelling of its signature", async () => {
  const { accessToken } = await sessions.mint(claims);
  const spellings = otherSpellings(accessToken);
  expect(spellings.length).toBeGreaterThan(40);
  for (const spelling of spellings) {
    expect(await principalOf(sessions, spelling)).toBeUndefined();
    // Whether the bearer itself was seen before or not.
    expect(await principalOf(sessionsWith([secret]), spelling)).toBeUndefined();
  }
  expect(await principalOf(sessions, accessToken)).toEqual(claims);
});

test("a bearer minted without a public URL has no issuer", async () => {
  const loopback = createSessions({
    secrets: [secret],
    issuer: undefined,
    ttlSeconds: 60,
    endings,
    now: () => clockMs,
  });
  const { accessToken } = await loopback.mint(claims);
  expect(decodeJwt(accessToken).iss).toBeUndefined();
  expect(await principalOf(loopback, accessToken)).toEqual(claims);
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
    expect((await principalOf(sessions, accessToken))?.groups).toEqual(groups);
});

const asked = (bearer: string) => sessions.authenticate(`Bearer ${bearer}`);

test("a bearer of a session names it, and when the person signed in", async () => {
  const { accessToken } = await sessions.mint(claims, { id: "s-1", beganAtSeconds: 5 });
  expect(decodeJwt(accessToken)).toMatchObject({ sid: "s-1", auth_time: 5, iat: seconds() });
  expect((await sessions.issuedAs(accessToken))?.issued).toEqual({
    id: "s-1",
    beganAtSeconds: 5,
    principal: "ada",
  });
});

test("a bearer whose session has ended is refused, also one that was accepted before, and others of the person are not", async () => {
  const inSession = (id: string) => sessions.mint(claims, { id, beganAtSeconds: seconds() });
  const { accessToken: seen } = await inSession("ended");
  const { accessToken: unseen } = await inSession("ended");
  const { accessToken: other } = await inSession("other");
  expect(await asked(seen)).toEqual(claims);
  endSession("ended");
  expect(await asked(seen)).toBe("ended_session");
  expect(await asked(unseen)).toBe("ended_session");
  expect(await asked(other)).toEqual(claims);
});

test("a bearer without a session is one of its own, which began when it was issued", async () => {
  const one = forge(hs256, valid());
  const two = forge(hs256, { ...valid(), jti: "2" });
  const issued = (await sessions.issuedAs(one))?.issued;
  const signed = one.slice(0, one.lastIndexOf("."));
  expect(issued?.id).toBe(createHash("sha256").update(signed).digest("base64url"));
  expect(issued?.beganAtSeconds).toBe(seconds());
  endSession(issued?.id ?? "");
  expect(await asked(one)).toBe("ended_session");
  expect(await asked(two)).toEqual(claims);
});

test("of somebody whose sessions have ended, bearers are refused by when the person signed in, not by when they were issued", async () => {
  const sub = "signed out";
  const minted = async (beganAtSeconds: number) =>
    (await sessions.mint({ sub }, { id: `s${beganAtSeconds}`, beganAtSeconds })).accessToken;
  const [before, at, after] = [await minted(99), await minted(100), await minted(101)];
  const unnamed = forge(hs256, { ...valid(), sub, iat: 100 });
  const dateless = forge(hs256, { ...valid(), sub, iat: undefined });
  endings.learn({ sessions: [], principals: [[sub, 100]] });
  for (const bearer of [before, at, unnamed, dateless])
    expect(await asked(bearer)).toBe("ended_session");
  expect(await asked(after)).toMatchObject({ sub });
});

test("a bearer of an ended session that has expired is as invalid as any", async () => {
  const { accessToken } = await sessions.mint(claims, { id: "ended and over", beganAtSeconds: 1 });
  endSession("ended and over");
  const then = clockMs;
  clockMs += 3600 * 1000 + 1;
  expect(await asked(accessToken)).toBe("invalid_token");
  expect(await sessions.issuedAs(accessToken)).toBeUndefined();
  clockMs = then;
});
