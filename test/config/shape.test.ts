// The walk that holds a configuration against its schema: what it keeps, in which order, and how it speaks of what does not fit.
// Shapes made for it here; those of gateway.yaml are tested by section.
import { describe, expect, test } from "bun:test";
import { type TObject, Type } from "@sinclair/typebox";
import { closed, flag, open, refused, words } from "../../src/config/pieces.ts";
import { formatPath } from "../../src/config/problems.ts";
import { shapeSettings } from "../../src/config/shape.ts";

function shaped(root: TObject, settings: unknown) {
  const { value, findings } = shapeSettings(root, settings, new Set());
  return { value, said: findings.map(({ path, message }) => `${formatPath(path)} → ${message}`) };
}
/** A setting `a` of this shape. */
const said = (shape: TObject["properties"][string], a: unknown) =>
  shaped(Type.Object({ a: shape }, closed), { a }).said;
const valueOf = (shape: TObject["properties"][string], a: unknown) =>
  (shaped(Type.Object({ a: shape }, closed), { a }).value as { a: unknown }).a;

describe("keys of a mapping", () => {
  const mapping = Type.Object(
    {
      a: Type.Optional(Type.String()),
      b: Type.Optional(Type.String()),
      c: Type.Number({ default: 7 }),
    },
    open,
  );

  test("stay in the order they are written in, defaults behind them", () => {
    const { value, said: nothing } = shaped(mapping, { z: 1, b: "b", x: { y: [null] }, a: "a" });
    expect(JSON.stringify(value)).toBe('{"z":1,"b":"b","x":{"y":[null]},"a":"a","c":7}');
    expect(nothing).toEqual([]);
  });

  test("that nobody knows are kept where there is room for them, whatever they hold", () => {
    const unknown = JSON.parse('{"__proto__":{"x":1},"constructor":null}') as object;
    expect(JSON.stringify(shaped(mapping, unknown).value)).toBe(
      '{"__proto__":{"x":1},"constructor":null,"c":7}',
    );
  });

  test("that nobody knows are refused where there is none, with what is known or the text of the place", () => {
    const properties = { colour: Type.Optional(Type.String()) };
    expect(shaped(Type.Object(properties, closed), { size: 1 })).toEqual({
      value: {},
      said: ["size → unknown key; known here: colour"],
    });
    expect(
      shaped(Type.Object(properties, { ...closed, whenUnknown: "look elsewhere" }), { size: 1 })
        .said,
    ).toEqual(["size → unknown key; look elsewhere"]);
  });

  test("that are nearly one that is known are told so in both cases", () => {
    const properties = { colour: Type.Optional(Type.String()) };
    expect(
      shaped(Type.Object(properties, { ...closed, whenUnknown: "x" }), { color: 1 }).said,
    ).toEqual(['color → unknown key; did you mean "colour"?']);
  });

  test("that nobody knows are all refused, but compared with the known ones only as far as anybody reads", () => {
    const properties = { colour: Type.Optional(Type.String()) };
    const closedOne = Type.Object(properties, { ...closed, whenUnknown: "x" });
    const root = Type.Object({ a: closedOne, b: closedOne }, closed);
    const saidAfter = (count: number) => {
      const unknown = Object.fromEntries(Array.from({ length: count }, (_, nth) => [`${nth}`, 1]));
      return shaped(root, { a: unknown, b: { color: 1 } }).said;
    };
    expect(saidAfter(199).at(-1)).toBe('b.color → unknown key; did you mean "colour"?');
    expect(saidAfter(200).at(-1)).toBe("b.color → unknown key; x");
    expect(saidAfter(200)).toHaveLength(201);
  });

  test("that belong elsewhere are refused with where, also in an open mapping", () => {
    const root = Type.Object({ a: refused("set by the gateway") }, open);
    expect(shaped(root, { a: undefined, b: 1 })).toEqual({
      value: { b: 1 },
      said: ["a → set by the gateway"],
    });
    expect(shaped(root, { b: 1 }).said).toEqual([]);
  });
});

describe("a list", () => {
  test("that may not be empty is refused in the words of its place, or plain ones", () => {
    expect(said(Type.Array(Type.String(), { minItems: 1, whenEmpty: "name someone" }), [])).toEqual(
      ["a → name someone"],
    );
    expect(said(Type.Array(Type.String(), { minItems: 1 }), [])).toEqual([
      "a → needs at least one entry",
    ]);
    expect(said(Type.Array(Type.String()), [])).toEqual([]);
  });

  test("that may only be so long is refused beyond that, in the words of its place, or plain ones", () => {
    const three = ["x", "y", "z"];
    expect(said(Type.Array(Type.String(), { maxItems: 2, whenFull: "too many" }), three)).toEqual([
      "a → too many",
    ]);
    expect(said(Type.Array(Type.String(), { maxItems: 2 }), three)).toEqual([
      "a → may have at most 2 entries",
    ]);
    expect(said(Type.Array(Type.String(), { maxItems: 3 }), three)).toEqual([]);
  });

  test("has each wrong entry named", () => {
    expect(said(Type.Array(Type.String()), ["x", 5, null])).toEqual([
      "a[1] → must be text, got 5; write it in quotes",
      "a[2] → must be text, got nothing",
    ]);
  });

  test("is asked for by that name", () => {
    for (const value of ["x", null, { x: 1 }, true]) {
      expect(said(Type.Array(Type.String()), value)[0]).toStartWith(
        "a → must be a list (array), got ",
      );
    }
  });
});

