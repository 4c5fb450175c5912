// What becomes of a policy's document over the catch-all's: lists that forbid only grow, what a policy says for itself wins,
// and nothing else is invented. The rules are checked key by key, and as properties of documents of all kinds.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { changedKeys, lostDenials, mergeDesktop, mergeSettings } from "../../src/policy/merge.ts";
import { anyDocument, at, desktopDocument, type Document, frozen, listAt } from "./documents.ts";

/** Where lists stand that are united. */
const unitedPaths = [
  ["permissions", "deny"],
  ["permissions", "ask"],
  ["deniedModels"],
  ["disabledMcpjsonServers"],
  ["deniedMcpServers"],
  ["blockedMarketplaces"],
  ["hooks", "Stop"],
  ["hooks", "PreToolUse"],
  ["hooks", "SessionStart"],
];
const filledIn = ["env", "modelOverrides", "skillOverrides"];
const ruled = new Set(["permissions", "hooks", ...filledIn, ...unitedPaths.map(([key]) => key)]);

const texts = (list: unknown[]) => list.map((entry) => JSON.stringify(entry));
const each = (list: unknown[]) => [...new Set(texts(list))];
const keysOf = (value: unknown) => Object.keys(value ?? {});
/** The same, keys in the same order. */
const expectSame = (a: unknown, b: unknown) => expect(JSON.stringify(a)).toBe(JSON.stringify(b));

/** A document with every entry of its united lists once. */
function withoutRepeats(document: Document): Document {
  const copy = structuredClone(document);
  for (const path of unitedPaths) {
    const holder = path.length === 1 ? copy : at(copy, ...path.slice(0, -1));
    const key = path.at(-1) ?? "";
    if (typeof holder !== "object" || holder === null || !Object.hasOwn(holder, key)) continue;
    Reflect.set(
      holder,
      key,
      each(listAt(copy, ...path)).map((text) => JSON.parse(text) as unknown),
    );
  }
  return copy;
}

const holds = (check: (base: Document, policy: Document, merged: Document) => void) =>
  fc.assert(
    fc.property(anyDocument, anyDocument, (base, policy) =>
      check(base, policy, mergeSettings(base, policy)),
    ),
  );

describe("whatever the documents", () => {
  test("an empty catch-all is neutral, and an empty policy is the catch-all's, but for repeats", () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        expectSame(mergeSettings({}, document), withoutRepeats(document));
        expectSame(mergeSettings(document, {}), withoutRepeats(document));
      }),
    );
  });

  test("lists that forbid, and hooks, never shrink: all entries of both are there, each once", () => {
    holds((base, policy, merged) => {
      for (const path of unitedPaths) {
        const all = each([...listAt(base, ...path), ...listAt(policy, ...path)]);
        expect(texts(listAt(merged, ...path))).toEqual(all);
      }
    });
  });

  test("the documents stay as they are", () => {
    fc.assert(
      fc.property(anyDocument, anyDocument, (base, policy) => {
        const before = JSON.stringify([base, policy]);
        mergeSettings(frozen(base), frozen(policy));
        expect(JSON.stringify([base, policy])).toBe(before);
      }),
    );
  });

  test("laying it over the same catch-all once more changes nothing", () => {
    holds((base, _, merged) => expectSame(mergeSettings(base, merged), merged));
  });

  test("what is in a united list does not depend on the order of either document's entries", () => {
    const turned = (document: Document) => {
      const copy = structuredClone(document);
      for (const path of unitedPaths) listAt(copy, ...path).reverse();
      return copy;
    };
    holds((base, policy, merged) => {
      const other = mergeSettings(turned(base), turned(policy));
      for (const path of unitedPaths) {
        expect(texts(listAt(other, ...path)).toSorted()).toEqual(
          texts(listAt(merged, ...path)).toSorted(),
        );
      }
    });
  });

  test.each(filledIn)("of %s the policy's values win, and the catch-all's others stay", (key) => {
    holds((base, policy, merged) => {
      const both = { ...(base[key] as object), ...(policy[key] as object) };
      expectSame(merged[key], key in base || key in policy ? both : undefined);
    });
  });

  test("lists that allow are the policy's where it has one, also an empty one", () => {
    holds((base, policy, merged) => {
      for (const path of [["availableModels"], ["permissions", "allow"]]) {
        expect(at(merged, ...path)).toEqual(at(policy, ...path) ?? at(base, ...path));
      }
    });
  });

  test("every other key is the policy's where it has it, and whole", () => {
    holds((base, policy, merged) => {
      for (const key of keysOf(merged).filter((name) => !ruled.has(name))) {
        expectSame(merged[key], key in policy ? policy[key] : base[key]);
      }
      const [ofBase, ofPolicy] = [base, policy].map(
        ({ permissions = {} }) => permissions as Document,
      );
      for (const key of keysOf(merged["permissions"])) {
        if (key === "deny" || key === "ask") continue;
        expectSame(
          at(merged, "permissions", key),
          key in ofPolicy! ? ofPolicy![key] : ofBase![key],
        );
      }
    });
  });

  test("no key is lost and none invented; the catch-all's come first, in their order", () => {
    holds((base, policy, merged) => {
      for (const path of [[], ["permissions"], ["env"], ["hooks"]]) {
        const ofBoth = [...keysOf(at(base, ...path)), ...keysOf(at(policy, ...path))];
        expect(keysOf(at(merged, ...path))).toEqual([...new Set(ofBoth)]);
      }
    });
  });

  test("the keys said to have changed are those whose value is another one", () => {
    holds((_, policy, merged) => {
      const named = changedKeys(policy, merged);
      for (const key of keysOf(merged)) {
        expect([key, named.includes(key)]).toEqual([
          key,
          !Bun.deepEquals(policy[key], merged[key], true),
        ]);
      }
      expect(named).toEqual(keysOf(merged).filter((key) => named.includes(key)));
    });
  });
});

