// Who is listed with their limits, in which order and from where on.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { array, assert, asyncProperty, constantFrom, integer } from "fast-check";
import type { Database } from "../../src/store/database.ts";
import { createEffectiveStore, type EffectiveStore } from "../../src/store/effective.ts";
import { migratedPostgres } from "./migrated.ts";

let database: Database;
let store: EffectiveStore;
beforeAll(async () => {
  database = await migratedPostgres();
  store = createEffectiveStore(database.query);
}, 60_000);
beforeEach(async () => {
  await database.script("truncate spend, principal_emails, spend_limits");
});
afterAll(() => database.close());

const month = "2026-11";
const everybody = { text: null, count: 1_000 };
const searching = (text: string) => ({ text, count: 1_000 });

async function spent(rows: Record<string, string>, period = month): Promise<void> {
  await database.query`
    insert into spend (principal, period, cents)
    select key, ${period}, value::numeric from jsonb_each_text(${JSON.stringify(rows)}::text::jsonb)`;
}

async function known(
  principal: string,
  { email = null as string | null, name = null as string | null, groups = "[]" as string | null },
): Promise<void> {
  await database.query`
    insert into principal_emails (principal, email, name, groups)
    values (${principal}, ${email}, ${name}, ${groups}::text::jsonb)`;
}

const names = (list: readonly { principal: string }[]) => list.map(({ principal }) => principal);

describe("whoever has spent", () => {
  test("is listed once, by principal, whatever the periods are", async () => {
    await spent({ bob: "1", ada: "1" });
    await spent({ bob: "1", eve: "0" }, "2020-01-01");
    await spent({ bob: "1", cyd: "-1" }, "2026-W47");
    expect(names(await store.spenders("", everybody))).toEqual(["ada", "bob", "cyd", "eve"]);
  });

  test("is not whoever only has signed in, or only has a cap", async () => {
    await known("ada", { email: "ada@example.com" });
    await database.script(
      "insert into spend_limits (id, scope_type, scope_id, amount) values ('spl_1', 'user', 'bob', 5)",
    );
    expect(await store.spenders("", everybody)).toEqual([]);
    expect(await store.topSpenders(month, undefined, everybody)).toEqual([]);
  });

  test("has the name, address and groups of the last sign-in", async () => {
    await spent({ ada: "1", bob: "2" });
    await known("ada", { email: "ada@example.com", name: "Ada", groups: '["eng", "ops"]' });
    const ada = {
      principal: "ada",
      name: "Ada",
      email: "ada@example.com",
      groups: ["eng", "ops"],
    };
    const bob = { principal: "bob", name: null, email: null, groups: [] };
    expect(await store.spenders("", everybody)).toEqual([ada, bob]);
    expect(await store.topSpenders(month, undefined, everybody)).toEqual([
      { ...bob, cents: "2" },
      { ...ada, cents: "1" },
    ]);
    expect(await store.identities(["ada", "nobody"])).toEqual([
      ada,
      { principal: "nobody", name: null, email: null, groups: [] },
    ]);
  });

  test.each([
    [null, []],
    ["null", []],
    ['{"eng": true}', []],
    ['"eng"', []],
    ['["eng", 5, null, ["ops"]]', ["eng"]],
  ])("with %s for groups is in %j", async (groups, expected) => {
    await spent({ ada: "1" });
    await known("ada", { groups });
    expect((await store.spenders("", everybody))[0]?.groups).toEqual(expected);
  });
});

describe("a search", () => {
  beforeEach(async () => {
    await spent({ "sub-1": "3", "sub-2": "2", "100%": "1", a_b: "0" });
    await known("sub-1", { email: "Ada@Example.com", name: "Ada O'Hara" });
    await known("sub-2", { email: "bob@other.org", name: null });
    await known("silent", { email: "silent@example.com", name: "Silent" });
  });

  test.each([
    ["SUB-", ["sub-1", "sub-2"]],
    ["ada o'h", ["sub-1"]],
    ["@EXAMPLE", ["sub-1"]],
    ["other.org", ["sub-2"]],
    ["%", ["100%"]],
    ["_", ["a_b"]],
    ["\\", []],
    ["'; drop table spend; --", []],
    ["nobody", []],
  ])("for %s finds %j, sorted by spend too", async (text, expected) => {
    expect(names(await store.spenders("", searching(text)))).toEqual(expected);
    expect(names(await store.topSpenders(month, undefined, searching(text)))).toEqual(expected);
  });

  test("gives as many as are asked for, past those that do not fit", async () => {
    const found = await store.spenders("", { text: "sub-2", count: 1 });
    expect(names(found)).toEqual(["sub-2"]);
    expect(names(await store.spenders("", { text: "sub", count: 1 }))).toEqual(["sub-1"]);
    expect(names(await store.spenders("sub-1", { text: "sub", count: 1 }))).toEqual(["sub-2"]);
  });
});

describe("by spend", () => {
  test("the highest sum comes first, equal ones by principal, and only those of the period", async () => {
    await spent({ a: "1", b: "30", c: "20", d: "20.000", z: "-4", y: "0" });
    await spent({ other: "99" }, "2026-10");
    expect(names(await store.topSpenders(month, undefined, everybody))).toEqual(
      "b c d a y z".split(" "),
    );
  });

  test("a page begins after a sum and, of equal ones, a principal", async () => {
    await spent({ a: "1", b: "30", c: "20", d: "20.000", e: "20" });
    const after = (cents: string, principal: string) =>
      store.topSpenders(month, { cents, principal }, everybody).then(names);
    expect(await after("20", "c")).toEqual(["d", "e", "a"]);
    expect(await after("20.0", "e")).toEqual(["a"]);
    expect(await after("20.5", "zz")).toEqual(["c", "d", "e", "a"]);
    expect(await after("1", "a")).toEqual([]);
  });

  test("sums are compared and given exactly, beyond what floating point tells apart", async () => {
    await spent({
      a: "9007199254740993.000000000000000000000001",
      b: "9007199254740993.000000000000000000000002",
    });
    const list = await store.topSpenders(month, undefined, everybody);
    expect(list.map(({ cents }) => cents)).toEqual([
      "9007199254740993.000000000000000000000002",
      "9007199254740993.000000000000000000000001",
    ]);
    const [first] = list;
    if (first === undefined) throw new Error("nobody is listed");
    expect(names(await store.topSpenders(month, first, everybody))).toEqual(["a"]);
  });
});

test("pages of any size hold everybody once and in order", async () => {
  const sums = array(constantFrom("0", "0.1", "1", "1.00", "7"), {
    minLength: 1,
    maxLength: 25,
  });
  await assert(
    asyncProperty(sums, integer({ min: 1, max: 7 }), async (cents, count) => {
      await database.script("truncate spend");
      const rows = Object.fromEntries(cents.map((sum, index) => [`p${index}`, sum]));
      await spent(rows);
      await spent(rows, "2026-10");
      const search = { text: null, count };

      const byPrincipal: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; after = byPrincipal.at(-1)) {
        const page = names(await store.spenders(after, search));
        if (page.length === 0) break;
        byPrincipal.push(...page);
      }
      expect(byPrincipal).toEqual(Object.keys(rows).toSorted());

      const bySpend: { principal: string; cents: string }[] = [];
      for (;;) {
        const page = await store.topSpenders(month, bySpend.at(-1), search);
        if (page.length === 0) break;
        bySpend.push(...page);
      }
      const expected = Object.keys(rows).toSorted(
        (one, other) => Number(rows[other]) - Number(rows[one]) || (one < other ? -1 : 1),
      );
      expect(names(bySpend)).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});
