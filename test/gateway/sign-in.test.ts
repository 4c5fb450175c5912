// A sign-in through a running gateway, by every road and every wrong turn.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { freePort } from "../support/gateway.ts";
import { startOidcProvider } from "../support/idp.ts";
import { openScene } from "../support/scene.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";

const scene = await openScene();
const { gateway, idp } = scene;
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
beforeEach(() => idp.straighten());

const errorOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { error: string }).error,
];

test("a device signs in, and its bearer opens the API", async () => {
  const tokens = await flow.signIn();
  expect(Object.keys(tokens).toSorted()).toEqual([
    "access_token",
    "expires_in",
    "refresh_token",
    "token_type",
  ]);
  expect(decodeJwt(tokens.access_token)).toMatchObject({
    sub: "ada",
    aud: "claude-gateway",
    iss: gateway.url,
  });
  const models = await fetch(`${gateway.url}/v1/models`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  expect(models.status).toBe(200);
});

test("the verification page shows what asked, since when and from where, and sends nothing by itself", async () => {
  const { verification_uri_complete, user_code } = await flow.begin();
  const page = await (await fetch(verification_uri_complete)).text();
  expect(page).toContain(`value="${user_code}"`);
  expect(page).toContain("Claude Code");
  expect(page).toContain("127.0.0.1");
  expect(page).toMatch(/\d{2}:\d{2}.*UTC/);
  expect(page).not.toContain("<script");
});

test("the page of an unknown code looks like the page of a code, without its details", async () => {
  const response = await fetch(`${gateway.url}/device?user_code=BBBB-BBBB`);
  expect(response.status).toBe(200);
  const page = await response.text();
  expect(page).toContain("Approve sign-in?");
  expect(page).not.toContain("127.0.0.1<");
});

test("of polls that arrive together, one is answered with the tokens", async () => {
  for (let round = 0; round < 5; round++) {
    const codes = await flow.begin();
    await flow.comeBack(await flow.confirm(codes.user_code));
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => flow.poll(codes.device_code)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 400]));
  }
});

test("of two people who approve one code at once, one succeeds", async () => {
  const codes = await flow.begin();
  const ways = await Promise.all([flow.confirm(codes.user_code), flow.confirm(codes.user_code)]);
  const pages = await Promise.all(ways.map(flow.comeBack));
  expect(pages.filter((page) => page.includes("signed in"))).toHaveLength(1);
  expect(pages.filter((page) => page.includes("already been used"))).toHaveLength(1);
});

test("a denied code answers access_denied once and is gone", async () => {
  const codes = await flow.begin();
  expect(await (await flow.submit("/device/deny", codes.user_code)).text()).toContain(
    "You stopped this sign-in",
  );
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([400, "access_denied"]);
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([400, "expired_token"]);
});

test("a poll within the interval is told to slow down", async () => {
  const codes = await flow.begin();
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([400, "authorization_pending"]);
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([429, "slow_down"]);
});

test("a callback in another browser does not sign in, the right one still can", async () => {
  const codes = await flow.begin();
  const way = await flow.confirm(codes.user_code);
  expect(await flow.comeBack({ ...way, cookie: "" })).toContain("different browser");
  expect(await flow.comeBack({ ...way, cookie: "gw_dev=guessed" })).toContain("different browser");
  expect(await flow.comeBack(way)).toContain("signed in");
});

test("a callback that is replayed says that the code is used", async () => {
  const codes = await flow.begin();
  const way = await flow.confirm(codes.user_code);
  await flow.comeBack(way);
  expect(await flow.comeBack(way)).toContain("already been used");
});

test("a person the IdP does not vouch for is denied, with the reason in the audit only", async () => {
  const codes = await flow.begin();
  idp.bend.claims = (claims) => ({ ...claims, email_verified: false });
  expect(await flow.comeBack(await flow.confirm(codes.user_code))).toContain(
    "Sign-in could not be completed.",
  );
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([400, "access_denied"]);
  await gateway.audited("session.mint", {
    result: "fail",
    err: "id_token email is not verified",
  });
});

test("what the IdP says of an error is shown as text, and the code stays usable", async () => {
  const codes = await flow.begin();
  const { callback, cookie } = await flow.confirm(codes.user_code);
  const url = new URL(callback);
  url.searchParams.delete("code");
  url.searchParams.set("error", "access_denied");
  url.searchParams.set("error_description", "<b>no</b>");
  const page = await flow.comeBack({ callback: url.href, cookie });
  expect(page).toContain("access_denied: &lt;b&gt;no&lt;/b&gt;");
  expect(await errorOf(await flow.poll(codes.device_code))).toEqual([400, "authorization_pending"]);
});

test("the IdP's refresh token never leaves the gateway", async () => {
  const { refresh_token = "" } = await flow.signIn();
  const parts = refresh_token
    .split(".")
    .map((part) => Buffer.from(part, "base64url").toString("latin1"));
  expect(refresh_token).toStartWith("gwr.");
  for (const text of [refresh_token, ...parts]) expect(text).not.toContain("rt-1");
  expect(idp.seen.tokenRequests.some(({ form }) => form.get("refresh_token") !== null)).toBe(false);
});

test("a refresh gives a new bearer and a new refresh token, and the old one stays the IdP's to refuse", async () => {
  const first = await flow.signIn();
  const answer = (await (await flow.refresh(first.refresh_token ?? "")).json()) as Tokens;
  expect(answer.refresh_token).not.toBe(first.refresh_token);
  expect(idp.seen.tokenRequests.at(-1)?.form.get("refresh_token")).toBe("rt-1");
  expect((await flow.refresh(answer.refresh_token ?? "")).status).toBe(200);
});

