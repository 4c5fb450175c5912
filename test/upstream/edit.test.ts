// An edited body reads as the client's object with that change and no other, and what is kept is kept byte for byte.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import {
  editedBody,
  membersNamed,
  withOnly,
  withoutField,
} from "../../src/upstream/request/edit.ts";
import { topLevelFinder } from "../../src/upstream/request/top-level.ts";

const names = ["model", "stream", "tags", "thinking", "anthropic_version", "tools"] as const;
type Name = (typeof names)[number];

const find = topLevelFinder(names);

function membersOf(body: Uint8Array) {
  const found = find(body);
  if (found.kind !== "object") throw new Error(found.kind);
  return found.members;
}

/** The text after dropping these members and setting those. */
function edited(text: string, drop: readonly Name[], set: readonly (readonly [string, string])[]) {
  const body = Buffer.from(text);
  const members = membersOf(body);
  return Buffer.from(editedBody(body, { drop: drop.map((name) => members[name]), set })).toString();
}

const v = [["v", "1"]] as const;

describe("members leave with the comma before them", () => {
  test.each<[string, Name[], string]>([
    ['{"model":1}', ["model"], '{"v":1}'],
    ['{ "model" : 1 }', ["model"], '{"v":1 }'],
    ['{"model":1,"x":2}', ["model"], '{"v":1,"x":2}'],
    ['{ "model":1 , "x":2 }', ["model"], '{"v":1 , "x":2 }'],
    ['{"x":2,"model":1}', ["model"], '{"v":1,"x":2}'],
    ['{"x":2 , "model":1 }', ["model"], '{"v":1,"x":2  }'],
    ['{"x":2,"model":1,"y":3}', ["model"], '{"v":1,"x":2,"y":3}'],
    ['{"model":1,"tags":2,"x":3}', ["model", "tags"], '{"v":1,"x":3}'],
    ['{"x":3,"model":1,"tags":2}', ["tags", "model"], '{"v":1,"x":3}'],
    ['{"model":1,"x":3,"tags":2}', ["tags", "model"], '{"v":1,"x":3}'],
    ['{"model":1,"tags":2}', ["tags", "model"], '{"v":1}'],
    ['\n{\r\n\t"x":2}\n', [], '{"v":1,\r\n\t"x":2}\n'],
    ["{}", [], '{"v":1}'],
    ["{ }", ["model"], '{"v":1 }'],
    ['{"mod\\u0065l":1,"x":"}"}', ["model"], '{"v":1,"x":"}"}'],
    [
      '{"model":{"model":1},"x":{"model":2,"y":",\\"model\\":3"}}',
      ["model"],
      '{"v":1,"x":{"model":2,"y":",\\"model\\":3"}}',
    ],
    ['{"x":2,"model":1}', ["model", "model", "stream"], '{"v":1,"x":2}'],
  ])("%s without %p", (text, drop, left) => expect(edited(text, drop, v)).toBe(left));
});

test("what is set stands in front, in order, its name in quotes", () =>
  expect(
    edited(
      '{"x":1}',
      [],
      [
        ["a", "[1, 2]"],
        ['b"', "1e999"],
      ],
    ),
  ).toBe('{"a":[1, 2],"b\\"":1e999,"x":1}'));

