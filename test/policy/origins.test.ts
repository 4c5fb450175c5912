// Where each part of a merged document comes from, for every way in which documents are merged.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { SettingsDocument } from "../../src/config/mapping.ts";
import { mergeDesktop, mergeSettings } from "../../src/policy/merge.ts";
import { originsOf, type Traced } from "../../src/policy/explain/origins.ts";
import { untraced } from "./untraced.ts";

const settings = (base: SettingsDocument, policy: SettingsDocument) =>
  originsOf(mergeSettings(base, policy), { base, policy }, mergeSettings);

describe("a key that is taken whole", () => {
  test("is of the one who says it", () => {
    expect(settings({ model: "a" }, { effortLevel: "high" })).toEqual({
      model: { from: ["base"], value: "a" },
      effortLevel: { from: ["policy"], value: "high" },
    });
  });

  test("is the policy's where both say something, and the catch-all's is named as overruled", () => {
    expect(settings({ model: "a" }, { model: "b" })).toEqual({
      model: { from: ["policy"], overruled: ["base"], value: "b" },
    });
  });

  test("is of both where they say the same, in whatever order of keys", () => {
    const one = { enabled: true, network: { a: 1, b: 2 } };
    const other = { network: { b: 2, a: 1 }, enabled: true };
    expect(settings({ sandbox: one }, { sandbox: other }).sandbox?.from).toEqual([
      "base",
      "policy",
    ]);
  });

  test("is the policy's alone also when it is a list that holds all entries of the catch-all's", () => {
    expect(settings({ availableModels: ["a"] }, { availableModels: ["a", "b"] })).toEqual({
      availableModels: { from: ["policy"], overruled: ["base"], value: ["a", "b"] },
    });
  });

  test("is the policy's also when it is an empty list", () => {
    expect(settings({ availableModels: ["a"] }, { availableModels: [] })).toEqual({
      availableModels: { from: ["policy"], overruled: ["base"], value: [] },
    });
  });
});

describe("a list that is united", () => {
  test("tells of each entry who says it", () => {
    expect(settings({ deniedModels: ["a", "b"] }, { deniedModels: ["b", "c"] })).toEqual({
      deniedModels: {
        from: ["base", "policy"],
        entries: [
          { from: ["base"], value: "a" },
          { from: ["base", "policy"], value: "b" },
          { from: ["policy"], value: "c" },
        ],
      },
    });
  });

  test("is of one when all its entries are", () => {
    const { deniedModels } = settings({ deniedModels: ["a"] }, { deniedModels: [] });
    expect(deniedModels?.from).toEqual(["base"]);
  });

  test("keeps two entries apart that the merge keeps apart", () => {
    const { hooks } = settings(
      { hooks: { Stop: [{ matcher: "a", hooks: [] }] } },
      { hooks: { Stop: [{ hooks: [], matcher: "a" }] } },
    );
    expect(hooks).toMatchObject({
      members: { Stop: { entries: [{ from: ["base"] }, { from: ["policy"] }] } },
    });
  });
});

