// The finder of top-level members against JSON.parse as the judge: what it accepts, what it refuses, and what it finds.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { topLevelFinder } from "../../src/upstream/request/top-level.ts";

const names = ["model", "stream", "max_tokens"] as const;
const find = topLevelFinder(names);
const read = (text: string) => find(Buffer.from(text));
const isJson = (text: string) => read(text).kind !== "not JSON";

/** What a TextDecoder makes of a member's value. */
function slice(
  bytes: Uint8Array,
  member: { valueStart: number; valueEnd: number } | undefined,
): string | undefined {
  return member && new TextDecoder().decode(bytes.subarray(member.valueStart, member.valueEnd));
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

// JSON written in every way that is allowed: blanks anywhere, any character as an escape, numbers in any notation.
const blanks = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 2 });
// prettier-ignore
const escapes = ['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u006D", "\\uD83D\\uDE00", "\\ud800"];
const character = fc.oneof(
  fc
    .string({ unit: "binary", minLength: 1, maxLength: 1 })
    .map((text) => JSON.stringify(text).slice(1, -1)),
  fc.constantFrom(...escapes),
  fc.constantFrom("a", "b", "c", "m", "u", "{", "]"),
);
const stringOf = (maxLength: number) =>
  fc.array(character, { maxLength }).map((characters) => `"${characters.join("")}"`);
const number = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.constantFrom("0", "7", "10", "907"),
    fc.constantFrom("", ".0", ".25"),
    fc.constantFrom("", "e1", "E+02", "e-400", "e400"),
  )
  .map((parts) => parts.join(""));
const spelledName = fc
  .tuple(
    fc.constantFrom(...names, "models", "mode", "Model"),
    fc.array(fc.boolean(), { minLength: 10, maxLength: 10 }),
  )
  .map(([name, escaped]) => {
    const spell = (letter: string, index: number) =>
      escaped[index] === true ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter;
    return `"${name.split("").map(spell).join("")}"`;
  });
const padded = (token: fc.Arbitrary<string>) =>
  fc.tuple(blanks, token, blanks).map((parts) => parts.join(""));
const jsonText = (stringLengthMax: number) =>
  fc.letrec<{ value: string; object: string }>((tie) => {
    const key = fc.oneof(spelledName, stringOf(4));
    const member = fc.tuple(padded(key), tie("value")).map(([name, value]) => `${name}:${value}`);
    return {
      value: padded(
        fc.oneof(
          { depthSize: "small", withCrossShrink: true },
          fc.constantFrom("true", "false", "null"),
          number,
          stringOf(stringLengthMax),
          fc
            .array(tie("value"), { maxLength: 4 })
            .map((items) => `[${items.length > 0 ? items.join(",") : " "}]`),
          tie("object"),
        ),
      ),
      object: fc
        .array(member, { maxLength: 5 })
        .map((members) => `{${members.length > 0 ? members.join(",") : "\n"}}`),
    };
  });
const anyText = jsonText(12).value;
const anyObject = fc.tuple(blanks, jsonText(12).object, blanks).map((parts) => parts.join(""));

