// The contract of the statements that add settled spend, the same on both stores.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  createLedgerStore,
  isIndexable,
  type LedgerStore,
  type SpendBatch,
} from "../../src/store/ledger.ts";
import { type Migrated, migratedEmbedded, migratedPostgres } from "./migrated.ts";

let writers = 0;
const newWriter = () => `writer-${(writers += 1)}`;
const month = "2026-11";

describe.each([
  ["PostgreSQL", migratedPostgres],
  ["the embedded store", migratedEmbedded],
])("batches of spend on %s", (_name, open) => {
  let database: Migrated;
  let store: LedgerStore;
  beforeAll(async () => {
    database = await open();
    store = createLedgerStore(database.query);
  }, 60_000);
  afterAll(() => database.close());

  const none = { principals: [], groups: [], sessions: [] };
  const batchOf = (writer: string, [after, seq]: [number, number], more: Partial<SpendBatch>) => ({
    writer,
    after,
    seq,
    entries: none,
    identities: [],
    ...more,
  });
  const to = (principal: string, cents: string) => ({
    entries: { ...none, principals: [[principal, month, cents] as const] },
  });
  async function spentBy(principal: string): Promise<string | undefined> {
    const [row] = await database.query<{ cents: string }>`
      select cents from spend where principal = ${principal} and period = ${month}`;
    return row?.cents;
  }

  test("add to rows that are there and make those that are not, in every table, exactly", async () => {
    const writer = newWriter();
    const entries = {
      principals: [["sums", month, "0.1"] as const, ["sums", "2026-11-23", "0.1"] as const],
      groups: [["eng", month, "0.000000000000000000000001"] as const],
      sessions: [["sums", "s-1", month, "7"] as const],
    };
    expect(await store.apply(batchOf(writer, [0, 1], { entries }))).toBe(true);
    const more = { ...entries, principals: [["sums", month, "0.2"] as const] };
    expect(await store.apply(batchOf(writer, [1, 2], { entries: more }))).toBe(true);
    const rows = await database.query<{ row: string }>`
      select concat_ws(' ', principal, period, cents) as row from spend where principal = 'sums'
      union all select concat_ws(' ', rbac_group_id, period, cents) from pooled_spend
      union all select concat_ws(' ', principal, session_id, period, cents) from session_spend
      order by 1`;
    expect(rows.map(({ row }) => row).toSorted()).toEqual([
      `eng ${month} 0.000000000000000000000002`,
      `sums ${month} 0.3`,
      "sums 2026-11-23 0.1",
      `sums s-1 ${month} 14`,
    ]);
  });

  test("that are sent again are not added again, and answer that they were there", async () => {
    const writer = newWriter();
    const batch = batchOf(writer, [0, 3], to("again", "5"));
    expect(await store.seqOf(writer)).toBe(0);
    expect(await store.apply(batch)).toBe(true);
    expect(await store.apply(batch)).toBe(false);
    expect(await spentBy("again")).toBe("5");
    expect(await store.seqOf(writer)).toBe(3);
  });

  test("that are sent many times at once are added once", async () => {
    const batch = batchOf(newWriter(), [0, 1], to("at once", "5"));
    const added = await Promise.all(Array.from({ length: 20 }, () => store.apply(batch)));
    expect(added.filter(Boolean)).toHaveLength(1);
    expect(await spentBy("at once")).toBe("5");
  });

  test("that share a number with what is in the tables are not added, whichever of them came first", async () => {
    const writer = newWriter();
    await store.apply(batchOf(writer, [0, 1], to("overlap", "1")));
    // Numbers 2 to 4 in one batch, and 2 and 3 in batches of their own.
    expect(await store.apply(batchOf(writer, [1, 4], to("overlap", "10")))).toBe(true);
    expect(await store.apply(batchOf(writer, [1, 2], to("overlap", "100")))).toBe(false);
    expect(await store.apply(batchOf(writer, [2, 3], to("overlap", "100")))).toBe(false);
    // Numbers 5, and then 5 and 6.
    expect(await store.apply(batchOf(writer, [4, 5], to("overlap", "1000")))).toBe(true);
    expect(await store.apply(batchOf(writer, [4, 6], to("overlap", "10000")))).toBe(false);
    expect(await spentBy("overlap")).toBe("1011");
  });

  test("go on after the database was put back to an earlier state", async () => {
    const writer = newWriter();
    await store.apply(batchOf(writer, [0, 7], to("restored", "1")));
    await database.query`update spend_writers set seq = 2 where writer = ${writer}`;
    expect(await store.apply(batchOf(writer, [7, 8], to("restored", "1")))).toBe(true);
    expect(await spentBy("restored")).toBe("2");
  });

  test("say who people are, and write over what was known, by day for their groups", async () => {
    const writer = newWriter();
    const first = ["ida", "ida@example.com", "Ida", ["a", "b"], "2026-11-22"] as const;
    const second = ["ida", null, null, [], "2026-11-23"] as const;
    await store.apply(batchOf(writer, [0, 1], { identities: [first] }));
    await store.apply(batchOf(writer, [1, 2], { identities: [second] }));
    expect(
      await database.query`select email, name, groups from principal_emails where principal = 'ida'`,
    ).toMatchObject([{ email: null, name: null, groups: [] }]);
    const days = await database.query`
      select day, groups from principal_groups where principal = 'ida' order by day`;
    expect([...days]).toMatchObject([
      { day: "2026-11-22", groups: ["a", "b"] },
      { day: "2026-11-23", groups: [] },
    ]);
  });

  test("may have any text in them that is stored", async () => {
    const writer = newWriter();
    const name = `'; drop table spend; -- \\ "{}" é 漢字 🙂 \n\u2028`;
    await store.apply(batchOf(writer, [0, 1], to(name, "1")));
    expect(await spentBy(name)).toBe("1");
  });

  test("may have keys of any length that counts as storable", async () => {
    const texts = () => Array.from({ length: 1_300 }, randomLetter).join("");
    const [principal, sessionId] = [texts(), texts().slice(0, 1_100)];
    expect(isIndexable(`${principal}${sessionId}${month}`)).toBe(true);
    expect(isIndexable(`${principal}${principal}${month}`)).toBe(false);
    expect(isIndexable("漢".repeat(900))).toBe(false);
    const entries = { ...none, sessions: [[principal, sessionId, month, "1"] as const] };
    expect(await store.apply(batchOf(newWriter(), [0, 1], { entries }))).toBe(true);
  });

  test("of many writers on the same rows in different orders all go in, without a deadlock", async () => {
    const people = Array.from({ length: 200 }, (_, n) => `crowd-${n}`);
    const writing = Array.from({ length: 12 }, (_, n) => {
      const order = n % 2 === 0 ? people : people.toReversed();
      const principals = order.map((principal) => [principal, month, "1"] as const);
      return store.apply(batchOf(newWriter(), [0, 1], { entries: { ...none, principals } }));
    });
    await Promise.all(writing);
    const [row] = await database.query<{ sums: string }>`
      select string_agg(distinct cents::text, ' ') as sums from spend where principal like 'crowd-%'`;
    expect(row?.sums).toBe("12");
  });
});

/** Letters at random, so that PostgreSQL cannot compress the key. */
const randomLetter = () => String.fromCharCode(97 + Math.floor(Math.random() * 26));
