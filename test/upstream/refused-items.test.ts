// Which texts of a 400 name an item that may be left out of the request, in the words that providers use, and which do not.
import { describe, expect, test } from "bun:test";
import { nothingOmitted } from "../../src/upstream/exchange.ts";
import { messageIn } from "../../src/upstream/answer/error-message.ts";
import { refusedItems } from "../../src/upstream/learning/refused-items.ts";
import type { OutboundCall } from "../../src/upstream/upstream.ts";
import { outboundCall } from "../support/cloud-api.ts";

const betas = (...names: string[]) => ({ headers: { "anthropic-beta": names.join(",") } });
const withField = (name: string, ...names: string[]) =>
  outboundCall({ model: "m", [name]: name === "model" ? "m" : 1 }, betas(...names));
const withBetas = (...names: string[]) => outboundCall({ model: "m" }, betas(...names));

/** Names of the items that a message teaches, for a request of which nothing was left out. */
const itemsIn = (message: string | undefined, outbound: OutboundCall) =>
  refusedItems(message ?? "", outbound, nothingOmitted).map(({ kind, name }) => `${kind} ${name}`);

const unknownField = (name: string) => `${name}: Extra inputs are not permitted`;
const unknownBetas = (...names: string[]) =>
  `Unexpected value(s) ${names.map((name) => `\`${name}\``).join(", ")} for the \`anthropic-beta\` header. ` +
  "Please consult our documentation at docs.anthropic.com or try again without the header.";

/*
 * As users report them, in issues of these repositories. Google, of betas: anthropics/claude-code 1229, 11154 (of a count, where
 * inference took the same betas), 21625. Anthropic, of fields, and without the beta of the field: 14135, 21612. AWS, of betas:
 * 49370, 49648 (enveloped), BerriAI/litellm 19875 (behind "The model returned…"); of fields: vercel/ai 13992, litellm 13609;
 * its check: sigoden/aichat 543.
 */
describe("a refusal in the words of", () => {
  const anthropic = (message: string) => ({
    type: "error",
    error: { type: "invalid_request_error", message },
    request_id: "req_1",
  });
  const google = (message: string) => ({
    error: { code: 400, message, status: "INVALID_ARGUMENT" },
  });
  const schema = (...problems: string[]) => ({
    message: `Malformed input request: ${problems.join("")}, please reformat your input and try again.`,
  });
  const extraneous = (name: string) => `#: extraneous key [${name}] is not permitted`;
  const modelSaid = (message: string) => ({
    message: `The model returned the following errors: ${message}`,
  });

  test.each([
    ["Anthropic, of a beta", anthropic(unknownBetas("x-1")), ["beta x-1"]],
    ["Anthropic, of two betas", anthropic(unknownBetas("x-1", "y-2")), ["beta x-1", "beta y-2"]],
    ["Anthropic, of a beta twice", anthropic(unknownBetas("x-1", "x-1")), ["beta x-1"]],
    ["Anthropic, of a field", anthropic(unknownField("speed")), ["field speed"]],
    [
      "Google around Anthropic",
      google(JSON.stringify(anthropic(unknownField("speed")))),
      ["field speed"],
    ],
    ["Google, in a list", [google(unknownBetas("y-2"))], ["beta y-2"]],
    ["Azure", { error: { code: "BadRequest", message: unknownField("speed") } }, ["field speed"]],
    ["AWS", { message: unknownField("speed") }, ["field speed"]],
    ["AWS's model", modelSaid(unknownField("speed")), ["field speed"]],
    ["AWS's check", schema(extraneous("speed")), ["field speed"]],
    [
      "AWS's check, twice",
      schema(extraneous("speed"), extraneous("extra")),
      ["field speed", "field extra"],
    ],
    [
      "AWS's check, with another problem",
      schema("#: required key [x] not found", extraneous("speed")),
      [],
    ],
    ["AWS's check, of a part", schema("#/messages/0: extraneous key [speed] is not permitted"), []],
  ])("%s", (_, body, items) => {
    const outbound = outboundCall({ model: "m", speed: 1, extra: 1 }, betas("x-1", "y-2"));
    expect(itemsIn(messageIn(JSON.stringify(body)), outbound)).toEqual(items);
  });

  test.each([
    ["the only beta", withBetas("x-1"), ["beta x-1"]],
    [
      "the only beta, in the body",
      outboundCall({ model: "m", anthropic_beta: ["x-1"] }),
      ["beta x-1"],
    ],
    ["either of two betas", withBetas("x-1", "y-2"), []],
    [
      "one in the header or one in the body",
      outboundCall({ model: "m", anthropic_beta: ["x-1"] }, betas("y-2")),
      [],
    ],
    ["no beta at all", outboundCall({ model: "m" }), []],
  ])("AWS, which says no name and means %s", (_, outbound, items) => {
    for (const body of [
      { message: "invalid beta flag" },
      modelSaid("invalid beta flag"),
      anthropic("invalid beta flag"),
    ])
      expect(itemsIn(messageIn(JSON.stringify(body)), outbound)).toEqual(items);
  });
});

