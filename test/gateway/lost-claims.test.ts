// A refresh that no longer tells somebody's groups or e-mail address, where a policy depends on them: the looser policy of
// everybody else is not given to them in the meantime.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { openScene } from "../support/scene.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";

const scene = await openScene((config) => {
  config.managed = {
    policies: [
      { match: { groups: ["eng"] }, code: { availableModels: ["haiku"] } },
      { match: { email_domain: "example.com" }, code: { availableModels: ["sonnet"] } },
      { match: {}, code: {} },
    ],
  };
});
const { gateway, idp } = scene;
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
beforeEach(() => idp.straighten());

const withoutIdToken = (answer: Record<string, unknown>) => ({ ...answer, id_token: undefined });
const claimsOf = async (answer: Response) =>
  decodeJwt(((await answer.json()) as Tokens).access_token);

test("without an id_token, and with a userinfo that lists no groups, the refresh is refused", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.tokens = withoutIdToken;
  idp.bend.userinfoAnswer = () => Response.json({ sub: "ada", email: "ada@example.com" });
  const answer = await flow.refresh(refresh_token);
  expect([answer.status, await answer.json()]).toEqual([401, { error: "invalid_grant" }]);
  await gateway.audited("session.refresh", { result: "fail", step: "userinfo" });
  await gateway.waitForLog(/refresh failed .*userinfo lists no groups of a person who had some/);
});

test("a userinfo that lists them is believed", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.tokens = withoutIdToken;
  idp.bend.userinfoAnswer = () =>
    Response.json({ sub: "ada", email: "ada@example.com", groups: ["ops"] });
  expect(await claimsOf(await flow.refresh(refresh_token))).toMatchObject({ groups: ["ops"] });
});

test("an id_token without groups is the IdP's word that there are none any more", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.claims = (claims) => ({ ...claims, groups: undefined });
  const answer = await flow.refresh(refresh_token);
  expect(answer.status).toBe(200);
  expect(await claimsOf(answer)).not.toHaveProperty("groups");
});

test("somebody who had none before needs none", async () => {
  idp.bend.claims = (claims) => ({ ...claims, groups: undefined });
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.tokens = withoutIdToken;
  idp.bend.userinfoAnswer = () => Response.json({ sub: "ada", email: "ada@example.com" });
  expect((await flow.refresh(refresh_token)).status).toBe(200);
});

test("a bare refresh token of the IdP tells nothing of before, and is held to all", async () => {
  idp.bend.tokens = withoutIdToken;
  idp.bend.userinfoAnswer = () => Response.json({ sub: "ada", email: "ada@example.com" });
  expect((await flow.refresh("rt-1")).status).toBe(401);
  idp.bend.userinfoAnswer = () =>
    Response.json({ sub: "ada", email: "ada@example.com", groups: ["ops"] });
  expect((await flow.refresh("rt-1")).status).toBe(200);
});

test("an id_token without the e-mail address that there was is refused", async () => {
  const { refresh_token = "" } = await flow.signIn();
  idp.bend.claims = (claims) => ({ ...claims, email: undefined });
  const answer = await flow.refresh(refresh_token);
  expect([answer.status, await answer.json()]).toEqual([401, { error: "invalid_grant" }]);
  await gateway.waitForLog(/refresh failed .*no e-mail address of a person who had one/);
});

test("somebody who had no e-mail address needs none", async () => {
  idp.bend.claims = (claims) => ({ ...claims, email: undefined });
  const { refresh_token = "" } = await flow.signIn();
  expect((await flow.refresh(refresh_token)).status).toBe(200);
});