describe("a list of", () => {
  test.each<[string, object, object, object]>([
    [
      "denied rules is united, the catch-all's first, each entry once",
      { permissions: { deny: ["B", "A", "B"] } },
      { permissions: { deny: ["C", "A"] } },
      { permissions: { deny: ["B", "A", "C"] } },
    ],
    [
      "denied rules is kept by a policy that has permissions of another kind",
      { permissions: { deny: ["A"], ask: ["B"] } },
      { permissions: { allow: ["C"] } },
      { permissions: { deny: ["A"], ask: ["B"], allow: ["C"] } },
    ],
    [
      "denied rules is kept by a policy whose own is empty",
      { permissions: { deny: ["A"] } },
      { permissions: { deny: [] } },
      { permissions: { deny: ["A"] } },
    ],
    [
      "allowed rules is the policy's, as it is written",
      { permissions: { allow: ["A"] } },
      { permissions: { allow: ["B", "B"] } },
      { permissions: { allow: ["B", "B"] } },
    ],
    [
      "models is the policy's, also when it is empty",
      { availableModels: ["opus"] },
      { availableModels: [] },
      { availableModels: [] },
    ],
    [
      "denied models is united",
      { deniedModels: ["opus"] },
      { deniedModels: ["haiku"] },
      { deniedModels: ["opus", "haiku"] },
    ],
    [
      "mappings holds two that are equal but for the order of their keys",
      { deniedMcpServers: [{ a: 1, b: 2 }] },
      {
        deniedMcpServers: [
          { b: 2, a: 1 },
          { a: 1, b: 2 },
        ],
      },
      {
        deniedMcpServers: [
          { a: 1, b: 2 },
          { b: 2, a: 1 },
        ],
      },
    ],
    [
      "hooks is united at each event, and entries with one matcher stay apart",
      { hooks: { Stop: [{ matcher: "*", hooks: [1] }] } },
      { hooks: { Stop: [{ matcher: "*", hooks: [2] }], SessionEnd: [] } },
      {
        hooks: {
          Stop: [
            { matcher: "*", hooks: [1] },
            { matcher: "*", hooks: [2] },
          ],
          SessionEnd: [],
        },
      },
    ],
    [
      "hooks is not emptied by an empty one",
      { hooks: { Stop: [{ hooks: [] }] } },
      { hooks: { Stop: [] } },
      { hooks: { Stop: [{ hooks: [] }] } },
    ],
    [
      "announcements is the policy's, also when it is empty",
      { companyAnnouncements: ["a"] },
      { companyAnnouncements: [] },
      { companyAnnouncements: [] },
    ],
  ])("%s", (_, base, policy, merged) => {
    expectSame(mergeSettings(base as Document, policy as Document), merged);
  });
});

