// Which policy a person is under: the first one that fits, by groups, by the domain of the address, by both; and what it comes
// to with the catch-all under it.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createPolicies, type Person } from "../../src/policy/policy.ts";
import { edited, load } from "../config/samples.ts";
import { settingsDocument } from "./documents.ts";

/** The policies of a configuration that lists these. */
function policiesOf(written: object[], models: object[] = []) {
  const { config } = load(
    edited((c) => Object.assign(c, { managed: { policies: written }, models })),
  );
  return createPolicies(config);
}
const person = (groups: string[], email: string | undefined = "ada@example.com"): Person => ({
  groups,
  email,
});
const forGroups = (...groups: string[]) => ({ match: { groups } });

/** The place of the policy that a person is under. */
const placeOf = (written: object[], who: Person) => policiesOf(written).of(who)?.index;
const fits = (match: object, who: Person) => placeOf([{ match }], who) === 0;

describe("a policy for groups fits", () => {
  test.each<[string, string[], string[], boolean]>([
    ["a member of one of them", ["eng", "ops"], ["staff", "ops"], true],
    ["nobody else", ["eng"], ["ops"], false],
    ["nobody without groups", ["eng"], [], false],
    ["no group in another case", ["eng"], ["Eng", "ENG"], false],
    ["no group that begins with it", ["eng"], ["engineering", "eng "], false],
    ["no group within another's name", ["eng"], ["a,eng", "eng,b"], false],
    ["a group of blanks, as it is spelled", [" eng "], [" eng "], true],
    [
      "no group in another composition of its letters",
      ["é".normalize("NFC")],
      ["é".normalize("NFD")],
      false,
    ],
    ["no group by a pattern", ["*", "e.*"], ["eng"], false],
  ])("%s", (_, groups, ofPerson, fitting) => {
    expect(fits({ groups }, person(ofPerson))).toBe(fitting);
  });
});

describe("a policy for a domain fits", () => {
  test.each<[string, string, string | undefined, boolean]>([
    ["an address in it", "example.com", "ada@example.com", true],
    ["in any case", "Example.COM", "ada@EXAMPLE.com", true],
    [
      "no address whose local part holds another: it could be read in two ways",
      "example.com",
      "a@evil.example@example.com",
      false,
    ],
    ["no address whose local part it is", "example.com", "ada@example.com@evil.example", false],
    ["no sub-domain", "example.com", "ada@sub.example.com", false],
    ["no domain that ends in it", "example.com", "ada@notexample.com", false],
    ["no domain with a dot behind it", "example.com", "ada@example.com.", false],
    ["no wildcard", "*.example.com", "ada@sub.example.com", false],
    ["nobody whose address has none", "example.com", "example.com", false],
    ["nobody without an address", "example.com", undefined, false],
    ["nobody with an empty one", "example.com", "", false],
    ["no domain that only looks the same", "bank.example", "ada@ban\u{212a}.example", false],
  ])("%s", (_, domain, email, fitting) => {
    expect(fits({ email_domain: domain }, { groups: [], email })).toBe(fitting);
  });
});

describe("a policy for both", () => {
  const match = { groups: ["eng"], email_domain: "example.com" };
  test.each<[string, Person, boolean]>([
    ["fits who is in both", person(["eng"]), true],
    ["does not fit who is in a group only", person(["eng"], "ada@other.example"), false],
    ["does not fit who is in the domain only", person(["ops"]), false],
  ])("%s", (_, who, fitting) => {
    expect(fits(match, who)).toBe(fitting);
  });
});

