// What a model is called on each provider, which providers lack it, and who is sent to an upstream that serves some groups only.
import { describe, expect, test } from "bun:test";
import type { ProviderName } from "../../src/config/schema.ts";
import { createModelDirectory, type UpstreamFacts } from "../../src/models/resolve.ts";

const directory = (...upstreams: UpstreamFacts[]) =>
  createModelDirectory({ models: [], auto_include_builtin_models: true }, upstreams);

/** The id that goes out, or the refusal. */
function sentAs(model: string, facts: Partial<UpstreamFacts> & { provider: ProviderName }): string {
  const { routes, refusals } = directory({ name: "u", ...facts }).resolve(model, []);
  return routes[0]?.upstreamModel ?? refusals[0]?.message ?? "";
}

describe("on the wire", () => {
  test.each([
    ["anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
    ["anthropicAws", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
    ["anthropicGoogleCloud", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
    ["vertex", "claude-sonnet-4-5", "claude-sonnet-4-5@20250929"],
    ["foundry", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"],
    ["mantle", "claude-haiku-4-5-20251001", "anthropic.claude-haiku-4-5"],
    ["mantle", "us.anthropic.claude-opus-4-8", "anthropic.claude-opus-4-8"],
  ] as const)("%s: %s is %s", (provider, model, id) =>
    expect(sentAs(model, { provider })).toBe(id),
  );

  test.each([
    ["us-east-1", "us.anthropic.claude-opus-4-6-v1"],
    ["us-west-2", "us.anthropic.claude-opus-4-6-v1"],
    ["ca-central-1", "us.anthropic.claude-opus-4-6-v1"],
    ["us-gov-west-1", "anthropic.claude-opus-4-6-v1"],
    ["eu-west-1", "anthropic.claude-opus-4-6-v1"],
    ["ap-northeast-1", "anthropic.claude-opus-4-6-v1"],
    ["sa-east-1", "anthropic.claude-opus-4-6-v1"],
  ])("bedrock in %s: %s", (region, id) =>
    expect(sentAs("claude-opus-4-6", { provider: "bedrock", region })).toBe(id),
  );
});

describe("a provider that does not offer a model", () => {
  test.each([
    ["mantle", "claude-opus-4-6"],
    ["mantle", "claude-sonnet-4-6"],
    ["mantle", "claude-sonnet-4-5"],
    ["mantle", "claude-opus-4-1"],
    ["anthropicGoogleCloud", "claude-opus-4-1"],
  ] as const)("%s refuses %s and does not list it", (provider, model) => {
    expect(sentAs(model, { provider })).toBe(`model ${model} is not available on ${provider}`);
    const offered = directory({ name: "u", provider }).list([]);
    expect(offered.some(({ id }) => id.startsWith(model))).toBe(false);
    expect(offered.length).toBeGreaterThan(5);
  });

  test("is passed over where another one has it, without a round trip", () => {
    const models = directory(
      { name: "m", provider: "mantle" },
      { name: "v", provider: "vertex", region: "global" },
    );
    expect(models.resolve("claude-sonnet-4-6", []).routes).toEqual([
      { upstream: "v", upstreamModel: "claude-sonnet-4-6" },
    ]);
  });

  test("may be given the model by hand", () => {
    const models = createModelDirectory(
      {
        models: [{ id: "claude-sonnet-4-6", upstream_model: { m: "anthropic.claude-sonnet-4-6" } }],
        auto_include_builtin_models: false,
      },
      [{ name: "m", provider: "mantle" }],
    );
    expect(models.resolve("claude-sonnet-4-6", []).routes[0]?.upstreamModel).toBe(
      "anthropic.claude-sonnet-4-6",
    );
  });
});

test("a [1m] twin is a model of its own: it goes where its entry says, and only when there is one", () => {
  const map = { b: "us.anthropic.claude-opus-4-8" };
  const upstreams: UpstreamFacts[] = [{ name: "b", provider: "bedrock", region: "us-east-1" }];
  const models = createModelDirectory(
    {
      models: [
        { id: "claude-opus-4-8", upstream_model: map },
        { id: "claude-opus-4-8[1m]", upstream_model: map },
      ],
      auto_include_builtin_models: false,
    },
    upstreams,
  );
  expect(models.resolve("claude-opus-4-8[1m]", []).routes[0]?.upstreamModel).toBe(map.b);
  expect(models.list([]).map(({ id }) => id)).toEqual(["claude-opus-4-8", "claude-opus-4-8[1m]"]);
  expect(directory(...upstreams).resolve("claude-opus-4-8[1m]", []).routes).toEqual([]);
});

test("the context window of a mapped model is known by its id on any provider", () => {
  const window = (upstreamModel: string) =>
    createModelDirectory(
      {
        models: [{ id: "house", upstream_model: { b: upstreamModel } }],
        auto_include_builtin_models: false,
      },
      [{ name: "b", provider: "bedrock", region: "us-east-1" }],
    ).list([])[0]?.max_input_tokens;
  expect(window("anthropic.claude-opus-4-8")).toBe(1_000_000);
  expect(window("us.anthropic.claude-opus-4-8")).toBe(1_000_000);
  expect(window("anthropic.claude-haiku-4-5")).toBe(200_000);
  expect(window("arn:aws:bedrock:us-east-1:1:application-inference-profile/x")).toBeUndefined();
});

describe("an upstream for some groups", () => {
  const models = directory(
    { name: "eng", provider: "anthropic", groups: ["eng", "ops"] },
    { name: "all", provider: "anthropic", models: ["claude-haiku-*"] },
  );
  const routesOf = (model: string, groups: string[]) =>
    models.resolve(model, groups).routes.map(({ upstream }) => upstream);

  test("serves members, in its place in the order", () => {
    expect(routesOf("claude-haiku-4-5", ["eng"])).toEqual(["eng", "all"]);
    expect(routesOf("claude-haiku-4-5", ["x", "ops"])).toEqual(["eng", "all"]);
  });

  test.each([[[]], [["Eng"]], [["engineering"]], [["eng "]]])("is not there for %j", (groups) => {
    expect(routesOf("claude-haiku-4-5", groups)).toEqual(["all"]);
    expect(models.resolve("claude-haiku-4-5", groups).considered).toBe(1);
    expect(models.list(groups).map(({ id }) => id)).not.toContain("claude-opus-5");
  });

  test("is not named in what outsiders are told", () => {
    expect(models.resolve("claude-opus-5", [])).toEqual({
      routes: [],
      refusals: [
        { upstream: "all", message: "model claude-opus-5 is not served by upstream 'all'" },
      ],
      considered: 1,
    });
  });

  test("lists to its members what only it serves", () => {
    expect(models.list(["eng"]).map(({ id }) => id)).toContain("claude-opus-5");
  });

  test("leaves somebody for whom there is no upstream at all with one answer, whatever the model", () => {
    const closed = directory({ name: "eng", provider: "anthropic", groups: ["eng"] });
    for (const model of ["claude-opus-5", "gpt-4"]) {
      expect(closed.resolve(model, ["x"])).toEqual({
        routes: [],
        refusals: [
          {
            message:
              "you aren't in a group that can use this gateway. Ask your administrator to add you to one",
          },
        ],
        considered: 0,
      });
    }
    expect(closed.list(["x"])).toEqual([]);
  });
});