describe("a mapping", () => {
  test.each<[string, object, object, object]>([
    [
      "of variables is filled in, nothing included",
      { env: { A: "1", B: "2" } },
      { env: { B: null, C: "3" } },
      { env: { A: "1", B: null, C: "3" } },
    ],
    [
      "of variables is not emptied by an empty one",
      { env: { A: "1" } },
      { env: {} },
      { env: { A: "1" } },
    ],
    [
      "of variables is filled in one level deep",
      { env: { A: { x: 1 } } },
      { env: { A: { y: 1 } } },
      { env: { A: { y: 1 } } },
    ],
    [
      "of any other kind is the policy's as a whole",
      { sandbox: { enabled: true, network: { allowedDomains: ["a"] } } },
      { sandbox: { network: {} } },
      { sandbox: { network: {} } },
    ],
    [
      "that is empty replaces, too",
      { sandbox: { enabled: true } },
      { sandbox: {} },
      { sandbox: {} },
    ],
    [
      "of prices is the policy's as a whole",
      { modelPricing: { multiplier: 2 } },
      { modelPricing: {} },
      { modelPricing: {} },
    ],
    [
      "keeps permissions that nobody knows yet, one by one",
      { permissions: { new: ["a"], other: 1 } },
      { permissions: { new: ["b"] } },
      { permissions: { new: ["b"], other: 1 } },
    ],
  ])("%s", (_, base, policy, merged) => {
    expectSame(mergeSettings(base as Document, policy as Document), merged);
  });

  test("with keys that JavaScript gives a meaning of its own is one like others", () => {
    const base = JSON.parse('{"env":{"__proto__":"a","constructor":"b"}}') as Document;
    const policy = JSON.parse('{"env":{"toString":"c"},"__proto__":{"x":1}}') as Document;
    expect(JSON.stringify(mergeSettings(base, policy))).toBe(
      '{"env":{"__proto__":"a","constructor":"b","toString":"c"},"__proto__":{"x":1}}',
    );
  });
});

describe("of Claude Desktop", () => {
  const merges = (check: (base: Document, policy: Document, merged: Document) => void) =>
    fc.assert(
      fc.property(desktopDocument, desktopDocument, (base, policy) =>
        check(base, policy, mergeDesktop(frozen(base), frozen(policy))),
      ),
    );

  test("the tools switched off are those of both", () => {
    merges((base, policy, merged) => {
      const both = [
        ...listAt(base, "disabledBuiltinTools"),
        ...listAt(policy, "disabledBuiltinTools"),
      ];
      expect(listAt(merged, "disabledBuiltinTools")).toEqual([...new Set(both)]);
    });
  });

  test("no tool is freer than the catch-all leaves it, nor than the policy does", () => {
    merges((base, policy, merged) => {
      const tools = [...keysOf(base["builtinToolPolicy"]), ...keysOf(policy["builtinToolPolicy"])];
      for (const tool of new Set(tools)) {
        const said = [base, policy].map((document) => at(document, "builtinToolPolicy", tool));
        expect(at(merged, "builtinToolPolicy", tool)).toBe(said.includes("ask") ? "ask" : "allow");
      }
      expect(keysOf(merged["builtinToolPolicy"])).toEqual([...new Set(tools)]);
    });
  });

  // Of two rules about one call Claude Desktop heeds the narrower. The reference keeps the policy's as it is.
  test.each<[string, object, object, object]>([
    ["asked for stays so", { Bash: "ask" }, { "Bash(curl *)": "allow" }, { "Bash(curl *)": "ask" }],
    ["that is written otherwise, too", { "Bash(*)": "ask" }, { "Bash(curl *)": "allow", Bash: "allow" }, { "Bash(curl *)": "ask", Bash: "ask" }],
    ["written in two ways is the stricter", { Bash: "allow", "Bash(*)": "ask" }, { "Bash(curl *)": "allow" }, { "Bash(curl *)": "ask" }],
    ["allowed can be asked for in part", { Bash: "allow" }, { "Bash(curl *)": "ask" }, { "Bash(curl *)": "ask" }],
    ["allowed is, in part", { Bash: "allow" }, { "Bash(curl *)": "allow" }, { "Bash(curl *)": "allow" }],
    ["nobody speaks of is the policy's matter", { Edit: "ask" }, { "Bash(curl *)": "allow" }, { "Bash(curl *)": "allow" }],
    ["allowed in part by the base itself is so", { Bash: "ask", "Bash(curl *)": "allow" }, { "Bash(curl *)": "allow" }, { "Bash(curl *)": "allow" }],
    ["asked for in part by the base is asked for there", { "Bash(curl *)": "ask" }, { Bash: "allow" }, { "Bash(curl *)": "ask", Bash: "allow" }],
    ["is that name only", { Bash: "ask" }, { "BashOutput(x)": "allow" }, { "BashOutput(x)": "allow" }],
  ])("what a tool as a whole is holds for the policy's rules about some of its calls: one %s", (_, base, policy, rules) => {
    expectSame(mergeDesktop({ builtinToolPolicy: base }, { builtinToolPolicy: policy }), {
      builtinToolPolicy: { ...base, ...rules },
    });
  }); // prettier-ignore

  test("every other key is the policy's where it has it, and whole", () => {
    merges((base, policy, merged) => {
      for (const key of keysOf(merged)) {
        if (key === "disabledBuiltinTools" || key === "builtinToolPolicy") continue;
        expectSame(merged[key], key in policy ? policy[key] : base[key]);
      }
      expect(keysOf(merged)).toEqual([...new Set([...keysOf(base), ...keysOf(policy)])]);
    });
  });

  test("laying it over the same catch-all once more changes nothing", () => {
    merges((base, _, merged) => expectSame(mergeDesktop(base, merged), merged));
  });

  test("lists of settings for Claude Code have no say in it", () => {
    expect(mergeDesktop({ permissions: { deny: ["A"] } }, { permissions: {} })).toEqual({
      permissions: {},
    });
    expect(mergeSettings({ disabledBuiltinTools: ["A"] }, { disabledBuiltinTools: [] })).toEqual({
      disabledBuiltinTools: [],
    });
  });
});

