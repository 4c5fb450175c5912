// What of the operator's words about models leads nowhere, and is said when the gateway starts.
import { describe, expect, test } from "bun:test";
import type { Config, UpstreamConfig, UpstreamOf } from "../../src/config/schema.ts";
import { catalog } from "../../src/models/catalog.ts";
import { modelWarnings } from "../../src/models/warnings.ts";
import { edited, load } from "../config/samples.ts";

const anyUpstream = { headers: {}, compatibility: { learn: false } };

function anthropic(models?: string[]): UpstreamConfig {
  return {
    ...anyUpstream,
    provider: "anthropic",
    name: "a",
    base_url: "https://api.anthropic.com",
    auth: { api_key: "k" },
    forward_user_identity: false,
    ...(models !== undefined && { models }),
  };
}

function mantle(models: string[]): UpstreamOf<"mantle"> {
  return { ...anyUpstream, provider: "mantle", name: "m", region: "us-east-1", auth: {}, models };
}

function bedrock(region: string, models?: string[]): UpstreamConfig {
  return {
    ...anyUpstream,
    provider: "bedrock",
    name: "b",
    region,
    auth: {},
    ...(models !== undefined && { models }),
  };
}

const house = { id: "House", upstream_model: { a: "claude-x" } };

function warnings(
  upstreams: UpstreamConfig[],
  more: Partial<Pick<Config, "models" | "auto_include_builtin_models" | "admin" | "pricing">> = {},
): string[] {
  return modelWarnings({ upstreams, models: [], auto_include_builtin_models: true, ...more });
}

/** A configuration with these sections in it. */
const loaded = (sections: object) => load(edited((c) => Object.assign(c, sections))).config;

describe("an entry of an upstream's models", () => {
  const advice = (name: string, itsId: string) =>
    `Check the spelling, list the model as clients name it, or map it with a top-level models[] entry whose upstream_model.${name} is ${itsId}.`;

  test.each(["nope", "sonnet", "claude-opus-4-8[1m]", " claude-opus-4-8", "House"])(
    "that is no model, %p, is named with the reason",
    (entry) => {
      expect(warnings([anthropic(["claude-opus-4-8", entry])])).toEqual([
        `upstream 'a' lists '${entry}' in models, but that entry routes no model there (model ${entry} is not in the operator's model allowlist). ${advice("a", "the id that upstream takes")}`,
      ]);
    },
  );

  test("that the provider does not have is named with the provider", () => {
    expect(warnings([mantle(["claude-sonnet-4-6"])])).toEqual([
      `upstream 'm' lists 'claude-sonnet-4-6' in models, but that entry routes no model there (model claude-sonnet-4-6 is not available on mantle). ${advice("m", "its Mantle id")}`,
    ]);
  });

  test("that is mapped to another upstream only is named", () => {
    expect(warnings([anthropic(), mantle(["house"])], { models: [house] })[0]).toStartWith(
      "upstream 'm' lists 'house' in models, but that entry routes no model there (model house has no upstream_model.m configured).",
    );
  });

  test.each(["claude-nope-*", "*x", "claude-opus-4-8*8"])(
    "that matches nothing, %p, is named",
    (entry) => {
      expect(warnings([anthropic([entry])])).toEqual([
        `upstream 'a' lists '${entry}' in models, but no model it matches can be sent there. Check the spelling.`,
      ]);
    },
  );

  test("that matches only models the provider lacks is named", () => {
    expect(warnings([mantle(["claude-sonnet-4-*"])])[0]).toInclude("no model it matches");
  });

  test("that matches built-in models is dead once those are not offered", () => {
    const offered = { auto_include_builtin_models: false, models: [house] };
    const said = warnings([anthropic(["claude-*", "claude-opus-4-8", "house"])], offered);
    expect(said.map((text) => text.split(" in models")[0])).toEqual([
      "upstream 'a' lists 'claude-*'",
      "upstream 'a' lists 'claude-opus-4-8'",
    ]);
  });

  test.each([
    "CLAUDE-OPUS-4-8",
    "us.anthropic.claude-opus-4-8",
    "claude-sonnet-4-5@20250929",
    "claude-sonnet-4-5",
    "claude-3-5-haiku-20241022",
    "claude-*-8",
    "US.*",
    "*",
    "hou*",
  ])("that leads somewhere, %p, is not", (entry) => {
    expect(warnings([anthropic(["house", entry, entry])], { models: [house] })).toEqual([]);
  });

  test("of an upstream for some groups leads somewhere, too", () => {
    expect(warnings([{ ...anthropic(["claude-opus-4-8"]), groups: ["eng"] }])).toEqual([]);
  });
});

describe("a mapping to an upstream", () => {
  const left = (id: string) =>
    `models[] entry '${id}' sets upstream_model.a, but '${id}' is not in upstream 'a' models, so that mapping never applies. Add '${id}' to the upstream's models list, or remove that mapping.`;

  test("whose models leave the model out is named", () => {
    expect(warnings([anthropic(["claude-opus-4-8"])], { models: [house] })).toEqual([
      left("House"),
    ]);
  });

  test("applies when the models list the model in any spelling, or a pattern of it", () => {
    const opus = { id: "claude-opus-4-8", upstream_model: { a: "x" } };
    for (const entry of ["CLAUDE-opus-4-8", "us.anthropic.claude-opus-4-8", "*-4-8", "us.*"]) {
      expect(warnings([anthropic([entry])], { models: [opus] })).toEqual([]);
    }
    expect(warnings([anthropic(["claude-haiku-*"])], { models: [opus] })).toEqual([
      left("claude-opus-4-8"),
    ]);
  });

  test("says nothing of another upstream, whatever that one serves", () => {
    const other = bedrock("us-east-1", ["claude-opus-4-8"]);
    expect(warnings([anthropic(), other], { models: [house] })).toEqual([]);
  });

  test("applies where the upstream serves everything", () => {
    expect(warnings([anthropic()], { models: [house] })).toEqual([]);
  });
});