describe("of several policies", () => {
  test("the first that fits is the one, and the next is not added to it", () => {
    const policies = policiesOf([
      { ...forGroups("ops"), cli: { env: { OPS: "1" } } },
      { ...forGroups("eng"), cli: { env: { ENG: "1" } } },
      { match: {}, cli: { env: { ALL: "1" } } },
    ]);
    expect(policies.of(person(["eng", "ops"]))?.settings).toEqual({ env: { ALL: "1", OPS: "1" } });
    expect(policies.of(person(["eng"]))?.settings).toEqual({ env: { ALL: "1", ENG: "1" } });
    expect(policies.of(person([]))?.settings).toEqual({ env: { ALL: "1" } });
  });

  test("none may fit, and then no model is refused", () => {
    const policies = policiesOf([{ ...forGroups("eng"), cli: { availableModels: [] } }]);
    expect(policies.of(person(["ops"]))).toBe(undefined);
    expect(policies.accessOf(person(["ops"])).refusalOf("claude-opus-4-8")).toBe(undefined);
    expect(policies.accessOf(person(["eng"])).refusalOf("claude-opus-4-8")).toBeString();
  });

  test("one that is for everybody hides those behind it, and is laid under those before it", () => {
    const written = [
      { ...forGroups("eng"), cli: { env: { A: "eng" } } },
      { cli: { env: { B: "all" } } },
      { ...forGroups("ops"), cli: { env: { A: "ops" } } },
      { match: {}, cli: { env: { C: "second" } } },
    ];
    const { all } = policiesOf(written);
    expect(placeOf(written, person(["ops"]))).toBe(1);
    expect(placeOf(written, person(["eng"]))).toBe(0);
    expect(all.map(({ baseIndex }) => baseIndex)).toEqual([1, undefined, 1, 1]);
    expect(all.map(({ settings }) => settings)).toEqual([
      { env: { B: "all", A: "eng" } },
      { env: { B: "all" } },
      { env: { B: "all", A: "ops" } },
      { env: { B: "all", C: "second" } },
    ] as never);
  });

  test("a catch-all by itself, and any policy without one, is served as it is written", () => {
    const cli = { permissions: { deny: ["Bash", "Bash"] } };
    expect(policiesOf([{ cli }]).all[0]?.settings).toEqual(cli);
    expect(policiesOf([{ ...forGroups("eng"), cli }]).all[0]?.settings).toEqual(cli);
    const [laid] = policiesOf([{ ...forGroups("eng"), cli }, {}]).all;
    expect(laid?.settings).toEqual({ permissions: { deny: ["Bash"] } });
  });

  test("one without settings is the catch-all's, and there may be none at all", () => {
    const [bare] = policiesOf([forGroups("eng"), { cli: { model: "opus" } }]).all;
    expect(bare?.settings).toEqual({ model: "opus" });
    expect(policiesOf([forGroups("eng")]).all[0]?.settings).toEqual({});
    expect(policiesOf([]).of(person(["eng"]))).toBe(undefined);
  });

  test("cli counts where there is settings beside it, and settings is cli by another name", () => {
    const [both, old] = policiesOf([
      { ...forGroups("a"), settings: { model: "old", language: "de" }, cli: { model: "new" } },
      { ...forGroups("b"), settings: { model: "old" } },
    ]).all;
    expect(both?.settings).toEqual({ model: "new" });
    expect(old?.settings).toEqual({ model: "old" });
  });
});

describe("models", () => {
  test("are those of the merged document: a catch-all's list binds who has none of their own", () => {
    const policies = policiesOf([
      { ...forGroups("own"), cli: { availableModels: ["opus"] } },
      { ...forGroups("none"), cli: { deniedModels: ["claude-haiku-5-5"] } },
      { cli: { availableModels: ["haiku"], deniedModels: ["claude-opus-4-7"] } },
    ]);
    const admitted = (groups: string[]) =>
      ["claude-opus-4-7", "claude-opus-4-8", "claude-haiku-4-5", "claude-haiku-5-5"].filter(
        (id) => policies.accessOf(person(groups)).refusalOf(id) === undefined,
      );
    expect(admitted(["own"])).toEqual(["claude-opus-4-8"]);
    expect(admitted(["none"])).toEqual(["claude-haiku-4-5"]);
    expect(admitted([])).toEqual(["claude-haiku-4-5", "claude-haiku-5-5"]);
  });
});

