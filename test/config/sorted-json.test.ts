// The text that checksums are taken of: the same for equal settings however they are written, another for any others.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { sortedJson } from "../../src/config/sorted-json.ts";
import { canonicalJson } from "../support/canonical-json.ts";

const key = fc.oneof(
  fc.string({ maxLength: 4 }),
  fc.constantFrom("__proto__", "constructor", "toString", "é", "É", "\uffff", "😀", ""),
  fc.constantFrom("0", "9", "10", "01", "-1", "1.5", "4294967294", "4294967295"),
);
const { document } = fc.letrec<{ document: unknown }>((tie) => ({
  document: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true }), fc.boolean()),
    fc.constant(null),
    fc.array(tie("document"), { maxLength: 3 }),
    fc
      .uniqueArray(fc.tuple(key, tie("document")), { selector: ([name]) => name, maxLength: 6 })
      .map((entries) => Object.fromEntries(entries)),
  ),
}));

/** The same document with the members of every mapping the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([name, item]) => [name, reversed(item)]),
  );
}

test("the order of keys does not show, at any depth", () => {
  const [a, b] = [
    '{"b":1,"a":{"d":[{"y":1,"x":2}],"c":3}}',
    '{"a":{"c":3,"d":[{"x":2,"y":1}]},"b":1}',
  ];
  expect(sortedJson(JSON.parse(a))).toBe('{"a":{"c":3,"d":[{"x":2,"y":1}]},"b":1}');
  expect(sortedJson(JSON.parse(a))).toBe(sortedJson(JSON.parse(b)));
  fc.assert(fc.property(document, (value) => sortedJson(value) === sortedJson(reversed(value))));
});

test("the order of a list does", () => {
  expect(sortedJson(["a", "b"])).not.toBe(sortedJson(["b", "a"]));
});

test("keys are in the order of their UTF-16 code units, array indices before them by number", () => {
  const written = {
    b: 1,
    Z: 1,
    é: 1,
    "😀": 1,
    "\uffff": 1,
    "10": 1,
    "9": 1,
    "01": 1,
    "-1": 1,
    "4294967295": 1,
  };
  expect(Object.keys(JSON.parse(sortedJson(written)) as object)).toEqual(
    ["9", "10", "-1", "01", "4294967295", "Z", "b", "é", "😀", "\uffff"], // prettier-ignore
  );
  expect(sortedJson(written)).toBe(
    '{"9":1,"10":1,"-1":1,"01":1,"4294967295":1,"Z":1,"b":1,"é":1,"😀":1,"\uffff":1}',
  );
});

test("it is the text that its definition says, and the document when it is read", () => {
  fc.assert(
    fc.property(document, (value) => {
      const text = sortedJson(value);
      expect(text).toBe(canonicalJson(value));
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("documents that differ have texts that differ", () => {
  fc.assert(
    fc.property(document, document, (a, b) => {
      const areEqual = Bun.deepEquals(
        JSON.parse(JSON.stringify(a)),
        JSON.parse(JSON.stringify(b)),
        true,
      );
      expect(sortedJson(a) === sortedJson(b)).toBe(areEqual);
    }),
  );
  for (const [a, b] of [
    [{ a: 1 }, { a: "1" }],
    [{ a: null }, {}],
    [{ a: {} }, { a: [] }],
    [{ a: ["b", "c"] }, { a: ["b,c"] }],
    [{ 'a":1,"b': 1 }, { a: 1, b: 1 }],
  ]) {
    expect(sortedJson(a)).not.toBe(sortedJson(b));
  }
});

test("a key that JavaScript gives a meaning of its own is a key like others", () => {
  const written: unknown = JSON.parse('{"b":{"__proto__":{"x":1}},"__proto__":1,"a":2}');
  expect(sortedJson(written)).toBe('{"__proto__":1,"a":2,"b":{"__proto__":{"x":1}}}');
});

test("settings are not changed by it", () => {
  const settings = { b: [{ z: 1, y: 2 }], a: 1 };
  sortedJson(settings);
  expect(JSON.stringify(settings)).toBe('{"b":[{"z":1,"y":2}],"a":1}');
});