describe("what the catch-all forbids and a document laid over it no longer does", () => {
  const inSettings = {
    autoMode: { hard_deny: ["a", "b"], soft_deny: ["c"] },
    sandbox: {
      network: { deniedDomains: ["a.example"] },
      filesystem: { denyRead: ["/a"], denyWrite: ["/b"] },
      credentials: {
        files: [{ mode: "deny", path: "/a" }],
        envVars: [{ mode: "deny", name: "A" }],
      },
    },
  };
  const inDesktop = {
    deniedPluginMcpServers: [{ serverUrl: "https://a.example/*" }],
    builtinBrowserBlockedDomains: ["a.example"],
  };
  const lostOf = (merge: typeof mergeSettings, base: object, policy: object) =>
    lostDenials(base as Document, merge(base as Document, policy as Document));

  test("is named, list by list", () => {
    expect(lostOf(mergeSettings, inSettings, { autoMode: {}, sandbox: {} })).toEqual([
      "autoMode.hard_deny",
      "autoMode.soft_deny",
      "sandbox.network.deniedDomains",
      "sandbox.filesystem.denyRead",
      "sandbox.filesystem.denyWrite",
      "sandbox.credentials.files",
      "sandbox.credentials.envVars",
    ]);
    const cleared = { deniedPluginMcpServers: [], builtinBrowserBlockedDomains: ["b.example"] };
    expect(lostOf(mergeDesktop, inDesktop, cleared)).toEqual(Object.keys(inDesktop));
  });

  test("is nothing where the policy does not touch it, or repeats it in any order", () => {
    expect(lostOf(mergeSettings, inSettings, { model: "opus" })).toEqual([]);
    expect(lostOf(mergeDesktop, inDesktop, {})).toEqual([]);
    const repeated = { ...inSettings, autoMode: { hard_deny: ["x", "b", "a"], soft_deny: ["c"] } };
    expect(lostOf(mergeSettings, inSettings, repeated)).toEqual([]);
    expect(lostOf(mergeSettings, {}, inSettings)).toEqual([]);
  });

  test("is named when one entry of a list is missing", () => {
    const policy = { autoMode: { hard_deny: ["a"], soft_deny: ["c"] } };
    expect(lostOf(mergeSettings, inSettings, policy)).toEqual(["autoMode.hard_deny"]);
  });

  test("is nothing that is united or allows", () => {
    holds((base, _, merged) => {
      const kept = lostDenials(base, merged);
      expect(kept.filter((path) => !path.startsWith("sandbox."))).toEqual([]);
    });
  });
});

test("a name that every JavaScript object has is in neither document before it is written", () => {
  const list = { hooks: { constructor: [{ hooks: [] }] } };
  expect(mergeSettings({ hooks: {} }, list)).toEqual(list);
  const tools = { builtinToolPolicy: { constructor: "allow" } };
  expect(mergeDesktop({ builtinToolPolicy: {} }, tools)).toEqual(tools);
});

test("keys that only the document before has are said to have changed, last", () => {
  expect(changedKeys({ gone: 1, same: { a: 1, b: 2 } }, { new: 1, same: { b: 2, a: 1 } })).toEqual([
    "new",
    "gone",
  ]);
});