test("a bare refresh token of the IdP, as the reference hands out, is answered with one of ours", async () => {
  const answer = (await (await flow.refresh("rt-1")).json()) as Tokens;
  expect(answer.refresh_token).toStartWith("gwr.");
});

test("a refresh that comes back with another sub is refused", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.claims = (claims) => ({ ...claims, sub: "mallory" });
  expect(await errorOf(await flow.refresh(refresh_token))).toEqual([401, "invalid_grant"]);
  await gateway.audited("session.refresh", {
    result: "fail",
    answer: "invalid_grant",
  });
});

test("a refresh token of ours that was changed is refused without asking the IdP", async () => {
  const { refresh_token = "" } = await flow.signIn();
  const asked = idp.seen.tokenRequests.length;
  expect(await errorOf(await flow.refresh(`${refresh_token.slice(0, -4)}AAAA`))).toEqual([
    401,
    "invalid_grant",
  ]);
  expect(idp.seen.tokenRequests).toHaveLength(asked);
});

test("what is stored of a grant tells neither the code nor the person", async () => {
  const codes = await flow.begin();
  await flow.comeBack(await flow.confirm(codes.user_code));
  const sql = new Bun.SQL((scene.config.store as { postgres_url: string }).postgres_url);
  const rows = (await sql`select key, value from kv`) as { key: string; value: string }[];
  await sql.close();
  expect(rows.length).toBeGreaterThan(0);
  for (const text of rows.flatMap(({ key, value }) => [key, value])) {
    for (const secret of [codes.device_code, "rt-1", "ada@example.com"])
      expect(text).not.toContain(secret);
  }
});

test("a form from another site is refused, and a JSON body is no code", async () => {
  const codes = await flow.begin();
  for (const headers of [
    {},
    { origin: "https://evil.example" },
    { "sec-fetch-site": "cross-site", origin: gateway.url },
  ]) {
    const page = await (await flow.post("/device", { user_code: codes.user_code }, headers)).text();
    expect(page).toContain("came from another site and was blocked");
  }
  const json = await fetch(`${gateway.url}/device`, {
    method: "POST",
    body: JSON.stringify({ user_code: codes.user_code }),
    headers: { "content-type": "application/json", origin: gateway.url },
    redirect: "manual",
  });
  expect(json.status).toBe(200);
});

test("a form that is too long is refused before it is read", async () => {
  const response = await flow.post("/oauth/token", { grant_type: "x".repeat(70_000) });
  expect(await errorOf(response)).toEqual([413, "invalid_request"]);
});

test("no secret of a sign-in is in the log", async () => {
  const tokens = await flow.signIn();
  for (const secret of [
    idp.clientSecret,
    tokens.access_token,
    tokens.refresh_token ?? "-",
    "rt-1",
  ]) {
    expect(gateway.stderr()).not.toContain(secret);
  }
});

test("an address that begins or enters too many codes is refused, in words, and logged", async () => {
  const limited = await openScene((config) => {
    config.rate_limits = { device_authorization: { max: 2 }, device_verify: { max: 2 } };
  });
  try {
    const { begin, post, submit } = deviceFlow(limited);
    const codes = await begin();
    await begin();
    expect(await errorOf(await post("/oauth/device_authorization", {}))).toEqual([
      429,
      "slow_down",
    ]);
    await submit("/device", "BBBB-BBBB");
    await submit("/device", "CCCC-CCCC");
    for (const path of ["/device", "/device/deny"] as const) {
      expect(await (await submit(path, codes.user_code)).text()).toContain("Too many attempts");
    }
    await limited.gateway.audited("device.authorize", { result: "rate_limited" });
    await limited.gateway.audited("device.verify", { result: "rate_limited" });
    await limited.gateway.waitForLog(
      /rate_limits\.device_verify\.max \(2 per 600s per client address\)/,
    );
  } finally {
    await limited.stop();
  }
});

test("a person signs in through oidc-provider, and the session refreshes there", async () => {
  const port = await freePort();
  const redirectUri = `http://localhost:${port}/oauth/callback`;
  const provider = await startOidcProvider({ redirectUris: [redirectUri] });
  const real = await openScene((config) => {
    config.listen = { host: "127.0.0.1", port, public_url: `http://localhost:${port}` };
    config.oidc = {
      issuer: provider.issuer,
      client_id: provider.clientId,
      client_secret: provider.clientSecret,
      scopes: ["openid", "profile", "email", "offline_access", "groups"],
      userinfo_fallback: true,
    };
  });
  try {
    const through = deviceFlow(real);
    const codes = await through.begin();
    const confirmed = await through.submit("/device", codes.user_code);
    const back = await provider.signIn(confirmed.headers.get("location") ?? "", "ada");
    const cookie = (confirmed.headers.getSetCookie()[0] ?? "").split(";")[0] ?? "";
    expect(await through.comeBack({ callback: back.href, cookie })).toContain("signed in");
    const tokens = (await (await through.poll(codes.device_code)).json()) as Tokens;
    expect(decodeJwt(tokens.access_token)).toMatchObject({ sub: "ada", email: "ada@example.com" });
    const renewed = (await (await through.refresh(tokens.refresh_token ?? "")).json()) as Tokens;
    expect(decodeJwt(renewed.access_token)).toMatchObject({ sub: "ada" });
  } finally {
    await real.stop();
    await provider.close();
  }
});
