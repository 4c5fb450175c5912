// A running gateway whose IdP, or whoever stands between, breaks one rule at a time: nobody gets in, the person reads a page, and
// the operator learns why. What each rule is, in all its cases: test/idp/.
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import { openScene } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";

const scene = await openScene((config) => {
  config.oidc.allowed_email_domains = ["example.com"];
});
const { gateway, idp } = scene;
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
afterEach(() => idp.straighten());

const seconds = () => Math.floor(Date.now() / 1000);
const errorOf = async (response: Response) =>
  ((await response.json()) as { error?: string }).error ?? "none";
const notCompleted = "Sign-in could not be completed.";
const goesOn = "authorization_pending";

type Claims = Record<string, unknown>;

describe("a sign-in is denied, and the audit says why, when the id_token", () => {
  const wrongs: [string, (claims: Claims) => Claims, string][] = [
    ["is of another issuer", (c) => ({ ...c, iss: "http://evil.example" }), "unexpected iss value"],
    ["is for somebody else", (c) => ({ ...c, aud: "other" }), "aud mismatch"],
    ["was issued to somebody else", (c) => ({ ...c, aud: ["gw", "x"], azp: "x" }), "azp mismatch"],
    ["belongs to another sign-in", (c) => ({ ...c, nonce: "zzz" }), "nonce mismatch"],
    ["has expired", (c) => ({ ...c, exp: seconds() - 1 }), "JWT expired"],
    ["is not valid yet", (c) => ({ ...c, nbf: seconds() + 600 }), "JWT not active yet"],
    ["is of the future", (c) => ({ ...c, iat: seconds() + 600 }), "JWT issued in the future"],
    ["is of nobody", (c) => ({ ...c, sub: undefined }), "missing required JWT property sub"],
    ["has an unverified address", (c) => ({ ...c, email_verified: false }), "not verified"],
  ];
  test.each(wrongs)("%s", async (_, bent, reason) => {
    idp.bend.claims = bent;
    await isDenied(reason);
  });

  const signatures: [string, (claims: Claims) => string | Promise<string>, string][] = [
    ["is not signed", (claims) => new UnsecuredJWT(claims).encode(), "got: none"],
    [
      "is signed with the public key as secret",
      (claims) =>
        new SignJWT(claims)
          .setProtectedHeader({ alg: "HS256", kid: "k1" })
          .sign(Buffer.from(JSON.stringify(idp.publicJwk()))),
      "got: HS256",
    ],
    [
      "names a key that the IdP does not have",
      (claims) => idp.signAs("unknown", claims),
      "no valid key found",
    ],
  ];
  test.each(signatures)("%s", async (_, sign, reason) => {
    idp.bend.sign = sign;
    await isDenied(reason);
  });
});

describe("an e-mail address gets nobody in that", () => {
  const tricks: [string, unknown][] = [
    ["has the domain in the middle", "ada@example.com@evil.com"],
    ["has the domain in a quoted name", '"ada@example.com"@evil.com'],
    ["has another address in a quoted name", '"ada@evil.com"@example.com'],
    ["is two addresses", "ada@evil.com,ada@example.com"],
    ["has a comment", "ada(@evil.com)@example.com"],
    ["has a name around it", "ada@evil.com <ada@example.com>"],
    ["ends in a dot", "ada@example.com."],
    ["ends in a blank", "ada@example.com "],
    ["begins with a blank", " ada@example.com"],
    ["has a line break", "ada@evil.com\n@example.com"],
    ["has a NUL", "ada@example.com\0@evil.com"],
    ["ends in a NUL", "ada@example.com\0"],
    ["is at a subdomain", "ada@evil.example.com"],
    ["is at a longer domain", "ada@notexample.com"],
    ["looks alike in Cyrillic", "ada@ex\u0430mple.com"],
    ["looks alike in full width", "ada@\uff45xample.com"],
    ["looks alike with a Kelvin sign", "ada@example.\u212aom"],
    ["has another kind of @", "ada\uff20example.com"],
    ["hides a character", "ada@example\u200b.com"],
    ["is in punycode", "ada@xn--exmple-cua.com"],
    ["is a list", ["ada@example.com"]],
    ["is empty", ""],
  ];
  test.each(tricks)("%s", async (_, email) => {
    idp.bend.claims = (claims) => ({ ...claims, email });
    await isDenied("email");
  });

  test("but one that differs in capitals does", async () => {
    idp.bend.claims = (claims) => ({ ...claims, email: "Ada@Example.COM" });
    expect(decodeJwt((await flow.signIn()).access_token)).toMatchObject({
      email: "Ada@Example.COM",
    });
  });
});