describe("a mapping that is merged member by member", () => {
  test("tells of each member who says it, and of each by its own rule", () => {
    expect(
      settings(
        { permissions: { deny: ["A"], allow: ["B"], defaultMode: "plan" } },
        { permissions: { deny: ["C"], allow: ["D"] } },
      ),
    ).toEqual({
      permissions: {
        from: ["base", "policy"],
        members: {
          deny: {
            from: ["base", "policy"],
            entries: [
              { from: ["base"], value: "A" },
              { from: ["policy"], value: "C" },
            ],
          },
          allow: { from: ["policy"], overruled: ["base"], value: ["D"] },
          defaultMode: { from: ["base"], value: "plan" },
        },
      },
    });
  });

  test.each(["env", "modelOverrides", "skillOverrides"])("%s is one", (key) => {
    expect(settings({ [key]: { a: "1" } }, { [key]: { b: "2" } })[key]).toHaveProperty("members");
  });

  test("keeps what the catch-all forbids Claude Desktop, whatever the policy says", () => {
    const base = { builtinToolPolicy: { Bash: "ask", Read: "allow" } };
    const policy = { builtinToolPolicy: { Bash: "allow", Read: "ask" } };
    expect(
      originsOf(mergeDesktop(base, policy), { base, policy }, mergeDesktop).builtinToolPolicy,
    ).toMatchObject({
      members: {
        Bash: { from: ["base"], overruled: ["policy"], value: "ask" },
        Read: { from: ["policy"], overruled: ["base"], value: "ask" },
      },
    });
  });

  test("what the catch-all says of a tool decides about the policy's rule for some of its calls", () => {
    const base = { builtinToolPolicy: { Bash: "ask" } };
    const policy = { builtinToolPolicy: { "Bash(curl *)": "allow" } };
    expect(
      originsOf(mergeDesktop(base, policy), { base, policy }, mergeDesktop).builtinToolPolicy,
    ).toMatchObject({
      members: {
        Bash: { from: ["base"], value: "ask" },
        "Bash(curl *)": { from: ["base"], overruled: ["policy"], value: "ask" },
      },
    });
  });

  test("is of whoever wrote it when it is empty", () => {
    expect(settings({}, { env: {} })).toEqual({ env: { from: ["policy"], members: {} } });
  });
});

test("what the gateway adds is the gateway's, unless the policy says otherwise", () => {
  const gateway = { env: { A: "1", B: "2", C: "3" } };
  const policy = { env: { B: "other", C: "3" } };
  const document = { env: { ...gateway.env, ...policy.env } };
  expect(originsOf(document, { gateway, policy }, mergeSettings).env).toMatchObject({
    members: {
      A: { from: ["gateway"] },
      B: { from: ["policy"], overruled: ["gateway"] },
      C: { from: ["gateway", "policy"] },
    },
  });
});

test("keys that are names of JavaScript's own are keys like others", () => {
  const base = JSON.parse('{"env": {"__proto__": "a", "constructor": "b"}}');
  const { env } = settings(base, { env: { toString: "c" } });
  expect(env !== undefined && "members" in env ? Object.keys(env.members) : []).toEqual([
    "__proto__",
    "constructor",
    "toString",
  ]);
});

const word = fc.constantFrom("a", "b", "c");
const mapping = fc.dictionary(word, word);
const list = fc.array(word, { maxLength: 4 });
const document = fc.record(
  {
    model: word,
    availableModels: list,
    deniedModels: list,
    env: mapping,
    sandbox: mapping,
    permissions: fc.record(
      { deny: list, ask: list, allow: list, defaultMode: word },
      { requiredKeys: [] },
    ),
    hooks: fc.dictionary(word, fc.array(mapping, { maxLength: 3 })),
  },
  { requiredKeys: [] },
);

test("put together again, the parts are the document", () => {
  fc.assert(
    fc.property(document, document, (base, policy) => {
      expect(untraced(settings(base, policy))).toEqual(mergeSettings(base, policy));
    }),
  );
});

test("every part has somebody who says it, and nobody is both heeded and overruled", () => {
  fc.assert(
    fc.property(document, document, (base, policy) => {
      for (const { from, overruled = [] } of partsOf(settings(base, policy))) {
        expect(from).not.toBeEmpty();
        expect(overruled.filter((source) => from.includes(source))).toEqual([]);
      }
    }),
  );
});

test("what only one says is that one's", () => {
  fc.assert(
    fc.property(document, (only) => {
      for (const part of partsOf(settings({}, only))) expect(part.from).toEqual(["policy"]);
      for (const part of partsOf(settings(only, {}))) expect(part.from).toEqual(["base"]);
    }),
  );
});

/** Every part at every depth, entries included. */
function partsOf(parts: Readonly<Record<string, Traced>>): Pick<Traced, "from" | "overruled">[] {
  return Object.values(parts).flatMap((part) => {
    if ("members" in part) return [part, ...partsOf(part.members)];
    return "entries" in part ? [part, ...part.entries] : [part];
  });
}
