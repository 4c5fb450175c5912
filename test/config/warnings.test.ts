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
