// The prices that clients are sent: the operator's, of the models that their policy admits, and of no other.
import { expect, test } from "bun:test";
import { array, assert, integer, property, record, shuffledSubarray, subarray } from "fast-check";
import { createModelDirectory } from "../../src/models/resolve.ts";
import { createModelPricing } from "../../src/policy/model-pricing.ts";
import { createPolicies } from "../../src/policy/policy.ts";
import { createServedSettings } from "../../src/policy/served-settings.ts";
import { type Edit, edited, load } from "../config/samples.ts";

const row = (model: string, input = 1) => ({
  upstream: "anthropic",
  model,
  input,
  output: 5,
  cache_read: 0.1,
  cache_write: 1.25,
});
const sent = (input = 1) => ({ input, output: 5, cacheRead: 0.1, cacheWrite: 1.25 });

/** What the gateway of a configuration says of prices, and its policies. */
function gatewayOf(edit: Edit) {
  const { config } = load(edited(edit));
  const models = createModelDirectory(config, config.upstreams);
  const policies = createPolicies(config);
  return {
    modelPricing: createModelPricing(config, models),
    policies: policies.all,
    settings: createServedSettings(config, policies, models),
  };
}

/** What the people under the only policy are sent. */
function pushed(pricing: unknown, cli: object = {}) {
  const { modelPricing, policies } = gatewayOf((c) => {
    c.managed = { policies: [{ cli }] };
    c.pricing = pricing;
  });
  return modelPricing(policies[0]);
}

test("nothing is sent when nothing is said of prices, or nothing that would change one", () => {
  expect(pushed(undefined)).toBe(undefined);
  expect(pushed({})).toBe(undefined);
  expect(pushed({ multiplier: 1, overrides: [] })).toBe(undefined);
});

test("a multiplier is sent unless it is one", () => {
  expect(pushed({ multiplier: 0.9 })).toEqual({ multiplier: 0.9 });
  expect(pushed({ multiplier: 1, overrides: [row("claude-opus-5")] })).toEqual({
    overrides: { "claude-opus-5": sent() },
  });
});

test("rates are sent by the id that the list of models has, in the words of Claude Code", () => {
  const overrides = [row("us.anthropic.claude-haiku-4-5-20251001-v1:0"), row("claude-opus-5", 2)];
  expect(pushed({ multiplier: 0.5, overrides })).toEqual({
    multiplier: 0.5,
    overrides: { "claude-opus-5": sent(2), "claude-haiku-4-5-20251001": sent() },
  });
});

test("rates of models that the policy leaves out or denies are not sent", () => {
  const overrides = [row("claude-opus-5"), row("claude-sonnet-5"), row("claude-haiku-4-5")];
  const pricing = { overrides };
  expect(pushed(pricing, { availableModels: ["haiku"] })).toEqual({
    overrides: { "claude-haiku-4-5-20251001": sent() },
  });
  expect(pushed(pricing, { deniedModels: ["haiku", "claude-opus-5"] })).toEqual({
    overrides: { "claude-sonnet-5": sent() },
  });
  expect(pushed(pricing, { availableModels: [] })).toBe(undefined);
  expect(pushed({ ...pricing, multiplier: 2 }, { availableModels: [] })).toEqual({ multiplier: 2 });
});

test("people under no policy are sent no prices", () => {
  const { modelPricing } = gatewayOf((c) => {
    c.managed = { policies: [{ match: { groups: ["eng"] } }] };
    c.pricing = { multiplier: 0.9 };
  });
  expect(modelPricing(undefined)).toBe(undefined);
});

test("a policy's own prices win, and none at all are none", () => {
  const own = { multiplier: 0.1 };
  const { settings, policies } = gatewayOf((c) => {
    c.managed = {
      policies: [
        { match: { groups: ["own"] }, cli: { modelPricing: own } },
        { match: { groups: ["none"] }, cli: { modelPricing: {} } },
        { cli: {} },
      ],
    };
    c.pricing = { multiplier: 0.9 };
  });
  const served = policies.map((policy) => settings.of(policy)?.modelPricing);
  expect(served).toEqual([own, {}, { multiplier: 0.9 }]);
});

test("whatever a policy admits and whatever has a row: what is sent is what is in both", () => {
  const ids = ["claude-opus-5", "claude-opus-4-8", "claude-sonnet-5", "claude-haiku-5-5", "house"];
  const words = [...ids, "opus", "haiku", "claude-sonnet", "house-2", "nope"];
  const anything = record({
    rows: shuffledSubarray(ids),
    availableModels: array(integer({ min: 0, max: words.length - 1 }), { maxLength: 4 }),
    deniedModels: subarray(words, { maxLength: 2 }),
  });
  assert(
    property(anything, ({ rows, availableModels, deniedModels }) => {
      const { modelPricing, policies } = gatewayOf((c) => {
        c.models = [{ id: "house", upstream_model: { anthropic: "prof-x" } }];
        const listed = availableModels.map((index) => words[index]);
        c.managed = { policies: [{ cli: { availableModels: listed, deniedModels } }] };
        c.pricing = { overrides: rows.map((model) => row(model)) };
      });
      const [policy] = policies;
      const admitted = rows.filter((model) => policy?.access.refusalOf(model) === undefined);
      const { overrides = {} } = modelPricing(policy) ?? {};
      expect(Object.keys(overrides as object).toSorted()).toEqual(admitted.toSorted());
    }),
    { numRuns: 60 },
  );
});