describe("whom settings are for", () => {
  const [eng, all] = [forGroups("eng"), {}];
  /** Of the first of these policies: whether Claude Desktop's sessions get its settings, and whether none may be without. */
  const reach = (...written: object[]) => {
    const [first] = policiesOf(written).all;
    return [first?.reachesDesktop, first?.isForEverySession];
  };

  test.each<[string, object[], [boolean, boolean]]>([
    ["cli is for terminals", [{ cli: { model: "a" } }], [false, false]],
    ["settings is for terminals", [{ settings: { model: "a" } }], [false, false]],
    ["code is for everyone", [{ code: { model: "a" } }], [true, true]],
    [
      "code is for everyone, even told otherwise",
      [{ code: { model: "a" }, serve_to_desktop: false }],
      [true, true],
    ],
    [
      "cli reaches Claude Desktop when told to",
      [{ cli: { model: "a" }, serve_to_desktop: true }],
      [true, false],
    ],
    [
      "cli does not when told not to",
      [{ cli: { model: "a" }, serve_to_desktop: false }],
      [false, false],
    ],
    [
      "the policy's consent does not need settings, which the gateway may add",
      [{ desktop: {}, serve_to_desktop: true }],
      [true, false],
    ],
    [
      "the catch-all's code is for everyone under it",
      [eng, { ...all, code: { model: "a" } }],
      [true, true],
    ],
    [
      "an empty code over the catch-all's says as much",
      [
        { ...eng, code: {} },
        { ...all, code: { model: "a" } },
      ],
      [true, true],
    ],
    [
      "the catch-all's consent holds for those before it",
      [
        { ...eng, cli: { model: "a" } },
        { ...all, serve_to_desktop: true },
      ],
      [true, false],
    ],
    [
      "the policy's refusal wins over it",
      [
        { ...eng, cli: { model: "a" }, serve_to_desktop: false },
        { ...all, serve_to_desktop: true },
      ],
      [false, false],
    ],
    [
      "the policy's consent wins over a refusal",
      [
        { ...eng, cli: { model: "a" }, serve_to_desktop: true },
        { ...all, serve_to_desktop: false },
      ],
      [true, false],
    ],
  ])("%s", (_, written, expected) => {
    expect(reach(...written)).toEqual(expected);
  });

  test.each<[string, object]>([
    ["nothing", {}],
    ["an empty mapping", { env: {} }],
    ["empty mappings in mappings", { permissions: {}, hooks: {}, sandbox: { network: {} } }],
  ])("%s under code is no settings that a session could not be without", (_, document) => {
    expect(reach({ code: document })).toEqual([false, false]);
    expect(reach({ cli: document, serve_to_desktop: true })).toEqual([true, false]);
  });

  test.each<[string, object]>([
    ["an empty list", { availableModels: [] }],
    ["an empty list within", { permissions: { deny: [] } }],
    ["an empty text", { model: "" }],
    ["a no", { enforceAvailableModels: false }],
  ])("%s is some", (_, document) => {
    expect(reach({ code: document })).toEqual([true, true]);
  });
});

describe("Claude Desktop", () => {
  const desktops = (...written: object[]) => policiesOf(written).all.map(({ desktop }) => desktop);

  test("is opted in by the policy, by the catch-all, or by nobody", () => {
    const own = { disableAutoUpdates: true };
    expect(desktops({ ...forGroups("a"), desktop: own }, {})).toEqual([own, undefined]);
    expect(desktops(forGroups("a"), { desktop: own })).toEqual([own, own]);
    expect(desktops(forGroups("a"), {})).toEqual([undefined, undefined]);
    expect(desktops({ ...forGroups("a"), desktop: {} })).toEqual([{}]);
  });

  test("is given both documents as one", () => {
    const [first] = desktops(
      {
        ...forGroups("a"),
        desktop: { builtinToolPolicy: { Bash: "allow" }, disabledBuiltinTools: ["Edit"] },
      },
      {
        desktop: {
          builtinToolPolicy: { Bash: "ask" },
          disabledBuiltinTools: ["WebSearch"],
          disableAutoUpdates: true,
        },
      },
    );
    expect(first).toEqual({
      builtinToolPolicy: { Bash: "ask" },
      disabledBuiltinTools: ["WebSearch", "Edit"],
      disableAutoUpdates: true,
    });
  });
});

