// Settings for the operator's guardrail that a client brings along, however they are written.
import { describe, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import { refuseGuardrailFields } from "../../src/upstream/guardrail.ts";

/** What a client is told of a body with these members beside the model; undefined for one that passes. */
function refusalOf(members: string): string | undefined {
  const call = readMessagesCall(Buffer.from(`{"model":"m",${members}}`));
  try {
    refuseGuardrailFields(call);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    expect(error.type).toBe("invalid_request_error");
    return error.message;
  }
}

const refused = (field: string) =>
  `${field} is not permitted: this gateway applies a guardrail to Bedrock requests`;

describe("refused is", () => {
  test.each([
    [
      "a setting of Bedrock's",
      '"amazon-bedrock-guardrailConfig":{}',
      "amazon-bedrock-guardrailConfig",
    ],
    ["one that nobody knows yet", '"amazon-bedrock-x":1', "amazon-bedrock-x"],
    ["the prefix alone", '"amazon-bedrock-":1', "amazon-bedrock-"],
    ["one without a value", '"amazon-bedrock-trace":null', "amazon-bedrock-trace"],
    ["one in any case", '"Amazon-BEDROCK-trace":1', "Amazon-BEDROCK-trace"],
    ["one in escapes", '"Amazon\\u002dBedrock-\\u0074race":1', "Amazon-Bedrock-trace"],
    ["one beside __proto__", '"__proto__":{},"amazon-bedrock-trace":1', "amazon-bedrock-trace"],
    [
      "one at the end of a long body",
      `"a":"${"x".repeat(100_000)}","amazon-bedrock-trace":1`,
      "amazon-bedrock-trace",
    ],
  ])("%s", (_, members, field) => expect(refusalOf(members)).toBe(refused(field)));

  test("one with a long name, by its beginning", () => {
    const name = `amazon-bedrock-${"x".repeat(200)}`;
    expect(refusalOf(`"${name}":1`)).toBe(refused(name.slice(0, 64)));
  });

  test("one behind a string whose escapes no JSON parser would take", () =>
    expect(refusalOf(`"a":"${"x".repeat(100_000)}\\q","amazon-bedrock-trace":1`)).toBe(
      refused("amazon-bedrock-trace"),
    ));
});

describe("passed is", () => {
  test.each([
    ["the name as a value", '"a":"amazon-bedrock-trace"'],
    ["the name inside of another field", '"metadata":{"amazon-bedrock-trace":1}'],
    ["a name that only contains it", '"x-amazon-bedrock-trace":1'],
    ["a name that is like it", '"amazon_bedrock_trace":1'],
    ["a long string in good order", `"a":"${"x".repeat(100_000)}\\n"`],
  ])("%s", (_, members) => expect(refusalOf(members)).toBeUndefined());
});