describe("one of several shapes", () => {
  const textOrMapping = Type.Union([Type.String(), Type.Object({ x: Type.String() }, closed)]);
  const flagOrList = Type.Union([flag, Type.Array(Type.String())]);

  test("is the one that takes such a value", () => {
    expect(valueOf(textOrMapping, "text")).toBe("text");
    expect(valueOf(textOrMapping, { x: "y" })).toEqual({ x: "y" });
    expect(valueOf(flagOrList, false)).toBe(false);
    expect(valueOf(flagOrList, [])).toEqual([]);
    expect(valueOf(Type.Union([Type.String(), Type.Null()]), null)).toBe(null);
    expect(
      valueOf(Type.Union([Type.String(), Type.Record(Type.String(), Type.String())]), { y: "z" }),
    ).toEqual({ y: "z" });
  });

  test("is blamed for what is wrong inside it", () => {
    expect(said(textOrMapping, { x: 5 })).toEqual([
      "a.x → must be text, got 5; write it in quotes",
    ]);
    expect(said(flagOrList, [1])).toEqual(["a[0] → must be text, got 1; write it in quotes"]);
  });

  test("that takes no such value names them all", () => {
    expect(said(textOrMapping, 5)).toEqual(["a → must be text, or a mapping with x, got a number"]);
    expect(said(flagOrList, "x")).toEqual([
      'a → must be true or false, or a list (array), got "x"',
    ]);
    expect(said(flagOrList, null)).toEqual([
      "a → must be true or false, or a list (array), got nothing",
    ]);
  });

  test("may be a number, also out of a text, unless texts are taken, too", () => {
    expect(valueOf(Type.Union([Type.Number(), Type.Boolean()]), "5")).toBe(5);
    expect(valueOf(Type.Union([Type.Number(), Type.String()]), "5")).toBe("5");
    expect(valueOf(Type.Union([Type.Number(), Type.String()]), 5)).toBe(5);
    expect(said(Type.Union([Type.Number(), Type.Boolean()]), "x")).toEqual([
      'a → must be a number, got "x"',
    ]);
  });

  test("of one kind is the one that fits", () => {
    const twoTexts = Type.Union([Type.String({ pattern: "^a" }), Type.String({ pattern: "^b" })], {
      description: "a or b",
    });
    expect(valueOf(twoTexts, "bx")).toBe("bx");
    expect(said(twoTexts, "c")).toEqual(['a → must be a or b, got "c"']);
  });

  test("may be a shape within one of them", () => {
    const nested = Type.Union([Type.Null(), Type.Union([Type.String(), flag])]);
    expect(valueOf(nested, true)).toBe(true);
    expect(said(nested, 5)).toHaveLength(1);
  });

  test("may be a certain value, of which others of its kind are not it", () => {
    const offOrText = Type.Union([Type.Literal(false), Type.Array(Type.String())]);
    expect(valueOf(offOrText, false)).toBe(false);
    expect(said(offOrText, true)).toEqual(["a → must be false, got true"]);
    expect(said(offOrText, "x")).toEqual(['a → must be false, or a list (array), got "x"']);
  });

  test("may be anything", () => {
    const anything = Type.Union([Type.Number({ minimum: 5 }), Type.Unknown()]);
    for (const value of [null, "x", [1], { y: 1 }, 3])
      expect(valueOf(anything, value)).toEqual(value);
  });
});

describe("words", () => {
  const colour = words("red", "green");

  test("are taken as they are spelled, and only those", () => {
    expect(valueOf(colour, "red")).toBe("red");
    for (const value of ["Red", " red", "blue", 5, true]) {
      expect(said(colour, value)[0]).toStartWith("a → must be one of red, green, got ");
    }
  });

  test("that are single are named as they are", () => {
    expect(said(Type.Literal("disable"), "enable")).toEqual([
      'a → must be "disable", got "enable"',
    ]);
  });
});

describe("a single value", () => {
  test.each<[string, TObject["properties"][string], unknown, string]>([
    ["text", Type.String(), true, "must be text, got true; write it in quotes"],
    ["text", Type.String(), null, "must be text, got nothing"],
    ["a switch", flag, "yes", 'must be true or false, got "yes"'],
    ["a switch", flag, 1, "must be true or false, got 1"],
    ["a switch", flag, "true", 'must be true or false, got "true"'],
    ["a number", Type.Number(), "", "must be a number, got an empty string"],
    ["a number", Type.Number(), "x", 'must be a number, got "x"'],
    ["a mapping", Type.Record(Type.String(), Type.String()), [], "must be a mapping, got a list"],
    ["a mapping", Type.Object({}), "sk-secret", "must be a mapping, got text of 9 characters"],
    ["a mapping", Type.Object({}), null, "must be a mapping, got nothing"],
  ])("%s is not anything else", (_, shape, value, message) => {
    expect(said(shape, value)).toEqual([`a → ${message}`]);
  });

  test("below a key that holds secrets is not repeated: variables of a policy hold tokens", () => {
    const root = Type.Object({
      env: Type.Record(Type.String(), Type.Boolean()),
      plain: Type.Boolean(),
    });
    expect(shaped(root, { env: { TOKEN: "sk-secret" }, plain: "sk-shown" }).said).toEqual([
      "env.TOKEN → must be true or false, got text of 9 characters",
      'plain → must be true or false, got "sk-shown"',
    ]);
  });
});