describe("a callback leaves the sign-in as it is when", () => {
  test("it names another issuer (RFC 9207), and the right one still signs in", async () => {
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    const mixedUp = new URL(way.callback);
    mixedUp.searchParams.set("iss", "https://evil.example");
    expect(await flow.comeBack({ ...way, callback: mixedUp.href })).toContain(notCompleted);
    await gateway.waitForLog(
      /callback refused request_id=\S+: iss mismatch, expected \S+, got: https:\/\/evil\.example/,
    );
    expect(idp.seen.tokenRequests).toEqual([]);
    expect(await errorOf(await flow.poll(codes.device_code))).toBe(goesOn);
    expect(await flow.comeBack(way)).toContain("signed in");
  });

  const unsolicited: [string, (url: URL) => void, string][] = [
    ["without state", (url) => url.searchParams.delete("state"), "has expired"],
    ["with a state of nobody", (url) => url.searchParams.set("state", "x"), "has expired"],
    [
      "with a changed state",
      (url) => url.searchParams.set("state", `${url.searchParams.get("state") ?? ""}A`),
      "has expired",
    ],
    ["without code", (url) => url.searchParams.delete("code"), notCompleted],
    ["with two codes", (url) => url.searchParams.append("code", "x"), notCompleted],
    ["with tokens", (url) => url.searchParams.set("id_token", "x"), notCompleted],
    ["with a signed response", (url) => url.searchParams.set("response", "x"), notCompleted],
  ];
  test.each(unsolicited)("it comes %s", async (_, change, page) => {
    const codes = await flow.begin();
    const way = await flow.confirm(codes.user_code);
    const url = new URL(way.callback);
    change(url);
    expect(await flow.comeBack({ ...way, callback: url.href })).toContain(page);
    expect(idp.seen.tokenRequests).toEqual([]);
    expect(await errorOf(await flow.poll(codes.device_code))).toBe(goesOn);
  });

  test("it comes as a form", async () => {
    const codes = await flow.begin();
    const { callback, cookie } = await flow.confirm(codes.user_code);
    const body = new URL(callback).searchParams;
    const answer = await fetch(`${gateway.url}/oauth/callback`, {
      method: "POST",
      body,
      headers: { cookie },
    });
    expect(await answer.text()).toContain("has expired");
    expect(idp.seen.tokenRequests).toEqual([]);
  });

  test("its state is of another sign-in than the browser's", async () => {
    const [victim, attacker] = [await flow.begin(), await flow.begin()];
    const mine = await flow.confirm(victim.user_code);
    const theirs = await flow.confirm(attacker.user_code);
    expect(await flow.comeBack({ callback: theirs.callback, cookie: mine.cookie })).toContain(
      "different browser",
    );
    expect(idp.seen.tokenRequests).toEqual([]);
    for (const { device_code } of [victim, attacker])
      expect(await errorOf(await flow.poll(device_code))).toBe(goesOn);
  });
});

test("somebody else's code in one's own callback signs nobody in", async () => {
  const [victim, attacker] = [await flow.begin(), await flow.begin()];
  const theirs = new URL((await flow.confirm(victim.user_code)).callback);
  const mine = await flow.confirm(attacker.user_code);
  const injected = new URL(mine.callback);
  injected.searchParams.set("code", theirs.searchParams.get("code") ?? "");
  expect(await flow.comeBack({ ...mine, callback: injected.href })).toContain(notCompleted);
  await gateway.audited("session.mint", { result: "fail", step: "id_token" });
  expect(await errorOf(await flow.poll(attacker.device_code))).toBe("access_denied");
});

test("a key that is rotated between the redirect and the callback is accepted", async () => {
  await flow.signIn();
  const codes = await flow.begin();
  const way = await flow.confirm(codes.user_code);
  await idp.rotateKey();
  idp.seen.jwks = 0;
  expect(await flow.comeBack(way)).toContain("signed in");
  expect(idp.seen.jwks).toBe(1);
});

/** A whole sign-in that ends with a page, a denied device grant and this reason in the audit. */
async function isDenied(reason: string): Promise<void> {
  const failures = () => gateway.audit("session.mint").filter(({ result }) => result === "fail");
  const before = failures().length;
  const codes = await flow.begin();
  expect(await flow.comeBack(await flow.confirm(codes.user_code))).toContain(notCompleted);
  expect(await errorOf(await flow.poll(codes.device_code))).toBe("access_denied");
  await gateway.waitForLog(/token exchange failed/);
  expect(failures().slice(before)).toMatchObject([{ err: expect.stringContaining(reason) }]);
}