test.each([
  "",
  "null",
  "[]",
  "5",
  '"text"',
  "{bad",
  "{}",
  '{"error":null}',
  '{"message":5}',
  "<html>",
])("a body that is %j has no message", (body) => expect(messageIn(body)).toBeUndefined());

test("errors within errors are followed for a while", () => {
  const nested = (depth: number) =>
    `${'{"error":'.repeat(depth)}{"message":"no"}${"}".repeat(depth)}`;
  expect(messageIn(nested(1))).toBe("no");
  expect(messageIn(nested(20_000))).toBeUndefined();
});

describe("no item is named by", () => {
  test.each([
    "context_management.edits: Extra inputs are not permitted",
    "messages.0.content.0.text.context_management: Extra inputs are not permitted",
    "tools.3.custom.defer_loading: Extra inputs are not permitted",
    "context_management: Input should be a valid dictionary",
    "context_management: Field required",
    "context_management",
    "messages: text content 'context_management: Extra inputs are not permitted' is not allowed",
    "x\ncontext_management: Extra inputs are not permitted",
    "context_management: Extra inputs are not permitted\nand more",
    "CONTEXT_MANAGEMENT: Extra inputs are not permitted",
    "The long context beta is not yet available for this subscription.",
    "messages.0: Unexpected value(s) `x-1` for the `anthropic-beta` header.",
    "Unexpected value(s) for the `anthropic-beta` header.",
    "messages.0: invalid beta flag",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "",
  ])("%j", (message) =>
    expect(itemsIn(message, withField("context_management", "x-1"))).toEqual([]),
  );

  test("a text of 64 KiB, in no time", () => {
    const outbound = withField("context_management", "x-1");
    for (const part of ["`a`, ", "#: extraneous key [a] is not permitted", "a_"]) {
      const many = part.repeat((64 * 1024) / part.length);
      for (const start of ["Unexpected value(s) ", "Malformed input request: ", ""])
        expect(itemsIn(start + many, outbound)).toEqual([]);
    }
  });
});

describe("a field stays that", () => {
  const kept =
    "model messages max_tokens stream anthropic_version anthropic_beta output_config output_format cache_control " +
    "system thinking tools tool_choice mcp_servers container stop_sequences temperature top_p top_k " +
    "safeguards metadata inference_geo service_tier user_profile_id";
  const notOfToday = "safety_settings guardrails retention_days tool_limits billing_code";

  test.each([...kept.split(" "), ...notOfToday.split(" ")])(
    "is %s, without which it would be another request",
    (name) => expect(itemsIn(unknownField(name), withField(name))).toEqual([]),
  );

  test("the request does not carry, or only further down", () => {
    const outbound = outboundCall({ model: "m", messages: [{ speed: 1 }] });
    expect(itemsIn(unknownField("speed"), outbound)).toEqual([]);
  });

  test("has been left out already", () => {
    const omit = { betas: new Set<string>(), fields: new Set(["speed"]) };
    expect(refusedItems(unknownField("speed"), withField("speed"), omit)).toEqual([]);
  });
});

test.each(["context_management", "speed", "diagnostics", "new_field_of_tomorro"])(
  "the field %s may go",
  (name) => expect(itemsIn(unknownField(name), withField(name))).toEqual([`field ${name}`]),
);

describe("a beta stays that", () => {
  test.each([
    "safeguards-2026-01-01",
    "zero-retention-2026-01-01",
    "oauth-2025-04-20",
    "oidc-federation-2026-04-01",
  ])("is %s", (name) => expect(itemsIn(unknownBetas(name), withBetas(name))).toEqual([]));

  test("is named together with one of those", () =>
    expect(itemsIn(unknownBetas("x-1", "safeguards-1"), withBetas("x-1", "safeguards-1"))).toEqual(
      [],
    ));

  test("the request does not carry", () =>
    expect(itemsIn(unknownBetas("z-3"), withBetas("x-1"))).toEqual([]));

  test("no line of the log should hold", () => {
    for (const name of ["x".repeat(101), "x y", "x\"'y"])
      expect(itemsIn(unknownBetas(name), withBetas(name))).toEqual([]);
  });

  test("has been left out already", () => {
    const omit = { betas: new Set(["x-1"]), fields: new Set<string>() };
    expect(refusedItems(unknownBetas("x-1"), withBetas("x-1"), omit)).toEqual([]);
    expect(refusedItems("invalid beta flag", withBetas("x-1"), omit)).toEqual([]);
  });
});

test.each([
  [unknownField("tags"), ["field tags", "beta request-tags-2026-08-21"]],
  [unknownBetas("request-tags-2026-08-21"), ["field tags", "beta request-tags-2026-08-21"]],
  [
    unknownBetas("x-1", "request-tags-2026-08-21"),
    ["beta x-1", "field tags", "beta request-tags-2026-08-21"],
  ],
])("tags and the beta that announces them are named by %s", (message, items) =>
  expect(itemsIn(message, withField("tags", "x-1", "request-tags-2026-08-21"))).toEqual(items),
);
