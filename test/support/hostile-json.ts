// JSON that is allowed and that nobody writes, and bytes that are nearly JSON: for the fuzz tests.
import * as fc from "fast-check";

const blank = fc.string({ unit: fc.constantFrom(" ", "\n", "\r", "\t"), maxLength: 2 });

/** Numbers that no double holds, or that readers take for different ones. */
const number = fc.oneof(
  fc.constantFrom("0", "-0", "-0.0", "1e400", "-1E+400", "1e-400", "0.1e1", "9007199254740993"),
  fc.constantFrom("9".repeat(1_000), `0.${"0".repeat(1_000)}1`, `1e${"9".repeat(300)}`),
  fc.integer().map(String),
);

/** Lone surrogates, NULs, line separators, and text that looks like structure, as themselves or as escapes. */
const string = fc
  .array(
    fc.oneof(
      fc.constantFrom("\\ud800", "\\udc00\\ud800", "\\u0000", "\\u2028", "\u2028", "\u007f", "\\/"),
      fc.constantFrom('\\"', "\\\\", "{", "}", "[", "]", ",", ":", "model", "\\u006dodel"),
      fc
        .string({ unit: "grapheme", maxLength: 3 })
        .map((text) => JSON.stringify(text).slice(1, -1)),
      fc.constantFrom("x".repeat(127), "x".repeat(128), "x".repeat(5_000)),
    ),
    { maxLength: 4 },
  )
  .map((parts) => `"${parts.join("")}"`);

/** Names that mean something, here or to JavaScript, the same ones again and again. */
const key = fc.oneof(
  fc.constantFrom('"model"', '"m\\u006fdel"', '"input"', '"type"', '"__proto__"', '""', '"0"'),
  fc.constantFrom('"constructor"', '"budget_tokens"', '"schema"', '"\\u0000"', '"\\ud800"'),
  string,
);

/** Any JSON text, with names that repeat. */
export const anyJson: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom("null", "true", "false", '""', "[]", "{}", "[[]]", '{"a":null}'),
    number,
    string,
    fc.array(tie("value"), { maxLength: 4 }).map((items) => `[${items.join(",")}]`),
    fc
      .array(fc.tuple(key, blank, tie("value")), { maxLength: 4 })
      .map((all) => `{${all.map(([name, gap, value]) => `${name}${gap}:${value}`).join(",")}}`),
  ),
})).value;

/** The members of a Messages request that somebody reads, each with a value that is right. */
const members: Readonly<Record<string, string>> = {
  max_tokens: "16",
  messages: '[{"role":"user","content":"hi"}]',
  system: '[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral"}}]',
  stream: "true",
  tools: '[{"name":"t","description":"d","input_schema":{"type":"object","properties":{}}}]',
  tool_choice: '{"type":"auto"}',
  thinking: '{"type":"enabled","budget_tokens":1024}',
  metadata: '{"user_id":"u"}',
  stop_sequences: '["a"]',
  temperature: "0.5",
  top_p: "0.5",
  top_k: "5",
  service_tier: '"auto"',
  container: '"c"',
  context_management: '{"edits":[]}',
  mcp_servers: "[]",
  output_config: '{"effort":"low"}',
  output_format: '{"type":"json_schema","schema":{}}',
  speed: '"fast"',
  tags: '{"team":"eng"}',
  user_profile_id: '"p"',
  anthropic_version: '"bedrock-2023-05-31"',
  anthropic_beta: '["a-1"]',
  fallbacks: "[]",
  "amazon-bedrock-trace": "1",
};

/** A request for this model in which some members are anything at all. */
export function anyRequest(model: string): fc.Arbitrary<string> {
  const member = fc
    .tuple(
      fc.constantFrom(...Object.entries(members)),
      fc.option(anyJson, { freq: 2 }),
      blank,
      fc.boolean(),
    )
    .map(([[name, right], wrong, gap, isEscaped]) => {
      const spelled = isEscaped ? `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}` : name;
      return { name, text: `${gap}"${spelled}"${gap}:${gap}${wrong ?? right}` };
    });
  return fc
    .tuple(fc.uniqueArray(member, { selector: ({ name }) => name, maxLength: 6 }), fc.nat(6))
    .map(([list, at]) => {
      const texts = list
        .map(({ text }) => text)
        .toSpliced(at, 0, `"model":${JSON.stringify(model)}`);
      return `{${texts.join(",")}}`;
    });
}

