// Which models have a name of their own in the metrics.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { catalog } from "../../../src/models/catalog.ts";
import { createModelLabel, modelLabelsMax } from "../../../src/telemetry/metrics/model-label.ts";

const configured = (...ids: string[]) => ids.map((id) => ({ id, upstream_model: {} }));

test("a built-in model has one name, whatever it is spelled like", () => {
  const label = createModelLabel([]);
  const name = "claude-haiku-4-5-20251001";
  expect(label(name)).toBe(name);
  expect(label("claude-haiku-4-5")).toBe(name);
  expect(label("CLAUDE-Haiku-4-5@20251001")).toBe(name);
  expect(label("us.anthropic.claude-haiku-4-5-20251001-v1:0")).toBe(name);
});

test("a configured one has the name that it was given, also where it is a built-in one", () => {
  const label = createModelLabel(configured("Fast", "claude-haiku-4-5"));
  expect(label("fast")).toBe("Fast");
  expect(label("claude-haiku-4-5-20251001")).toBe("claude-haiku-4-5");
});

test("any other is `other`, and so is none", () => {
  const label = createModelLabel(configured("fast"));
  expect(label("gpt")).toBe("other");
  expect(label("fast ")).toBe("other");
  expect(label("")).toBe("other");
  expect(label(undefined)).toBe("other");
});

test("whatever clients write, there are no other names than those", () => {
  const names = new Set([...catalog.map(({ id }) => id), "Fast", "other"]);
  const label = createModelLabel(configured("Fast"));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (model) => names.has(label(model))));
});

test("there are 200 at most, and the operator's come first", () => {
  const ids = Array.from({ length: 300 }, (_, index) => `model-${index}`);
  const label = createModelLabel(configured(...ids));
  const names = new Set([...ids, ...catalog.map(({ id }) => id), "gpt"].map(label));
  expect(names.size).toBe(modelLabelsMax);
  expect(label("model-198")).toBe("model-198");
  expect(label("model-199")).toBe("other");
  expect(label("claude-haiku-5-5")).toBe("other");
});
