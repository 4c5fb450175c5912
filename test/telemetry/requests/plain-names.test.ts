// Names that a client has chosen, and what is not taken for one.
import { expect, test } from "bun:test";
import { plainId, plainModel } from "../../../src/telemetry/requests/plain-names.ts";

test.each([
  "52b13404-8a88-47c3-be22-bbaa4015432f",
  "a56812dac55187b5e",
  "s.1:2_3",
  "x".repeat(128),
])("%p is an id", (id) => {
  expect(plainId(id)).toBe(id);
});

test.each([
  "ada@example.com",
  "my prompt",
  "",
  "x".repeat(129),
  "a\u0000",
  "\u00e9",
  "a/b",
  undefined,
])("%p is none", (id) => {
  expect(plainId(id)).toBeUndefined();
});

test.each([
  "claude-opus-4-8",
  "claude-sonnet-4-5[1m]",
  "claude-opus-4@20250514",
  "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
  "us.anthropic.claude-opus-4-8-v1:0",
])("%p is a model", (model) => {
  expect(plainModel(model)).toBe(model);
});

test.each(["tell me a story", "", "x".repeat(257), "a\nb", "{}", null])("%p is none", (model) => {
  expect(plainModel(model)).toBeUndefined();
});
