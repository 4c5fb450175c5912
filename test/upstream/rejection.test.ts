// What a developer may read of a cloud's refusal: the copy for each status, the word for each text that Claude Code acts on,
// and when Anthropic's own message passes.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { rejectionOf } from "../../src/upstream/answer/rejection.ts";

const about = { model: "claude-sonnet-4-6", provider: "bedrock" };
const rejected = "upstream rejected the request";
const tooLong = "Input is too long.";
const modelUnknown = "The provided model identifier is invalid.";

const envelope = (message: unknown, type: unknown = "invalid_request_error") =>
  JSON.stringify({ type: "error", error: { type, message } });

/** The message for a 400 with this text, as Bedrock writes it. */
const wordsFor = (message: string, provider = "bedrock") =>
  rejectionOf(400, JSON.stringify({ message }), { ...about, provider }).message;

const capability = (name: string) => `capability_rejected: ${name}`;

describe("the copy for a status", () => {
  const copies: [status: number, type: string, message: string][] = [
    [401, "authentication_error", "upstream authentication failed — check the gateway operator"],
    [403, "permission_error", "upstream denied the request — check the gateway operator"],
    [404, "not_found_error", "upstream resource not found"],
    [413, "request_too_large", "request too large for this upstream"],
    [429, "rate_limit_error", "upstream rate limit exceeded"],
    [501, "not_supported", "upstream does not support this endpoint"],
    [529, "overloaded_error", "upstream overloaded"],
  ];
  const others = [402, 405, 408, 409, 410, 418, 422, 424, 451, 499, 500, 502, 503, 504, 599];
  for (const status of others) copies.push([status, "api_error", "upstream error"]);

  test.each(copies)("%d is %s, whatever the upstream says", (status, type, message) => {
    for (const body of [
      "",
      JSON.stringify({ message: "User: arn:aws:iam::123456789012:role/x is not authorized" }),
      "<html>cache_control: Extra inputs are not permitted</html>",
    ])
      expect(rejectionOf(status, body, about)).toEqual({ status, type, message } as never);
  });

  test.each(copies.filter(([status]) => status !== 413))(
    "%d takes no message from an envelope",
    (status, type, message) =>
      expect(rejectionOf(status, envelope("theirs"), about)).toEqual({
        status,
        type,
        message,
      } as never),
  );
});

/** One text or more for each capability, in the order in which they count when several are in one text. */
const textsByCapability: [name: string, ...texts: string[]][] = [
  [
    "mid_conv_system",
    "messages.2.role: Input should be 'user' or 'assistant'",
    'messages.2.role: Input should be "user" or "assistant"',
    "role 'system' is not supported on this model",
    'role "system" is not supported',
    "use the top-level 'system' parameter for the initial system prompt",
    'Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" as an input message role.',
  ],
  [
    "cache_control_field",
    "cache_control: Extra inputs are not permitted",
    "tools.3.cache_control: Extra inputs are not permitted",
    "messages.1.cache_control: Extra inputs are not permitted",
    "messages.0.content.1.cache_control: Extra inputs are not permitted",
    "messages.0.content.1.text.cache_control: Extra inputs are not permitted",
    "image.cache_control: Extra inputs are not permitted",
    "tools.0.cache_control.scope: Extra inputs are not permitted",
  ],
  [
    "thinking_signature",
    "messages.1.content.0: Invalid `signature` in `thinking` block",
    "Invalid signature in thinking block",
    "Invalid `signature` in `redacted_thinking` block",
    "Invalid `data` in `redacted_thinking` block",
    "messages.1.content.0.thinking.signature: Field required",
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were.",
    "thinking blocks cannot be modified",
  ],
  [
    "thinking_type:enabled",
    '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive"',
    "thinking.type: enabled not supported",
  ],
  [
    "thinking_type:adaptive",
    "adaptive thinking is not supported on this model",
    "thinking.type.adaptive: not supported",
    '"thinking.type.adaptive" is not supported for this model. Use "thinking.type.enabled"',
  ],
  ["structured_outputs_unsupported", "output_config.format: Extra inputs are not permitted"],
  [
    "effort_unsupported",
    "This model does not support the effort parameter.",
    "effort parameter is not supported",
    "output_config: Extra inputs are not permitted",
    "output_config.effort: Extra inputs are not permitted",
    "output_config.format.schema: Extra inputs are not permitted",
    "output_configuration: Extra inputs are not permitted",
  ],
  [
    "image_block",
    "messages.0.content.0.image.source.base64: image exceeds 5 MB maximum",
    "image exceeds 5 MB maximum",
    "messages.12.content.3.image.source.media_type: Input should be 'image/png'",
    "messages.0.content.0.tool_result.content.0.image.source.base64.data: bad",
    "At least one of the image dimensions exceed max allowed size: 8000 pixels",
    "Could not process image",
    "Image does not match the provided media type image/png",
  ],
  [
    "document_block",
    "a maximum of 100 PDF pages may be provided",
    "messages.0.content.0.document.source.base64: bad",
    "messages.0.content.0.tool_result.content.0.document.source: bad",
    "The PDF specified is password protected.",
    "The PDF specified was not valid.",
    "Could not process PDF",
  ],
  [
    "prompt_too_long",
    "Input is too long for requested model.",
    "The model returned the following errors: Input is too long for requested model.",
    "prompt is too long",
    "Prompt is too long: 210000 tokens > 200000 maximum",
  ],
  [
    "max_tokens_context_overflow",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
  ],
];

