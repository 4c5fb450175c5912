// Upstreams that are for some people only, through a running gateway: people sign in with the groups their identity provider
// says, and those who are not in an upstream's groups are told and sent as if it were not there.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { ask, refusalIn } from "../support/calls.ts";
import { openScene, plainAnswer, startUpstream } from "../support/scene.ts";
import { deviceFlow } from "../support/sign-in.ts";

const [engOnly, engAndOps, opsOnly] = [startUpstream(), startUpstream(), startUpstream()];
const all = [engOnly, engAndOps, opsOnly];

const scene = await openScene((config) => {
  const entry = (name: string, { url }: { url: string }, more: object) => ({
    provider: "anthropic",
    name,
    base_url: url,
    auth: { api_key: "k" },
    ...more,
  });
  config.upstreams = [
    entry("a", engOnly, { groups: ["eng"], models: ["claude-haiku-*"] }),
    entry("b", engAndOps, { groups: ["eng", "ops"], models: ["claude-sonnet-*"] }),
    entry("c", opsOnly, { groups: ["ops"] }),
  ];
});
afterAll(() => Promise.all([scene, ...all].map((each) => each.stop())));
beforeEach(() => {
  for (const upstream of all) {
    upstream.seen.length = 0;
    upstream.answer = plainAnswer;
  }
});

/** The bearer of a sign-in in which the identity provider says these groups; none at all where undefined. */
async function signedIn(groups: string[] | undefined): Promise<string> {
  scene.idp.bend.claims = (claims) => ({ ...claims, groups });
  const { access_token: bearer } = await deviceFlow(scene).signIn();
  scene.idp.straighten();
  return bearer;
}
const people = {
  eng: await signedIn(["staff", "eng"]),
  ops: await signedIn(["ops"]),
  outsider: await signedIn(["Eng", "eng ", "engineering"]),
  nobody: await signedIn(undefined),
};

const counts = () => all.map(({ seen }) => seen.length);
const modelsOf = async (bearer: string) => {
  const headers = { authorization: `Bearer ${bearer}` };
  return (await fetch(`${scene.gateway.url}/v1/models`, { headers })).json() as Promise<{
    data: { id: string }[];
  }>;
};
const failing = () => new Response("", { status: 500 });

const inNoGroup = {
  status: 400,
  type: "invalid_request_error",
  message:
    "you aren't in a group that can use this gateway. Ask your administrator to add you to one",
};

test("a member is sent to the upstreams of their groups, and to no other when those fail", async () => {
  expect((await ask(scene, "claude-haiku-4-5", { bearer: people.eng })).status).toBe(200);
  expect(counts()).toEqual([1, 0, 0]);
  engOnly.answer = failing;
  expect(await refusalIn(await ask(scene, "claude-haiku-4-5", { bearer: people.eng }))).toEqual({
    status: 502,
    type: "api_error",
    message: "all upstreams failed (2 attempted)",
  });
  expect(counts()).toEqual([2, 0, 0]);
});

test("people of other groups are sent elsewhere with the same model", async () => {
  expect((await ask(scene, "claude-haiku-4-5", { bearer: people.ops })).status).toBe(200);
  expect(counts()).toEqual([0, 0, 1]);
});

test("of failed attempts those upstreams are counted that are open to the person", async () => {
  for (const upstream of all) upstream.answer = failing;
  const message = async (bearer: string) =>
    (await refusalIn(await ask(scene, "claude-sonnet-4-6", { bearer }))).message;
  expect(await message(people.eng)).toBe("all upstreams failed (2 attempted)");
  expect(counts()).toEqual([0, 1, 0]);
  expect(await message(people.ops)).toBe("all upstreams failed (2 attempted)");
  expect(counts()).toEqual([0, 2, 1]);
});

test("a refusal names no upstream that is not open to the person", async () => {
  const { message } = await refusalIn(await ask(scene, "claude-opus-4-8", { bearer: people.eng }));
  expect(message).toBe(
    "model claude-opus-4-8 is not served by upstream 'a'; model claude-opus-4-8 is not served by upstream 'b'",
  );
  expect((await ask(scene, "claude-opus-4-8", { bearer: people.ops })).status).toBe(200);
});

test.each(["outsider", "nobody"] as const)(
  "%s is told to ask for a group, whatever the path and the model",
  async (who) => {
    const bearer = people[who];
    const count = { path: "/v1/messages/count_tokens" } as const;
    for (const response of [
      await ask(scene, "claude-haiku-4-5", { bearer }),
      await ask(scene, "claude-haiku-4-5", { bearer, fields: { stream: true } }),
      await ask(scene, "claude-haiku-4-5", { bearer, ...count }),
      await ask(scene, "gpt-4", { bearer }),
    ]) {
      expect(response.headers.has("x-should-retry")).toBe(false);
      await scene.gateway.audited("inference", {
        request_id: response.headers.get("x-request-id"),
        upstream: null,
        upstream_request_id: null,
        status: 400,
      });
      expect(await refusalIn(response)).toEqual(inNoGroup);
    }
    expect(counts()).toEqual([0, 0, 0]);
  },
);

test("what is wrong with the call itself is said first", async () => {
  const { message } = await refusalIn(await ask(scene, "", { bearer: people.outsider }));
  expect(message).toBe("model is required");
});

test("GET /v1/models lists what the person's upstreams serve, and is an empty list for an outsider", async () => {
  const ids = async (bearer: string) => (await modelsOf(bearer)).data.map(({ id }) => id);
  const engs = await ids(people.eng);
  expect(engs).toContain("claude-sonnet-4-6");
  expect(engs.filter((id) => !/^claude-(haiku|sonnet)-/.test(id))).toEqual([]);
  const opss = await ids(people.ops);
  expect(opss).toContain("claude-opus-4-8");
  expect(engs.filter((id) => !opss.includes(id))).toEqual([]);
  const empty = { data: [], has_more: false, first_id: null, last_id: null };
  expect(await modelsOf(people.outsider)).toEqual(empty as never);
  expect(await modelsOf(people.nobody)).toEqual(empty as never);
});

test("the boot log says who is sent where", async () => {
  await scene.gateway.waitForLog(
    /upstreams 3: a\(anthropic, groups: eng\), b\(anthropic, groups: eng, ops\), c\(anthropic, groups: ops\)/,
  );
});
