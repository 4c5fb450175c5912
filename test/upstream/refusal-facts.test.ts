// What the log repeats of an upstream's error text at its default level: classes and names of the operator's cloud, and no word
// that somebody may have written in a conversation.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { errorClassesIn, namesIn } from "../../src/upstream/answer/refusal-facts.ts";

describe("the class of an error", () => {
  test.each([
    ["AWS", '{"__type":"AccessDeniedException","message":"no"}', "AccessDeniedException"],
    ["AWS, in a stream", 'throttlingException {"message":"slow down"}', "throttlingException"],
    [
      "Google",
      '{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"reason":"IAM_PERMISSION_DENIED"}]}}',
      "403, PERMISSION_DENIED, IAM_PERMISSION_DENIED",
    ],
    [
      "Google, in a list",
      '[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]',
      "429, RESOURCE_EXHAUSTED",
    ],
    ["Azure", '{"error":{"code":"DeploymentNotFound","message":"no"}}', "DeploymentNotFound"],
    ["Anthropic", '{"type":"error","error":{"type":"rate_limit_error"}}', "rate_limit_error"],
    [
      "Anthropic, as an event",
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
      "overloaded_error",
    ],
    [
      "Anthropic, as text inside AWS's",
      '{"message":"{\\"type\\":\\"error\\",\\"error\\":{\\"type\\":\\"api_error\\"}}"}',
      "api_error",
    ],
  ])("of %s is told", (_, text, classes) => expect(errorClassesIn(text)).toBe(classes));

  test("is taken from AWS's header, too", () =>
    expect(errorClassesIn("", "ValidationException:http://internal.amazon.com/x/")).toBe(
      "ValidationException",
    ));

  test.each([
    ["nothing", ""],
    ["no JSON", "prompt [words"],
    ["a word", '{"code":"canary","type":"Canary","status":"CANARY","reason":"c4n4ry"}'],
    ["a sentence", '{"error":{"type":"a type canary"}}'],
    [
      "a part of the request",
      '{"request":{"type":"canary_words"},"input":[{"status":"canary_words"}]}',
    ],
    ["a member of another kind", '{"type":["canary_words"],"code":{"a":1},"status":null}'],
  ])("is not found in %s", (_, text) => expect(errorClassesIn(text, "canary")).toBe(""));

  test("is told four times at most, each once", () => {
    const codes = ["AA_A", "AA_A", "BB_B", "CC_C", "DD_D", "EE_E"];
    const nested = codes.reduceRight((error, code) => ({ code, error }), {});
    expect(errorClassesIn(JSON.stringify(nested))).toBe("AA_A, BB_B, CC_C, DD_D");
  });

  test("is looked for in a nest as deep as you like, and in no more than a few places", () => {
    const depth = 20_000;
    expect(
      errorClassesIn(`${'{"error":'.repeat(depth)}{"code":"DEEP_DOWN"}${"}".repeat(depth)}`),
    ).toBe("");
  });
});

describe("what a refusal names", () => {
  test.each([
    [
      "User: arn:aws:sts::123456789012:assumed-role/gw/ada@example.com is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-8",
      "arn:aws:sts::123456789012:assumed-role/gw/ada@example.com, arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-8, bedrock:InvokeModel",
    ],
    [
      "Permission 'aiplatform.endpoints.predict' denied on resource",
      "aiplatform.endpoints.predict",
    ],
    [
      "lacks the data action Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
      "Microsoft.CognitiveServices/accounts/OpenAI/deployments/chat/completions/action",
    ],
  ])("%s", (text, named) => expect(namesIn(text)).toBe(named));

  test.each([
    "arn:aws:s3:::canary",
    "arn:aws:iam::canary",
    "canary:InvokeModel",
    "user canary 123456789012",
  ])("is nothing in %s", (text) => expect(namesIn(text)).toBe(""));
});

test("no words come through, whatever stands around them", () =>
  fc.assert(
    fc.property(fc.lorem({ maxCount: 8 }), fc.lorem({ maxCount: 3 }), (words, more) => {
      for (const text of [
        words,
        JSON.stringify({ error: { message: words, code: more } }),
        `${words} {"type":"${more}"}`,
      ]) {
        expect(errorClassesIn(text, more)).toBe("");
        expect(namesIn(text)).toBe("");
      }
    }),
  ));