describe("Bedrock where the built-in ids have no geography", () => {
  test.each(["eu-west-1", "ap-northeast-1", "us-gov-west-1"])(
    "in %s needs the operator's mappings, and says for which models",
    (region) => {
      expect(warnings([bedrock(region)])).toEqual([
        `upstream 'b': in ${region} built-in models are asked for by the ids without a geography, which AWS takes for few of them. ` +
          `For each model you offer, list a top-level models[] entry whose upstream_model.b is an inference profile of that region. ` +
          `Without one so far: claude-opus-4-6, claude-sonnet-4-5-20250929, claude-haiku-4-5-20251001 and 12 more.`,
      ]);
    },
  );

  test.each(["us-east-1", "ca-central-1"])("is none in %s", (region) => {
    expect(warnings([bedrock(region)])).toEqual([]);
  });

  test("names the models it serves that are not mapped, and says nothing when all are", () => {
    const models = [
      { id: "claude-opus-4-8", upstream_model: { b: "eu.anthropic.claude-opus-4-8" } },
      { id: "claude-sonnet-4-6", upstream_model: { b: "anthropic.claude-sonnet-4-6" } },
    ];
    const serving = (...served: string[]) => warnings([bedrock("eu-west-1", served)], { models });
    expect(serving("claude-opus-4-8", "claude-sonnet-4-6")).toEqual([]);
    expect(serving("claude-opus-4-8", "claude-sonnet-4-6", "claude-haiku-4-5")).toEqual([
      expect.stringMatching(/Without one so far: claude-haiku-4-5-20251001\.$/),
    ]);
  });

  test("needs them as well if it serves some groups only", () => {
    expect(warnings([{ ...bedrock("eu-west-1"), groups: ["eng"] }])).toHaveLength(1);
  });

  test("is not Mantle, whose ids have no geography anywhere", () => {
    expect(warnings([{ ...mantle(["claude-opus-4-8"]), region: "eu-west-1" }])).toEqual([]);
  });

  test("says nothing of built-in models that are not offered", () => {
    expect(warnings([bedrock("eu-west-1")], { auto_include_builtin_models: false })).toEqual([]);
  });
});

describe("models that the spend meter can only guess the price of", () => {
  const admin = loaded({ admin: {} }).admin ?? expect.unreachable();
  const mapped = (models: Record<string, string>, name = "a") =>
    Object.entries(models).map(([id, upstreamModel]) => ({
      id,
      upstream_model: { [name]: upstreamModel },
    }));
  const told = (models: string) => [
    `spend meter has no exact rates for ${models} — these will be metered at the unknown-model default tier. Write what they cost into pricing.overrides.`,
  ];

  test("are told once, with what the upstream calls them, and only where spend is metered", () => {
    const models = mapped({ weird: "totally-unknown", Odd: "x-unknown" });
    expect(warnings([anthropic()], { models })).toEqual([]);
    expect(warnings([anthropic()], { models, admin })).toEqual(
      told("weird (totally-unknown), Odd (x-unknown)"),
    );
  });

  test("are none whose id, or the upstream's for it, names a Claude model with a list price", () => {
    const models = mapped({
      "claude-sonnet-5": "arn:aws:x",
      house: "eu.anthropic.claude-opus-4-8",
    });
    expect(warnings([anthropic()], { models, admin })).toEqual([]);
  });

  test("are those that name a Claude model which has none", () => {
    expect(warnings([anthropic()], { models: mapped({ m: "claude-opus-9" }), admin })).toEqual(
      told("m (claude-opus-9)"),
    );
  });

  test("are none of the built-in ones", () => {
    for (const upstream of [anthropic(), bedrock("us-east-1")]) {
      const models = catalog.map(({ id }) => ({ id, upstream_model: { [upstream.name]: id } }));
      expect(warnings([upstream], { admin, models })).toEqual([]);
    }
  });

  test("are told for each upstream whose rows do not price them, one that is some people's too", () => {
    const models = [{ id: "weird", upstream_model: { a: "x", b: "y" } }];
    const others: UpstreamConfig = { ...bedrock("us-east-1"), groups: ["eng"] };
    const pricing = (upstream: string) =>
      loaded({
        admin: {},
        upstreams: [{ provider: "anthropic", name: upstream, auth: { api_key: "k" } }],
        pricing: {
          overrides: [
            { upstream, model: "weird", input: 1, output: 1, cache_read: 1, cache_write: 1 },
          ],
        },
      }).pricing ?? expect.unreachable();
    const warned = (priced: string) =>
      warnings([anthropic(), others], { models, admin, pricing: pricing(priced) });
    expect(warned("a")).toEqual(told("weird (y)"));
    expect(warned("b")).toEqual(told("weird (x)"));
  });

  test("are counted when there are many", () => {
    const ids = Array.from({ length: 25 }, (_, index) => `m${index}`);
    const models = mapped(Object.fromEntries(ids.map((id) => [id, "x"])));
    const named = ids.slice(0, 20).map((id) => `${id} (x)`);
    expect(warnings([anthropic()], { models, admin })).toEqual(
      told(`${named.join(", ")} and 5 more`),
    );
  });
});
