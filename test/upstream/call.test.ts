// What readMessagesCall makes of a request body, which words it refuses one in, and what it leaves alone.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ApiError } from "../../src/http/errors.ts";
import { fieldValue, readMessagesCall, withModel } from "../../src/upstream/request/call.ts";

const read = (text: string) => readMessagesCall(Buffer.from(text));

function refusalOf(
  body: string | Uint8Array,
): Pick<ApiError, "status" | "type" | "message"> | undefined {
  try {
    readMessagesCall(typeof body === "string" ? Buffer.from(body) : body);
    return undefined;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { status: error.status, type: error.type, message: error.message };
  }
}

const invalid = (message: string) => ({
  status: 400,
  type: "invalid_request_error" as const,
  message,
});

describe("a refused body", () => {
  test.each([
    "",
    "{bad",
    "[1",
    '{"model":"m"}x',
    '\ufeff{"model":"m"}',
    '{"model":"m",}',
    '{"model":"m"/**/}',
    '{"model":01}',
    '{"model":NaN}',
  ])("%j is invalid JSON", (body) => expect(refusalOf(body)).toEqual(invalid("invalid JSON")));

  test.each(["[]", "null", "5", '"text"', "true", '[{"model":"m"}]'])(
    "%j must be a JSON object",
    (body) => expect(refusalOf(body)).toEqual(invalid("request body must be a JSON object")),
  );

  test.each(["{}", '{"model":""}', '{"MODEL":"m"}', '{"model ":"m"}', '{"a":{"model":"m"}}'])(
    "%j names no model",
    (body) => expect(refusalOf(body)).toEqual(invalid("model is required")),
  );

  test.each(["5", "null", "{}", '["m"]', "true", "0"])(
    "a model that is %s must be a string",
    (model) => expect(refusalOf(`{"model":${model}}`)).toEqual(invalid("model must be a string")),
  );

  test.each([
    '{"model":"a","model":"a"}',
    '{"model":"a","mod\\u0065l":"b"}',
    '{"model":5,"model":"a"}',
  ])("%j gives the model twice", (body) =>
    expect(refusalOf(body)).toEqual(invalid("model is given more than once")),
  );

  test.each([
    ["stream", '"stream":true,"stream":false'],
    ["max_tokens", '"max_tokens":1,"max\\u005ftokens":1'],
    ["messages", '"messages":[],"messages":[]'],
    ["system", '"system":"a","\\u0073ystem":"b"'],
    ["tools", '"tools":[],"x":{"tools":[]},"tools":[]'],
    ["metadata", '"metadata":{},"metadata":{}'],
    ["field_of_tomorrow", '"field_of_tomorrow":1,"a":2,"field_of_tomorrow":1'],
    ["__proto__", '"__proto__":{},"__proto__":{}'],
    ["constructor", '"constructor":1,"constructor":1'],
    ["", '"":1,"":1'],
    ["1", '"1":1,"\\u0031":1'],
  ])("one that gives %s twice says so", (name, members) =>
    expect(refusalOf(`{"model":"m",${members}}`)).toEqual(
      invalid(`${name} is given more than once`),
    ),
  );

  test("one that gives two names twice that read alike in no UTF-8 is refused, too", () => {
    const body = Buffer.from('{"model":"m","a?":1,"a!":2}');
    body[body.indexOf("?")] = 0xff;
    body[body.indexOf("!")] = 0xfe;
    expect(refusalOf(body)).toEqual(invalid("a is given more than once"));
  });

  test("one that gives a name twice which nobody could print is told of it in part", () => {
    const name = `\\n${"x".repeat(1_000)}`;
    const { message } = refusalOf(`{"model":"m","${name}":1,"${name}":1}`) ?? {};
    expect(message).toBe(`${"x".repeat(128)}... is given more than once`);
  });

  test("one of more members, more levels, or longer fields than any request says so", () => {
    const members = (count: number) =>
      Array.from({ length: count }, (_, index) => `,"m${index}":1`).join("");
    expect(refusalOf(`{"model":"m"${members(999)}}`)).toBeUndefined();
    expect(refusalOf(`{"model":"m"${members(1_000)}}`)).toEqual(
      invalid("request body has more than 1000 members"),
    );
    const lists = (count: number) => `{"model":"m","a":${"[".repeat(count)}${"]".repeat(count)}}`;
    expect(refusalOf(lists(9_999))).toBeUndefined();
    expect(refusalOf(lists(10_000))).toEqual(
      invalid("request body nests deeper than 10000 levels"),
    );
    const digits = (count: number) => `{"model":"m","max_tokens":${"1".repeat(count)}}`;
    expect(refusalOf(digits(65_536))).toBeUndefined();
    expect(refusalOf(digits(65_537))).toEqual(invalid("max_tokens is longer than 65536 bytes"));
  });

  test("one whose model is longer than any log should hold says so", () => {
    expect(refusalOf(`{"model":"${"x".repeat(4_094)}"}`)).toBeUndefined();
    expect(refusalOf(`{"model":"${"x".repeat(4_095)}"}`)).toEqual(
      invalid("model is longer than 4096 bytes"),
    );
  });

  test("one whose model has a bad escape behind the checked part of the string is invalid JSON", () => {
    expect(refusalOf(`{"model":"${"x".repeat(1_000)}\\q"}`)).toEqual(invalid("invalid JSON"));
  });
});

