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
const refusedAt = (path: string) => [
  400,
  `${path}: model claude-opus-4-8 is not in your role's availableModels allowlist`,
];

const opus = "claude-opus-4-8";
const nested = (depth: number): object => (depth > 0 ? { a: nested(depth - 1) } : { model: opus });
describe.each(["/v1/messages", "/v1/messages/count_tokens"])("%s: a model is refused", (path) => {
  test.each<[string, object, string]>([
    ["that an advisor is", { tools: [advisor(opus)] }, "tools.0.model"],
    ["that the second of two is", { tools: [advisor(model), advisor(opus)] }, "tools.1.model"],
    ["in a tool of tomorrow", { tools: [{ type: "x", y: { model: opus } }] }, "tools.0.y.model"],
    ["that is the first of two", { a: { model: opus }, b: { model: opus } }, "a.model"],
    ["that may answer instead", { fallbacks: [{ model }, { model: opus }] }, "fallbacks.1.model"],
    ["in a field of tomorrow", { judge: { model: opus } }, "judge.model"],
    [
      "of a content block",
      { system: [{ type: "text", text: "a", model: opus }] },
      "system.0.model",
    ],
    ["below lists", { a: [[{ model: opus }]] }, "a.0.0.model"],
    [
      "deeper than data of the developer's own, and beside it",
      { tools: [{ input: "x" }, [{ a: { model: opus } }]] },
      "tools.1.0.a.model",
    ],
    ["below a mapping called so", { a: { model: { model: opus } } }, "a.model.model"],
    ["that is deep", { a: nested(20) }, `a.${"a.".repeat(20)}model`],
    [
      "behind data of the developer's own",
      { a: { input: { b: 1 }, c: { model: opus } } },
      "a.c.model",
    ],
  ])("%s", async (_, body, place) => {
    expect(await messageOf(await ask(["interns"], body, path))).toEqual(refusedAt(place));
    expect(scene.upstream.seen).toEqual([]);
  });
});

test.each([[5], [true], [[opus]]])("a model that is no name is refused: %p", async (named) => {
  expect(await messageOf(await ask(["interns"], { tools: [advisor(named)] }))).toEqual([
    400,
    "tools.0.model: refused by this gateway: `model` must be a string",
  ]);
});

test("escapes hide nothing", async () => {
  const body = `{"model":"${model}","max_tokens":1,"messages":[],"tools":[{"type":"\\u0061dvis\\u006fr","m\\u006fdel":"${opus}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual(refusedAt("tools.0.model"));
});

test("blanks hide nothing", async () => {
  const blanks = " ".repeat(2000);
  for (const member of [`"model"${blanks}:"${opus}"`, `"model":${blanks}"${opus}"`]) {
    const body = `{"model":"${model}","max_tokens":1,"messages":[],"tools":[{${member}}]}`;
    expect(await messageOf(await ask(["interns"], body))).toEqual(refusedAt("tools.0.model"));
  }
});

test("a list of denied models holds for them, too", async () => {
  expect(await messageOf(await ask(["most"], { tools: [advisor(opus)] }))).toEqual([
    400,
    "tools.0.model: model claude-opus-4-8 is blocked by your role's deniedModels denylist",
  ]);
});

test("a long name is read to its end", async () => {
  const long = `${"x".repeat(1000)}-${opus}`;
  const [status] = await messageOf(await ask(["interns"], { tools: [advisor(long)] }));
  expect(status).toBe(400);
  expect((await ask(["most"], { tools: [advisor("x".repeat(1000))] })).status).toBe(200);
});

test("a string that is no JSON where it is not looked into hides nothing", async () => {
  const description = `${"x".repeat(300)}\\x`;
  const body = `{"model":"${model}","tools":[{"description":"${description}","model":"${opus}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual(refusedAt("tools.0.model"));
});

test("a second one of the same member hides nothing, whichever of them comes first", async () => {
  for (const [first, second] of [
    [model, opus],
    [opus, model],
  ]) {
    const body = `{"model":"${model}","tools":[{"model":"${first}","model":"${second}"}]}`;
    expect(await messageOf(await ask(["interns"], body))).toEqual(refusedAt("tools.0.model"));
  }
});

test("a million names are no way to hide one, nor many different ones", async () => {
  const many = Array.from({ length: 100_000 }, () => ({ model }));
  expect(await messageOf(await ask(["interns"], { a: [...many, { model: opus }] }))).toEqual(
    refusedAt("a.100000.model"),
  );
  const different = Array.from({ length: 1_001 }, (_, index) => ({ model: `m${index}` }));
  expect(await messageOf(await ask(["most"], { a: different }))).toEqual([
    400,
    "request body names more than 1000 models",
  ]);
  expect((await ask(["most"], { a: different.slice(1) })).status).toBe(200);
});

test("tools are read as deep as any request nests", async () => {
  const deep = `${"[".repeat(9_000)}${"]".repeat(9_000)}`;
  const body = `{"model":"${model}","tools":[{"type":"x_20260101","x":${deep}},{"model":"${opus}"}]}`;
  expect(await messageOf(await ask(["interns"], body))).toEqual(refusedAt("tools.1.model"));
});

const agent = {
  name: "Agent",
  input_schema: { properties: { model: { enum: [opus] } }, model: opus },
};
const toolUse = { type: "tool_use", id: "a", name: "Agent", input: { model: opus } };
describe("nothing is refused", () => {
  test.each<[string, string[], object]>([
    ["that the policy admits", ["interns"], { tools: [advisor(model)], fallbacks: [{ model }] }],
    ["in a tool's schema", ["interns"], { tools: [agent], a: { schema: { model: opus } } }],
    ["in a tool's input", ["interns"], { messages: [{ role: "assistant", content: [toolUse] }] }],
    [
      "in examples and tags",
      ["interns"],
      { tags: { model: opus }, a: { input_examples: [{ model: opus }] } },
    ],
    ["in text", ["interns"], { messages: [{ role: "user", content: `{"model":"${opus}"}` }] }],
    ["that is a value", ["interns"], { a: ["model"], b: "model" }],
    ["where the provider chooses", ["interns"], { fallbacks: "default" }],
    ["to somebody without a policy", [], { tools: [advisor(opus)], fallbacks: [{ model: opus }] }],
    [
      "that is nothing, where the body is read",
      ["interns"],
      { a: { model: null }, b: { input: { model: opus } } },
    ],
    ["that is nothing", ["interns"], { tools: [advisor(null), null, "x"], fallbacks: [{}] }],
  ])("%s", async (_, groups, body) => {
    expect((await ask(groups, body)).status).toBe(200);
    expect(scene.upstream.seen).toHaveLength(1);
  });
});
