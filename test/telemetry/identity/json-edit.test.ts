import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Signal, signals } from "../../../src/config/telemetry-schema.ts";
import { depthMax, fieldsMax, Unreadable } from "../../../src/telemetry/identity/bounds.ts";
import { correctedJson } from "../../../src/telemetry/identity/json-edit.ts";
import { definedName, requests } from "../../../src/telemetry/identity/otlp-fields.ts";
import { allowedBy } from "../../../src/telemetry/identity/own-attributes.ts";
import { ada, adasOwn, everywhere, logsOf, nil, text } from "./exports.ts";
import { agreeing, any, expected, requestWith, withoutEmptyLists } from "./random-exports.ts";

const corrected = (
  body: string,
  signal: Signal = "logs",
  person: typeof ada | typeof nil = ada,
) => {
  const edited = correctedJson(Buffer.from(body), requests[signal], allowedBy(person));
  return edited && Buffer.from(edited).toString();
};

/** An export of logs that has these attributes, as JSON text, in its resource. */
const logsWith = (...attributes: string[]) =>
  `{"resourceLogs":[{"resource":{"attributes":[${attributes.join(",")}]}}]}`;
const email = '{"key":"user.email","value":{"stringValue":"ada@example.com"}}';
const forged = '{"key":"user.email","value":{"stringValue":"mallory@example.com"}}';
const team = '{"key":"team","value":{"stringValue":"x"}}';

describe("random exports, in the names of JSON or those of the definitions", () => {
  test.each(signals)("of %s are corrected as they parse", (signal) => {
    fc.assert(
      fc.property(requestWith(signal, any), fc.boolean(), (plain, isDefined) => {
        const before = JSON.stringify(isDefined ? renamed(plain) : plain);
        const after = corrected(before, signal) ?? before;
        expect(comparable(JSON.parse(after))).toEqual(comparable(expected(plain)));
        expect(corrected(after, signal)).toBeUndefined();
      }),
    );
  });

  test.each(signals)("of %s that agree are left alone, however they are spaced", (signal) => {
    fc.assert(
      fc.property(
        requestWith(signal, agreeing),
        fc.constantFrom("", " ", "\n\t"),
        (plain, space) => {
          expect(corrected(JSON.stringify(plain, undefined, space), signal)).toBeUndefined();
        },
      ),
    );
  });
});

describe("a false attribute is corrected", () => {
  test.each(signals)("wherever an export of %s has attributes", (signal) => {
    const written = (id: string, enduser: string) =>
      JSON.stringify(everywhere([text("user.id", id), text("enduser.id", enduser)])[signal]);
    expect(corrected(written("mallory", "m"), signal)).toBe(written("ada", ada.email));
  });

  test("or removed, with its comma, wherever in its list it stands", () => {
    const name = JSON.stringify(text("user.name", "m"));
    expect(corrected(logsWith(name))).toBe(logsWith());
    expect(corrected(logsWith(name, team))).toBe(logsWith(team));
    expect(corrected(logsWith(team, name))).toBe(logsWith(team));
    expect(corrected(logsWith(team, name, name, email))).toBe(logsWith(team, email));
  });

  test("every time when it stands twice", () => {
    expect(corrected(logsWith(email, forged))).toBe(logsWith(email, email));
    expect(corrected(logsWith(email, email))).toBeUndefined();
  });

  test.each([
    '{"key":"user.email"}',
    '{"key":"user.email","value":null}',
    '{"key":"user.email","value":{}}',
    '{"key":"user.email","value":"ada@example.com"}',
    '{"key":"user.email","value":{"intValue":1}}',
    '{"key":"user.email","value":{"stringValue":null}}',
    '{"key":"user.email","value":{"stringValue":"m","stringValue":"ada@example.com"}}',
    '{"key":"user.email","value":{"stringValue":"ada@example.com","string_value":"m"}}',
    '{"key":"user.email","value":{"stringValue":"ada@example.com","intValue":1}}',
    '{"key":"user.email","value":{"StringValue":"ada@example.com"}}',
    '{"key":"user.email","value":{"stringValue":["ada@example.com"]}}',
    '{"key":"user.email","value":{"arrayValue":{"values":[{"stringValue":"ada@example.com"}]}}}',
    String.raw`{"key":"\u0075ser\u002eemail","value":{"stringValue":"m"}}`,
    '{"value":{"stringValue":"m"},"key":"user.email"}',
  ])("that is written %s", (attribute) => {
    expect(corrected(logsWith(attribute))).toBe(logsWith(email));
  });

  test("when it nests what stores flatten to the bearer's own", () => {
    const nested = '{"key":"user","value":{"kvlistValue":{"values":[]}}}';
    const list = '{"key":"enduser","value":{"array_value":{}}}';
    const odd = '{"key":"user","value":"x"}';
    const scalar = '{"key":"user","value":{"string_value":"of the tool"}}';
    expect(corrected(logsWith(nested, list, odd, scalar))).toBe(logsWith(scalar));
  });

  test("to nothing when the bearer does not say", () => {
    expect(corrected(JSON.stringify(logsOf(adasOwn)), "logs", nil)).toBe(
      JSON.stringify(logsOf([text("user.id", "nil")])),
    );
  });

  test("in an export that gives one message where a list should be, and the other way round", () => {
    const odd = (attribute: string) =>
      `{"resourceLogs":{"resource":[{"attributes":[${attribute}]}]}}`;
    expect(corrected(odd(forged))).toBe(odd(email));
  });
});