describe("any object", () => {
  const blank = fc.string({ unit: fc.constantFrom(" ", "\n", "\r", "\t"), maxLength: 2 });
  const value = fc.oneof(
    fc.constantFrom("1e999", "-0.0", "12345678901234567890", '"\\u00e9\\/"', "[ ]", "{ }"),
    fc.constantFrom('{"model":"inner","tags":{"stream":[]}}', '"}, \\"model\\": 1"', '",{"'),
    fc.json({ maxDepth: 2 }),
  );
  const key = fc.oneof(
    fc.constantFrom<string>(...names),
    fc.constantFrom("x", "modelx", "Model", "", "é", "a,b", "{", '"model"'),
  );
  /** One member and how it is written. */
  const member = fc.record({
    key,
    value,
    escaped: fc.boolean(),
    before: blank,
    middle: blank,
    after: blank,
  });
  const members = fc.uniqueArray(member, { selector: (each) => each.key, maxLength: 8 });

  const written = (each: { key: string; value: string; escaped: boolean; middle: string }) =>
    `${quoted(each.key, each.escaped)}${each.middle}:${each.middle}${each.value}`;

  test("reads as it did but for the change, and keeps the rest byte for byte", () =>
    fc.assert(
      fc.property(
        members,
        fc.shuffledSubarray([...names]),
        fc.uniqueArray(fc.tuple(fc.constantFrom("v", "w", "stream", "model"), value), {
          selector: ([name]) => name,
          minLength: 1,
        }),
        (list, others, set) => {
          // As callers do: what is set takes the place of the client's own.
          const drop = [...others, ...set.map(([name]) => name as Name)];
          const isKept = (each: { key: string }) => !drop.includes(each.key as Name);
          const text = `{${list.map((each) => each.before + written(each) + each.after).join(",")}}`;
          const before = Buffer.from(text);
          const after = edited(text, drop, set);

          const kept = list.filter(isKept);
          const entries = [...set, ...kept.map((each) => [each.key, each.value] as const)];
          const expected = entries.map(([name, json]) => [name, JSON.parse(json)] as const);
          expect(JSON.parse(after)).toEqual(Object.fromEntries(expected));
          expect(Object.keys(JSON.parse(after))).toEqual(entries.map(([name]) => name));

          let from = 0;
          for (const each of kept) {
            const at = after.indexOf(written(each), from);
            expect(at).toBeGreaterThan(-1);
            from = at + written(each).length;
          }
          expect(Buffer.from(text).equals(before)).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    ));

  test("without a field is the object without that member, every other byte in its place, and is known as well as before", () =>
    fc.assert(
      fc.property(
        members,
        fc.constantFrom("tags", "thinking", "anthropic_version", "tools"),
        blank,
        (list, name, around) => {
          const others = list.filter((each) => each.key !== "model");
          const model = { key: "model", value: '"m"', escaped: false, before: around, middle: "", after: around };
          const all = others.length % 2 === 0 ? [model, ...others] : [...others, model];
          const joined = (kept: typeof all) =>
            `{${kept.map((each) => each.before + written(each) + each.after).join(",")}}`;
          const call = readMessagesCall(Buffer.from(joined(all)));
          const left = withoutField(call, name);

          const kept = all.filter((each) => each.key !== name);
          if (kept.length === all.length) return expect(left).toBe(call);
          const plain = (text: string) => text.replaceAll(/\s/g, "");
          const after = Buffer.from(left.body).toString();
          expect(plain(after)).toBe(plain(joined(kept)));
          for (const each of kept) expect(after).toContain(written(each));
          const { nestedModels } = call;
          expect(left).toEqual({ ...readMessagesCall(left.body), body: left.body, nestedModels });
          expect(Buffer.from(call.body).toString()).toBe(joined(all));
        },
      ),
      { numRuns: 2_000 },
    )); // prettier-ignore

  test("with some fields only has these and the model, each as it was written, and is known as well as before", () =>
    fc.assert(
      fc.property(members, fc.shuffledSubarray([...names]), (list, chosen) => {
        const others = list.filter((each) => each.key !== "model");
        const text = `{${others.map((each) => `${written(each)},`).join("")}"model":"m"}`;
        const call = readMessagesCall(Buffer.from(text));
        const left = withOnly(call, ["model", ...chosen.filter((name) => name !== "model")]);

        const kept = others.filter((each) => chosen.includes(each.key as Name));
        const after = Buffer.from(left.body).toString();
        for (const each of kept) expect(after).toContain(written(each));
        expect(Object.keys(JSON.parse(after)).toSorted()).toEqual(
          [...kept.map(({ key: name }) => name), "model"].toSorted(),
        );
        const { nestedModels } = call;
        expect(left).toEqual({ ...readMessagesCall(left.body), body: left.body, nestedModels });
      }),
      { numRuns: 500 },
    ));

  test("keeps bytes that are not UTF-8", () => {
    const body = Buffer.from('{"model":1,"x":"?"}');
    body[body.indexOf("?")] = 0xff;
    const after = editedBody(body, { drop: [membersOf(body).model], set: v });
    expect(Buffer.from(after)).toEqual(Buffer.concat([Buffer.from('{"v":1'), body.subarray(10)]));
  });

  test("is not changed in place", () => {
    const body = Buffer.from('{"model":1,"x":2}');
    editedBody(body, { drop: [membersOf(body).model], set: v });
    expect(body.toString()).toBe('{"model":1,"x":2}');
  });
});

describe("members by name", () => {
  const callOf = (text: string) => readMessagesCall(Buffer.from(text));
  const textsOf = (text: string, ...wanted: string[]) => {
    const call = callOf(text);
    return membersNamed(call, new Set(wanted)).map(({ keyStart, valueEnd }) =>
      Buffer.from(call.body).toString("utf8", keyStart, valueEnd),
    );
  };

  test("are found at the top level, those that are there", () =>
    expect(
      textsOf('{"model":"m","speed":"fast","x":{"effort":1}}', "speed", "effort", "absent"),
    ).toEqual(['"speed":"fast"']));

  test("are found under names that every object has something under, if they are given", () => {
    expect(textsOf('{"model":"m"}', "constructor", "__proto__", "toString")).toEqual([]);
    expect(textsOf('{"model":"m","__proto__":1}', "constructor", "__proto__")).toEqual([
      '"__proto__":1',
    ]);
  });

  test("are none when none is asked for", () => expect(textsOf('{"model":"m","a":1}')).toEqual([]));
});

/** The JSON string, with its ASCII letters as `\u` escapes if asked for. */
function quoted(key: string, escaped: boolean): string {
  const text = JSON.stringify(key);
  return escaped
    ? text.replace(/[a-z_]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`)
    : text;
}
