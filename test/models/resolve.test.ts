// Where a model goes and how it is refused, by configuration.
import { describe, expect, test } from "bun:test";
import { createModelDirectory, type UpstreamFacts } from "../../src/models/resolve.ts";

type Directory = Parameters<typeof createModelDirectory>[0];

const upstream = (name: string, models?: string[]): UpstreamFacts => ({
  name,
  provider: "anthropic",
  models,
});
const directory = (config: Partial<Directory> = {}, upstreams = [upstream("a")]) =>
  createModelDirectory({ models: [], auto_include_builtin_models: true, ...config }, upstreams);

/** Routes as `upstream:model`, refusals as their messages. */
function answer(models: ReturnType<typeof directory>, model: string): string[] {
  const { routes, refusals } = models.resolve(model, []);
  expect(routes.length === 0).toBe(refusals.length > 0);
  return [
    ...routes.map((route) => `${route.upstream}:${route.upstreamModel}`),
    ...refusals.map(({ message }) => message),
  ];
}
const one = (...models: string[]) => directory({}, [upstream("a", models)]);
const notServed = (model: string) => `model ${model} is not served by upstream 'a'`;
const ids = (models: ReturnType<typeof directory>) => models.list([]).map(({ id }) => id);
const notAllowed = (model: string) => `model ${model} is not in the operator's model allowlist`;

describe("a built-in model", () => {
  const models = directory();

  test.each([
    ["claude-sonnet-4-6", "claude-sonnet-4-6"],
    ["CLAUDE-Sonnet-4-6", "claude-sonnet-4-6"],
    ["us.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6"],
    ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"],
    ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5-20250929"],
    ["claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929"],
    ["US.Anthropic.Claude-Sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929"],
    ["us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"],
    ["Anthropic.Claude-Opus-4-8", "claude-opus-4-8"],
    ["claude-opus-4-5", "claude-opus-4-5-20251101"],
    ["claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet-20241022"],
    ["us.anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-3-5-sonnet-20241022"],
  ])("spelled %s goes out as %s", (spelling, id) =>
    expect(answer(models, spelling)).toEqual([`a:${id}`]),
  );

  // prettier-ignore
  test.each([
    "gpt-4", "sonnet", "opus", "default", "best", "claude", "claude-sonnet", "claude-sonnet-4-6[1m]", "claude-sonnet-4.6",
    "claude-sonnet-4-6-20260101", "claude-sonnet-4-6@20250929", "claude-sonnet-4-5-latest", "claude-opus-4-6-v1", " claude-opus-5",
    "anthropic.claude-sonnet-4-6", "eu.anthropic.claude-sonnet-4-6", "us.anthropic.claude-opus-4-6", "us.anthropic.claude-sonnet-4-5",
    "anthropic/claude-opus-5", "claude-3-5-sonnet-20240620", "constructor", "__proto__", "claude-sonnet-5-5*", "*",
  ])("is not what %j means", (spelling) =>
    expect(answer(models, spelling)).toEqual([notAllowed(spelling)]),
  );

  test("goes to every upstream in their order", () => {
    expect(answer(directory({}, [upstream("b"), upstream("a")]), "claude-opus-5")).toEqual([
      "b:claude-opus-5",
      "a:claude-opus-5",
    ]);
  });
});

