// The caps that this process remembers, as each check overwrites them.
import { describe, expect, test } from "bun:test";
import { createKnownCaps } from "../../src/spend/known-caps.ts";
import type { CapRow } from "../../src/store/standings.ts";
import { cap } from "./core-scene.ts";

const ada = { sub: "ada", groups: ["eng", "ops"] };
const bob = { sub: "bob", groups: ["ops"] };
const asked = { principals: ["ada"], groups: ["eng", "ops"] };

const idsOf = (caps: readonly { id: string }[]) => caps.map(({ id }) => id).toSorted();
const ids = (rows: readonly CapRow[]) => rows.map(({ id }) => id).toSorted();

describe("the caps of a person", () => {
  test("are none before anything was read", () => {
    expect(createKnownCaps().of(ada)).toEqual([]);
  });

  test("are the person's own, those of the groups, of everybody and of sessions", () => {
    const known = createKnownCaps();
    const bearing = [
      cap("user:ada", 1),
      cap("user:ada", null, "daily"),
      cap("rbac_group:eng", 2, "weekly"),
      cap("rbac_group:ops", 3, "monthly", { amount: 5 }),
      cap("organization", 4),
      cap("session", 5, "daily"),
    ];
    known.read(asked, bearing);
    expect(idsOf(known.of(ada))).toEqual(ids(bearing));
    expect(idsOf(known.of(bob))).toEqual(ids(bearing.slice(3)));
    expect(idsOf(known.of({ sub: "cyd", groups: ["OPS"] }))).toEqual(ids(bearing.slice(4)));
  });

  test("have their amounts to the cent, null for none, and their pool", () => {
    const known = createKnownCaps();
    const amount = { ...cap("user:ada", 0), amount: "9007199254740993" };
    const pooled = cap("rbac_group:ops", null, "monthly", { amount: 7, paused: true });
    known.read(asked, [amount, pooled]);
    expect(known.of(ada)).toEqual([
      {
        id: amount.id,
        scopeType: "user",
        scopeId: "ada",
        period: "monthly",
        amount: 9007199254740993n,
        pool: null,
      },
      {
        id: pooled.id,
        scopeType: "rbac_group",
        scopeId: "ops",
        period: "monthly",
        amount: null,
        pool: { amount: 7n, isPaused: true },
      },
    ]);
  });

  test("of a kind or period that a later version has are left out", () => {
    const known = createKnownCaps();
    const rows = [cap("user:ada", 1), { ...cap("user:ada", 2), period: "yearly" }];
    known.read(asked, [...rows, { ...cap("organization", 3), scope_type: "team" }]);
    expect(idsOf(known.of(ada))).toEqual(ids(rows.slice(0, 1)));
  });

  test("are gone once an answer has them no more, and only of those it was about", () => {
    const known = createKnownCaps();
    const [own, group, organization] = [
      cap("user:ada", 1),
      cap("rbac_group:ops", 2),
      cap("organization", 3),
    ];
    known.read(asked, [own, group, organization]);
    known.read({ principals: ["bob"], groups: [] }, [organization]);
    expect(idsOf(known.of(ada))).toEqual(ids([own, group, organization]));
    known.read({ principals: ["bob"], groups: ["ops"] }, []);
    expect(idsOf(known.of(ada))).toEqual(ids([own]));
    known.read(asked, []);
    expect(known.of(ada)).toEqual([]);
  });
});

describe("the version", () => {
  const rows = [cap("user:ada", 1), cap("user:ada", 2, "daily"), cap("rbac_group:eng", 3)];

  test("is the same after a read that found the same, in whatever order", () => {
    const known = createKnownCaps();
    known.read(asked, rows);
    const { version } = known;
    known.read(asked, rows.toReversed());
    known.read({ principals: ["bob"], groups: [] }, []);
    expect(known.version).toBe(version);
  });

  const pool = { amount: 5 };
  test.each([
    ["another amount", [cap("user:ada", 1)], { amount: "2" }],
    ["no limit any more", [cap("user:ada", 1)], { amount: null }],
    ["another period", [cap("user:ada", 1)], { period: "daily" }],
    ["a new cap in the place of an old one", [cap("user:ada", 1)], { id: "spl_new" }],
    [
      "another pool",
      [cap("rbac_group:eng", 1, "monthly", pool)],
      { pooled_monthly_credit_limit: "6" },
    ],
    ["a paused pool", [cap("rbac_group:eng", 1, "monthly", pool)], { pooled_limit_enabled: false }],
    [
      "no pool any more",
      [cap("rbac_group:eng", 1, "monthly", pool)],
      { pooled_limit_enabled: false, pooled_monthly_credit_limit: null },
    ],
  ])("is another one after %s", (_what, before, change) => {
    const known = createKnownCaps();
    known.read(asked, before);
    const { version } = known;
    known.read(
      asked,
      before.map((row) => ({ ...row, ...change })),
    );
    expect(known.version).not.toBe(version);
  });

  test("is another one after a cap came, and after it went", () => {
    const known = createKnownCaps();
    const versions = [known.version];
    for (const caps of [rows, rows.slice(1), []]) {
      known.read(asked, caps);
      versions.push(known.version);
    }
    expect(new Set(versions).size).toBe(4);
  });
});

describe("beyond the bound", () => {
  test("the caps read longest ago are forgotten, and never everybody's", () => {
    const known = createKnownCaps(3);
    const everybody = [cap("organization", 1), cap("session", 2)];
    const own = (sub: string) => cap(`user:${sub}`, 3);
    for (const sub of ["ada", "bob", "cyd"])
      known.read({ principals: [sub], groups: [] }, [...everybody, own(sub)]);
    expect(known.of({ sub: "ada", groups: [] })).toHaveLength(2);
    expect(known.of({ sub: "cyd", groups: [] })).toHaveLength(3);
  });

  test("that is how long it is since they were read, not since they were set", () => {
    const known = createKnownCaps(2);
    const rows = Object.fromEntries(
      ["ada", "bob", "cyd"].map((sub) => [sub, [cap(`user:${sub}`, 3)]]),
    );
    for (const sub of ["ada", "bob", "ada", "cyd"])
      known.read({ principals: [sub], groups: [] }, rows[sub] ?? []);
    const left = Object.keys(rows).map((sub) => known.of({ sub, groups: [] }).length);
    expect(left).toEqual([1, 0, 1]);
  });

  test("a cap that was forgotten is not taken for one that holds still", () => {
    const known = createKnownCaps(1);
    known.read({ principals: ["ada"], groups: [] }, [cap("user:ada", 1)]);
    const { version } = known;
    known.read({ principals: ["bob"], groups: [] }, [cap("user:bob", 1)]);
    expect(known.of(ada)).toEqual([]);
    expect(known.version).not.toBe(version);
  });

  test("people without caps take no room", () => {
    const known = createKnownCaps(1);
    known.read({ principals: ["ada"], groups: [] }, [cap("user:ada", 1)]);
    for (let index = 0; index < 5; index += 1)
      known.read({ principals: [`p${index}`], groups: ["eng"] }, []);
    expect(known.of(ada)).toHaveLength(1);
  });
});
