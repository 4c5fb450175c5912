// A Messages request in the body that Bedrock wants: what goes, what comes instead, and what stays as the client wrote it.
import { describe, expect, test } from "bun:test";
import { countBody, invokeBody } from "../../src/upstream/aws/bedrock-body.ts";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { outboundCall } from "../support/cloud-api.ts";

const call = { model: "m", max_tokens: 16, messages: [{ role: "user", content: "hi" }] };
const { model: _model, ...rest } = call;
const version = { anthropic_version: "bedrock-2023-05-31" };

type Headers = Record<string, string>;
const textOf = (body: Uint8Array) => new TextDecoder().decode(body);

function invoked(body: unknown, headers: Headers = {}, omit = nothingOmitted): unknown {
  return JSON.parse(textOf(invokeBody(outboundCall(body, { headers }), omit)));
}

function counted(body: unknown, headers: Headers = {}, omit = nothingOmitted): unknown {
  const outbound = outboundCall(body, { headers, path: "/v1/messages/count_tokens" });
  const { input } = JSON.parse(textOf(countBody(outbound, omit)));
  expect(Object.keys(input)).toEqual(["invokeModel"]);
  return JSON.parse(Buffer.from(input.invokeModel.body, "base64").toString());
}

describe.each([
  ["InvokeModel", invoked],
  ["CountTokens", counted],
])("for %s", (_name, made) => {
  test("what the path says and what Bedrock refuses stays away", () =>
    expect(
      made({
        ...call,
        stream: true,
        tags: { team: "a" },
        user_profile_id: "p",
        anthropic_beta: [],
      }),
    ).toEqual({ ...rest, ...version }));

  test("fields that nobody here knows go on", () => {
    const more = { context_management: { edits: [] }, "amazon-bedrock-trace": "ENABLED", x: [1] };
    expect(made({ ...call, ...more })).toEqual({ ...rest, ...more, ...version });
  });

  test("a version of the client's own is kept", () =>
    expect(made({ ...call, anthropic_version: "bedrock-2030-01-01" })).toEqual({
      ...rest,
      anthropic_version: "bedrock-2030-01-01",
    }));

  test("what is omitted stays away", () => {
    const omit = { betas: new Set(["claude-code-20250219"]), fields: new Set(["x"]) };
    const headers = { "anthropic-beta": "claude-code-20250219" };
    const body = { ...call, x: 1, anthropic_beta: ["claude-code-20250219"] };
    expect(made(body, headers, omit)).toEqual({ ...rest, ...version });
  });
});

describe("betas", () => {
  const betas = (inBody: unknown, header: string) =>
    invoked(
      { ...call, ...(inBody !== undefined && { anthropic_beta: inBody }) },
      { "anthropic-beta": header },
    ) as { anthropic_beta?: unknown };

  test("of the body and of the header are one list, each once, in order", () =>
    expect(betas(["b", "a", "b"], "a, c,,c").anthropic_beta).toEqual(["b", "a", "c"]));

  test("go without the one for tags, wherever it was", () => {
    const tags = "request-tags-2026-08-21";
    expect(betas([tags, "a"], `b,${tags}`).anthropic_beta).toEqual(["a", "b"]);
  });

  test.each([
    ["nobody asks for any", undefined, ""],
    ["only the one for tags was asked for", ["request-tags-2026-08-21"], "request-tags-2026-08-21"],
    ["the body has an empty list", [], " , "],
    ["the body has no list", "a", ""],
  ])("are no field where %s", (_, inBody, header) =>
    expect(betas(inBody, header)).not.toHaveProperty("anthropic_beta"),
  );

  test("that are no text are not sent", () =>
    expect(betas([1, null, ["a"], "a"], "").anthropic_beta).toEqual(["a"]));

  test("for counting are only those that CountTokens takes", () => {
    const headers = { "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14" };
    const body = { ...call, anthropic_beta: ["context-management-2025-06-27", "context-1m"] };
    expect(counted(body, headers)).toMatchObject({
      anthropic_beta: ["context-management-2025-06-27", "claude-code-20250219"],
    });
  });

  test("for counting are no field where CountTokens takes none of them", () =>
    expect(counted(call, { "anthropic-beta": "context-1m" })).toEqual({ ...rest, ...version }));
});

test("the bytes of what stays are the client's own", () => {
  const body = '{"model":"m", "temperature":1.0,"n":12345678901234567890,"u":"\\u00e9"}';
  expect(textOf(invokeBody(outboundCall(body), nothingOmitted))).toBe(
    '{"anthropic_version":"bedrock-2023-05-31", "temperature":1.0,"n":12345678901234567890,"u":"\\u00e9"}',
  );
});

describe("for counting max_tokens is", () => {
  const thinking = { type: "enabled", budget_tokens: 5_000 };
  test.each([
    ["the client's", { max_tokens: 16 }, 16],
    ["1 where there is none", {}, 1],
    ["more than the thinking budget where there is none", { thinking }, 5_001],
    ["more than the thinking budget where it is less", { max_tokens: 16, thinking }, 5_001],
    ["more than the thinking budget where it is the same", { max_tokens: 5_000, thinking }, 5_001],
    ["the client's where that is more", { max_tokens: 5_001, thinking }, 5_001],
    ["1 where it is 0", { max_tokens: 0 }, 1],
    ["1 where it is no number", { max_tokens: "16" }, 1],
    ["1 where it is no whole number", { max_tokens: 1.5 }, 1],
    ["1 where it is more than a number holds", { max_tokens: 1e300 }, 1],
    ["1 where the budget is none", { thinking: { type: "enabled", budget_tokens: "5000" } }, 1],
    ["1 where the budget is negative", { thinking: { budget_tokens: -5 } }, 1],
    ["1 where thinking is null", { thinking: null }, 1],
    ["1 where thinking is no object", { thinking: "adaptive" }, 1],
    ["the client's without a budget", { max_tokens: 16, thinking: { type: "adaptive" } }, 16],
  ])("%s", (_, fields, expected) =>
    expect(counted({ model: "m", ...fields })).toMatchObject({ max_tokens: expected }),
  );

  test("for inference the client's, or none", () => {
    expect(invoked({ model: "m" })).toEqual(version);
    expect(invoked({ model: "m", max_tokens: 0, thinking })).toEqual({
      max_tokens: 0,
      thinking,
      ...version,
    });
  });
});

describe("an empty list of tools", () => {
  test.each(["[]", "[ \n\t]"])("written %j is not counted", (tools) =>
    expect(counted(`{"model":"m","tools":${tools}}`)).not.toHaveProperty("tools"),
  );

  test("is sent to be answered", () =>
    expect(invoked({ ...call, tools: [] })).toMatchObject({ tools: [] }));

  test.each(["[{}]", '"[]"', "[[]]"])("is not what %s is", (tools) =>
    expect(counted(`{"model":"m","tools":${tools}}`)).toMatchObject({ tools: JSON.parse(tools) }),
  );
});
