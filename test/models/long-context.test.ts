// Which models are offered with a context of a million tokens: those that have it wherever a request may go.
import { describe, expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";
import { offersLongContext } from "../../src/models/long-context.ts";

describe("a built-in model", () => {
  test("has it by its name, however an upstream spells it", () => {
    for (const { id, vertex, foundry, bedrock, long_context: isLong = false } of catalog) {
      for (const spelling of [
        id,
        vertex,
        foundry,
        bedrock,
        `us.${bedrock}`,
        `arn:aws:x/${bedrock}`,
      ]) {
        expect([spelling, offersLongContext(id, [spelling])]).toEqual([spelling, isLong]);
      }
    }
  });

  // Of those that have it, by name: the catalog could be wrong about all at once.
  test.each([
    ["claude-opus-4-6", true],
    ["claude-opus-4-7", true],
    ["claude-opus-4-8", true],
    ["claude-opus-5", true],
    ["claude-opus-5-5", true],
    ["claude-sonnet-4-6", true],
    ["claude-sonnet-5", true],
    ["claude-sonnet-5-5", true],
    ["claude-haiku-5-5", true],
    ["claude-fable-5", true],
    ["claude-fable-5-1", true],
    ["claude-fable-5-2", true],
    ["claude-opus-4-5-20251101", false],
    ["claude-opus-4-1-20250805", false],
    ["claude-opus-4-20250514", false],
    ["claude-sonnet-4-20250514", false],
    ["claude-sonnet-4-5-20250929", false],
    ["claude-haiku-4-5-20251001", false],
    ["claude-3-7-sonnet-20250219", false],
  ])("%s: %p", (id, isLong) => {
    expect(offersLongContext(id, [id])).toBe(isLong);
  });
});

describe("an operator's own id", () => {
  test.each([
    ["has what its upstream's model has", "house", ["claude-opus-4-8"], true],
    ["lacks what its upstream's model lacks", "house", ["claude-haiku-4-5"], false],
    ["has it where the upstream's id is marked", "house", ["claude-opus-4-8[1m]"], true],
    [
      "that is a Claude model's stands in for an upstream's id that says nothing",
      "claude-opus-4-8",
      ["weird"],
      true,
    ],
    ["that is a Claude model's without it, too", "claude-haiku-4-5", ["weird"], false],
    ["of which nothing is known has none", "house", ["weird"], false],
    [
      "counts for nothing where the upstream's names a model",
      "claude-haiku-4-5",
      ["claude-opus-4-8"],
      true,
    ],
    [
      "counts for nothing where the upstream's names a model without it",
      "claude-opus-4-8",
      ["claude-haiku-4-5"],
      false,
    ],
    [
      "of several upstreams needs it on each that is known",
      "house",
      ["claude-opus-4-8", "claude-haiku-4-5"],
      false,
    ],
    ["of several upstreams in any order", "house", ["claude-haiku-4-5", "claude-opus-4-8"], false],
    [
      "does not mind an upstream of which nothing is known",
      "house",
      ["claude-opus-4-8", "weird"],
      true,
    ],
    ["does not mind one that comes first", "house", ["weird", "claude-opus-4-8"], true],
    ["without an upstream has none", "claude-opus-4-8", [], false],
    ["of a version that nobody knows yet says nothing", "house", ["claude-opus-9-9"], false],
    [
      "of a version that nobody knows yet is no reason against it",
      "claude-opus-4-7",
      ["claude-opus-9-9"],
      true,
    ],
    ["of a longer version number is not the shorter one's", "house", ["claude-opus-5-10"], false],
  ])("%s", (_, id, upstreamModels, isLong) => {
    expect(offersLongContext(id, upstreamModels)).toBe(isLong);
  });

  test.each(["claude-opus-4-8[1m]", "mine[1M]"])("%s is offered with it already", (id) => {
    expect(offersLongContext(id, ["claude-opus-4-8"])).toBe(false);
  });
});
