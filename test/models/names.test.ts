// What a model id says by itself: the Claude model it names, how it is compared, how it is repeated to people.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { catalog } from "../../src/models/catalog.ts";
import { claudeNameIn, plainId, shownId } from "../../src/models/names.ts";

describe("the Claude model in an id", () => {
  test.each([
    ["claude-opus-4-8", "claude-opus-4-8"],
    ["CLAUDE-Opus-4-8", "claude-opus-4-8"],
    ["claude-opus-4.8", "claude-opus-4-8"],
    ["claude-opus-4-8[1m]", "claude-opus-4-8"],
    ["claude-opus-4-8-fast", "claude-opus-4-8"],
    ["claude-opus-4-8-20260101", "claude-opus-4-8"],
    ["claude-opus-4-8@20260101", "claude-opus-4-8"],
    ["us.anthropic.claude-opus-4-8-v1:0", "claude-opus-4-8"],
    ["acme/claude-opus-4-8", "claude-opus-4-8"],
    [
      "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-4-8-v1:0",
      "claude-opus-4-8",
    ],
    ["claude-sonnet-5", "claude-sonnet-5"],
    ["claude-fable-5-2", "claude-fable-5-2"],
    ["claude-mythos-5", "claude-mythos-5"],
    ["claude-opus-4-20250514", "claude-opus-4"],
    ["claude-opus-4@20250514", "claude-opus-4"],
    ["claude-opus-5-20270101", "claude-opus-5"],
    ["claude-opus-5-2027-01-01", "claude-opus-5"],
    ["claude-sonnet-5-1m", "claude-sonnet-5"],
    ["claude-opus-4-32k-eu", "claude-opus-4"],
    ["claude-haiku-4-5-1m", "claude-haiku-4-5"],
    ["claude-opus-5-1mini", "claude-opus-5-1"],
    ["claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet"],
    ["us.anthropic.claude-3-7-sonnet-20250219-v1:0", "claude-3-7-sonnet"],
    ["claude-3-opus-20240229", "claude-3-opus"],
  ])("%s is %s", (id, name) => {
    expect(claudeNameIn(id)).toBe(name);
  });

  test.each([
    ["claude-opus-4-80", "claude-opus-4-8"],
    ["claude-opus-50", "claude-opus-5"],
    ["claude-opus-5-10", "claude-opus-5-1"],
    ["claude-opus-5-10", "claude-opus-5"],
  ])("%s is not %s", (id, other) => {
    expect(claudeNameIn(id)).not.toBe(other);
  });

  // prettier-ignore
  test.each([
    "", "house", "opus-4-8", "claude", "claude-opus", "claude-sonnet-latest", "claude_opus_4_8", "claude-2.1", "gpt-4", "claude-nova-4-8",
  ])("%j names none", (id) => {
    expect(claudeNameIn(id)).toBe(undefined);
  });

  test("every spelling of a built-in model names that model", () => {
    for (const model of catalog) {
      for (const spelling of [
        model.id,
        model.foundry,
        model.vertex,
        `us.${model.bedrock}`,
        model.mantle ?? "",
      ]) {
        if (spelling !== "") expect(claudeNameIn(spelling)).toBe(model.foundry);
      }
    }
  });
});

test("ids are compared without their case, the blanks around them and the mark of the long context", () => {
  expect(plainId(" Claude-Opus-4-8[1M]\n")).toBe("claude-opus-4-8");
  expect(plainId("house[1m]")).toBe("house");
  expect(plainId("[1m]")).toBe("");
});

test("no other mark is taken off, and that one only at the end", () => {
  expect(plainId("claude-opus-4-8[2m]")).toBe("claude-opus-4-8[2m]");
  expect(plainId("a[1m]b")).toBe("a[1m]b");
});

describe("an id that is shown", () => {
  test("keeps its case, and loses what a terminal would obey or not show", () => {
    expect(shownId("Claude-X\x1b[31m\n\x7fÜ😀 y~")).toBe("Claude-X[31m y~");
  });

  test("is cut behind 128 characters that can be shown", () => {
    expect(shownId("x".repeat(128))).toBe("x".repeat(128));
    expect(shownId("x".repeat(129))).toBe(`${"x".repeat(128)}...`);
    expect(shownId("ü".repeat(500) + "x".repeat(128))).toBe("x".repeat(128));
  });

  test("is short and printable whatever it was", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (id) => {
        expect(shownId(id)).toMatch(/^[\x20-\x7e]{0,131}$/);
      }),
    );
  });
});
