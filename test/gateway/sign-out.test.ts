// Sessions that are ended before their time, on two gateways over one database: by their owner, as the real client does it at
// sign-out, and by an administrator. Which orders of events there are to get right is in test/endings/.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { createSealed } from "../../src/sealed.ts";
import type { GatewayProcess } from "../support/gateway.ts";
import { answerInFull } from "../support/metered-answers.ts";
import { jwtSecret } from "../support/scene.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";
import { otherSpellings } from "../support/spellings.ts";
import { adminKey, openSpendScene } from "../support/spending.ts";

const readKey = "read-key-0123456789abcdef0123456789a";
const scene = await openSpendScene((config) => {
  config.admin.read_keys = [{ id: "ro", key: readKey }];
  config.admin.admin_groups = ["finops"];
});
const { gateway: one, idp, tables, upstream } = scene;
upstream.answer = answerInFull;
const other = await scene.replica();
afterAll(() => scene.stop());
beforeEach(() => idp.straighten());

const at = (gateway: GatewayProcess) => deviceFlow({ gateway, idp });

/** Promised: 5 s. A look at the store every 2 s, and what a busy machine takes beside it. */
const heardMsMax = 5_000;

const ask = (gateway: GatewayProcess, bearer: string) =>
  fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${bearer}` } });
const statusAt = async (gateway: GatewayProcess, bearer: string) =>
  (await ask(gateway, bearer)).status;
const refreshAt = async (gateway: GatewayProcess, { refresh_token = "" }: Partial<Tokens>) => {
  const response = await at(gateway).refresh(refresh_token);
  return { status: response.status, answer: (await response.json()) as Tokens & { error: string } };
};

/** Waits until the gateway refuses the bearer, at most as long as is promised. */
async function untilRefused(gateway: GatewayProcess, bearer: string): Promise<void> {
  const deadline = Date.now() + heardMsMax;
  while ((await statusAt(gateway, bearer)) !== 401 && Date.now() < deadline) await Bun.sleep(20);
  expect(await statusAt(gateway, bearer)).toBe(401);
}

/** As the client signs out: both tokens at the same time, without a word about who it is. */
async function signOut(gateway: GatewayProcess, tokens: Tokens): Promise<number[]> {
  const metadata = await fetch(`${gateway.url}/.well-known/oauth-authorization-server`);
  const { revocation_endpoint } = (await metadata.json()) as { revocation_endpoint: string };
  const url = gateway.url + new URL(revocation_endpoint).pathname;
  const post = (form: Record<string, string>) =>
    fetch(url, { method: "POST", body: new URLSearchParams(form) });
  const answers = await Promise.all([
    post({ token: tokens.access_token }),
    post({ token: tokens.refresh_token ?? "", token_type_hint: "refresh_token" }),
  ]);
  for (const answer of answers) {
    expect(await answer.text()).toBe("");
    expect(answer.headers.get("cache-control")).toBe("no-store");
  }
  return answers.map(({ status }) => status);
}

const signOutEverywhere = (gateway: GatewayProcess, body: unknown, headers: object = {}) =>
  fetch(`${gateway.url}/v1/organizations/sign_outs`, {
    method: "POST",
    headers: { "x-api-key": adminKey, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });

const recordedCount = async () => {
  const [row] = await tables.sql<{ count: number }[]>`
    select (select count(*)::int from ended_sessions) + (select count(*)::int from ended_principals) as count`;
  return row?.count;
};

test("the metadata names a revocation endpoint of the same origin", async () => {
  const answer = await fetch(`${one.url}/.well-known/oauth-authorization-server`);
  expect(await answer.json()).toMatchObject({
    revocation_endpoint: `${one.url}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: ["none"],
  });
});

test("a bearer and its refreshed one name the same session, which another sign-in does not", async () => {
  const first = await at(one).signIn();
  const { answer } = await refreshAt(one, first);
  const second = await at(one).signIn();
  const [a, b, c] = [first, answer, second].map(({ access_token }) => decodeJwt(access_token));
  expect(a?.["sid"]).toMatch(/^[\w-]{22}$/);
  expect([b?.["sid"], b?.["auth_time"]]).toEqual([a?.["sid"], a?.["auth_time"]]);
  expect(c?.["sid"]).not.toBe(a?.["sid"]);
});

