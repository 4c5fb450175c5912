// What starts with a warning, told by the configuration alone.
import { describe, expect, test } from "bun:test";
import { type Edit, edited, load } from "./samples.ts";
import { sample } from "./upstream-samples.ts";

const warned = (edit: Edit) => load(edited(edit)).warnings;

test("a model id listed twice is worth one warning", () => {
  const model = { id: "house", upstream_model: { anthropic: "claude-x" } };
  expect(warned((c) => (c.models = [model, model, model]))).toEqual([
    "models: the id 'house' is listed more than once",
  ]);
});

describe("a base_url without the path that the provider serves the Messages API below", () => {
  const at = (provider: string, base_url: string) =>
    warned((c) => (c.upstreams = [{ ...sample(provider), name: "u", base_url }]));

  test.each(["mantle", "foundry"])("is worth a warning at %s", (provider) => {
    for (const path of ["", "/", "/anthropicx", "/v1"]) {
      expect(at(provider, `https://proxy.example${path}`)).toEqual([
        "upstream 'u': base_url has no /anthropic in its path, and requests go to base_url + /v1/messages. The provider serves the Messages API below /anthropic: add it, unless a proxy at base_url does",
      ]);
    }
    for (const path of ["/anthropic", "/anthropic/", "/team/anthropic"]) {
      expect(at(provider, `https://proxy.example${path}`)).toEqual([]);
    }
  });

  test.each(["anthropic", "bedrock", "anthropicAws", "vertex", "anthropicGoogleCloud"])(
    "is as it should be at %s",
    (provider) => {
      expect(at(provider, "https://proxy.example")).toEqual([]);
    },
  );

  test("is none where there is no base_url", () => {
    expect(warned((c) => (c.upstreams = [sample("foundry"), sample("mantle")]))).toEqual([]);
  });
});

describe("a markup", () => {
  const raised =
    (more: object): Edit =>
    (c) =>
      Object.assign(c, { pricing: { multiplier: 1.5 }, ...more });
  const managed = { policies: [{}] };
  const head = "pricing.multiplier is 1.5, a markup.";
  const caps =
    "Spend limits count 1.5× the price, so developers reach them sooner. Raise the caps if that is not intended.";
  const clients =
    "Claude Code clients older than v2.1.270 ignore a multiplier above 1 and show costs without the markup.";
  const keys = { write_keys: [{ id: "a", key: "k".repeat(32) }] };

  test("is told with what it does to whom it reaches", () => {
    expect(warned(raised({ managed }))).toEqual([`${head} ${clients}`]);
    expect(warned(raised({ admin: keys }))).toEqual([`${head} ${caps}`]);
    expect(warned(raised({ admin: keys, managed }))).toEqual([`${head} ${caps} ${clients}`]);
  });

  test("is none at 1, or with a discount", () => {
    for (const multiplier of [1, 0.9]) {
      expect(warned(raised({ admin: keys, managed, pricing: { multiplier } }))).toEqual([]);
    }
  });
});

describe("an admin block", () => {
  const secret = (letter: string) => letter.repeat(32);
  const keys = (...pairs: [id: string, key: string][]) => pairs.map(([id, key]) => ({ id, key }));
  const withAdmin =
    (admin: object): Edit =>
    (c) =>
      (c.admin = admin);

  test("without a key that may write, or a group, is one that nobody can use", () => {
    const nobody =
      "admin has neither write_keys nor admin_groups, so nobody can set a spend limit. Add a key, or a group whose members may.";
    expect(warned(withAdmin({}))).toEqual([nobody]);
    expect(warned(withAdmin({ read_keys: keys(["a", secret("a")]) }))).toEqual([nobody]);
    expect(warned(withAdmin({ write_keys: keys(["a", secret("a")]) }))).toEqual([]);
    expect(warned(withAdmin({ admin_groups: ["finance"] }))).toEqual([]);
  });

  test("with one secret under several names is told which, once for each secret, without it", () => {
    const write_keys = keys(["tf", secret("a")], ["ci", secret("b")], ["old", secret("a")]);
    const read_keys = keys(["grafana", secret("a")], ["bi", secret("b")]);
    const same = (first: string, others: string) =>
      `admin keys '${first}' and ${others} are the same secret, so the trail cannot tell who used it, and it may do what any of them may. Give each a secret of its own.`;
    expect(warned(withAdmin({ write_keys, read_keys }))).toEqual([
      same("tf", "'old', 'grafana'"),
      same("ci", "'bi'"),
    ]);
  });

  test("with a secret that no header carries is told whose", () => {
    const unsent = (id: string) =>
      `admin key '${id}' has a blank at an end, or characters that are not printable ASCII, so no x-api-key header can carry it.`;
    const write_keys = keys(
      ["newline", `${secret("a")}\n`],
      ["umlaut", `${secret("b")}ü`],
      ["blank inside", `${secret("c")} c`],
    );
    const read_keys = keys(["tab", `\t${secret("d")}`]);
    expect(warned(withAdmin({ write_keys, read_keys }))).toEqual(
      ["newline", "umlaut", "tab"].map(unsent),
    );
  });

  test("with a key of which the trail could not say whose it is is told the list", () => {
    const write_keys = keys([" ", secret("a")], ["b", secret("b")]);
    const read_keys = keys(["", secret("c")]);
    expect(warned(withAdmin({ write_keys, read_keys }))).toEqual(
      ["write_keys", "read_keys"].map(
        (list) =>
          `admin.${list} has a key without an id, so the trail cannot say whose it is. Give it a name.`,
      ),
    );
  });

  test("with a message too long for a line is told how long", () => {
    const message = (length: number) =>
      withAdmin({ admin_groups: ["finance"], blocked_message: "x".repeat(length) });
    expect(warned(message(200))).toEqual([]);
    expect(warned(message(201))).toEqual([
      "admin.blocked_message is 201 characters long. It stands behind the reason of every refusal, in one line of a terminal: keep it to 200.",
    ]);
  });
});
