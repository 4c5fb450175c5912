// Which row prices a model: the most specific one of the upstream that a request goes to first. And which rows price none.
import { describe, expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";
import { claudeNameIn } from "../../src/models/names.ts";
import {
  createPriceOverrides,
  pricedModels,
  priceKeyOf,
} from "../../src/models/price-overrides.ts";
import { createModelDirectory } from "../../src/models/resolve.ts";
import { modelWarnings } from "../../src/models/warnings.ts";
import { type Edit, edited, load } from "../config/samples.ts";

/** Rows that are told apart by their input rate. */
function rowsOf(rates: Record<string, number>, upstream = "a") {
  return Object.entries(rates).map(([model, input]) => ({
    upstream,
    model,
    input,
    output: 2,
    cache_read: 3,
    cache_write: 4,
  }));
}

const anthropic = (name: string, more: object = {}) => ({
  provider: "anthropic",
  name,
  auth: { api_key: "k" },
  ...more,
});

function loaded(edit: Edit) {
  return load(
    edited((c) => {
      c.upstreams = [anthropic("a")];
      c.managed = { policies: [{}] };
      edit(c);
    }),
  ).config;
}

/** Input rates of the models that have a price of ours. */
function prices(edit: Edit): Record<string, number> {
  const config = loaded(edit);
  const models = createModelDirectory(config, config.upstreams);
  return Object.fromEntries(
    pricedModels(config, models).map(({ id, rows }) => [id, rows[0].input]),
  );
}

/** `model on upstream` of the rows that are warned of. */
function dead(edit: Edit): string[] {
  return modelWarnings(loaded(edit)).flatMap((warning) => {
    const [, model, upstream] =
      /^pricing override for '(.*)' on upstream '(.*)' will never apply — /.exec(warning) ?? [];
    return model === undefined ? [] : [`${model} on ${upstream}`];
  });
}

describe("of several rows for one route counts", () => {
  const rate = (spellings: Record<string, number>, upstreamModel: string, model: string) =>
    createPriceOverrides(rowsOf(spellings))({ upstream: "a", upstreamModel }, model)?.input;

  test("first the one with the upstream's id", () => {
    expect(rate({ house: 1, "claude-opus-4-8": 2, "Prof-X": 3 }, "prof-x", "house")).toBe(3);
  });

  test("then the one with the client's id", () => {
    expect(rate({ "us.anthropic.claude-opus-4-8": 2, House: 1 }, "claude-opus-4-8", "house")).toBe(
      1,
    );
  });

  test("then the one for the Claude model that the upstream's id holds", () => {
    const arn = "arn:aws:bedrock:eu-west-1:1:inference-profile/eu.anthropic.claude-opus-4-8";
    const both = { "us.anthropic.claude-opus-4-8": 2, "claude-haiku-5-5": 1 };
    expect(rate(both, arn, "my-claude-haiku-5-5")).toBe(2);
  });

  test("then the one for the Claude model that the client's id holds", () => {
    expect(rate({ "us.anthropic.claude-opus-4-8": 2 }, "prof-x", "my-claude-opus-4-8")).toBe(2);
  });

  test("none for another model of the family, or on another upstream", () => {
    expect(rate({ "claude-opus-4": 1, "claude-opus-4-7": 2 }, "claude-opus-4-8", "x")).toBe(
      undefined,
    );
    const rowOf = createPriceOverrides(rowsOf({ x: 1 }, "b"));
    expect(rowOf({ upstream: "a", upstreamModel: "x" }, "x")).toBe(undefined);
  });
});

test("every built-in model is found by a row in each of its spellings, whatever the case", () => {
  for (const { id, foundry, vertex, bedrock, mantle = id } of catalog) {
    const spellings = [id, foundry, vertex, `us.${bedrock}`, mantle, id.toUpperCase()];
    expect([...new Set(spellings.map(priceKeyOf))]).toEqual([foundry]);
    // What a route's id is read as has to meet what a row's is.
    expect(spellings.map(claudeNameIn)).toEqual(spellings.map(() => foundry));
  }
});

describe("a model's price", () => {
  test("is told by the ids that clients know, retired ones included", () => {
    const rows = rowsOf({ "claude-haiku-4-5": 1, "claude-3-7-sonnet": 2, HOUSE: 3 });
    expect(
      prices((c) => {
        // The second is the first in another case: clients reach the first by both.
        c.models = ["House", "house"].map((id) => ({ id, upstream_model: { a: "prof-x" } }));
        c.pricing = { overrides: rows };
      }),
    ).toEqual({
      House: 3,
      "claude-haiku-4-5-20251001": 1,
      "claude-3-7-sonnet-20250219": 2,
    });
  });

  test("is that of the first upstream which serves it, also when only a later one has a row", () => {
    const edit: Edit = (c) => {
      c.upstreams = [anthropic("a", { models: ["claude-opus-*"] }), anthropic("b")];
      c.pricing = {
        overrides: [
          ...rowsOf({ "claude-opus-4-8": 1 }),
          ...rowsOf({ "claude-opus-4-8": 2, "claude-opus-5": 3, "claude-sonnet-5": 4 }, "b"),
        ],
      };
    };
    expect(prices(edit)).toEqual({ "claude-opus-4-8": 1, "claude-sonnet-5": 4 });
    expect(dead(edit)).toEqual(["claude-opus-4-8 on b", "claude-opus-5 on b"]);
  });

  test("is not told when it depends on who asks", () => {
    const overrides = [
      ...rowsOf({ "claude-opus-4-8": 1 }),
      ...rowsOf({ "claude-opus-4-8": 1, "claude-sonnet-5": 2 }, "b"),
    ];
    const grouped = anthropic("a", { models: ["claude-opus-*"], groups: ["eng"] });
    const edit: Edit = (c) => {
      c.upstreams = [grouped, anthropic("b")];
      c.pricing = { overrides };
    };
    expect(prices(edit)).toEqual({ "claude-sonnet-5": 2 });
    expect(dead(edit)).toEqual(["claude-opus-4-8 on a", "claude-opus-4-8 on b"]);
    // Behind an upstream that is everybody's, groups change nothing.
    expect(
      prices((c) => {
        c.upstreams = [anthropic("b"), grouped];
        c.pricing = { overrides };
      }),
    ).toEqual({ "claude-opus-4-8": 1, "claude-sonnet-5": 2 });
  });

  test("is that of the upstream with the best priority, wherever it is listed", () => {
    expect(
      prices((c) => {
        c.failover = {};
        c.upstreams = [anthropic("a", { priority: 2 }), anthropic("b", { priority: 1 })];
        c.pricing = {
          overrides: [...rowsOf({ "claude-opus-5": 1 }), ...rowsOf({ "claude-opus-5": 2 }, "b")],
        };
      }),
    ).toEqual({ "claude-opus-5": 2 });
  });

  test("is told of upstreams that share its requests only if it is the same on each", () => {
    const edit: Edit = (c) => {
      c.failover = {};
      c.upstreams = [anthropic("a", { priority: 1 }), anthropic("b", { priority: 1 })];
      c.pricing = {
        overrides: [
          ...rowsOf({ "claude-opus-5": 1, "claude-sonnet-5": 2, "claude-haiku-5-5": 3 }),
          ...rowsOf({ "claude-opus-5": 1, "claude-sonnet-5": 9, "claude-fable-5": 4 }, "b"),
        ],
      };
    };
    expect(prices(edit)).toEqual({ "claude-opus-5": 1 });
    expect(dead(edit)).toEqual([
      "claude-sonnet-5 on a",
      "claude-haiku-5-5 on a",
      "claude-sonnet-5 on b",
      "claude-fable-5 on b",
    ]);
  });

  test("is not told of models that no client can ask for", () => {
    const edit: Edit = (c) => {
      c.auto_include_builtin_models = false;
      c.models = [{ id: "house", upstream_model: { a: "claude-opus-4-8" } }];
      c.pricing = { overrides: rowsOf({ "claude-opus-4-8": 1, "claude-sonnet-5": 2, nope: 3 }) };
    };
    expect(prices(edit)).toEqual({ house: 1 });
    expect(dead(edit)).toEqual(["claude-sonnet-5 on a", "nope on a"]);
  });
});

test("a row that a more specific one covers is warned of, with what may be the reason", () => {
  const edit: Edit = (c) => {
    c.models = [{ id: "house", upstream_model: { a: "prof-x" } }];
    c.pricing = { overrides: rowsOf({ house: 1, "prof-x": 2 }) };
  };
  expect(modelWarnings(loaded(edit))).toEqual([
    "pricing override for 'house' on upstream 'a' will never apply — no model a client can request there is priced by it (a typo, a model not in models[], a more specific row covers it, or — with no admin: meter — an earlier upstream serves the model and only its price is pushed to clients)",
  ]);
});

describe("with an admin block, whose meter charges every upstream's answers, a row applies", () => {
  const metered =
    (edit: Edit): Edit =>
    (c) => {
      c.admin = {};
      edit(c);
    };

  test("also on an upstream that is only failed over to, or is some people's", () => {
    const later: Edit = (c) => {
      c.upstreams = [anthropic("a"), anthropic("b"), anthropic("c", { groups: ["eng"] })];
      c.pricing = {
        overrides: ["b", "c"].flatMap((name) => rowsOf({ "claude-opus-4-8": 1 }, name)),
      };
    };
    expect(dead(later)).toEqual(["claude-opus-4-8 on b", "claude-opus-4-8 on c"]);
    expect(dead(metered(later))).toEqual([]);
  });

  test("to models that only an upstream with other rates shares", () => {
    const shared: Edit = (c) => {
      c.failover = {};
      c.upstreams = [anthropic("a", { priority: 0 }), anthropic("b", { priority: 0 })];
      c.pricing = { overrides: rowsOf({ "claude-opus-4-8": 1 }) };
    };
    expect(dead(shared)).toEqual(["claude-opus-4-8 on a"]);
    expect(dead(metered(shared))).toEqual([]);
  });

  test("to no model that is not there, that a more specific row covers, or that the upstream leaves out", () => {
    const edit = metered((c) => {
      c.upstreams = [anthropic("a", { models: ["claude-opus-*", "house"] })];
      c.models = [{ id: "house", upstream_model: { a: "house-model" } }];
      c.pricing = {
        overrides: rowsOf({ nope: 1, "house-model": 2, house: 3, "claude-sonnet-4-6": 4 }),
      };
    });
    expect(dead(edit)).toEqual(["nope on a", "house on a", "claude-sonnet-4-6 on a"]);
  });

  test("and what is said of one that does not speaks of no prices that are pushed to some only", () => {
    const [warning] = modelWarnings(
      loaded(
        metered((c) => {
          c.failover = {};
          c.upstreams = [anthropic("a", { groups: ["eng"], priority: 0 })];
          c.pricing = { overrides: rowsOf({ nope: 1 }) };
        }),
      ),
    );
    expect(warning).toEndWith("only its price is pushed to clients)");
  });
});