test("who signs out is out at once where they did, and everywhere within 5 s, with every token of the session", async () => {
  const first = await at(one).signIn();
  const { answer: refreshed } = await refreshAt(other, first);
  const unconcerned = await at(one).signIn();
  // Both have seen the bearer, and would have it from memory.
  for (const gateway of [one, other]) expect(await statusAt(gateway, first.access_token)).toBe(200);

  expect(await signOut(one, first)).toEqual([200, 200]);
  // As a rule the other has not heard yet. If it has, that is as well.
  const { answer: issuedUnheard } = await refreshAt(other, first);
  const refused = await ask(one, first.access_token);
  expect(refused.status).toBe(401);
  expect(refused.headers.get("x-should-retry")).toBe("false");
  expect(refused.headers.get("www-authenticate")).toBe("Bearer");
  expect(await refused.json()).toMatchObject({
    error: { type: "authentication_error", message: "invalid token" },
  });
  await one.audited("auth.denied", { reason: "ended_session", path: "/v1/models" });
  expect(await statusAt(one, refreshed.access_token)).toBe(401);
  // And the identity provider is not asked, which might replace its own token for nobody.
  const askedIdp = idp.seen.tokenRequests.length;
  expect((await refreshAt(one, first)).answer.error).toBe("invalid_grant");
  expect(idp.seen.tokenRequests).toHaveLength(askedIdp);

  await untilRefused(other, first.access_token);
  for (const tokens of [refreshed, issuedUnheard])
    expect(await statusAt(other, tokens.access_token)).toBe(401);
  for (const tokens of [first, refreshed, issuedUnheard])
    expect(await refreshAt(other, tokens)).toMatchObject({
      status: 401,
      answer: { error: "invalid_grant" },
    });
  await other.audited("session.refresh", { err: "the session has ended", step: "session" });

  for (const gateway of [one, other])
    expect(await statusAt(gateway, unconcerned.access_token)).toBe(200);
  const told = one.audit("session.revoke");
  expect(told).toHaveLength(1);
  expect(told[0]).toMatchObject({ result: "success", sub: "ada", client_ip: "127.0.0.1" });
});

test("either token alone ends the session, the refresh token under any hint", async () => {
  for (const [token, hint] of [
    ["access_token", undefined],
    ["access_token", "refresh_token"],
    ["refresh_token", "access_token"],
    ["refresh_token", "nonsense"],
  ] as const) {
    const tokens = await at(one).signIn();
    const form = { token: tokens[token] ?? "", ...(hint && { token_type_hint: hint }) };
    expect((await at(one).post("/oauth/revoke", form)).status).toBe(200);
    expect(await statusAt(one, tokens.access_token)).toBe(401);
    expect((await refreshAt(one, tokens)).status).toBe(401);
  }
});

test("what is not ours, not valid or ended already is answered alike, and nothing comes of it", async () => {
  const tokens = await at(one).signIn();
  const before = await recordedCount();
  const [header, payload] = tokens.access_token.split(".");
  const foreign = createSealed<object>("refresh token", {
    secrets: ["x".repeat(32)],
    now: Date.now,
  });
  for (const token of [
    "junk",
    `${header}.${payload}.AAAA`,
    `gwr.${await foreign.seal({ idpRefreshToken: "rt-1", sub: "ada" })}`,
    `${tokens.refresh_token}x`,
    "rt-1",
    "é".repeat(1_000),
  ]) {
    const answer = await at(one).post("/oauth/revoke", { token });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  }
  expect(await recordedCount()).toBe(before);
  expect(await statusAt(one, tokens.access_token)).toBe(200);
});

test("a request without a token, in another format, too long, or by another method is refused", async () => {
  const post = (body: string | URLSearchParams, type?: string) =>
    fetch(`${one.url}/oauth/revoke`, {
      method: "POST",
      body,
      headers: type === undefined ? {} : { "content-type": type },
    });
  for (const [answer, status] of [
    [await post(new URLSearchParams({ token: "" })), 400],
    [await post(new URLSearchParams()), 400],
    [await post('{"token":"x"}', "application/json"), 400],
    [await post(new URLSearchParams({ token: "x".repeat(70_000) })), 413],
  ] as const) {
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ error: "invalid_request" });
  }
  expect((await fetch(`${one.url}/oauth/revoke`)).status).toBe(401);
});

