// Which models a policy's two lists leave: what each entry means, and what holds whatever is in them. That the request path and
// the lists of models ask the same question is in gateway/policies.test.ts.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import type { ModelConfig } from "../../src/config/schema.ts";
import { catalog, type CatalogModel } from "../../src/models/catalog.ts";
import { builtinBySpelling, createModelDirectory } from "../../src/models/resolve.ts";
import { createModelAccess, everyModel, idleEntries } from "../../src/policy/model-access.ts";

const upstreams = ["u0", "u1", "u2"].map((name) => ({ name, provider: "anthropic" as const }));
const access = (
  lists: { availableModels?: unknown; availableModelsMatch?: unknown; deniedModels?: unknown },
  models: ModelConfig[] = [],
) =>
  createModelAccess(lists, (model) =>
    createModelDirectory({ models, auto_include_builtin_models: true }, upstreams)
      .resolve(model, [])
      .routes.map(({ upstreamModel }) => upstreamModel),
  );
const isAdmitted = (availableModels: string[], id: string) =>
  access({ availableModels }).refusalOf(id) === undefined;
const isAdmittedExactly = (availableModels: string[], id: string) =>
  access({ availableModels, availableModelsMatch: "exact" }).refusalOf(id) === undefined;
const isDenied = (deniedModels: string[], id: string, models?: ModelConfig[]) =>
  access({ deniedModels }, models).refusalOf(id) !== undefined;
const own = (id: string, ...upstreamModels: string[]): ModelConfig => ({
  id,
  upstream_model: Object.fromEntries(upstreamModels.map((one, index) => [`u${index}`, one])),
});

const families = ["opus", "sonnet", "haiku", "fable"];
const spellingsOf = ({ id, foundry, vertex, bedrock, mantle }: CatalogModel) =>
  [...new Set([id, foundry, vertex, bedrock, `us.${bedrock}`, `arn:aws:bedrock:x/eu.${bedrock}`, mantle])].filter((spelling) => spelling !== undefined); // prettier-ignore
const everySpelling = catalog.flatMap(spellingsOf);

