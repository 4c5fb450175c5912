// What the benchmark sends: Messages API requests shaped like Claude Code's, the same bytes in every run. Who answers
// them is in upstream.ts, who sends them in wrk.ts and stream-client.ts.

/** A character that stands once in every streamed delta and nowhere else in a stream: one byte, so no read can split it. */
export const countedByte = "~";

/** How a body that asks for a stream ends; `stream` is the SDK's last key. */
export const streamBodyEnd = ',"stream":true}';

type Text = { type: "text"; text: string };
type Block =
  | Text
  | { type: "tool_use"; id: string; name: string; input: Record<string, string> }
  | { type: "tool_result"; tool_use_id: string; content: string };
type Message = { role: "user" | "assistant"; content: Block[] };

/**
 * A conversation of exactly `bytes` bytes: system blocks, tools, and turns full of code, that is quotes, line breaks,
 * escapes and some characters beyond ASCII. At least 600 bytes.
 */
export function conversationBody(bytes: number, options: { stream: boolean }): string {
  const random = randomFrom(bytes);
  const system: Text[] = [
    { type: "text", text: "You are Claude Code, Anthropic's official CLI for Claude." },
  ];
  const tools: unknown[] = [];
  const messages: Message[] = [];
  const question: Text = { type: "text", text: "" };
  const body = () =>
    JSON.stringify({
      model: "claude-sonnet-4-6",
      messages: [...messages, { role: "user", content: [question] }],
      system,
      tools,
      metadata: { user_id: "user_5f1d_account__session_0c7e" },
      max_tokens: 32_000,
      ...(options.stream && { stream: true }),
    });

  // The shares of a long session: instructions a tenth, tool definitions a quarter, the rest is what was said and read.
  if (bytes > 20_000) {
    fill(system, bytes * 0.1, () => ({ type: "text", text: prose(random, 40) }));
    fill(tools, bytes * 0.25, () => toolDefinition(random, tools.length));
    fill(messages, bytes * 0.97 - Buffer.byteLength(body()), () => turn(random, messages.length));
  }
  // What is missing goes into the last question, in characters that JSON writes as one byte each.
  const missing = bytes - Buffer.byteLength(body());
  if (missing < 0) throw new RangeError(`a body of ${bytes} bytes is too small for a conversation`);
  question.text = "Why does the second test fail? "
    .repeat(Math.ceil(missing / 31))
    .slice(0, missing);
  return body();
}

/** A request of exactly `bytes` bytes that is one long string without an escape: a document in base64. */
export function documentBody(bytes: number): string {
  const random = randomFrom(bytes);
  const document = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) document[at] = random(256);
  return withDocument(document.toString("base64").slice(0, bytes - withDocument("").length));
}

/** Headers that go with every body, beside host and content-length. */
export function requestHeaders(bearer: string): Record<string, string> {
  return {
    accept: "application/json",
    authorization: `Bearer ${bearer}`,
    "content-type": "application/json",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
    "user-agent": "claude-cli/2.1.330 (external, cli)",
    "x-app": "cli",
    "x-stainless-lang": "js",
    "x-stainless-retry-count": "0",
    "x-stainless-runtime": "node",
  };
}

/** Adds items until their JSON takes `bytes` bytes; the last one that would go beyond is left out. */
function fill<T>(items: T[], bytes: number, next: () => T): void {
  for (let used = 0; ;) {
    const item = next();
    used += Buffer.byteLength(JSON.stringify(item)) + 1;
    if (used > bytes) return;
    items.push(item);
  }
}

function withDocument(data: string): string {
  const source = { type: "base64", media_type: "application/pdf", data };
  const content = [{ type: "document", source }];
  return JSON.stringify({
    model: "claude-sonnet-4-6",
    messages: [{ role: "user", content }],
    max_tokens: 32_000,
  });
}

function turn(random: Random, index: number): Message {
  const id = `toolu_${Math.floor(index / 2)}`;
  const path = `/home/ada/project/src/${word(random)}/${word(random)}.ts`;
  if (index % 4 === 0)
    return { role: "user", content: [{ type: "text", text: prose(random, 12) }] };
  if (index % 4 === 1) {
    const text = `${prose(random, 8)}\n\n\`\`\`ts\n${code(random, 6)}\`\`\``;
    const use = {
      type: "tool_use" as const,
      id,
      name: "Read",
      input: { file_path: path, old_string: code(random, 3) },
    };
    return { role: "assistant", content: [{ type: "text", text }, use] };
  }
  if (index % 4 === 2) {
    const used = `toolu_${Math.floor((index - 1) / 2)}`;
    return {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: used, content: code(random, 60) }],
    };
  }
  return {
    role: "assistant",
    content: [{ type: "text", text: `✻ ${prose(random, 20)} → “${word(random)}” — done.` }],
  };
}

function toolDefinition(random: Random, index: number): unknown {
  const property = () => ({ type: "string", description: prose(random, 10) });
  const properties = {
    file_path: property(),
    pattern: property(),
    replace_all: { type: "boolean", default: false },
  };
  const schema = "http://json-schema.org/draft-07/schema#";
  const input_schema = {
    $schema: schema,
    type: "object",
    properties,
    required: ["file_path"],
    additionalProperties: false,
  };
  return { name: `Tool${index}`, description: prose(random, 60), input_schema };
}

function code(random: Random, lines: number): string {
  const line = (number: number) => {
    const [a, b, c] = [word(random), word(random), word(random)];
    const shapes = [
      `const ${a} = "${b}\\n" + path.join('C:\\\\${c}', \`\${${a}}\`);`,
      `\tif (${a} === "${b}") return { "${c}": [1, 2, ${random(999)}], ok: true };`,
      `  // ${a} ${b} ${c}: "${a}" isn't '${b}'`,
      `\texpect(${a}.match(/^\\s*"${b}"\\s*:\\s*\\d+$/)).toEqual(["${c}"]);`,
      "}",
    ];
    return `${String(number + 1).padStart(6)}→${shapes[random(shapes.length)] ?? ""}\n`;
  };
  return Array.from({ length: lines }, (_, number) => line(number)).join("");
}

function prose(random: Random, words: number): string {
  return Array.from({ length: words }, () => word(random)).join(" ");
}

const vocabulary = (
  "config session upstream principal gateway stream listener policy parse verify header body token events answer first " +
  "the a of when which with never always before after reads writes keeps drops"
).split(" ");

function word(random: Random): string {
  return vocabulary[random(vocabulary.length)] ?? "";
}

/** A whole number from 0 to below `below`. */
type Random = (below: number) => number;

/** mulberry32: small, fast and the same everywhere, which is all a benchmark's text needs. */
function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