describe("a 400 that names a capability", () => {
  for (const [name, ...texts] of textsByCapability)
    test.each(texts)(`${name}: %s`, (text) => expect(wordsFor(text)).toBe(capability(name)));

  test.each(textsByCapability.slice(1).map(([name], index) => [name, index + 1] as const))(
    "%s yields to those before it, wherever they are in the text",
    (_name, index) => {
      const [before] = textsByCapability.slice(index - 1);
      const first = textsByCapability.at(index)?.[1] ?? "";
      const second = before?.[1] ?? "";
      expect(wordsFor(`${first}; ${second}`)).toBe(capability(before?.[0] ?? ""));
      expect(wordsFor(`${second}; ${first}`)).toBe(capability(before?.[0] ?? ""));
    },
  );
});

describe("a 400 that looks like it and names none", () => {
  test.each([
    "",
    "Account 123456789012 something odd",
    "context_management: Extra inputs are not permitted",
    "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
    "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens",
    "roles must alternate",
    "invalid beta flag",
    "prompt is too  long",
    "Input is too long for this model.",
    "input length and max_tokens exceed context limit: 190000 + 20000 > 200000",
    "Invalid `signature`",
    "Invalid `signature` in `text` block",
    "Invalid `data` in `thinking` block",
    "thinking.signature: Input should be a valid string",
    "Expected `thinking` or `redacted_thinking`, but found `tool_use`",
    "adaptive thinking is unsupported",
    "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'",
    "thinking.adaptive: Extra inputs are not permitted",
    "thinking.type.disabled is not supported",
    "messages.12.role: Input should be 'user'",
    "role 'tool' is not supported on this model",
    'Unexpected role "system"',
    "output_config.effort: Input should be 'low', 'medium' or 'high'",
    "output_format: Extra inputs are not permitted",
    "image.source: bad",
    "messages.0.image.source: bad",
    "could not process the image",
    "document.source: bad",
    "PDF is password protected",
    "system.0.cache_control: Extra inputs are not permitted",
    "system.0.cache_control.scope: Extra inputs are not permitted",
    "messages.0.content.1.tool_result.cache_control: Extra inputs are not permitted",
    "cache_control.ttl: Extra inputs are not permitted",
    "cache_control.ephemeral.ttl: Extra inputs are not permitted",
    "tools.0.cache_control: Input should be a valid dictionary",
    "cache_control: Extra inputs are not permitted; system.1.cache_control: Extra inputs are not permitted",
  ])("%j", (text) => expect(wordsFor(text)).toBe(rejected));
});

describe("a 400 for the size of the request", () => {
  test.each([
    tooLong,
    "input is too long",
    "The request size (30037042 bytes) exceeds 30.000MB limit.",
    "The message size (30037042 bytes) exceeds 30.000MB limit.",
  ])("%j becomes the sentence that Claude Code compacts on", (text) => {
    expect(wordsFor(text)).toBe(tooLong);
    expect(wordsFor(text, "vertex")).toBe(tooLong);
    expect(rejectionOf(400, text, about).message).toBe(tooLong);
  });

  test.each([
    "Input is too long. Please shorten it.",
    "The model returned the following errors: Input is too long.",
    "Request size (3 bytes) exceeds 5.0MB limit.",
    "The request size (1) exceeds limit.",
    "Error: The request size (3 bytes) exceeds 5.0MB limit.",
    "The request size (3 bytes) exceeds 5.0MB limit. Sorry.",
  ])("%j is not it, the sentence must be the whole message", (text) =>
    expect(wordsFor(text)).toBe(rejected),
  );
});

describe("a 400 for the model id", () => {
  test("names the client's model on Bedrock", () =>
    expect(wordsFor(modelUnknown)).toBe("model claude-sonnet-4-6 is not available on bedrock"));

  test.each(["mantle", "vertex", "foundry", "anthropicAws", "anthropicGoogleCloud"])(
    "is like any other on %s",
    (provider) => expect(wordsFor(modelUnknown, provider)).toBe(rejected),
  );

  test.each([
    "The provided model identifier is invalid",
    "the provided model identifier is invalid.",
    `${modelUnknown} (Service: BedrockRuntime)`,
    `The model returned the following errors: ${modelUnknown}`,
  ])("is not meant by %j", (text) => expect(wordsFor(text)).toBe(rejected));
});

