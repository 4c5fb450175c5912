// Which model's list price an id has, as measured at the reference gateway. What each price is, spend/price.test.ts says.
import { describe, expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";
import { listPriceOf, unknownPrice } from "../../src/models/list-prices.ts";

const priceOf = (upstreamModel: string, model = "house") => listPriceOf({ upstreamModel }, model);
/** Of a model that is called by its plain name. */
const listed = (name: string) => {
  const price = priceOf(name);
  if (price === undefined) throw new Error(`${name} has no price`);
  return price;
};

test("every built-in model has a price, the same in each provider's spelling", () => {
  for (const { id, foundry, vertex, bedrock, mantle = id } of catalog) {
    for (const spelling of [id, vertex, bedrock, `us.${bedrock}`, mantle, id.toUpperCase()]) {
      expect(priceOf(spelling)).toBe(listed(foundry));
    }
  }
});

describe("an id has the price of the model that it names", () => {
  test.each([
    ["eu.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"],
    ["us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"],
    ["global.anthropic.claude-opus-5-v1:0", "claude-opus-5"],
    [
      "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
      "claude-haiku-4-5",
    ],
    ["arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-fable-5-2", "claude-fable-5-2"],
    ["claude-haiku-4-5@20251001", "claude-haiku-4-5"],
    ["claude-opus-5@default", "claude-opus-5"],
    ["projects/p/locations/global/publishers/anthropic/models/claude-opus-4-5", "claude-opus-4-5"],
    ["openrouter/anthropic/claude-opus-4.1", "claude-opus-4-1"],
    ["anthropic/claude-3.5-sonnet", "claude-3-5-sonnet"],
    ["claude-3-5-haiku-latest", "claude-3-5-haiku"],
    ["claude-opus-4-8-fast", "claude-opus-4-8"],
    ["claude-sonnet-5[1m]", "claude-sonnet-5"],
    ["claude-sonnet-5-5[1m]", "claude-sonnet-5-5"],
    [" Claude-Haiku-5-5 ", "claude-haiku-5-5"],
    ["prod-claude-haiku-4-5-eu", "claude-haiku-4-5"],
    ["xclaude-opus-5-5", "claude-opus-5-5"],
    ["claude-mythos-5-1-20260301", "claude-mythos-5-1"],
    ["claude-opus-4-6-5", "claude-opus-4-6"],
  ])("%s that of %s", (id, name) => {
    expect(priceOf(id)).toBe(listed(name));
  });

  test.each([
    ["claude-opus-5-20270101", "claude-opus-5"],
    ["claude-opus-5-2027-01-01", "claude-opus-5"],
    ["claude-sonnet-5-1m", "claude-sonnet-5"],
    ["claude-fable-5-1m", "claude-fable-5"],
    ["claude-opus-4-32k", "claude-opus-4"],
    ["claude-opus-4-200k", "claude-opus-4"],
    ["claude-haiku-4-5-1m", "claude-haiku-4-5"],
  ])("%s that of %s: neither a date nor a size is a version", (id, name) => {
    expect(priceOf(id)).toBe(listed(name));
  });

  test.each([
    ["claude-opus-4-0", "claude-opus-4"],
    ["us.anthropic.claude-sonnet-4-0-v1:0", "claude-sonnet-4"],
    ["claude-opus-5-0", "claude-opus-5"],
    ["claude-fable-5.0", "claude-fable-5"],
  ])("%s that of %s: the minor version 0 is the major one", (id, name) => {
    expect(priceOf(id)).toBe(listed(name));
  });
});

describe("no price", () => {
  // prettier-ignore
  test.each([
    "claude-opus-5-1", "claude-opus-5.6", "claude-opus-5-10", "claude-opus-5-1-20260101", "us.anthropic.claude-opus-5-1-v1:0",
    "claude-opus-5-1[1m]", "claude-opus-5-1-fast", "claude-opus-4-2", "claude-opus-4-9", "claude-sonnet-4-7", "claude-sonnet-5-1",
    "claude-fable-5-3", "claude-haiku-4-6",
  ])("has %s: that of its major version would be a guess", (id) => {
    expect(priceOf(id)).toBe(undefined);
  });

  // The reference takes such ids for the major version, and the same without what stands around them for no model at all.
  // prettier-ignore
  test.each(["prod-claude-opus-5-1", "claude-opus-5-1-preview", "claude-sonnet-5-1@default"])(
    "has %s, whatever stands around it",
    (id) => {
      expect(priceOf(id)).toBe(undefined);
    },
  );

  // prettier-ignore
  test.each([
    "claude-opus-4-80", "claude-opus-5-55", "claude-haiku-4-51", "claude-opus-50", "claude-opus-6", "claude-fable-4", "claude-haiku-4",
    "claude-haiku-5", "claude-mythos-6",
  ])("has %s: a longer number is another version", (id) => {
    expect(priceOf(id)).toBe(undefined);
  });

  // prettier-ignore
  test.each([
    "claude-3-haiku-20240307", "claude-3-opus-20240229", "claude-3-6-sonnet", "claude-2.1", "claude-instant-1.2", "claude-opus",
    "claude-sonnet-latest", "opus", "haiku-4-5", "claude_haiku_4_5", "claude--haiku-4-5", "claude-4-5-haiku", "claude-sonnet-3-5",
    "house", "",
  ])("has %j", (id) => {
    expect(priceOf(id)).toBe(undefined);
  });

  test("has a model that is called like a property of every object", () => {
    expect(priceOf("constructor", "__proto__")).toBe(undefined);
  });
});

describe("on a route", () => {
  test("the upstream's id decides, also against the client's", () => {
    expect(priceOf("claude-haiku-4-5", "claude-opus-4-1")).toBe(listed("claude-haiku-4-5"));
  });

  test.each([
    ["a name of the operator's own", "house"],
    ["an application profile", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"],
    ["a model without a price", "claude-opus-9"],
  ])("the client's does where the upstream's is %s", (_what, upstreamModel) => {
    expect(priceOf(upstreamModel, "My-Claude-Haiku-5-5")).toBe(listed("claude-haiku-5-5"));
  });
});

test("factors are whole numbers, as exact prices want them", () => {
  const all = [...catalog.map(({ foundry }) => listed(foundry)), unknownPrice];
  for (const { fastFactor = 1, longPrompt } of all) {
    expect([fastFactor, longPrompt?.factor ?? 1].every(Number.isSafeInteger)).toBe(true);
  }
});
