// Somebody in 10,000 groups works like anybody else: the bearer fits through every proxy, and has the groups that decide
// something. In too many of those, the sign-in says so.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { refusal, group, openSpendScene, setCap } from "../support/spending.ts";
import { answerInFull } from "../support/metered-answers.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";

/** So many that they alone would be more than a bearer carries, were somebody in all of them. */
const projects = Array.from({ length: 500 }, (_, index) => `project-${index}-${"x".repeat(40)}`);

const scene = await openSpendScene((config) => {
  config.oidc.allowed_groups = ["staff"];
  config.upstreams[0].groups = ["has-upstream"];
  config.managed = {
    policies: [
      { match: { groups: ["has-policy"] }, code: { availableModels: ["claude-sonnet-4-6"] } },
      { match: { groups: projects }, code: {} },
    ],
  };
});
const { gateway, idp, upstream } = scene;
upstream.answer = answerInFull;
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
beforeEach(() => idp.straighten());

/** Those that decide something are the last of all. */
const everywhere = [
  ...Array.from({ length: 9_996 }, (_, index) => `department-${index}-of-the-company`),
  "has-cap",
  "has-policy",
  "has-upstream",
  "staff",
];
const inGroups = (groups: string[]) => {
  idp.bend.claims = (claims) => ({ ...claims, groups });
};
const groupsOf = ({ access_token }: Tokens) => decodeJwt(access_token)["groups"] as string[];

test("somebody in 10,000 groups signs in, works and refreshes, with the groups that decide something", async () => {
  await setCap(gateway, group("has-cap"), 5, { period: "daily" });
  inGroups(everywhere);
  const tokens = await flow.signIn();
  const { status, ...refreshed } = await flow
    .refresh(tokens.refresh_token ?? "")
    .then(async (answer) => ({ status: answer.status, ...((await answer.json()) as Tokens) }));
  expect(status).toBe(200);
  for (const issued of [tokens, refreshed]) {
    expect(issued.access_token.length).toBeLessThan(7_000);
    expect(groupsOf(issued).slice(-4)).toEqual(["has-cap", "has-policy", "has-upstream", "staff"]);
    expect(groupsOf(issued)[0]).toBe("department-0-of-the-company");
  }
  await gateway.waitForLog(/the bearer of ada carries \d+ of 10000 groups/);

  const message = (cents: number) =>
    fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${tokens.access_token}` },
      body: JSON.stringify({
        model: "claude-sonnet-4-6",
        max_tokens: cents,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
  const answer = await message(5);
  expect(answer.status).toBe(200);
  await answer.text();
  // The cap of a group that came last counts.
  expect((await refusal(await message(1)))[1]).toBe("billing_error");
  const models = await fetch(`${gateway.url}/v1/models`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const { data } = (await models.json()) as { data: { id: string }[] };
  expect(data.map(({ id }) => id)).toEqual(["claude-sonnet-4-6"]);
});

test("few groups are carried as they come", async () => {
  const few = ["staff", "b", "a", "Ünïcode"];
  inGroups(few);
  expect(groupsOf(await flow.signIn())).toEqual(few);
});

test("in too many groups that decide something a sign-in is refused, and says why", async () => {
  inGroups(["staff", ...projects]);
  const codes = await flow.begin();
  expect(await flow.comeBack(await flow.confirm(codes.user_code))).toContain(
    "more groups that decide what you may use here than a sign-in can carry",
  );
  expect(await (await flow.poll(codes.device_code)).json()).toMatchObject({
    error: "access_denied",
  });
  await gateway.audited("session.mint", {
    result: "fail",
    step: "admission",
    err: "the person is in 501 groups that the configuration or a spend limit names, more than a bearer can carry",
  });
});