describe("every other byte stays", () => {
  test.each([
    '{"intValue":12345678901234567890}',
    '{"doubleValue":1.10}',
    '{"doubleValue":1e400}',
    '{"doubleValue":-0}',
    String.raw`{"stringValue":"\u00e9\/\ud800"}`,
    '{"stringValue" : "a" , "stringValue":"b"}',
    '{"kvlistValue":{"values":[{"key":"user.email","value":{"stringValue":"mallory"}}]}}',
  ])("of the value %s beside a corrected one", (value) => {
    const beside = `{ "key" : "x", "later": [ ], "value":${value} }`;
    const around = (attribute: string) =>
      ` {"later": {"attributes": 1, "a": [[]]}, "resourceLogs" :[ { "resource":{"attributes":[${attribute},${beside}], "droppedAttributesCount":0}, "schemaUrl":""} ], "x":1.0}\n`;
    expect(corrected(around(forged))).toBe(around(email));
    expect(corrected(around(email))).toBeUndefined();
  });

  test("when there is nothing, or null", () => {
    expect(corrected("{}")).toBeUndefined();
    expect(corrected('{"resourceLogs":null}')).toBeUndefined();
    expect(corrected('{"resourceLogs":[{"resource":null,"scopeLogs":[]}]}')).toBeUndefined();
  });

  test("of a body and of fields that nobody knows", () => {
    const nested = `{"kvlistValue":{"values":[${forged}]}}`;
    expect(
      corrected(
        `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${nested},"later":[${forged}]}]}]}]}`,
      ),
    ).toBeUndefined();
  });
});

