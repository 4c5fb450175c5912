// Workload identity federation through a running gateway: an identity token on disk becomes an access token, and what happens
// when either of them changes. The exchange itself, and all it may answer, is in upstream/federation.test.ts.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, refusalIn } from "../support/calls.ts";
import { openScene, plainAnswer, type Seen, startUpstream } from "../support/scene.ts";

const exchangePath = "/v1/oauth/token";
const directory = mkdtempSync(join(tmpdir(), "federation-"));
const identityFile = join(directory, "identity-token");
const identity = (text: string) => writeFileSync(identityFile, `${text}\n`);
identity("identity-1");

const api = startUpstream();
const other = startUpstream();

/** One upstream for each test: each has an access token of its own. The last one is where the others' calls go on. */
const names = ["kept", "short", "revoked", "unwanted", "down", "gone", "led-away"];
const scene = await openScene((config) => {
  config.upstreams = [
    ...names.map((name) => ({
      provider: "anthropic",
      name,
      base_url: `${api.url}/${name}`,
      auth: {
        federation_rule_id: "fdrl_1",
        organization_id: "org_1",
        identity_token_file: name === "gone" ? join(directory, "none") : identityFile,
      },
    })),
    { provider: "anthropic", name: "other", base_url: other.url, auth: { api_key: "k" } },
  ];
  config.models = names.flatMap((name) => [
    { id: name, upstream_model: { [name]: "claude-opus-4-8" } },
    { id: `${name}-or-other`, upstream_model: { [name]: "m", other: "m" } },
  ]);
});
afterAll(async () => {
  await Promise.all([scene, api, other].map((each) => each.stop()));
  rmSync(directory, { recursive: true });
});

let given = 0;
let lifeSeconds = 3600;
/** Answers in place of the token endpoint, and of the API. */
let exchangeAnswer: (() => Response) | undefined;
let apiAnswer: (seen: Seen) => Response = plainAnswer;
api.answer = (seen) => {
  if (!seen.url.endsWith(exchangePath)) return apiAnswer(seen);
  given++;
  return (
    exchangeAnswer?.() ??
    Response.json({
      access_token: `access-${given}`,
      token_type: "Bearer",
      expires_in: lifeSeconds,
    })
  );
};
beforeEach(() => {
  identity("identity-1");
  given = 0;
  lifeSeconds = 3600;
  exchangeAnswer = undefined;
  apiAnswer = plainAnswer;
  api.seen.length = other.seen.length = 0;
});

/** Identity tokens that were exchanged, and credentials that calls came with, in order. */
const exchanged = () =>
  api.seen
    .filter(({ url }) => url.endsWith(exchangePath))
    .map(
      ({ body }) => (JSON.parse(Buffer.from(body).toString()) as { assertion: string }).assertion,
    );
const calls = () =>
  api.seen
    .filter(({ url }) => !url.endsWith(exchangePath))
    .map(({ headers }) => headers.get("authorization"));

test("calls that come together wait for one exchange, and later ones use what it gave", async () => {
  const together = await Promise.all(Array.from({ length: 10 }, () => ask(scene, "kept")));
  expect(together.map(({ status }) => status)).toEqual(Array(10).fill(200));
  await ask(scene, "kept", { path: "/v1/messages/count_tokens" });
  expect(exchanged()).toEqual(["identity-1"]);
  expect(calls()).toEqual(Array(11).fill("Bearer access-1"));
  const sent = api.seen.find(({ url }) => url === "/kept/v1/messages");
  expect(sent?.headers.get("anthropic-beta")).toBe("oauth-2025-04-20");
  expect(sent?.headers.has("x-api-key")).toBe(false);
});

test("an identity token that the platform has replaced is the one for the next exchange", async () => {
  lifeSeconds = 1;
  await ask(scene, "short");
  identity("identity-2");
  await ask(scene, "short");
  expect(exchanged()).toEqual(["identity-1", "identity-2"]);
  expect(calls()).toEqual(["Bearer access-1", "Bearer access-2"]);
});

test("after a 401 the call goes once more with a new access token, and the developer sees an answer", async () => {
  await ask(scene, "revoked");
  identity("identity-2");
  apiAnswer = ({ headers }) =>
    headers.get("authorization") === "Bearer access-1"
      ? new Response("", { status: 401 })
      : plainAnswer();
  expect((await ask(scene, "revoked")).status).toBe(200);
  expect(exchanged()).toEqual(["identity-1", "identity-2"]);
  expect(calls()).toEqual(["Bearer access-1", "Bearer access-1", "Bearer access-2"]);
  await scene.gateway.waitForLog(/warn upstream 'revoked' answered 401, trying a new access token/);
});

test("a second 401 is a refusal like any other: on to the next upstream", async () => {
  apiAnswer = () => new Response("", { status: 401 });
  expect((await ask(scene, "unwanted-or-other")).status).toBe(200);
  expect(calls()).toEqual(["Bearer access-1", "Bearer access-2"]);
  expect(other.seen).toHaveLength(1);
});

test("when there is no access token the next upstream is asked, and the API is not", async () => {
  exchangeAnswer = () =>
    Response.json({ error: "invalid_grant", error_description: "secret-reason" }, { status: 400 });
  const both = await Promise.all([ask(scene, "down-or-other"), ask(scene, "down-or-other")]);
  expect(both.map(({ status }) => status)).toEqual([200, 200]);
  expect(exchanged()).toEqual(["identity-1"]);
  expect(calls()).toEqual([]);
  expect(other.seen).toHaveLength(2);
  await scene.gateway.waitForLog(
    /trying next request_id=\S+: down: no credential for upstream 'down': the token exchange answered 400 invalid_grant: /,
  );
  expect(scene.gateway.stderr()).not.toContain("secret-reason");
});

test("with nobody else left the developer reads nothing of it", async () => {
  expect(await refusalIn(await ask(scene, "gone"))).toEqual({
    status: 502,
    type: "api_error",
    message: `all upstreams failed (${names.length + 1} attempted)`,
  });
  await scene.gateway.waitForLog(/the identity_token_file \S+\/none cannot be read: ENOENT/);
});

test("an exchange that answers with a redirect takes the identity token nowhere", async () => {
  const elsewhere = startUpstream();
  exchangeAnswer = () => Response.redirect(elsewhere.url, 307);
  expect((await ask(scene, "led-away-or-other")).status).toBe(200);
  expect(exchanged()).toEqual(["identity-1"]);
  expect(elsewhere.seen).toEqual([]);
  await elsewhere.stop();
});
