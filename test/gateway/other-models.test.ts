// Models that a request names besides its own: a tool that consults one, others that may answer. Whoever may not use a model
// may not use it in this way.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { helloCall, openScene } from "../support/scene.ts";

const scene = await openScene((config) => {
  config.managed = {
    policies: [
      { match: { groups: ["interns"] }, code: { availableModels: ["haiku"] } },
      { match: { groups: ["most"] }, code: { deniedModels: ["opus"] } },
    ],
  };
});
afterAll(() => scene.stop());
beforeEach(() => scene.upstream.seen.splice(0));

const model = "claude-haiku-4-5";
const advisor = (named: unknown) => ({ type: "advisor_20260301", name: "advisor", model: named });
const ask = async (groups: string[], body: object | string, path = "/v1/messages") =>
  fetch(`${scene.gateway.url}${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify({ ...helloCall, model, ...body }),
    headers: {
      authorization: `Bearer ${await scene.bearer({ sub: "ida", email: "ida@example.com", groups })}`,
    },
  });
const messageOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { error: { message: string } }).error.message,
];
const refused = [400, "model claude-opus-4-8 is not in your role's availableModels allowlist"];

const opus = "claude-opus-4-8";
describe.each(["/v1/messages", "/v1/messages/count_tokens"])("%s: a model is refused", (path) => {
  test.each<[string, object]>([
    ["that an advisor is", { tools: [advisor(opus)] }],
    ["that the second of two advisors is", { tools: [advisor(model), advisor(opus)] }],
    ["among tools of the client", { tools: [{ name: "a", input_schema: {} }, advisor(opus)] }],
    ["that a tool of tomorrow takes", { tools: [{ type: "judge_20270101", model: opus }] }],
    ["that may answer instead", { fallbacks: [{ model }, { model: opus }] }],
  ])("%s", async (_, body) => {
    expect(await messageOf(await ask(["interns"], body, path))).toEqual(refused);
    expect(scene.upstream.seen).toEqual([]);
  });
});

test("escapes hide nothing", async () => {
  const body = `{"model":"${model}","max_tokens":1,"messages":[],"tools":[{"type":"\\u0061dvis\\u006fr","m\\u006fdel":"${opus}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual(refused);
});

test("a list of denied models holds for them, too", async () => {
  expect(await messageOf(await ask(["most"], { tools: [advisor(opus)] }))).toEqual([
    400,
    "model claude-opus-4-8 is blocked by your role's deniedModels denylist",
  ]);
});

test("tools that are no JSON where it was not looked for are refused, as they could hide one", async () => {
  const description = `${"x".repeat(300)}\\x`;
  const body = `{"model":"${model}","tools":[{"type":"x_20260101","description":"${description}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual([
    400,
    "tools or fallbacks cannot be read",
  ]);
});

test("tools of any depth are read", async () => {
  const deep = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
  const body = `{"model":"${model}","tools":[{"type":"x_20260101","x":${deep}},{"model":"${opus}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual(refused);
});

describe("nothing is refused", () => {
  test.each<[string, string[], object]>([
    ["that the policy admits", ["interns"], { tools: [advisor(model)], fallbacks: [{ model }] }],
    ["that only the client's tools speak of", ["interns"], { tools: [{ name: "Agent", input_schema: { properties: { model: { enum: [opus] } } } }] }],
    ["where the provider chooses", ["interns"], { fallbacks: "default" }],
    ["to somebody without a policy", [], { tools: [advisor(opus)], fallbacks: [{ model: opus }] }],
    ["that is no name", ["interns"], { tools: [advisor(5), null, "x"], fallbacks: [{}, { model: null }] }],
  ])("%s", async (_, groups, body) => {
    expect((await ask(groups, body)).status).toBe(200);
    expect(scene.upstream.seen).toHaveLength(1);
  });
}); // prettier-ignore

test("fallbacks that are given twice are refused", async () => {
  const body = `{"model":"${model}","fallbacks":[],"messages":[],"fallbacks":[{"model":"${opus}"}]}`;
  expect(await messageOf(await ask([], body))).toEqual([400, "fallbacks is given more than once"]);
});
