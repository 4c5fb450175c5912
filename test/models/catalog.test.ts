// The catalog's ids, provider by provider: the places where they do not follow from one another.
import { expect, test } from "bun:test";
import { catalog } from "../../src/models/catalog.ts";

const idsOf = (id: string) => {
  const model = catalog.find((candidate) => candidate.id === id);
  return model && [model.bedrock, model.vertex, model.foundry];
};

test.each([
  ["claude-opus-4-6", ["anthropic.claude-opus-4-6-v1", "claude-opus-4-6", "claude-opus-4-6"]],
  ["claude-opus-4-8", ["anthropic.claude-opus-4-8", "claude-opus-4-8", "claude-opus-4-8"]],
  [
    "claude-sonnet-4-5-20250929",
    [
      "anthropic.claude-sonnet-4-5-20250929-v1:0",
      "claude-sonnet-4-5@20250929",
      "claude-sonnet-4-5",
    ],
  ],
  [
    "claude-3-5-sonnet-20241022",
    [
      "anthropic.claude-3-5-sonnet-20241022-v2:0",
      "claude-3-5-sonnet-v2@20241022",
      "claude-3-5-sonnet",
    ],
  ],
])("%s has its own id at each provider", (id, expected) => expect(idsOf(id)).toEqual(expected));

test("no spelling means two models", () => {
  const spellings = catalog.flatMap(({ id, bedrock, vertex, foundry }) => [
    ...new Set([id, bedrock, vertex, foundry]),
  ]);
  expect(spellings.filter((spelling, index) => spellings.indexOf(spelling) !== index)).toEqual([]);
  expect(spellings.filter((spelling) => spelling !== spelling.toLowerCase())).toEqual([]);
});