describe("availableModels", () => {
  // Entries, then the ids that they admit, then some that they do not.
  const table: [string, string[], string[], string[]][] = [
    ["an id admits itself", ["claude-opus-4-8"], ["claude-opus-4-8"], ["claude-opus-4-7", "claude-opus-4", "claude-opus-4-80"]],
    ["case does not matter", ["Claude-OPUS-4-8"], ["claude-opus-4-8", "CLAUDE-opus-4-8"], ["claude-opus-4-7"]],
    ["nor do blanks around an entry", [" claude-opus-4-8\t"], ["claude-opus-4-8"], ["claude-opus-4-7"]],
    ["nor does the mark of the long context", ["claude-opus-4-8[1M]"], ["claude-opus-4-8", "claude-opus-4-8[1m]"], ["claude-opus-4-8[2m]"]],
    ["no other mark is taken off", ["claude-opus-4-8[2m]"], ["claude-opus-4-8[2m]"], ["claude-opus-4-8"]],
    ["without claude- it is the same", ["opus-4-8"], ["claude-opus-4-8", "opus-4-8"], ["claude-opus-4-7", "x-opus-4-8"]],
    ["also for a version alone", ["4-6"], ["claude-4-6", "4-6"], ["claude-sonnet-4-6"]],
    ["first parts admit what begins with them", ["claude-sonnet-4"], ["claude-sonnet-4-5", "claude-sonnet-4-6", "claude-sonnet-4-20250514"], ["claude-sonnet-5", "claude-sonnet-40"]],
    ["claude admits every Claude model", ["claude"], ["claude-opus-4-8", "claude-3-5-haiku-20241022"], ["house", "claudex-1", "us.anthropic.claude-opus-5"]],
    ["a model admits its point releases", ["claude-opus-5"], ["claude-opus-5", "claude-opus-5-5"], ["claude-opus-50"]],
    ["an undated id admits the dated", ["claude-sonnet-4-5"], ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5@20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"]],
    ["a dated id does not admit the undated", ["claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5", "claude-sonnet-4-5@20250929"]],
    ["a provider's spelling admits that spelling", ["us.anthropic.claude-sonnet-4-6"], ["us.anthropic.claude-sonnet-4-6"], ["claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"]],
    ["an operator's id is one like others", ["house"], ["house", "house-2"], ["house2", "house.2", "house@2", "my-house"]],
    ["a family admits its models in every spelling", ["sonnet"], ["claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6", "claude-sonnet-4-5@20250929", "my-sonnet", "a_sonnet", "sonnet.1", "acme/claude-sonnet-4-6", "sonnet"], ["mysonnet", "sonnet4", "claude-sonnetx", "claude-opus-4-8"]],
    ["a family may carry the mark, too", [" Sonnet[1M] "], ["claude-sonnet-4-6"], ["claude-opus-4-8"]],
    ["a family gives way to a more specific entry", ["sonnet", "claude-sonnet-4-6"], ["claude-sonnet-4-6"], ["claude-sonnet-5"]],
    ["wherever that stands in the list", ["claude-sonnet-4-6", "sonnet"], ["claude-sonnet-4-6"], ["claude-sonnet-5"]],
    ["whatever that is", ["sonnet", "claude-sonnet-99"], ["claude-sonnet-99"], ["claude-sonnet-4-6"]],
    ["also to one that admits nothing", ["sonnet", "claude-sonnet-*"], [], ["claude-sonnet-4-6"]],
    ["to an operator's", ["sonnet", "my-sonnet"], ["my-sonnet"], ["claude-sonnet-4-6"]],
    ["to another provider's spelling", ["sonnet", "us.anthropic.claude-sonnet-4-6"], ["us.anthropic.claude-sonnet-4-6"], ["claude-sonnet-4-6"]],
    ["not to itself written otherwise", ["sonnet", "SONNET", "sonnet[1m]"], ["claude-sonnet-4-6", "claude-sonnet-5"], []],
    ["not to an entry of another family", ["sonnet", "claude-opus-4-8"], ["claude-sonnet-5", "claude-opus-4-8"], ["claude-opus-4-7"]],
    ["not to an entry that only begins or ends like it", ["sonnet", "sonnet4", "mysonnetx", "claude"], ["claude-sonnet-5"], []],
    ["first parts give way to nothing", ["claude-sonnet", "claude-sonnet-4-6"], ["claude-sonnet-4-6", "claude-sonnet-5"], []],
    ["names that Claude Code resolves admit nothing", ["default", "best", "opusplan", "inherit"], [], ["claude-opus-4-8", "claude-sonnet-4-6"]],
    ["there are no wildcards", ["*", "claude-*", "claude-sonnet-", "claude-", "?"], [], ["claude-opus-4-8", "claude-sonnet-4-6"]],
    ["empty entries admit nothing", ["", "  ", "[1m]"], [], ["claude-opus-4-8", "", "house", "-x", "claude-"]],
    ["an empty list admits nothing", [], [], ["claude-opus-4-8", "house", "default", ""]],
  ]; // prettier-ignore
  test.each(table)("%s", (_, entries, admitted, refused) => {
    expect(admitted.filter((id) => !isAdmitted(entries, id))).toEqual([]);
    expect(refused.filter((id) => isAdmitted(entries, id))).toEqual([]);
  });

  test("absent admits every model", () => {
    expect(access({})).toBe(everyModel);
    expect(everySpelling.filter((id) => access({}).refusalOf(id) !== undefined)).toEqual([]);
  });

  test("looks at what was asked for, not at where it goes", () => {
    const role = access({ availableModels: ["claude-opus-4-8"] }, [
      own("house", "claude-opus-4-8"),
    ]);
    expect(role.refusalOf("house")).toBe(
      "model house is not in your role's availableModels allowlist",
    );
  });

  const entry = fc.oneof(
    fc.constantFrom(
      ...families,
      " Opus ",
      "sonnet[1m]",
      "claude",
      "house",
      "house-2",
      "*",
      "",
      "default",
      "my-opus",
    ),
    fc.constantFrom(...everySpelling),
    fc.constantFrom(...catalog.map(({ foundry }) => foundry.replace(/-[^-]*$/, ""))),
  );
  const list = fc.array(entry, { maxLength: 6 });
  const id = fc.oneof(
    fc.constantFrom(...everySpelling),
    fc.constantFrom("house", "house-2", "my-opus", "", "x"),
  );
  const plain = (text: string) => text.trim().toLowerCase().replace("[1m]", "");
  const wordsOf = (text: string) => plain(text).split(/[^a-z0-9]+/);

  test("the order of entries, repeats, case, blanks and marks change nothing", () => {
    fc.assert(
      fc.property(list, id, (entries, asked) => {
        const others = [...entries, ...entries]
          .toReversed()
          .map((one) => ` ${one.trim().toUpperCase()} `);
        expect(isAdmitted(others, `${asked.toUpperCase()}[1m]`)).toBe(isAdmitted(entries, asked));
      }),
    );
  });

  // Not every entry only adds: that is what narrowing is.
  test("an entry more takes nothing away but from a family of which it is a more specific one", () => {
    fc.assert(
      fc.property(list, entry, id, (entries, more, asked) => {
        if (!isAdmitted(entries, asked) || isAdmitted([...entries, more], asked)) return;
        const narrowed = families.filter((family) => entries.some((one) => plain(one) === family));
        const isReason = (family: string) =>
          plain(more) !== family &&
          wordsOf(more).includes(family) &&
          wordsOf(asked).includes(family);
        expect([entries, more, asked, narrowed.some(isReason)]).toEqual([
          entries,
          more,
          asked,
          true,
        ]);
      }),
      { numRuns: 1000 },
    );
  });

  test("an entry that is no family only adds to a list without families", () => {
    fc.assert(
      fc.property(list, entry, id, (entries, more, asked) => {
        const ids = entries.filter((one) => !families.includes(plain(one)));
        if (isAdmitted(ids, asked)) expect(isAdmitted([...ids, more], asked)).toBe(true);
      }),
    );
  });

  test("nothing is admitted that no entry by itself admits", () => {
    fc.assert(
      fc.property(list, id, (entries, asked) => {
        if (isAdmitted(entries, asked))
          expect(entries.some((one) => isAdmitted([one], asked))).toBe(true);
      }),
    );
  });

  // Ids, then what they admit by themselves, then what they would as first parts.
  const exactly: [string, string[], string[], string[]][] = [
    ["an id admits itself", ["claude-opus-5"], ["claude-opus-5", "CLAUDE-OPUS-5[1m]"], ["claude-opus-5-5", "claude-opus-5-0"]],
    ["a version admits no later one", ["claude-opus-4"], ["claude-opus-4", "claude-opus-4-20250514"], ["claude-opus-4-8", "claude-opus-4-1", "claude-opus-4-1-20250805"]],
    ["without claude- it is the same", ["opus-4"], ["claude-opus-4", "claude-opus-4-20250514"], ["claude-opus-4-8", "claude-opus-4-1-20250805"]],
    ["older names, too", ["3-5-sonnet"], ["claude-3-5-sonnet", "claude-3-5-sonnet-20241022"], ["claude-3-5-sonnet-v2", "claude-3-5-haiku-20241022"]],
    ["case, blanks and the mark do not matter", [" Claude-OPUS-4-8[1M] "], ["claude-opus-4-8", "claude-opus-4-8-20270101"], ["claude-opus-4-8-1"]],
    ["an undated id admits the dated, in the same spelling", ["claude-sonnet-4-5"], ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5@20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"]],
    ["a dated id admits that date", ["claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5-20250929"], ["claude-sonnet-4-5", "claude-sonnet-4-5-20260101"]],
    ["a provider's spelling admits that spelling", ["us.anthropic.claude-opus-5"], ["us.anthropic.claude-opus-5"], ["us.anthropic.claude-opus-5-20270101", "claude-opus-5"]],
    ["what is behind a version but no date is another id", ["claude-opus-5"], [], ["claude-opus-5-fast", "claude-opus-5-v1", "claude-opus-5-2027", "claude-opus-5-latest"]],
    ["an operator's id admits itself, also one that looks dated", ["house", "my-opus"], ["house", "my-opus"], ["house-2", "house-20250101", "my-opus-x"]],
    ["what names no version admits nothing", ["claude", "claude-sonnet", "claude-3", "claude-3-5", "4-6"], ["claude-sonnet"], ["claude-sonnet-4-6", "claude-3-5-sonnet-20241022", "claude-opus-5"]],
    ["a family still admits its models", ["sonnet"], ["claude-sonnet-4-6", "us.anthropic.claude-sonnet-4-6", "my-sonnet"], ["claude-opus-4-8"]],
    ["and gives way to a more specific entry", ["opus", "claude-opus-4-8"], ["claude-opus-4-8"], ["claude-opus-5"]],
    ["names that Claude Code resolves admit nothing", ["default", "best", "opusplan", "*"], [], ["claude-opus-4-8"]],
  ]; // prettier-ignore
  test.each(exactly)("where entries are exact, %s", (_, entries, admitted, refused) => {
    expect(admitted.filter((one) => !isAdmittedExactly(entries, one))).toEqual([]);
    expect(refused.filter((one) => isAdmittedExactly(entries, one))).toEqual([]);
  });

  test("entries that are exact admit nothing that others do not", () => {
    fc.assert(
      fc.property(list, id, (entries, asked) => {
        if (isAdmittedExactly(entries, asked)) expect(isAdmitted(entries, asked)).toBe(true);
      }),
    );
  });

  test("entries are first parts where prefix is asked for, as where nothing is", () => {
    const role = access({ availableModels: ["claude-opus-4"], availableModelsMatch: "prefix" });
    expect(role.refusalOf("claude-opus-4-8")).toBe(undefined);
  });

  test("denied models are refused whatever the list says", () => {
    fc.assert(
      fc.property(list, list, id, (availableModels, deniedModels, asked) => {
        const both = access({ availableModels, deniedModels }).refusalOf(asked);
        const denied = isDenied(deniedModels, asked);
        expect(both !== undefined).toBe(denied || !isAdmitted(availableModels, asked));
        expect(both?.includes("deniedModels") ?? false).toBe(denied);
      }),
    );
  });
});

describe("deniedModels", () => {
  const table: [string, string[], string[], string[]][] = [
    ["a model is denied under all its names", ["claude-sonnet-4-5"], ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "acme/Claude-Sonnet-4.5", "claude-sonnet-4-5[1m]", "claude-sonnet-4-5-fast"], ["claude-sonnet-4-6", "claude-sonnet-5", "claude-sonnet-4-50"]],
    ["whichever of them is written", ["us.anthropic.claude-sonnet-4-5-20250929-v1:0"], ["claude-sonnet-4-5", "claude-sonnet-4-5@20250929"], ["claude-sonnet-4-6"]],
    ["the version alone of a family", ["claude-opus-4"], ["claude-opus-4-8", "claude-opus-4-20250514", "us.anthropic.claude-opus-4-6-v1"], ["claude-opus-5", "claude-sonnet-4-6"]],
    ["without claude-, too", ["opus-4"], ["claude-opus-4-8", "us.anthropic.claude-opus-4-6-v1"], ["claude-opus-5", "claude-sonnet-4-6"]],
    ["by the first parts of its names", ["claude-sonnet"], ["claude-sonnet-4-6", "us.anthropic.claude-sonnet-5"], ["claude-opus-5", "claude-3-7-sonnet-20250219"]],
    ["with its point releases", ["claude-opus-5"], ["claude-opus-5", "claude-opus-5-5"], ["claude-opus-4-8", "claude-opus-50"]],
    ["a family", ["Haiku "], ["claude-haiku-4-5", "claude-3-5-haiku-20241022", "my-haiku"], ["claude-opus-5", "myhaiku"]],
    ["a family is not narrowed", ["opus", "claude-opus-4-8"], ["claude-opus-4-8", "claude-opus-5"], ["claude-sonnet-5"]],
    ["an operator's id, and no other that begins like it", ["house"], ["house", "HOUSE", "house[1m]"], ["house-2", "my-house"]],
    ["by its date, without claude-, too", ["opus-4-1-20250805"], ["claude-opus-4-1-20250805", "claude-opus-4-1", "us.anthropic.claude-opus-4-1-20250805-v1:0"], ["claude-opus-4-8", "claude-opus-4", "claude-opus-4-10"]],
    ["by an older name with its date, too", ["3-5-sonnet-20241022"], ["claude-3-5-sonnet-20241022", "claude-3-5-sonnet-v2@20241022"], ["claude-3-5-haiku-20241022", "claude-3-7-sonnet-20250219"]],
    ["by a date behind an @", ["opus-4-8@20250101"], ["claude-opus-4-8"], ["claude-opus-4-7"]],
    ["with dots", ["opus-4.8"], ["claude-opus-4-8"], ["claude-opus-4-7"]],
    ["by today's order of an older name", ["sonnet-3-5"], ["claude-3-5-sonnet-20241022"], ["claude-3-7-sonnet-20250219", "claude-sonnet-5"]],
    ["by -0 without its point releases", ["claude-opus-5-0"], ["claude-opus-5", "claude-opus-5-0", "us.anthropic.claude-opus-5"], ["claude-opus-5-5", "claude-opus-4-8"]],
    ["by -0 without claude-, too", ["opus-4-0"], ["claude-opus-4-20250514", "claude-opus-4"], ["claude-opus-4-1", "claude-opus-4-8"]],
    ["under its name with -0, too", ["claude-opus-4-20250514"], ["claude-opus-4-0"], ["claude-opus-4-8"]],
    ["an operator's id that holds more than a model's name, alone", ["opus-4-8-eu"], ["opus-4-8-eu"], ["claude-opus-4-8"]],
    ["nothing by a word that is no id", ["claude", "default", "best", "opusplan", "", "[1m]"], ["claude", "best"], ["claude-opus-4-8", "house"]],
    ["nothing by a wildcard", ["*", "claude-*", "claude-opus-*", "opus*"], [], ["claude-opus-4-8", "house"]],
    ["nothing when empty", [], [], ["claude-opus-4-8", "house"]],
  ]; // prettier-ignore
  test.each(table)("%s", (_, entries, denied, others) => {
    expect(denied.filter((id) => !isDenied(entries, id))).toEqual([]);
    expect(others.filter((id) => isDenied(entries, id))).toEqual([]);
  });

  test("every built-in model is denied by each of its names under each of its names, and none of another family is", () => {
    const familyOf = (id: string) => families.find((family) => id.includes(family));
    for (const model of catalog) {
      for (const entry of spellingsOf(model)) {
        const role = access({ deniedModels: [entry.toUpperCase()] });
        for (const other of catalog) {
          for (const asked of spellingsOf(other)) {
            const denied = role.refusalOf(asked) !== undefined;
            if (model === other) expect([entry, asked, denied]).toEqual([entry, asked, true]);
            else if (familyOf(model.id) !== familyOf(other.id)) {
              expect([entry, asked, denied]).toEqual([entry, asked, false]);
            }
          }
        }
      }
    }
  });

  test("a model with a point release denies no sibling", () => {
    for (const model of catalog.filter(({ foundry }) => /-\d-\d$/.test(foundry))) {
      const siblings = catalog.filter((other) => other !== model).flatMap(spellingsOf);
      for (const entry of spellingsOf(model)) {
        expect([entry, siblings.filter((id) => isDenied([entry], id))]).toEqual([entry, []]);
      }
    }
  });

  test("no id of the operator's own is a way around it, in any spelling of the model behind", () => {
    for (const model of catalog) {
      for (const behind of spellingsOf(model)) {
        expect([behind, isDenied([model.foundry], "House", [own("house", "x", behind)])]).toEqual([
          behind,
          true,
        ]);
        expect([
          behind,
          isDenied([model.foundry], "house", [own("house", "x"), own("y", behind)]),
        ]).toEqual([behind, false]);
      }
    }
    expect(isDenied(["opus"], "house", [own("house", "us.anthropic.claude-opus-9-9")])).toBe(true);
    expect(isDenied(["deployment-7"], "house", [own("house", "Deployment-7")])).toBe(true);
    expect(isDenied(["deployment"], "house", [own("house", "deployment-7")])).toBe(false);
  });

  test("denying a built-in id denies it where the operator sends it elsewhere, too", () => {
    expect(
      isDenied(["claude-opus-4-7"], "claude-opus-4-7", [own("claude-opus-4-7", "gpt-4")]),
    ).toBe(true);
  });

  // The operator's entry for a built-in model is for all of its spellings: models/resolve.test.ts.
  test("an entry of the operator's for a built-in model is no way around it in another spelling", () => {
    const models = [own("claude-sonnet-4-5", "claude-opus-4-8")];
    for (const asked of [
      "claude-sonnet-4-5-20250929",
      "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ]) {
      expect(isDenied(["claude-opus-4-8"], asked, models)).toBe(true);
    }
  });

  // Of two entries the first is where requests go.
  test("of two entries for one id it is the first that counts", () => {
    expect(
      isDenied(["opus"], "house", [
        own("house", "claude-opus-4-8"),
        own("house", "claude-haiku-5-5"),
      ]),
    ).toBe(true);
  });

  test("a dated entry is one model, and not the beginning of others", () => {
    expect(isDenied(["claude-sonnet-4-20250514"], "claude-sonnet-4-20250514")).toBe(true);
    expect(isDenied(["claude-sonnet-4-20250514"], "claude-sonnet-4")).toBe(true);
    expect(isDenied(["claude-sonnet-4-20250514"], "claude-sonnet-4-6")).toBe(false);
    expect(isDenied(["claude-sonnet-4@20250514"], "claude-sonnet-4-6")).toBe(false);
    expect(isDenied(["claude-sonnet-4"], "claude-sonnet-4-6")).toBe(true);
  });

  test("an entry more never frees a model", () => {
    const entry = fc.constantFrom(
      ...everySpelling,
      ...families,
      "claude",
      "house",
      "*",
      "",
      "my-opus",
      "opus-4",
    );
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 5 }),
        entry,
        fc.nat(5),
        fc.constantFrom(...everySpelling, "house"),
        (entries, more, place, asked) => {
          if (isDenied(entries, asked))
            expect(isDenied(entries.toSpliced(place, 0, more), asked)).toBe(true);
        },
      ),
    );
  });
});