describe("a call", () => {
  test.each([
    ['"claude-opus-4-8"', "claude-opus-4-8"],
    ['"claude\\u002dopus"', "claude-opus"],
    ['" padded "', " padded "],
    ['"\\ud83d\\ude00é"', "😀é"],
  ])("with the model %s asks for %j", (written, model) =>
    expect(read(`{"model":${written}}`).model).toBe(model),
  );

  test.each(["true", "1", '"true"', '"false"', '" "', "[]", "{}", "-1", "0.5", "1e-300"])(
    "with stream %s streams",
    (stream) => {
      expect(read(`{"model":"m","stream":${stream}}`).stream).toBe(true);
      expect(Boolean(JSON.parse(stream))).toBe(true);
    },
  );

  test.each(["false", "null", "0", "-0", "0.0", "0e5", "1e-400", '""'])(
    "with stream %s does not stream",
    (stream) => {
      expect(read(`{"model":"m","stream":${stream}}`).stream).toBe(false);
      expect(Boolean(JSON.parse(stream))).toBe(false);
    },
  );

  test("tells what it may cost, wherever that stands and however it is spelled", () => {
    const call = read('{"x":{"speed":"slow"},"sp\\u0065ed":"fast","model":"m","max_tokens":1e3}');
    expect([fieldValue(call, "speed"), fieldValue(call, "max_tokens")]).toEqual(["fast", 1000]);
    expect(fieldValue(read('{"model":"m"}'), "speed")).toBeUndefined();
    expect(refusalOf('{"model":"m","speed":"fast","speed":"x"}')).toEqual(
      invalid("speed is given more than once"),
    );
  });

  test("without stream does not stream", () => expect(read('{"model":"m"}').stream).toBe(false));

  test("that is not UTF-8 is taken, and its model reads with U+FFFD", () => {
    const body = Buffer.concat([
      Buffer.from('{"model":"claude-'),
      Buffer.from([0xff]),
      Buffer.from('","x":"'),
      Buffer.from([0xc3, 0x28, 0xfe]),
      Buffer.from('"}'),
    ]);
    const call = readMessagesCall(body);
    expect(call.model).toBe("claude-\ufffd");
    expect(Buffer.from(withModel(call, "m")).includes(Buffer.from([0xc3, 0x28, 0xfe]))).toBe(true);
  });
});

describe("the body for an upstream", () => {
  test.each([
    ['{"model":"m","stream": "yes" }', '{"model":"m","stream": true }'],
    ['{"stream":1,"model":"m"}', '{"stream":true,"model":"m"}'],
    ['{"stream":[],"x":1,"mod\\u0065l":"m"}', '{"stream":true,"x":1,"mod\\u0065l":"m"}'],
  ])("asks to stream in one way only: %s", (body, sent) => {
    const call = read(body);
    expect(Buffer.from(withModel(call, "m")).toString()).toBe(sent);
    expect(Buffer.from(withModel(call, "n")).toString()).toBe(sent.replace('"m"', '"n"'));
  });

  test.each(["true", "false", "0", '""', "null"])("keeps stream %s as it is", (stream) => {
    const body = Buffer.from(`{"model":"m","stream":${stream}}`);
    expect(withModel(readMessagesCall(body), "m")).toBe(body);
  });
});

describe("the body for another model", () => {
  test("is the very same when the upstream knows the model by the id that was asked for", () => {
    const body = Buffer.from('{"model":"claude\\u002dopus"}');
    expect(withModel(readMessagesCall(body), "claude-opus")).toBe(body);
  });

  test("differs in the value of the top-level model and in no other byte", () => {
    const json = fc.json({ maxDepth: 3 });
    const blanks = fc.string({ unit: fc.constantFrom(" ", "\n", "\t"), maxLength: 3 });
    fc.assert(
      fc.property(
        json,
        json,
        fc.string({ unit: "binary", minLength: 1 }),
        fc.string({ unit: "binary" }),
        blanks,
        (before, after, model, other, blank) => {
          fc.pre(model !== other);
          const body = (value: string) =>
            `{"a":${before},${blank}"m\\u006fdel"${blank}:${blank}${JSON.stringify(value)}${blank},"z":${after},"n":{"model":"kept"}}${blank}`;
          const call = read(body(model));
          expect(Buffer.from(withModel(call, other)).toString()).toBe(body(other));
          expect(Buffer.from(call.body).toString()).toBe(body(model));
        },
      ),
    );
  });

  test("keeps numbers that no double can hold", () => {
    const body = '{"max_tokens":1e999,"n":12345678901234567890.10,"model":"house"}';
    expect(Buffer.from(withModel(read(body), "claude-opus-4-8")).toString()).toBe(
      body.replace("house", "claude-opus-4-8"),
    );
  });
});