test("tokens of the reference and of older versions, which name no session, can be ended as well", async () => {
  // A bearer alone, by what it is.
  const [bearer, sibling] = [
    await scene.bearer({ sub: "ada", name: "one" }),
    await scene.bearer({ sub: "ada", name: "two" }),
  ];
  await at(one).post("/oauth/revoke", { token: bearer });

  // A refresh token, with everything that came of it.
  const sealed = createSealed<object>("refresh token", { secrets: [jwtSecret], now: Date.now });
  const old = `gwr.${await sealed.seal({ idpRefreshToken: "rt-1", sub: "ada" })}`;
  const { answer } = await refreshAt(one, { refresh_token: old });
  const { answer: again } = await refreshAt(other, { refresh_token: old });
  await signOut(one, answer);
  await untilRefused(other, again.access_token);
  expect(await statusAt(other, bearer)).toBe(401);
  expect(await statusAt(other, sibling)).toBe(200);
  for (const refresh_token of [old, again.refresh_token ?? ""])
    expect((await refreshAt(other, { refresh_token })).status).toBe(401);

  // And a bare one of the identity provider, once it has been used.
  const { answer: upgraded } = await refreshAt(one, { refresh_token: "rt-0" });
  await signOut(one, upgraded);
  expect((await refreshAt(one, { refresh_token: "rt-0" })).status).toBe(401);
});

test("a token that was ended is so in every spelling, and is one row however often and however it is sent", async () => {
  const bearer = await scene.bearer({ sub: "ada", name: "spelled" });
  const sealed = createSealed<object>("refresh token", { secrets: [jwtSecret], now: Date.now });
  const old = `gwr.${await sealed.seal({ idpRefreshToken: "rt-spelled", sub: "ada" })}`;
  const twin = `gwr.${await sealed.seal({ idpRefreshToken: "rt-spelled", sub: "ada" })}`;
  const before = (await recordedCount()) ?? 0;
  const everyWay = [bearer, old].flatMap((token) => [token, token, ...otherSpellings(token)]);
  for (const token of everyWay)
    expect((await at(one).post("/oauth/revoke", { token })).status).toBe(200);
  expect(await recordedCount()).toBe(before + 2);
  for (const spelling of [bearer, ...otherSpellings(bearer)].filter((text) => !/[\n\0]/.test(text)))
    expect(await statusAt(one, spelling)).toBe(401);
  // And under every seal, or none.
  for (const refresh_token of [old, twin, "rt-spelled", ...otherSpellings(old)])
    expect((await refreshAt(one, { refresh_token })).status).toBe(401);
});

test("an administrator signs somebody out everywhere, and whoever signs in anew is in", async () => {
  const [first, second] = [await at(one).signIn(), await at(other).signIn()];
  const plain = await scene.bearer({ sub: "ada", groups: ["of the reference"] });
  const bystander = await scene.bearer({ sub: "bea" });

  const answer = await signOutEverywhere(one, { user_id: "ada" });
  expect([answer.status, await answer.json()]).toEqual([
    200,
    { data: [{ type: "sign_out", user_id: "ada" }] },
  ]);
  for (const bearer of [first.access_token, second.access_token, plain]) {
    expect(await statusAt(one, bearer)).toBe(401);
    await untilRefused(other, bearer);
  }
  for (const tokens of [first, second])
    for (const gateway of [one, other]) expect((await refreshAt(gateway, tokens)).status).toBe(401);

  const anew = await at(one).signIn();
  const { answer: refreshed } = await refreshAt(other, anew);
  for (const bearer of [anew.access_token, refreshed.access_token, bystander])
    for (const gateway of [one, other]) expect(await statusAt(gateway, bearer)).toBe(200);

  await one.audited("admin.sign_out", {
    result: "success",
    actor: "admin-key:ops",
    target: "ada",
    request_id: answer.headers.get("request-id"),
  });
  const trail = await fetch(`${other.url}/v1/organizations/spend_limits/audit?limit=1`, {
    headers: { "x-api-key": readKey },
  });
  expect(await trail.json()).toMatchObject({
    data: [
      {
        actor: "admin-key:ops",
        action: "principal.sign_out",
        target_id: "ada",
        before: null,
        after: { type: "sign_out", user_id: "ada", ended_through: expect.stringMatching(/Z$/) },
      },
    ],
  });
});

test("a bare refresh token of the identity provider is refused once it tells that its owner was signed out", async () => {
  await signOutEverywhere(one, { user_id: "ada" });
  expect(await refreshAt(one, { refresh_token: "rt-bare" })).toMatchObject({
    status: 401,
    answer: { error: "invalid_grant" },
  });
});

test("a sign-in that was approved before and is fetched after is not handed out", async () => {
  const codes = await at(one).begin();
  expect(await at(one).comeBack(await at(one).confirm(codes.user_code))).toContain("signed in");
  await signOutEverywhere(one, { user_id: "ada" });
  const answer = await at(one).poll(codes.device_code);
  expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([
    400,
    "expired_token",
  ]);
});