describe("entries that mean no model", () => {
  const ids = [...builtinBySpelling.keys(), "house", "My-Sonnet"];
  const idle = (settings: Record<string, unknown>, upstreamIds?: string[]) =>
    idleEntries(settings, ids, upstreamIds);

  test("are told of each list, as they are written", () => {
    const none = ["*", "claude-opus-*", "opus*", "best", " Clawde ", ""];
    const some = ["opus", " Claude-OPUS-4-8[1M]", "opus-4-1-20250805", "house", "my-sonnet"];
    expect(idle({ availableModels: [...none, "opus-4.8", ...some] })).toEqual({
      availableModels: [...none, "opus-4.8"],
      deniedModels: [],
    });
    expect(idle({ deniedModels: [...none, "claude", "claude-opus-6", ...some] })).toEqual({
      availableModels: [],
      deniedModels: [...none, "claude", "claude-opus-6"],
    });
  });

  test("are judged each by itself: a family that gives way to a model is none", () => {
    expect(idle({ availableModels: ["opus", "claude-opus-4-8"] }).availableModels).toEqual([]);
  });

  test("are more where entries are exact", () => {
    const availableModels = ["claude-sonnet", "claude", "claude-opus-4", "haiku"];
    expect(idle({ availableModels }).availableModels).toEqual([]);
    expect(idle({ availableModels, availableModelsMatch: "exact" }).availableModels).toEqual([
      "claude-sonnet",
      "claude",
    ]);
  });

  test("are none of those by which denied models are known to an upstream; allowed ones are not known so", () => {
    const lists = { availableModels: ["deployment-7"], deniedModels: ["Deployment-7"] };
    expect(idle(lists)).toEqual(lists);
    expect(idle(lists, ["deployment-7"])).toEqual({ ...lists, deniedModels: [] });
  });

  test("are none where there are no lists", () => {
    expect(idle({})).toEqual({ availableModels: [], deniedModels: [] });
  });

  test("deny and admit nothing indeed, and others do", () => {
    const entry = fc.constantFrom(...everySpelling, ...families, "claude", "*", "4-6", "opus-4.8");
    fc.assert(
      fc.property(entry, (one) => {
        const { availableModels, deniedModels } = idle({
          availableModels: [one],
          deniedModels: [one],
        });
        expect(availableModels.length === 0).toBe(ids.some((id) => isAdmitted([one], id)));
        expect(deniedModels.length === 0).toBe(ids.some((id) => isDenied([one], id)));
      }),
    );
  });
});