describe("agreement with JSON.parse", () => {
  test("every way of writing JSON is accepted, and members read as JSON.parse reads them", () => {
    fc.assert(
      fc.property(anyObject, (text) => {
        const bytes = Buffer.from(text);
        const found = find(bytes);
        const keys = [...topLevelKeys(text)];
        const repeated = names.filter((name) => keys.filter((key) => key === name).length > 1);
        if (repeated.length > 0)
          return found.kind === "given twice" && repeated.includes(found.name);
        const tree: Record<string, unknown> = JSON.parse(text);
        expect(found.kind).toBe("object");
        if (found.kind !== "object") return false;
        for (const name of names) {
          const value = slice(bytes, found.members[name]);
          expect(value === undefined).toBe(!Object.hasOwn(tree, name));
          if (value !== undefined) expect(JSON.parse(value)).toEqual(tree[name]);
        }
        return true;
      }),
      { numRuns: 2000 },
    );
  });

  test("a text with one byte inserted, dropped or changed is refused exactly when JSON.parse refuses it", () => {
    const edit = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("insert", "drop", "change"),
      byte: fc.oneof(
        fc.constantFrom(...Buffer.from('{}[],:"\\ue0123.-+tfn \n\t\0\v\x7f')),
        fc.integer({ min: 0, max: 127 }),
      ),
    });
    fc.assert(
      fc.property(anyText, fc.array(edit, { minLength: 1, maxLength: 2 }), (text, edits) => {
        let bytes = [...Buffer.from(text)];
        for (const { at, kind, byte } of edits) {
          const index = at % (bytes.length + 1);
          bytes = bytes.toSpliced(
            index,
            kind === "insert" ? 0 : 1,
            ...(kind === "drop" ? [] : [byte]),
          );
        }
        const edited = Buffer.from(bytes);
        expect([edited.toString(), find(edited).kind !== "not JSON"]).toEqual([
          edited.toString(),
          parses(edited.toString("latin1")),
        ]);
      }),
      { numRuns: 5000 },
    );
  });

  test("a text cut off anywhere is refused", () => {
    const text =
      '{"model":"claude-\\u0041\\n","stream":true,"a":[1.5e+3,{"b":[]},null,false],"c":{"d":-0}}';
    expect(isJson(text)).toBe(true);
    for (let end = 0; end < text.length; end++)
      expect([end, isJson(text.slice(0, end))]).toEqual([end, false]);
  });

  // prettier-ignore
  test.each([
    "", " ", "\ufeff{}", "\u00a0{}", "{}\u00a0", "{}x", "{} {}", "{,}", '{"a":1,}', "[1,]", "[,1]", '{"a"}', '{"a":}', "{1:2}",
    "01", "-", "-01", "1.", ".5", "+1", "1e", "1e+", "0x1", "NaN", "Infinity", "tru", "truE", "nul", "falsey", "undefined",
    "// c\n{}", "{}/* c */", "{'a':1}", '"\t"', '"\n"', '"\\x41"', '"\\v"', '"\\u12g4"', '"\\u123"', '"', '"\\', '"\\"', "{]", "[}", "]", "{", "\f{}",
  ])("%j is no JSON", (text) => {
    expect(isJson(text)).toBe(false);
    expect(parses(text)).toBe(false);
  });
});

describe("members", () => {
  test("are found at the top level only, with the place of their key and value", () => {
    const text = ' {"x":{"model":1}, "model" : "m" ,"y":[{"stream":1}]}';
    const found = read(text);
    expect(found).toEqual({
      kind: "object",
      members: {
        model: {
          keyStart: text.indexOf('"model" '),
          valueStart: text.indexOf('"m"'),
          valueEnd: text.indexOf('"m"') + 3,
        },
      },
    });
  });

  test("given twice are refused, also when one of them is spelled in escapes", () => {
    expect(read('{"model":1,"a":2,"model":1}')).toEqual({ kind: "given twice", name: "model" });
    expect(read('{"\\u006Dode\\u006c":1,"model":1}')).toEqual({
      kind: "given twice",
      name: "model",
    });
    expect(read('{"max\\u005Ftokens":1,"max_token\\u0073":1}')).toEqual({
      kind: "given twice",
      name: "max_tokens",
    });
    expect(read('{"model":1,"model":1').kind).toBe("not JSON");
    expect(read('{"model":1,"Model":1,"model\\u0000":1,"\\\\u006dodel":1}').kind).toBe("object");
  });

  test("other names may repeat, and texts that are no object are told apart from no JSON", () => {
    expect(read('{"a":1,"a":2}').kind).toBe("object");
    for (const text of ["[]", "null", '"model"', " 5 ", '[{"model":1,"model":1}]'])
      expect(read(text).kind).toBe("not an object");
  });

  test("are found when the bytes are a window of a larger buffer", () => {
    const whole = Buffer.from('xx{"model":"m"}"yy');
    const found = find(whole.subarray(2, -3));
    expect(found.kind === "object" && found.members.model).toEqual({
      keyStart: 1,
      valueStart: 9,
      valueEnd: 12,
    });
  });
});

/** Keys of an object's own members, decoded, repeated ones too: JSON.parse with each key made unique by its place. */
function* topLevelKeys(text: string): Generator<string> {
  let depth = 0;
  let atKey = false;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    if (token === "{" || token === "[") atKey = ++depth === 1;
    else if (token === "}" || token === "]") depth--;
    else if (token === ",") atKey = depth === 1;
    else if (token === ":") atKey = false;
    else if (atKey && depth === 1) yield String(JSON.parse(token));
  }
}