describe("whatever the policies and the person", () => {
  const names = ["eng", "ops", "Eng", "staff", "a,b", " "];
  const domains = ["example.com", "corp.example", "EXAMPLE.COM"];
  const someGroups = fc.subarray(names);
  const match = fc.record(
    { groups: fc.subarray(names, { minLength: 1 }), email_domain: fc.constantFrom(...domains) },
    { requiredKeys: [] },
  );
  const people = fc.record({
    groups: someGroups,
    email: fc.option(fc.constantFrom("a@example.com", "a@corp.example", "a@x.example", "a"), {
      nil: undefined,
    }),
  });
  const matches = fc.array(match, { maxLength: 5 });
  const written = (list: object[]) => list.map((one) => ({ match: one }));
  type Match = { groups?: string[]; email_domain?: string };

  /** What the configuration says, in other words than the source's. */
  const expectedPlace = (list: Match[], { groups, email }: Person) => {
    const domain =
      email?.includes("@") === true ? email.split("@").at(-1)?.toLowerCase() : undefined;
    const place = list.findIndex(({ groups: asked, email_domain: asks }) => {
      const isMember =
        asked === undefined || new Set([...asked, ...groups]).size < asked.length + groups.length;
      return isMember && (asks === undefined || asks.toLowerCase() === domain);
    });
    return place < 0 ? undefined : place;
  };

  test("the first that fits is the one", () => {
    fc.assert(
      fc.property(matches, people, (list, who) => {
        expect(placeOf(written(list), who)).toBe(expectedPlace(list, who));
      }),
      { numRuns: 200 },
    );
  });

  test("the order of a person's groups, and of a policy's, does not matter", () => {
    fc.assert(
      fc.property(matches, people, (list, who) => {
        const turned = list.map((one) =>
          one.groups ? { ...one, groups: one.groups.toReversed() } : one,
        );
        expect(placeOf(written(turned), { ...who, groups: who.groups.toReversed() })).toBe(
          placeOf(written(list), who),
        );
      }),
    );
  });

  test("somebody in no group is never under a policy for groups", () => {
    fc.assert(
      fc.property(matches, people, (list, who) => {
        const place = placeOf(written(list), { ...who, groups: [] });
        if (place !== undefined) expect(list[place]?.groups).toBe(undefined);
      }),
    );
  });

  test("policies behind the one that fits never matter to the person", () => {
    const policy = fc.record({ match, cli: settingsDocument }, { requiredKeys: ["match"] });
    const isForAll = ({ match: asks }: { match: Match }) => Object.keys(asks).length === 0;
    fc.assert(
      fc.property(
        fc.array(policy, { maxLength: 3 }),
        fc.array(policy, { maxLength: 2 }),
        people,
        (list, more, who) => {
          const found = policiesOf(list).of(who);
          if (found === undefined) return;
          // But a catch-all, which is laid under those before it.
          const behind = more.filter((one) => !isForAll(one));
          const { settings, index } = policiesOf([...list, ...behind]).of(who) ?? {};
          expect([index, JSON.stringify(settings)]).toEqual([
            found.index,
            JSON.stringify(found.settings),
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("two people are never mixed up, however often and in whatever order they ask", () => {
    fc.assert(
      fc.property(
        matches,
        fc.array(people, { minLength: 2, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
        (list, crowd, turns) => {
          const policies = policiesOf(written(list));
          for (const turn of turns) {
            const who = crowd[turn % crowd.length];
            if (who !== undefined) expect(policies.of(who)?.index).toBe(expectedPlace(list, who));
          }
        },
      ),
    );
  });
});

test("a model is denied by where its entry sends it, also where the upstream leaves it out", () => {
  const { config } = load(
    edited((c) => {
      c.upstreams[0].models = ["claude-opus-*"];
      c.models = [{ id: "weird", upstream_model: { anthropic: "claude-haiku-4-5" } }];
      c.managed = { policies: [{ cli: { deniedModels: ["haiku"] } }] };
    }),
  );
  expect(createPolicies(config).accessOf(person([])).refusalOf("weird")).toContain("deniedModels");
});