/** Bytes with a few of them changed, left out, repeated or cut off, or in another encoding. */
export function damaged(texts: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  const damage = fc.record({
    at: fc.nat(10_000),
    kind: fc.constantFrom("change", "insert", "drop", "cut", "repeat"),
    bytes: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
      fc.constantFrom(...['"', "\\", "{", "}", "[", "]", ",", ":", "\\u", "\0"].map(bytesOf)),
      fc.constantFrom([0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xef, 0xbb, 0xbf]).map(bytesOf),
    ),
  });
  return fc
    .tuple(texts, fc.array(damage, { minLength: 1, maxLength: 3 }), fc.nat(20))
    .map(([text, list, encoding]) => {
      if (encoding === 0) return Buffer.from(`\ufeff${text}`, "utf16le");
      if (encoding === 1) return Buffer.from(text, "utf16le");
      if (encoding === 2) return Buffer.from(`\ufeff${text}`);
      let bytes = [...Buffer.from(text.slice(0, 10_000))];
      for (const { at, kind, bytes: put } of list) {
        const index = at % (bytes.length + 1);
        if (kind === "cut") bytes = bytes.slice(0, index);
        else if (kind === "repeat") bytes.splice(index, 0, ...bytes.slice(index, index + 40));
        else bytes.splice(index, kind === "insert" ? 0 : 1, ...(kind === "drop" ? [] : put));
      }
      return new Uint8Array(bytes);
    });
}

const bytesOf = (from: string | readonly number[]): Uint8Array =>
  typeof from === "string" ? Buffer.from(from) : new Uint8Array(from);

/** The outside of a request for this model, around one member called `x`. */
function around(model: string, value: string): string {
  return `{"model":${JSON.stringify(model)},"max_tokens":16,"messages":[],"x":${value}}`;
}

const repeated = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length));

/** Requests of about this size, each of a shape that is made to cost its reader something. */
export function costly(model: string, bytes: number): Record<string, string> {
  const depth = Math.ceil(bytes / 2);
  const keys = Array.from({ length: bytes / 12 }, (_, index) => `"k${index}":1`).join(",");
  const name = JSON.stringify(model);
  return {
    "one long string": around(model, `"${repeated("x", bytes)}"`),
    "a string of escaped quotes": around(model, `"${repeated('\\"', bytes)}"`),
    "a string of backslashes": around(model, `"${repeated("\\\\", bytes)}"`),
    "a string of NULs": around(model, `"${repeated("\\u0000", bytes)}"`),
    "a string of lone surrogates": around(model, `"${repeated("\\ud800", bytes)}"`),
    "many keys further inside": around(model, `{${keys}}`),
    "many keys at the top": `${around(model, "1").slice(0, -1)},${keys}}`,
    "one key, again and again": around(model, `{"a":1${repeated(',"a":1', bytes)}}`),
    "many empty lists": around(model, `[0${repeated(",[]", bytes)}]`),
    "many models": around(model, `[0${repeated(`,{"model":${name}}`, bytes)}]`),
    "many tools": around(model, "1").replace(
      '"messages"',
      `"tools":[{}${repeated(',{"name":"t","input_schema":{"properties":{"model":{}}}}', bytes)}],"messages"`,
    ),
    "a list of betas": around(model, "1").replace(
      '"messages"',
      `"anthropic_beta":["a"${repeated(',"a-1"', bytes)}],"messages"`,
    ),
    "a number of many digits": around(model, repeated("9", bytes)),
    "tokens of many digits": around(model, "1").replace("16", repeated("9", bytes)),
    blanks: around(model, `${repeated(" \n", bytes)}1`),
    "lists in lists": around(model, `${"[".repeat(depth)}${"]".repeat(depth)}`),
    "objects in objects": around(model, `${repeated('{"":', depth)}1${"}".repeat(depth / 4)}`),
    "lists that are not closed": around(model, repeated("[", bytes)),
    "a long key": around(model, `{"${repeated("k\\n", bytes)}":1}`),
  };
}