describe("a refusal", () => {
  test("names the list, and repeats the id as it was asked for", () => {
    const role = access({ availableModels: ["haiku"], deniedModels: ["opus"] });
    expect(role.refusalOf("Claude-OPUS-4-8[1m]")).toBe(
      "model Claude-OPUS-4-8[1m] is blocked by your role's deniedModels denylist",
    );
    expect(role.refusalOf("Claude-Sonnet-5")).toBe(
      "model Claude-Sonnet-5 is not in your role's availableModels allowlist",
    );
    expect(role.refusalOf("claude-haiku-5-5")).toBe(undefined);
  });

  test("repeats neither what a terminal would obey nor more than 128 characters", () => {
    const role = access({ availableModels: [], deniedModels: ["opus"] });
    expect(role.refusalOf("opus\x1b\n")).toBe(
      "model opus is blocked by your role's deniedModels denylist",
    );
    expect(role.refusalOf("a\x1b[31mé\n")).toBe(
      "model a[31m is not in your role's availableModels allowlist",
    );
    expect(role.refusalOf("x".repeat(500))).toBe(
      `model ${"x".repeat(128)}... is not in your role's availableModels allowlist`,
    );
  });
});

test("what is no text in a list, which no configuration lets pass, admits and denies nothing", () => {
  expect(
    access({ availableModels: [5, null, ["opus"]] }).refusalOf("claude-opus-4-8"),
  ).toBeString();
  expect(access({ deniedModels: [5, null, {}] }).refusalOf("claude-opus-4-8")).toBe(undefined);
});