describe("an entry of models:", () => {
  const two = [upstream("a"), upstream("b")];

  test("serves a custom id, in any case, on the upstreams of its map only", () => {
    const models = directory({ models: [{ id: "House", upstream_model: { b: "b-real" } }] }, two);
    for (const model of ["House", "house", "HOUSE"])
      expect(answer(models, model)).toEqual(["b:b-real"]);
    expect(answer(models, "b-real")).toEqual([notAllowed("b-real"), notAllowed("b-real")]);
  });

  test("maps a built-in model in all its spellings, and leaves its own id to the upstreams that are not named", () => {
    for (const id of [
      "claude-sonnet-4-5",
      "Claude-Sonnet-4-5-20250929",
      "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ]) {
      const models = directory({ models: [{ id, upstream_model: { a: "mine" } }] }, two);
      for (const model of [
        "claude-sonnet-4-5",
        "claude-sonnet-4-5@20250929",
        "claude-sonnet-4-5-20250929",
      ]) {
        expect(answer(models, model)).toEqual(["a:mine", "b:claude-sonnet-4-5-20250929"]);
      }
    }
  });

  test("lists a [1m] twin, which is a model of its own", () => {
    const models = directory(
      { models: [{ id: "claude-sonnet-4-6[1m]", upstream_model: { a: "long" } }] },
      two,
    );
    expect(answer(models, "claude-sonnet-4-6[1M]")).toEqual(["a:long"]);
    expect(answer(models, "claude-sonnet-4-6")).toEqual([
      "a:claude-sonnet-4-6",
      "b:claude-sonnet-4-6",
    ]);
  });

  test("is the only way to a model when the built-in ones are left out", () => {
    const curated = [{ id: "claude-opus-4-8", upstream_model: { b: "o48" } }];
    const models = directory({ models: curated, auto_include_builtin_models: false }, two);
    expect(answer(models, "us.anthropic.claude-opus-4-8")).toEqual(["a:claude-opus-4-8", "b:o48"]);
    expect(answer(models, "claude-opus-4-7")).toEqual([
      notAllowed("claude-opus-4-7"),
      notAllowed("claude-opus-4-7"),
    ]);
  });

  test("counts once for a model: the first", () => {
    const first = { id: "house", label: "First", upstream_model: { a: "1" } };
    const models = directory(
      {
        models: [
          first,
          { id: "HOUSE", upstream_model: { b: "2" } },
          { id: "house", label: "Third", upstream_model: { a: "3" } },
        ],
      },
      two,
    );
    expect(answer(models, "HOUSE")).toEqual(["a:1"]);
    expect(
      models
        .list([])
        .slice(0, 2)
        .map((entry) => entry.display_name),
    ).toEqual(["First", "HOUSE"]);
  });

  test("does not make an upstream's map out of what every object has", () => {
    const models = directory({ models: [{ id: "house", upstream_model: { a: "x" } }] }, [
      upstream("constructor"),
      upstream("a"),
    ]);
    expect(answer(models, "house")).toEqual(["a:x"]);
  });
});

describe("an upstream's models", () => {
  test.each([
    [["claude-sonnet-4-5"], "us.anthropic.claude-sonnet-4-5-20250929-v1:0", true],
    [["CLAUDE-sonnet-4-5@20250929"], "claude-sonnet-4-5", true],
    [["claude-sonnet-4-5"], "claude-sonnet-4-6", false],
    [["CLAUDE-OPUS-*"], "claude-opus-4-8", true],
    [["claude-opus-*"], "us.anthropic.claude-opus-4-8", false],
    [["us.anthropic.*"], "US.anthropic.claude-opus-4-8", true],
    [["*-4-5"], "claude-sonnet-4-5", true],
    [["*-4-5"], "claude-sonnet-4-5-20250929", false],
    [["claude*opus-4-8"], "claude-opus-4-8", true],
    [["claude-opus-4-8*8"], "claude-opus-4-8", false],
    [["*"], "claude-opus-4-8", true],
    [["**"], "claude-opus-4-8", false],
    [["claude-.*", "claude-opus-?-8"], "claude-opus-4-8", false],
    [["claude-haiku-*", "claude-opus-4-8"], "claude-opus-4-8", true],
  ])("%j on %s: %p", (models, model, served) => {
    expect(one(...models).resolve(model, []).routes.length === 1).toBe(served);
    if (!served) expect(answer(one(...models), model)).toEqual([notServed(model)]);
  });

  test("hold for custom ids as clients write them, not as the upstream does", () => {
    const models = directory(
      { models: [{ id: "house", upstream_model: { a: "claude-x", b: "claude-x" } }] },
      [upstream("a", ["claude-*"]), upstream("b", ["HOUSE"])],
    );
    expect(answer(models, "House")).toEqual(["b:claude-x"]);
  });
});

describe("refusals", () => {
  test("give each upstream's own reason, in order", () => {
    const models = directory({ models: [{ id: "house", upstream_model: { a: "h" } }] }, [
      upstream("a", ["claude-*"]),
      upstream("b"),
    ]);
    expect(models.resolve("house", [])).toEqual({
      routes: [],
      refusals: [
        { upstream: "a", message: "model house is not served by upstream 'a'" },
        { upstream: "b", message: "model house has no upstream_model.b configured" },
      ],
      considered: 2,
    });
    expect(answer(models, "gpt")).toEqual([
      "model gpt is not served by upstream 'a'",
      notAllowed("gpt"),
    ]);
  });

  test("repeat a model's printable characters only, and no more than 128 of them", () => {
    const models = directory();
    expect(answer(models, "a\n\u001b[31m\u0000bé😀")).toEqual([notAllowed("a[31mb")]);
    expect(answer(models, "é".repeat(99) + "x".repeat(128))).toEqual([notAllowed("x".repeat(128))]);
    expect(answer(models, "x".repeat(129))).toEqual([notAllowed(`${"x".repeat(128)}...`)]);
  });
});

describe("the list", () => {
  test("shows the built-in models in the catalog's order, without the retired ones", () => {
    expect(
      directory()
        .list([])
        .map(({ id, max_input_tokens }) => [id, max_input_tokens]),
    ).toEqual([
      ["claude-opus-4-6", undefined],
      ["claude-sonnet-4-5-20250929", undefined],
      ["claude-haiku-4-5-20251001", 200_000],
      ["claude-fable-5-2", 1_000_000],
      ["claude-fable-5-1", 1_000_000],
      ["claude-fable-5", 1_000_000],
      ["claude-opus-5-5", 1_000_000],
      ["claude-opus-5", 1_000_000],
      ["claude-opus-4-8", 1_000_000],
      ["claude-opus-4-7", 1_000_000],
      ["claude-opus-4-1-20250805", 200_000],
      ["claude-sonnet-5-5", 1_000_000],
      ["claude-sonnet-5", 1_000_000],
      ["claude-sonnet-4-6", undefined],
      ["claude-haiku-5-5", 1_000_000],
    ]);
  });

  test("has nothing in an entry but what is known", () => {
    const config = [
      { id: "house", label: "House", description: "Ours", upstream_model: { a: "x" } },
    ];
    expect(directory({ models: config }).list([]).slice(0, 2)).toEqual([
      { type: "model", id: "house", display_name: "House", description: "Ours" },
      { type: "model", id: "claude-opus-4-6", display_name: "claude-opus-4-6" },
    ]);
  });

  test("puts the operator's models first, and a built-in one listed there only there", () => {
    const config = ["house", "claude-opus-5", "claude-sonnet-4-5"].map((id) => ({
      id,
      upstream_model: { a: "x" },
    }));
    const listed = ids(directory({ models: config }));
    expect(listed.slice(0, 4)).toEqual([
      "house",
      "claude-opus-5",
      "claude-sonnet-4-5",
      "claude-opus-4-6",
    ]);
    expect(listed.filter((id) => id === "claude-opus-5")).toHaveLength(1);
    expect(ids(directory({ models: config, auto_include_builtin_models: false }))).toEqual(
      listed.slice(0, 3),
    );
  });

  test("leaves out built-in models that no upstream serves", () => {
    expect(
      ids(directory({}, [upstream("a", ["claude-haiku-*"]), upstream("b", ["claude-opus-5"])])),
    ).toEqual(["claude-haiku-4-5-20251001", "claude-opus-5", "claude-haiku-5-5"]);
  });

  test.each([
    [{ a: "claude-opus-4-8", b: "claude-haiku-4-5" }, 200_000],
    [{ a: "us.anthropic.claude-opus-4-8", b: "CLAUDE-opus-5[1m]" }, 1_000_000],
    [{ a: "claude-opus-4-8", b: "unknown" }, undefined],
    [{ a: "claude-opus-4-8", b: "claude-sonnet-4-6" }, undefined],
    [{ b: "claude-haiku-4-5" }, 200_000],
  ])("gives a model sent as %j a window of %p", (upstream_model, window) => {
    const models = directory({ models: [{ id: "house", upstream_model }] }, [
      upstream("a"),
      upstream("b"),
    ]);
    expect(models.list([])[0]?.max_input_tokens).toBe(window);
  });

  test("gives no window to a model that nobody serves", () => {
    const models = directory(
      { models: [{ id: "house", upstream_model: { a: "claude-opus-5" } }] },
      [upstream("a", ["x"])],
    );
    expect(models.list([])).toEqual([{ type: "model", id: "house", display_name: "house" }]);
  });
});

describe("where an upstream is open to some people only", () => {
  const upstreams = [upstream("a"), { ...upstream("b"), groups: ["ops"] }];
  const own = (id: string) => ({ id, label: "L", upstream_model: { b: "x" } });
  const models = directory(
    { models: [own("house"), own("claude-opus-4-8")], auto_include_builtin_models: false },
    upstreams,
  );
  const listed = (...groups: string[]) => models.list(groups).map(({ id }) => id);

  test("a model that only they have is neither listed nor known to others", () => {
    expect(listed("ops")).toEqual(["house", "claude-opus-4-8"]);
    expect(listed()).not.toContain("house");
    expect(models.resolve("house", []).refusals.map(({ message }) => message)).toEqual([
      notAllowed("house"),
    ]);
  });

  test("a built-in model that others reach by its own id keeps its entry", () => {
    expect(models.list([])).toEqual([
      expect.objectContaining({ id: "claude-opus-4-8", display_name: "L" }),
    ]);
    expect(models.resolve("claude-opus-4-8", []).routes).toEqual([
      { upstream: "a", upstreamModel: "claude-opus-4-8" },
    ]);
  });
});

test.each([
  ["claude-opus-4.8", 1_000_000],
  ["arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-8-v1:0", 1_000_000],
  ["acme/claude-haiku-4-5@20251001", 200_000],
  ["claude-opus-9-9", undefined],
  ["gpt-5", undefined],
])("the context window is that of the Claude model in the upstream's id: %s", (id, window) => {
  const models = directory({ models: [{ id: "house", upstream_model: { a: id } }] });
  expect(models.list([])[0]?.max_input_tokens).toBe(window);
});
