import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Signal, signals } from "../../../src/config/telemetry-schema.ts";
import { requests } from "../../../src/telemetry/identity/otlp-fields.ts";
import { allowedBy } from "../../../src/telemetry/identity/own-attributes.ts";
import { correctedProtobuf } from "../../../src/telemetry/identity/protobuf-edit.ts";
import { ada, adasOwn, everywhere, logsOf, nil, text } from "./exports.ts";
import { decoded, encoded } from "./official-otlp.ts";
import { agreeing, any, expected, requestWith } from "./random-exports.ts";
import { concat, delimited, key, logsWith, tag, value, varint } from "./wire.ts";

const corrected = (
  body: Uint8Array,
  signal: Signal = "logs",
  person: typeof ada | typeof nil = ada,
) => correctedProtobuf(body, requests[signal], allowedBy(person));

const email = concat(key("user.email"), value("ada@example.com"));
const forged = concat(key("user.email"), value("mallory@example.com"));

describe("random exports, as the official definitions encode them", () => {
  test.each(signals)("of %s are corrected as they decode", (signal) => {
    fc.assert(
      fc.property(requestWith(signal, any), (plain) => {
        const before = encoded(signal, plain);
        const after = corrected(before, signal) ?? before;
        expect(decoded(signal, after)).toEqual(
          expected(decoded(signal, before)) as Record<string, unknown>,
        );
        expect(corrected(after, signal)).toBeUndefined();
      }),
    );
  });

  test.each(signals)("of %s that agree are left alone", (signal) => {
    fc.assert(
      fc.property(requestWith(signal, agreeing), (plain) => {
        expect(corrected(encoded(signal, plain), signal)).toBeUndefined();
      }),
    );
  });
});

describe("a false attribute is corrected", () => {
  test.each(signals)("wherever an export of %s has attributes", (signal) => {
    const before = encoded(
      signal,
      everywhere([text("user.id", "mallory"), text("enduser.id", "m")])[signal],
    );
    const right = everywhere([text("user.id", "ada"), text("enduser.id", ada.email)])[signal];
    expect(corrected(before, signal)).toEqual(encoded(signal, right));
  });

  test("which nobody vouches for by being removed", () => {
    const before = encoded(
      "logs",
      logsOf([text("user.name", "m")], [text("User.Id", "m")], [text("team", "x")]),
    );
    const after = corrected(before) ?? before;
    expect(decoded("logs", after)).toEqual(
      decoded("logs", encoded("logs", logsOf([], [], [text("team", "x")]))),
    );
  });

  test("every time when it stands twice, right ones beside it kept", () => {
    const twice = (first: string, second: string) =>
      encoded("logs", logsOf([text("user.id", first), text("user.id", second)]));
    expect(corrected(twice("ada", "mallory"))).toEqual(twice("ada", "ada"));
    expect(corrected(twice("mallory", "ada"))).toEqual(twice("ada", "ada"));
    expect(corrected(twice("ada", "ada"))).toBeUndefined();
  });

  test.each([
    ["a number", { intValue: "1" }],
    ["a list", { arrayValue: { values: [{ stringValue: "ada@example.com" }] } }],
    ["nested", { kvlistValue: { values: [text("x", "ada@example.com")] } }],
    ["bytes", { bytesValue: "YWRhQGV4YW1wbGUuY29t" }],
    ["no value", {}],
  ])("when it is %s rather than a text", (_, given) => {
    const before = encoded("logs", logsOf([{ key: "user.email", value: given }]));
    expect(corrected(before)).toEqual(encoded("logs", logsOf([text("user.email", ada.email)])));
  });

  test("when its value is missing", () => {
    expect(corrected(logsWith(key("user.email")))).toEqual(logsWith(email));
  });

  test("when it nests what stores flatten to the bearer's own", () => {
    const nested = { key: "user", value: { kvlistValue: { values: [text("email", "mallory")] } } };
    const list = { key: "enduser", value: { arrayValue: { values: [nested.value] } } };
    const before = encoded("logs", logsOf([nested, list, text("user", "of the tool")]));
    expect(corrected(before)).toEqual(encoded("logs", logsOf([text("user", "of the tool")])));
  });

  test("to nothing when the bearer does not say", () => {
    const before = encoded("logs", logsOf(adasOwn));
    expect(corrected(before, "logs", nil)).toEqual(
      encoded("logs", logsOf([text("user.id", "nil")])),
    );
  });

  test.each([
    ["text twice, the right one first", concat(delimited(1, "ada@example.com"), delimited(1, "m"))],
    ["text twice, the right one last", concat(delimited(1, "m"), delimited(1, "ada@example.com"))],
    ["a right text and a number", concat(delimited(1, "ada@example.com"), tag(3, 0), varint(1))],
    [
      "a right text and a field that nobody knows",
      concat(delimited(1, "ada@example.com"), delimited(99, "m")),
    ],
    ["a number where the text should be", concat(tag(1, 0), varint(1))],
  ])("when its value has %s", (_, given) => {
    expect(corrected(logsWith(concat(key("user.email"), delimited(2, given))))).toEqual(
      logsWith(email),
    );
  });
});