describe("where the message is", () => {
  const text = 'role "system" is not supported';
  test.each([
    ["plain text", text],
    ["AWS's JSON", JSON.stringify({ message: text })],
    ["AWS's other JSON", JSON.stringify({ Message: text })],
    ["Google's JSON", JSON.stringify({ error: { code: 400, message: text, status: "X" } })],
    ["Google's list of one", JSON.stringify([{ error: { code: 400, message: text } }])],
    ["a detail", JSON.stringify({ detail: text })],
    ["a list of texts", JSON.stringify([text])],
    ["JSON in a string", JSON.stringify(JSON.stringify({ message: text }))],
    ["JSON in the message", JSON.stringify({ message: JSON.stringify({ error: text }) })],
    ["JSON that is cut", JSON.stringify({ message: text }).slice(0, -2)],
    ["an HTML page", `<html><body>${text}</body></html>`],
    ["an error of an unknown type", envelope(text, "timeout_error")],
  ])("a capability is found in %s", (_where, body) =>
    expect(rejectionOf(400, body, about).message).toBe(capability("mid_conv_system")),
  );

  test.each([
    ["AWS's other JSON", JSON.stringify({ Message: tooLong })],
    ["Google's JSON", JSON.stringify({ error: { code: 400, message: tooLong } })],
    ["Google's list of one", JSON.stringify([{ error: { code: 400, message: tooLong } }])],
    ["AWS's JSON beside other members", JSON.stringify({ message: tooLong, code: "x" })],
    ["a text that ends in a line break", `${tooLong}\n`],
  ])("a whole message is found in %s", (_where, body) =>
    expect(rejectionOf(400, body, about).message).toBe(tooLong),
  );

  test("what stands beside a message is not read", () => {
    const body = JSON.stringify({ message: "odd", originalMessage: "prompt is too long" });
    expect(rejectionOf(400, body, about).message).toBe(rejected);
  });

  test.each([
    "null",
    "5",
    "[]",
    "[null]",
    '""',
    '{"message":5}',
    '{"error":null}',
    "[".repeat(65_536),
  ])("%.20s holds none", (body) => expect(rejectionOf(400, body, about).message).toBe(rejected));
});

describe("Anthropic's envelope", () => {
  const message = "prompt is too long: 210000 tokens > 200000 maximum";

  test.each([
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "request_too_large",
    "rate_limit_error",
    "not_supported",
    "api_error",
    "overloaded_error",
  ])("of type %s passes its message on, under the status's own type", (type) => {
    const body = envelope(message, type);
    expect(rejectionOf(400, body, about)).toEqual({
      status: 400,
      type: "invalid_request_error",
      message,
      isRelayed: true,
    });
    expect(rejectionOf(413, body, about)).toEqual({
      status: 413,
      type: "request_too_large",
      message,
      isRelayed: true,
    });
  });

  test.each([
    ["of an unknown type", envelope("theirs", "timeout_error")],
    ["without a type", JSON.stringify({ type: "error", error: { message: "theirs" } })],
    ["whose type is a list", envelope("theirs", ["api_error"])],
    [
      "that is not marked as an error",
      JSON.stringify({ error: { type: "api_error", message: "theirs" } }),
    ],
    ["in a list", `[${envelope("theirs")}]`],
    ["with something after it", `${envelope("theirs")}x`],
    ["with an empty message", envelope("")],
    ["with a message that is no text", envelope({ theirs: 1 })],
    ["without an error", JSON.stringify({ type: "error", error: null, message: "theirs" })],
  ])("%s is not one", (_what, body) => {
    expect(rejectionOf(400, body, about).message).toBe(rejected);
    expect(rejectionOf(413, body, about).message).toBe("request too large for this upstream");
  });

  test("passes a text on that would name a capability", () => {
    const said = "cache_control: Extra inputs are not permitted";
    expect(rejectionOf(400, envelope(said), about).message).toBe(said);
  });

  test("has its message cut at 1,000 characters", () => {
    expect(rejectionOf(400, envelope("a".repeat(1_000)), about).message).toHaveLength(1_000);
    expect(rejectionOf(400, envelope("a".repeat(1_001)), about).message).toHaveLength(1_000);
  });

  test("is cut into text that is still well formed", () => {
    const { message: cut } = rejectionOf(400, envelope(`a${"😀".repeat(600)}`), about);
    expect(cut).toHaveLength(1_000);
    expect(cut.isWellFormed()).toBe(true);
  });

  test("loses its ARNs, account ids and projects", () => {
    const said =
      "arn:aws:iam::123456789012:role/x in account 210987654321 and projects/example-prod/locations/eu: prompt is too long: 5 > 3";
    expect(rejectionOf(400, envelope(said), about).message).toBe(
      "… in account … and … prompt is too long: 5 > 3",
    );
  });

  test("loses an ARN that the cut would part", () => {
    for (let room = 0; room < 40; room++) {
      const said = `${"a ".repeat(500).slice(room)}arn:aws:iam::123456789012:role/x`;
      expect(rejectionOf(400, envelope(said), about).message).not.toMatch(/arn|\d/);
    }
  });
});

