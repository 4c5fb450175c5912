import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { type Signal, signals } from "../../../src/config/telemetry-schema.ts";
import { fieldsMax, Unreadable } from "../../../src/telemetry/identity/bounds.ts";
import { requests } from "../../../src/telemetry/identity/otlp-fields.ts";
import { allowedBy } from "../../../src/telemetry/identity/own-attributes.ts";
import { correctedProtobuf } from "../../../src/telemetry/identity/protobuf-edit.ts";
import { ada, everywhere, text } from "./exports.ts";
import { decoded, encoded } from "./official-otlp.ts";
import { concat, delimited, key, logsWith, tag, value, varint } from "./wire.ts";

const corrected = (body: Uint8Array, signal: Signal = "logs") =>
  correctedProtobuf(body, requests[signal], allowedBy(ada));

const email = concat(key("user.email"), value("ada@example.com"));
const forged = concat(key("user.email"), value("mallory@example.com"));

describe("unreadable, as readers differ, is", () => {
  const inResource = (field: Uint8Array) => delimited(1, delimited(1, field));
  const group = (number: number, content: Uint8Array) =>
    concat(tag(number, 3), content, tag(number, 4));
  const unreadable: [what: string, body: Uint8Array, signal?: Signal][] = [
    ["an attribute with two keys", logsWith(concat(key("team"), key("user.email"), value("m")))],
    [
      "an attribute with two values",
      logsWith(concat(key("user.email"), value("m"), value(ada.email))),
    ],
    [
      "two values of an attribute that is nobody's identity",
      logsWith(concat(key("team"), value("x"), value("y"))),
    ],
    ["a key that is no text", logsWith(concat(tag(1, 0), varint(1), value("m")))],
    ["a value that is no message", logsWith(concat(key("user.email"), tag(2, 0), varint(1)))],
    [
      "a key that is not UTF-8",
      logsWith(concat(delimited(1, Uint8Array.of(0x75, 0xff)), value("m"))),
    ],
    [
      "a value of the bearer's own that is not UTF-8",
      logsWith(concat(key("user.id"), delimited(2, delimited(1, Uint8Array.of(0xff))))),
    ],
    ["an attribute in a group", inResource(group(1, forged))],
    ["a group that nobody knows", inResource(group(99, delimited(1, forged)))],
    ["the end of a group that never began", concat(logsWith(email), tag(9, 4))],
    ["attributes that are a number", inResource(concat(tag(1, 0), varint(1)))],
    ["attributes of four bytes", inResource(concat(tag(1, 5), new Uint8Array(4)))],
    ["a field numbered 0", concat(tag(0, 2), varint(0), logsWith(forged))],
    ["a wire type that there is not", inResource(concat(tag(3, 6), varint(0)))],
    ["an unknown wire type in an attribute", logsWith(concat(key("team"), tag(3, 7)))],
    [
      "a field number beyond 32 bits, which some cut to 1",
      concat(varint(2 ** 35 + 10), varint(forged.length), forged),
    ],
    ["a tag of six bytes", inResource(concat(varint(10, 6), varint(forged.length), forged))],
    [
      "a length beyond 32 bits, which some cut",
      inResource(concat(tag(99, 2), varint(2 ** 32 + 2), delimited(1, forged))),
    ],
    ["a length of six bytes", inResource(concat(tag(1, 2), varint(email.length, 6), email))],
    ["a number of eleven bytes", inResource(concat(tag(2, 0), varint(1, 11)))],
    ["a field beyond its message", concat(delimited(1, tag(1, 2), varint(9)), new Uint8Array(20))],
    [
      "an attribute beyond its message",
      concat(inResource(concat(tag(1, 2), varint(4), key("a"))), new Uint8Array(20)),
    ],
    [
      "a key beyond its attribute",
      concat(logsWith(concat(tag(1, 2), varint(4))), new Uint8Array(20)),
    ],
    [
      "a number beyond its message",
      concat(delimited(1, tag(9, 0), Uint8Array.of(0x80)), Uint8Array.of(0)),
    ],
    ["a tag beyond its message", concat(delimited(1, Uint8Array.of(0x9a)), Uint8Array.of(6, 0))],
    ["eight bytes beyond their message", concat(delimited(1, tag(9, 1)), new Uint8Array(20))],
    ["a message cut short", logsWith(email).subarray(0, -1)],
    ["a page of HTML", Buffer.from("<html><body>502 Bad Gateway</body></html>")],
    ["JSON", Buffer.from('{"resourceLogs":[]}')],
    ["the logs of OTLP 0.14", delimited(1, delimited(1000, delimited(2, delimited(6, forged))))],
    [
      "the spans of OTLP 0.14",
      delimited(1, delimited(1000, delimited(2, delimited(9, forged)))),
      "traces",
    ],
    ["the metrics of OTLP 0.14", delimited(1, delimited(1000, "")), "metrics"],
    ["a gauge of OTLP 0.8", delimited(1, delimited(2, delimited(2, delimited(4, "")))), "metrics"],
    [
      "labels of OTLP 0.8",
      delimited(
        1,
        delimited(
          2,
          delimited(
            2,
            delimited(7, delimited(1, delimited(1, key("user.email"), delimited(2, "m")))),
          ),
        ),
      ),
      "metrics",
    ],
    [
      "labels of an exemplar",
      delimited(
        1,
        delimited(2, delimited(2, delimited(7, delimited(1, delimited(5, delimited(1, "")))))),
      ),
      "metrics",
    ],
  ];

  test.each(unreadable)("%s", (_, body, signal = "logs") => {
    expect(() => corrected(new Uint8Array(body), signal)).toThrow(Unreadable);
  });

  test("an export of more fields than anybody waits for", () => {
    const fields = (count: number) =>
      new Uint8Array(count * 2).fill(0).map((_, index) => (index % 2 === 0 ? 0x10 : 0));
    expect(corrected(fields(fieldsMax))).toBeUndefined();
    expect(() => corrected(fields(fieldsMax + 1))).toThrow(Unreadable);
  });

  test("any export that is cut, or it reads as a shorter one that is right", () => {
    const whole = encoded("traces", everywhere([text("user.id", "mallory")]).traces);
    for (let length = 0; length < whole.length; length++) {
      try {
        const after = corrected(whole.subarray(0, length), "traces");
        if (after !== undefined) decoded("traces", after);
      } catch (error) {
        expect(error).toBeInstanceOf(Unreadable);
      }
    }
  });

  test("most of what is random, and nothing of it an error of another kind", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(...signals), (body, signal) => {
        try {
          corrected(body, signal);
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable);
        }
      }),
    );
  });
});