test("everybody with an e-mail address is found by it, in any case", async () => {
  const [bearer, second] = [
    await scene.bearer({ sub: "cyd-17", email: "Cyd@Example.com" }),
    await scene.bearer({ sub: "cyd-18", email: "cyd@example.com" }),
  ];
  for (const [sub, email] of [
    ["cyd-17", "Cyd@Example.com"],
    ["cyd-18", "cyd@example.com"],
  ] as const) {
    await (await scene.buy({ sub, email }, 1)).text();
    await tables.untilSpent(sub, 1);
  }
  const answer = await signOutEverywhere(one, { email: "cyd@example.COM" });
  expect(await answer.json()).toEqual({
    data: ["cyd-17", "cyd-18"].map((user_id) => ({ type: "sign_out", user_id })),
  });
  for (const [target, theirs] of [
    ["cyd-17", bearer],
    ["cyd-18", second],
  ] as const) {
    expect(await statusAt(one, theirs)).toBe(401);
    await one.audited("admin.sign_out", { result: "success", target });
  }
  const mistaken = await signOutEverywhere(one, { user_id: "cyd@example.com" });
  expect([mistaken.status, await mistaken.text()]).toEqual([
    400,
    expect.stringContaining("user_id: this is the e-mail address of somebody with another user_id"),
  ]);
  expect((await signOutEverywhere(one, { user_id: "unknown@example.com" })).status).toBe(200);
  const nobody = await signOutEverywhere(one, { email: "nobody@example.com" });
  expect(nobody.status).toBe(404);
});

const refusedBodies: [unknown, string][] = [
  ["{", "invalid JSON body"],
  [[], "Expected object, received array"],
  [{}, "exactly one of user_id and email is required"],
  [{ user_id: null }, "exactly one of user_id and email is required"],
  [{ user_id: "a", email: "b" }, "exactly one of user_id and email is required"],
  [{ user_id: 5 }, "user_id: Expected string, received number"],
  [{ user_id: "" }, "user_id: String must contain at least 1 character(s)"],
  [{ user_id: "a\0" }, "user_id: String must not contain U+0000"],
  [{ email: "x".repeat(1_025) }, "email: String must contain at most 1024 byte(s) of UTF-8"],
];
test.each(refusedBodies)("a sign-out of %j is refused: %s", async (body, message) => {
  const answer = await signOutEverywhere(one, body);
  expect([answer.status, await answer.json()]).toEqual([
    400,
    {
      type: "error",
      error: { type: "invalid_request_error", message },
      request_id: expect.stringMatching(/^req_/),
    },
  ]);
});

test("only who may write signs others out, and there is nothing else to ask for", async () => {
  const bearer = await scene.bearer({ sub: "dan" });
  const finops = await scene.bearer({ sub: "fin", groups: ["finops"] });
  const by = async (headers: Record<string, string>) =>
    (await signOutEverywhere(one, { user_id: "dan" }, { "x-api-key": "", ...headers })).status;
  expect(await by({})).toBe(401);
  expect(await by({ "x-api-key": "wrong" })).toBe(401);
  expect(await by({ "x-api-key": readKey })).toBe(403);
  expect(await by({ authorization: `Bearer ${bearer}` })).toBe(401);
  expect(await statusAt(one, bearer)).toBe(200);
  expect(await by({ authorization: `Bearer ${finops}` })).toBe(200);
  expect(await statusAt(one, bearer)).toBe(401);
  const url = `${one.url}/v1/organizations/sign_outs`;
  const headers = { "x-api-key": adminKey };
  expect((await fetch(url, { headers })).status).toBe(404);
  expect((await fetch(`${url}/ada`, { method: "POST", headers, body: "{}" })).status).toBe(404);
});

test("an administrator whose own session has ended is none any more", async () => {
  const bearer = await scene.bearer({ sub: "gus", groups: ["finops"] });
  const asGus = { "x-api-key": "", authorization: `Bearer ${bearer}` };
  expect((await signOutEverywhere(one, { user_id: "nobody" }, asGus)).status).toBe(200);
  await signOutEverywhere(one, { user_id: "gus" });
  expect((await signOutEverywhere(one, { user_id: "nobody" }, asGus)).status).toBe(401);
  const limits = await fetch(`${one.url}/v1/organizations/spend_limits`, {
    headers: { authorization: `Bearer ${bearer}` },
  });
  expect(limits.status).toBe(401);
});

test("a gateway that starts afterwards refuses what has ended from its first request on", async () => {
  const tokens = await at(one).signIn();
  const bearer = await scene.bearer({ sub: "eva" });
  await signOut(one, tokens);
  await signOutEverywhere(one, { user_id: "eva" });
  const later = await scene.replica();
  expect(await statusAt(later, tokens.access_token)).toBe(401);
  expect(await statusAt(later, bearer)).toBe(401);
  expect((await refreshAt(later, tokens)).status).toBe(401);
});