describe("a 413", () => {
  test.each(["Prompt is too long", "Input is too long for requested model."])(
    "that says %j names the capability",
    (message) =>
      expect(rejectionOf(413, JSON.stringify({ message }), about)).toEqual({
        status: 413,
        type: "request_too_large",
        message: capability("prompt_too_long"),
      }),
  );

  test.each([tooLong, modelUnknown, "image exceeds 5 MB", "cache_control: not permitted"])(
    "that says %j has its own copy",
    (message) =>
      expect(rejectionOf(413, JSON.stringify({ message }), about).message).toBe(
        "request too large for this upstream",
      ),
  );
});

describe("an upstream that means harm", () => {
  // A mebibyte, sixteen times what is read: a pattern that is quadratic in it takes minutes, all of these together a second.
  const length = 1024 * 1024;
  const starts = [
    "cache_control ",
    "cache_control:not ",
    "system.0",
    "role system ",
    "role   '",
    "input should be '",
    "unexpected role 'system' ",
    "signature thinking ",
    "data redacted_thinking ",
    "thinking.signature ",
    "thinking blocks ",
    "thinking.type.enabled ",
    "thinking.type.adaptive not ",
    "effort parameter ",
    "not support ",
    "output_config ",
    "messages.0.content.0.tool_result.content.0.",
    "messages.000000",
    "maximum of ",
    "The request size (",
    "the request size (1 bytes) exceeds 1.",
    "a",
    "1",
    " ",
    "'",
    ".",
    '{"message":',
  ];

  test.each(starts)("gains no time by repeating %j", (start) => {
    const text = start.repeat(Math.ceil(length / start.length));
    const begun = performance.now();
    wordsFor(text);
    rejectionOf(413, text, about);
    rejectionOf(400, envelope(text), about);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  const known: ReadonlySet<string> = new Set([
    rejected,
    tooLong,
    "model claude-sonnet-4-6 is not available on bedrock",
    "request too large for this upstream",
    "upstream authentication failed — check the gateway operator",
    "upstream denied the request — check the gateway operator",
    "upstream resource not found",
    "upstream rate limit exceeded",
    "upstream does not support this endpoint",
    "upstream overloaded",
    "upstream error",
    ...textsByCapability.map(([name]) => capability(name)),
  ]);

  const secret = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/secret";
  const phrase = fc.oneof(
    fc.constantFrom(secret, tooLong, modelUnknown, "projects/secret/x", "account 123456789012"),
    fc.constantFrom(...textsByCapability.flatMap(([, ...texts]) => texts)),
    fc.string({ unit: "binary" }),
  );
  const said = fc.array(phrase, { maxLength: 4 }).map((phrases) => phrases.join(" "));
  const { body } = fc.letrec<{ body: unknown }>((tie) => ({
    body: fc.oneof(
      { maxDepth: 4 },
      said,
      fc.record(
        { message: tie("body"), Message: tie("body"), error: tie("body"), type: said },
        { requiredKeys: [] },
      ),
      fc.array(tie("body"), { maxLength: 3 }),
      fc.jsonValue(),
    ),
  }));
  const status = fc.oneof(fc.constantFrom(400, 413), fc.integer({ min: 400, max: 599 }));

  test("cannot make the gateway say what it does not say by itself", () =>
    fc.assert(
      fc.property(status, body, fc.boolean(), (code, value, asText) => {
        const text = asText && typeof value === "string" ? value : JSON.stringify(value);
        const rejection = rejectionOf(code, text, about);
        expect(rejection.status).toBe(code);
        expect(known.has(rejection.message)).toBe(true);
      }),
      { numRuns: 1_000 },
    ));

  test("cannot put an id of an account into a message that is relayed", () =>
    fc.assert(
      fc.property(fc.constantFrom(400, 413), said, (code, text) => {
        const { message } = rejectionOf(code, envelope(text), about);
        expect(message.length).toBeLessThanOrEqual(1_000);
        expect(message).not.toMatch(/123456789012|arn:aws|secret/);
      }),
      { numRuns: 1_000 },
    ));
});
