// Caps and their trail, the same on both stores: what is written together, what happens when two people write at once.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  createLimitsStore,
  type LimitRow,
  type LimitsPage,
  type LimitsStore,
  type NewLimit,
  type ReadLimit,
} from "../../src/store/limits.ts";
import { type Migrated, migratedEmbedded, migratedPostgres } from "./migrated.ts";

const month = "2026-11";
const everything: LimitsPage = {
  scopeType: undefined,
  after: undefined,
  before: undefined,
  rowsMax: 100,
};

const capOf = (over: Partial<NewLimit> = {}): NewLimit => ({
  scope_type: "user",
  scope_id: "ada",
  period: "daily",
  amount: "100",
  pooled_limit_enabled: false,
  pooled_monthly_credit_limit: null,
  ...over,
});
const groupCap = (over: Partial<NewLimit> = {}) =>
  capOf({ scope_type: "rbac_group", scope_id: "eng", period: "monthly", ...over });

let ids = 0;
const newId = () => `spl_${String((ids += 1)).padStart(8, "0")}`;

describe.each([
  ["PostgreSQL", migratedPostgres],
  ["the embedded store", migratedEmbedded],
])("caps on %s", (_name, open) => {
  let database: Migrated;
  let limits: LimitsStore;
  beforeAll(async () => {
    database = await open();
    limits = createLimitsStore(database.query);
  }, 60_000);
  beforeEach(async () => {
    await database.query`delete from spend_limits`;
    await database.query`delete from admin_audit`;
    await database.query`delete from pooled_spend`;
  });
  afterAll(() => database.close());

  const put = (cap: NewLimit, from?: ReadLimit, actor = "admin-key:tf") =>
    limits.put(cap, { from, id: newId(), actor, month });
  const made = async (cap: NewLimit): Promise<ReadLimit> => {
    await put(cap);
    return present(await limits.ofScope(cap, month));
  };
  const trail = () => limits.trail({ before: undefined, rowsMax: 100 });

  test("a cap is stored as it is put, and made and updated at the same moment", async () => {
    const row = present(await put(capOf({ amount: "999999999999999999" })));
    expect(row).toMatchObject(capOf({ amount: "999999999999999999" }));
    expect(row.created_at).toEqual(row.updated_at);
    expect(row.currency).toBe("USD");
    expect(present(await limits.withId(row.id, month))).toMatchObject(row);
    expect(present(await limits.ofScope(capOf(), month))).toMatchObject(row);
  });

  test("leading zeros of an amount are not kept", async () => {
    expect((await put(capOf({ amount: "007" })))?.amount).toBe("7");
  });

  test("no amount is stored as none", async () => {
    expect((await put(capOf({ amount: null })))?.amount).toBeNull();
  });

  test("a cap for every session is one like any other", async () => {
    const cap = capOf({ scope_type: "session", scope_id: "" });
    await made(cap);
    const listed = await limits.list({ ...everything, scopeType: "session" }, month);
    expect(listed).toMatchObject([cap]);
    expect((await trail())[0]?.after).toMatchObject({ scope: { type: "session" } });
  });

  test("a replaced cap keeps its id and the moment it was made, and gets a new state", async () => {
    const first = await made(capOf());
    const second = present(await put(capOf({ amount: "5" }), first, "oidc:bob"));
    expect(second).toMatchObject({ id: first.id, created_at: first.created_at, amount: "5" });
    const [times] = await database.query<{ moved: boolean }>`
      select updated_at > created_at as moved from spend_limits`;
    expect(times?.moved).toBe(true);
    expect((await limits.withId(first.id, month))?.version).not.toBe(first.version);
  });

  test("another period or person is another cap", async () => {
    const caps = [capOf(), capOf({ period: "weekly" }), capOf({ scope_id: "bob" }), groupCap()];
    for (const cap of caps) await made(cap);
    expect(await limits.list(everything, month)).toMatchObject(caps);
  });

  test("one that is there already is not made again", async () => {
    const first = await made(capOf());
    expect(await put(capOf({ amount: "5" }))).toBeUndefined();
    expect(await limits.withId(first.id, month)).toEqual(first);
    expect(await trail()).toHaveLength(1);
  });

  test("one that somebody changed since it was read is left alone", async () => {
    const read = await made(capOf());
    await put(capOf({ amount: "1" }), read);
    expect(await put(capOf({ amount: "2" }), read)).toBeUndefined();
    expect(await limits.remove(read, "admin-key:tf")).toBe(false);
    expect((await limits.withId(read.id, month))?.amount).toBe("1");
    expect(await trail()).toHaveLength(2);
  });

  test("one that somebody deleted since it was read is not made anew", async () => {
    const read = await made(capOf());
    expect(await limits.remove(read, "admin-key:tf")).toBe(true);
    expect(await put(capOf({ amount: "2" }), read)).toBeUndefined();
    expect(await limits.list(everything, month)).toEqual([]);
    expect(await trail()).toHaveLength(2);
  });

  test("one that somebody deleted and made anew since it was read is left alone", async () => {
    const read = await made(capOf());
    await limits.remove(read, "admin-key:tf");
    const anew = await made(capOf({ amount: "3" }));
    expect(await put(capOf({ amount: "2" }), read)).toBeUndefined();
    expect(await limits.remove(read, "admin-key:tf")).toBe(false);
    expect(await limits.withId(anew.id, month)).toEqual(anew);
  });

  test("each change is in the trail, newest first, with what was before and after", async () => {
    const first = await made(capOf());
    const second = present(await put(capOf({ amount: null }), first, "oidc:bob"));
    await limits.remove(present(await limits.withId(first.id, month)), "admin-key:ops");
    const image = (row: LimitRow) => ({
      id: row.id,
      scope: { type: "user", user_id: "ada" },
      amount: row.amount,
      period: "daily",
      currency: "USD",
      created_at: row.created_at.toISOString(),
      updated_at: row.updated_at.toISOString(),
    });
    const rows = await trail();
    expect(rows).toMatchObject([
      { actor: "admin-key:ops", action: "spend_limit.delete", after: null, reason: null },
      { actor: "oidc:bob", action: "spend_limit.upsert", target: first.id },
      { actor: "admin-key:tf", action: "spend_limit.upsert", before: null },
    ]);
    expect(rows.map(({ before, after }) => [before, after])).toEqual([
      [image(second), null],
      [image(first), image(second)],
      [null, image(first)],
    ]);
    expect(rows.every(({ at }) => Math.abs(Date.now() - at.getTime()) < 60_000)).toBe(true);
  });

  test("only a group's monthly cap shows a pool in the trail", async () => {
    await made(groupCap({ pooled_limit_enabled: true, pooled_monthly_credit_limit: "50" }));
    await made(groupCap({ scope_id: "ops", pooled_monthly_credit_limit: "60" }));
    await made(groupCap({ scope_id: "law" }));
    await made(groupCap({ period: "daily" }));
    await made(capOf({ scope_type: "organization", scope_id: "", period: "monthly" }));
    const afters = (await trail()).map(({ after }) => after).toReversed();
    expect(afters.map((after) => after !== null && "pooled_budget" in after)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    expect(afters).toMatchObject([
      { scope: { rbac_group_id: "eng" }, pooled_budget: { amount: "50", paused: false } },
      { pooled_budget: { amount: "60", paused: true } },
      { pooled_budget: null },
      {},
      { scope: { type: "organization" } },
    ]);
  });

  test("the trail goes on before an entry, and an amount beyond a double is exact in it", async () => {
    for (const scopeId of ["a", "b", "c"]) {
      await made(capOf({ scope_id: scopeId, amount: "9007199254740993" }));
    }
    const [newest, middle, oldest] = await trail();
    const after = await limits.trail({ before: present(newest).id, rowsMax: 1 });
    expect(after).toEqual([present(middle)]);
    expect(await limits.trail({ before: present(oldest).id, rowsMax: 9 })).toEqual([]);
    expect(newest?.after).toMatchObject({ amount: "9007199254740993" });
  });

  test("the trail is in the order of numbers, not of digits", async () => {
    await database.query`select setval(pg_get_serial_sequence('admin_audit', 'id'), 98)`;
    for (const scopeId of ["a", "b", "c"]) await made(capOf({ scope_id: scopeId }));
    expect((await trail()).map(({ id }) => id)).toEqual(["101", "100", "99"]);
    expect(await limits.trail({ before: "100", rowsMax: 9 })).toMatchObject([{ id: "99" }]);
  });

  test("what a group spent is shown of the month asked for, and only beside its monthly cap", async () => {
    await database.query`
      insert into pooled_spend (rbac_group_id, period, cents)
      values ('eng', '2026-11', 0.000000000000000000000001), ('eng', '2026-10', 7), ('ada', '2026-11', 9)`;
    const put1 = present(await put(groupCap()));
    expect(put1.pool_cents).toBe("0.000000000000000000000001");
    await made(groupCap({ period: "daily" }));
    await made(capOf({ period: "monthly" }));
    const rows = await limits.list(everything, month);
    expect(rows.map(({ pool_cents }) => pool_cents)).toEqual([put1.pool_cents, null, null]);
    expect((await limits.list(everything, "2026-10"))[0]?.pool_cents).toBe("7");
  });

  describe("of which some were made at the same instant", () => {
    let order: string[];
    beforeEach(async () => {
      for (let index = 0; index < 6; index += 1) await made(capOf({ scope_id: `p${index}` }));
      await made(groupCap());
      await database.query`update spend_limits set created_at = '2026-11-01' where scope_id in ('p4', 'p1')`;
      const rows = await database.query<{
        id: string;
      }>`select id from spend_limits order by created_at, id`;
      order = rows.map(({ id }) => id);
    });

    const idsOf = async (page: Partial<LimitsPage>) =>
      (await limits.list({ ...everything, ...page }, month)).map(({ id }) => id);

    test("are listed in the order in which they were made", async () => {
      expect(await idsOf({})).toEqual(order);
      expect(await idsOf({ rowsMax: 3 })).toEqual(order.slice(0, 3));
    });

    test("are listed from a cursor on, each once", async () => {
      for (const [index, after] of order.entries()) {
        expect(await idsOf({ after, rowsMax: 2 })).toEqual(order.slice(index + 1, index + 3));
      }
    });

    test("are listed up to a cursor, the last ones before it", async () => {
      for (const [index, before] of order.entries()) {
        const expected = order.slice(Math.max(0, index - 2), index);
        expect(await idsOf({ before, rowsMax: 2 })).toEqual(expected);
      }
    });

    test("are listed by the kind of their scope, also from the cursor of another kind on", async () => {
      const groups = await idsOf({ scopeType: "rbac_group" });
      expect(groups).toEqual(order.slice(-1));
      expect(await idsOf({ scopeType: "rbac_group", after: order[0] })).toEqual(groups);
      expect(await idsOf({ scopeType: "user", rowsMax: 2 })).toEqual(order.slice(0, 2));
    });
  });

  test("nothing is listed from a cursor that no cap has", async () => {
    await made(capOf());
    expect(await limits.list({ ...everything, after: "spl_none" }, month)).toEqual([]);
    expect(await limits.list({ ...everything, before: "spl_none" }, month)).toEqual([]);
  });

  test("of many who make the same cap at once one does, and the trail says so once", async () => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) => put(capOf({ amount: `${n}` }))),
    );
    const done = results.filter((row) => row !== undefined);
    expect(done).toHaveLength(1);
    expect(await trail()).toMatchObject([{ before: null, after: { amount: done[0]?.amount } }]);
  });

  test("of many who replace or delete the same state of a cap at once one does", async () => {
    const read = await made(capOf());
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        n % 5 === 0 ? limits.remove(read, "admin-key:tf") : put(capOf({ amount: `${n}` }), read),
      ),
    );
    expect(results.filter(Boolean)).toHaveLength(1);
    const [last, first, ...others] = await trail();
    expect(others).toEqual([]);
    expect(present(last).before).toEqual(present(first).after);
  });

  test("however many change one cap at once, each trail row begins where the one before it ended", async () => {
    const people = Array.from({ length: 8 }, async (_, person) => {
      for (let step = 0; step < 6; step += 1) {
        const read = await limits.ofScope(capOf(), month);
        if (read !== undefined && (person + step) % 3 === 0)
          await limits.remove(read, `p${person}`);
        else await put(capOf({ amount: `${person * 10 + step}` }), read, `p${person}`);
      }
    });
    await Promise.all(people);
    const rows = (await trail()).toReversed();
    expect(rows.length).toBeGreaterThan(5);
    for (const [index, row] of rows.entries()) {
      expect(row.before).toEqual(index === 0 ? null : present(rows[index - 1]).after);
    }
    const left = await limits.ofScope(capOf(), month);
    expect(rows.at(-1)?.after ?? null).toEqual(
      left === undefined ? null : expect.objectContaining({ id: left.id, amount: left.amount }),
    );
  });
});

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("expected something");
  return value;
}