describe("unreadable, as readers differ, is", () => {
  const resource = (attributes: string) => `{"resourceLogs":[{"resource":{${attributes}}}]}`;
  test.each([
    [
      "a list of attributes that is given twice",
      resource(`"attributes":[${forged}],"attributes":[${email}]`),
    ],
    [
      "a list that is given twice, once in escapes",
      resource(`"attributes":[],"\\u0061ttributes":[${forged}]`),
    ],
    ["a field that is given by both of its names", '{"resourceLogs":[],"resource_logs":[]}'],
    ["a field of which one is null", resource(`"attributes":null,"attributes":[${forged}]`)],
    ["a name in another case", resource(`"Attributes":[${forged}]`)],
    [
      "a name without its underscore, in lower case",
      `{"resourcelogs":[{"resource":{"attributes":[${forged}]}}]}`,
    ],
    ["a name in letters that fold to its own", resource(`"attribute\u017f":[${forged}]`)],
    [
      "an attribute with two keys",
      logsWith('{"key":"team","key":"user.email","value":{"stringValue":"m"}}'),
    ],
    ["an attribute with two values", logsWith('{"key":"team","value":{},"value":{}}')],
    [
      "an attribute with a Key",
      logsWith('{"key":"team","Key":"user.email","value":{"stringValue":"m"}}'),
    ],
    ["an attribute with a VALUE", logsWith('{"key":"user.email","VALUE":{"stringValue":"m"}}')],
    ["a key that is no text", logsWith('{"key":["user.email"],"value":{"stringValue":"m"}}')],
    ["a key with an escape that there is not", logsWith(`{"key":"${"x".repeat(200)}\\q"}`)],
    ["an attribute that is no object", logsWith('["user.email","m"]')],
    ["attributes that are no list", resource('"attributes":{}')],
    ["attributes by their names", resource('"attributes":{"user.email":"m"}')],
    ["a resource that is a text", '{"resourceLogs":[{"resource":"user.email"}]}'],
    ["a list in a list", `{"resourceLogs":[[{"resource":{"attributes":[${forged}]}}]]}`],
    ["an export that is a list", `[{"resourceLogs":[]}]`],
    ["an export that is null", "null"],
    ["two exports", `${logsWith(email)}\n${logsWith(forged)}`],
    ["nothing", ""],
    ["a text that ends early", logsWith(email).slice(0, -1)],
    ["a byte order mark", `\ufeff${logsWith(email)}`],
    ["a comment", `{/**/"resourceLogs":[]}`],
    ["a comma too many", '{"resourceLogs":[],}'],
    ["a comma too few", logsWith(`${email}${forged}`)],
    ["a missing colon", '{"x"11}'],
    ["a name without quotes", "{resourceLogs:[]}"],
    ["the logs of OTLP 0.14", '{"resourceLogs":[{"instrumentationLibraryLogs":[]}]}'],
    ["what nests too deep", `{"x":${"[".repeat(depthMax + 2)}${"]".repeat(depthMax + 2)}}`],
    ["a bracket that closes a brace", '{"x":{]}'],
  ])("%s", (_, body) => {
    expect(() => corrected(body)).toThrow(Unreadable);
  });

  test.each([
    '"sum":{"dataPoints":[{"labels":[]}]}',
    '"int_gauge":{}',
    '"gauge":{"dataPoints":[{"exemplars":[{"filteredLabels":[]}]}]}',
  ])("what metrics had before OTLP 1.0: %s", (data) => {
    const body = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{${data}}]}]}]}`;
    expect(() => corrected(body, "metrics")).toThrow("has fields of an earlier OTLP");
  });

  test("text that is not UTF-8", () => {
    const body = Buffer.from(logsWith(email).replace("team", "é"), "latin1");
    body[body.indexOf("ada")] = 0xff;
    expect(() => correctedJson(body, requests.logs, allowedBy(ada))).toThrow("is not UTF-8");
  });

  test("an export of more fields than anybody waits for", () => {
    const elements = (count: number) => `{"resourceLogs":[${Array(count).fill("{}").join(",")}]}`;
    expect(corrected(elements(fieldsMax - 1))).toBeUndefined();
    expect(() => corrected(elements(fieldsMax))).toThrow(Unreadable);
  });

  test("any export that is cut", () => {
    const whole = JSON.stringify(everywhere([text("user.id", "mallory")]).metrics);
    for (let length = 0; length < whole.length; length++)
      expect(() => corrected(whole.slice(0, length), "metrics")).toThrow(Unreadable);
  });

  test("what is random, and no JSON", () => {
    const pieces = [
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"resourceLogs"',
      '"x"',
      "1",
      "null",
      '"',
      "\\",
      " ",
    ];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 12 }), (some) => {
        const body = some.join("");
        try {
          corrected(body);
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable);
          return;
        }
        expect(() => JSON.parse(body)).not.toThrow();
      }),
    );
  });
});

test("a list of very many attributes is put together again", () => {
  const many = (attribute: string) => logsWith(...Array<string>(70_000).fill("{}"), attribute);
  expect(corrected(many(forged))).toBe(many(email));
});

function comparable(plain: unknown): unknown {
  return renamed(withoutEmptyLists(plain));
}

/** With every member by the name that the definitions give it. */
function renamed(plain: unknown): unknown {
  if (Array.isArray(plain)) return plain.map(renamed);
  if (typeof plain !== "object" || plain === null) return plain;
  return Object.fromEntries(
    Object.entries(plain).map(([name, held]) => [definedName(name), renamed(held)]),
  );
}