describe("every other byte stays", () => {
  const later = concat(
    delimited(99, "later"),
    tag(98, 0),
    varint(5, 3),
    tag(97, 1),
    new Uint8Array(8),
    tag(96, 5),
    new Uint8Array(4),
  );
  const zeros = concat(tag(2, 0), varint(0)); // dropped_attributes_count, written though it is 0
  const padded = (attribute: Uint8Array) =>
    concat(tag(1, 2), varint(attribute.length, 4), attribute);
  const around = (resource: Uint8Array) =>
    concat(
      later,
      delimited(1, later, delimited(1, later, resource, zeros), later, delimited(2, later)),
      later,
    );

  test("of fields that nobody knows, zeros that are written, and padded lengths", () => {
    const team = padded(concat(value("x"), later, key("team")));
    const before = around(concat(team, delimited(1, forged), team));
    expect(corrected(before)).toEqual(around(concat(team, delimited(1, email), team)));
    expect(corrected(around(concat(team, delimited(1, email), team)))).toBeUndefined();
  });

  test("of a right attribute, in whatever order and with whatever else it comes", () => {
    expect(
      corrected(logsWith(concat(value(ada.email), later, key("user.email"), later))),
    ).toBeUndefined();
  });

  test("of a body and of what nests in values, which are content", () => {
    const content = { kvlistValue: { values: [text("user.email", "mallory")] } };
    const plain = {
      resourceLogs: [
        {
          scopeLogs: [
            { logRecords: [{ body: content, attributes: [{ key: "x", value: content }] }] },
          ],
        },
      ],
    };
    expect(corrected(encoded("logs", plain))).toBeUndefined();
  });

  test("of a message whose length no longer fits one byte", () => {
    const long = text("team", "x".repeat(100));
    const before = encoded("logs", logsOf([long, text("user.email", "m")]));
    expect(corrected(before)).toEqual(
      encoded("logs", logsOf([long, text("user.email", ada.email)])),
    );
  });

  test("of nothing at all", () => {
    expect(corrected(new Uint8Array())).toBeUndefined();
  });

  test("in a body that is a stretch of a larger buffer", () => {
    const body = logsWith(forged);
    const larger = concat(new Uint8Array(7), body, new Uint8Array(9));
    expect(corrected(larger.subarray(7, 7 + body.length))).toEqual(logsWith(email));
  });
});

describe("what readers merge is corrected in all its parts", () => {
  const resource = (attribute: Uint8Array) => delimited(1, delimited(1, attribute));

  test("a resource that is given twice", () => {
    const twice = (first: Uint8Array, second: Uint8Array) =>
      new Uint8Array(delimited(1, resource(first), resource(second)));
    expect(corrected(twice(email, forged))).toEqual(twice(email, email));
    expect(corrected(twice(forged, email))).toEqual(twice(email, email));
  });

  test("the data of a metric, of several kinds at once", () => {
    const point = (attribute: Uint8Array) => delimited(1, delimited(7, attribute));
    const metric = (one: Uint8Array, other: Uint8Array) =>
      new Uint8Array(
        delimited(
          1,
          delimited(2, delimited(2, delimited(7, point(one)), delimited(5, point(other)))),
        ),
      );
    expect(corrected(metric(forged, forged), "metrics")).toEqual(metric(email, email));
  });
});
