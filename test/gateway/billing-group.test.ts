// A request that says which of the developer's groups it is for: the bearer asks the client to say so, the audit event tells it,
// and no upstream hears of it. Which tags name a group, and what exactly is taken out, is in upstream/tags.test.ts.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { decodeJwt } from "jose";
import { helloCall, openScene } from "../support/scene.ts";
import { deviceFlow, type Tokens } from "../support/sign-in.ts";

const scene = await openScene((config) => {
  config.admin = { admin_groups: ["finance"], billing_group_tag: "team" };
});
const flow = deviceFlow(scene);
afterAll(() => scene.stop());
beforeEach(() => scene.upstream.seen.splice(0));

const ada = { sub: "ada", email: "ada@example.com", groups: ["eng", "ops"] };

/** What is sent upstream for these tags, and what the audit event then tells. */
async function sent(tags: unknown, path = "/v1/messages") {
  const id = crypto.randomUUID();
  const answer = await fetch(scene.gateway.url + path, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await scene.bearer(ada)}`,
      "anthropic-beta": "a-1,request-tags-2026-08-21",
      "x-client-request-id": id,
    },
    body: JSON.stringify({ ...helloCall, tags }),
  });
  expect(answer.status).toBe(200);
  await scene.gateway.audited("inference", { request_id: id });
  const event = scene.gateway.audit("inference").find(({ request_id }) => request_id === id);
  const { body, headers } = scene.upstream.seen.at(-1) ?? expect.unreachable();
  return {
    body: Buffer.from(body).toString(),
    betas: headers.get("anthropic-beta"),
    group: event?.["billing_group"],
    isIgnored: event?.["billing_group_ignored"],
  };
}
const noGroup = { group: undefined, isIgnored: undefined };
const upstreamSees = { body: JSON.stringify(helloCall), betas: "a-1" };

test("a session is told the name of the tag when it begins, and again when it is refreshed", async () => {
  const first = await flow.signIn();
  expect(decodeJwt(first.access_token)["billing_group_tag"]).toBe("team");
  const next = (await (await flow.refresh(first.refresh_token ?? "")).json()) as Tokens;
  expect(decodeJwt(next.access_token)["billing_group_tag"]).toBe("team");
});

describe("a request", () => {
  test("for a group of the developer's is audited with it", async () => {
    expect(await sent({ team: "ops", other: "x" })).toEqual({
      ...upstreamSees,
      group: "ops",
      isIgnored: undefined,
    });
  });

  test.each([["hr"], [5], [null]])("for anything else is served, and audited so: %p", async (group) => {
    expect(await sent({ team: group })).toEqual({
      ...upstreamSees,
      group: undefined,
      isIgnored: true,
    });
  }); // prettier-ignore

  test.each([[{}], ["eng"], [null], [[]]])("for none is audited without one: %p", async (tags) => {
    expect(await sent(tags)).toEqual({ ...upstreamSees, ...noGroup });
  });

  test("that is only counted is sent without tags, too, and is for no group", async () => {
    expect(await sent({ team: "eng" }, "/v1/messages/count_tokens")).toEqual({
      ...upstreamSees,
      ...noGroup,
    });
  });
});

test("without the setting no session names a tag, and tags are the upstream's", async () => {
  const other = await openScene((config) => (config.admin = {}));
  try {
    const { access_token } = await deviceFlow(other).signIn();
    expect(decodeJwt(access_token)).not.toHaveProperty("billing_group_tag");
    const tagged = JSON.stringify({ ...helloCall, tags: { team: "eng" } });
    await other.message(tagged, { headers: { "anthropic-beta": "request-tags-2026-08-21" } });
    const { body, headers } = other.upstream.seen.at(-1) ?? expect.unreachable();
    expect(Buffer.from(body).toString()).toBe(tagged);
    expect(headers.get("anthropic-beta")).toBe("request-tags-2026-08-21");
  } finally {
    await other.stop();
  }
});
