// What a request's check reads, in one statement and of one moment.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Query } from "../../src/store/database.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import {
  createStandingsStore,
  type Standings,
  type StandingsQuestion,
  type StandingsStore,
} from "../../src/store/standings.ts";
import { storable } from "../../src/store/stored-text.ts";
import { type Migrated, migratedEmbedded, migratedPostgres } from "./migrated.ts";

const day = "2026-11-23";
const week = "2026-W48";
const month = "2026-11";

const nobody: StandingsQuestion = {
  principals: [],
  groups: [],
  sessions: [],
  periods: [day, week, month],
  month,
  writer: "me",
};
const asking = (more: Partial<StandingsQuestion>): StandingsQuestion => ({ ...nobody, ...more });

/** Rows of a table, given as objects of its columns. */
async function put(query: Query, table: Table, rows: readonly object[]): Promise<void> {
  const list = JSON.stringify(rows);
  switch (table) {
    case "spend":
      await query`insert into spend select principal, period, cents
        from jsonb_populate_recordset(null::spend, ${list}::text::jsonb)`;
      return;
    case "pooled_spend":
      await query`insert into pooled_spend select rbac_group_id, period, cents
        from jsonb_populate_recordset(null::pooled_spend, ${list}::text::jsonb)`;
      return;
    case "session_spend":
      await query`insert into session_spend select principal, session_id, period, cents
        from jsonb_populate_recordset(null::session_spend, ${list}::text::jsonb)`;
      return;
    case "spend_limits":
      await query`insert into spend_limits (id, scope_type, scope_id, period, amount, pooled_limit_enabled, pooled_monthly_credit_limit)
        select id, scope_type, coalesce(scope_id, ''), coalesce(period, 'monthly'), amount,
          coalesce(pooled_limit_enabled, false), pooled_monthly_credit_limit
        from jsonb_populate_recordset(null::spend_limits, ${list}::text::jsonb)`;
  }
}
type Table = "spend" | "pooled_spend" | "session_spend" | "spend_limits";

const sums = (principals: Standings["principals"]) =>
  principals.map(({ principal, period, cents }) => `${principal} ${period} ${cents}`).toSorted();
const idsOf = (caps: readonly { id: string }[]) => caps.map(({ id }) => id).toSorted();

describe.each([
  ["PostgreSQL", migratedPostgres],
  ["the embedded database", migratedEmbedded],
])("on %s", (_name, open) => {
  let database: Migrated;
  let query: Query;
  let store: StandingsStore;
  beforeAll(async () => {
    database = await open();
    query = database.query;
    store = createStandingsStore(query);
  }, 60_000);
  beforeEach(async () => {
    await database.script(
      "truncate spend, pooled_spend, session_spend, spend_limits, spend_writers",
    );
  });
  afterAll(() => database.close());

  test("an empty database has no caps, and 0 for everybody", async () => {
    expect(await store.read(nobody)).toEqual({
      caps: [],
      principals: [],
      pools: [],
      sessions: [],
      seq: 0,
    });
    const { principals } = await store.read(asking({ principals: ["ada"] }));
    expect(sums(principals)).toEqual(["ada 2026-11 0", "ada 2026-11-23 0", "ada 2026-W48 0"]);
  });

  test("sums are those of the people and periods asked for, to the last decimal", async () => {
    await put(query, "spend", [
      { principal: "ada", period: day, cents: 1.5 },
      { principal: "ada", period: month, cents: "9007199254740993.000000000000000000000001" },
      { principal: "ada", period: "2026-10", cents: 7 },
      { principal: "bob", period: week, cents: -3 },
      { principal: "cyd", period: day, cents: 5 },
    ]);
    const { principals } = await store.read(asking({ principals: ["ada", "bob"] }));
    expect(sums(principals)).toEqual([
      "ada 2026-11 9007199254740993.000000000000000000000001",
      "ada 2026-11-23 1.5",
      "ada 2026-W48 0",
      "bob 2026-11 0",
      "bob 2026-11-23 0",
      "bob 2026-W48 -3",
    ]);
  });

  test("caps are those of the people and groups, of everybody and of sessions, and no others'", async () => {
    await put(query, "spend_limits", [
      { id: "org", scope_type: "organization", amount: 1 },
      { id: "session", scope_type: "session", amount: 2, period: "daily" },
      { id: "ada-day", scope_type: "user", scope_id: "ada", amount: null, period: "daily" },
      { id: "ada-week", scope_type: "user", scope_id: "ada", amount: 0, period: "weekly" },
      { id: "ada-month", scope_type: "user", scope_id: "ada", amount: "999999999999999999" },
      {
        id: "eng",
        scope_type: "rbac_group",
        scope_id: "eng",
        amount: 5,
        pooled_limit_enabled: true,
        pooled_monthly_credit_limit: 50,
      },
      // The same name, of another kind.
      { id: "group-ada", scope_type: "rbac_group", scope_id: "ada", amount: 3 },
      { id: "user-eng", scope_type: "user", scope_id: "eng", amount: 3 },
      { id: "ENG", scope_type: "rbac_group", scope_id: "ENG", amount: 3 },
      { id: "bob", scope_type: "user", scope_id: "bob", amount: 3 },
    ]);
    const { caps } = await store.read(asking({ principals: ["ada"], groups: ["eng"] }));
    expect(idsOf(caps)).toEqual(["ada-day", "ada-month", "ada-week", "eng", "org", "session"]);
    const cap = (id: string) => caps.find((one) => one.id === id);
    expect(cap("ada-day")?.amount).toBe(null);
    expect(cap("ada-month")?.amount).toBe("999999999999999999");
    expect(cap("eng")).toEqual({
      id: "eng",
      scope_type: "rbac_group",
      scope_id: "eng",
      period: "monthly",
      amount: "5",
      pooled_limit_enabled: true,
      pooled_monthly_credit_limit: "50",
    });
    expect(idsOf((await store.read(nobody)).caps)).toEqual(["org", "session"]);
  });

  test("pools are those of groups that have one, paused or not, in the month", async () => {
    const pooled = (group: string, enabled: boolean, pool: number | null) => ({
      id: group,
      scope_type: "rbac_group",
      scope_id: group,
      amount: 5,
      pooled_limit_enabled: enabled,
      pooled_monthly_credit_limit: pool,
    });
    await put(query, "spend_limits", [
      pooled("eng", true, 50),
      pooled("ops", false, 60),
      pooled("hr", true, 70),
      pooled("plain", false, null),
    ]);
    await put(query, "pooled_spend", [
      { rbac_group_id: "eng", period: month, cents: 12.25 },
      { rbac_group_id: "eng", period: "2026-10", cents: 99 },
      { rbac_group_id: "plain", period: month, cents: 4 },
      { rbac_group_id: "hr", period: month, cents: 8 },
    ]);
    const { pools } = await store.read(asking({ groups: ["eng", "ops", "plain", "nobody"] }));
    expect(pools.toSorted((one, other) => (one.group < other.group ? -1 : 1))).toEqual([
      { group: "eng", cents: "12.25" },
      { group: "ops", cents: "0" },
    ]);
  });

  test("sums of sessions are read while there is a cap on sessions", async () => {
    await put(query, "session_spend", [
      { principal: "ada", session_id: "s1", period: day, cents: 3 },
      { principal: "ada", session_id: "s2", period: day, cents: 4 },
      { principal: "bob", session_id: "s1", period: day, cents: 5 },
    ]);
    const asked = asking({
      principals: ["ada"],
      sessions: [
        ["ada", "s1"],
        ["ada", "new"],
      ],
    });
    expect((await store.read(asked)).sessions).toEqual([]);
    await put(query, "spend_limits", [{ id: "s", scope_type: "session", amount: 2 }]);
    const { sessions } = await store.read(asked);
    expect(sessions.filter(({ period }) => period === day)).toEqual([
      { principal: "ada", session: "s1", period: day, cents: "3" },
      { principal: "ada", session: "new", period: day, cents: "0" },
    ]);
    expect(sessions).toHaveLength(6);
  });

  test("the number of the writer's last batch is of the same moment as the sums", async () => {
    const ledger = createLedgerStore(query);
    const batch = (writer: string, after: number, seq: number, cents: string) =>
      ledger.apply({
        writer,
        after,
        seq,
        entries: { principals: [["ada", day, cents]], groups: [], sessions: [] },
        identities: [],
      });
    await batch("another", 0, 9, "1");
    expect((await store.read(asking({ principals: ["ada"] }))).seq).toBe(0);

    // One cent for each batch: however reads and writes overlap, the sum tells the number.
    const writing = { isOver: false };
    const written = (async () => {
      for (let seq = 1; seq <= 100; seq += 1) await batch("me", seq - 1, seq, "1");
      writing.isOver = true;
    })();
    const seen = new Set<number>();
    while (!writing.isOver) {
      const { principals, seq } = await store.read(asking({ principals: ["ada"] }));
      expect(Number(principals[0]?.cents) - 1).toBe(seq);
      seen.add(seq);
    }
    await written;
    expect(seen.size).toBeGreaterThan(1);
    expect((await store.read(asking({ principals: ["ada"] }))).seq).toBe(100);
  });

  test("text that the database cannot keep is asked for as something else, and fails nobody's check", async () => {
    await put(query, "spend", [
      { principal: "ada", period: day, cents: 1 },
      { principal: "\ufffd", period: day, cents: 2 },
    ]);
    const hostile = ["\0", "\ud800", "a\udc00b", "'; drop table spend; --", '"}', "\\u0000", "%"];
    const texts = hostile.map(storable);
    const asked = asking({
      principals: ["ada", ...texts],
      groups: texts,
      sessions: texts.map((text) => ["ada", text]),
    });
    const { principals } = await store.read(asked);
    const spentOf = (principal: string) =>
      principals.find((sum) => sum.principal === principal && sum.period === day)?.cents;
    expect([spentOf("ada"), spentOf("\ufffd"), spentOf("a\ufffdb"), spentOf("\\u0000")]).toEqual([
      "1",
      "2",
      "0",
      "0",
    ]);
    // Which is needed:
    const failed = await store.read(asking({ groups: ["\0"] })).catch((error) => String(error));
    expect(failed).toMatch(/unsupported Unicode escape sequence/);
  });

  test("what is no amount of cents is given as it is", async () => {
    await put(query, "spend", [{ principal: "ada", period: day, cents: "NaN" }]);
    const { principals } = await store.read(asking({ principals: ["ada"] }));
    expect(principals[0]?.cents).toBe("NaN");
  });

  test("three hundred people in three hundred groups are one question", async () => {
    const many = Array.from({ length: 300 }, (_, index) => `n${index}`);
    const rows = many.map((principal) => ({ principal, period: day, cents: 1 }));
    await put(query, "spend", rows);
    const { principals } = await store.read(asking({ principals: many, groups: many }));
    expect(principals).toHaveLength(900);
    expect(principals.filter(({ cents }) => cents === "1")).toHaveLength(300);
  });
});

test("each row is fetched by its key, also while the planner has not seen how large the tables are", async () => {
  const database = await migratedPostgres();
  const { query } = database;
  await database.script(`
    insert into spend (principal, period, cents)
    select 'p' || i, '${month}', 1 from generate_series(1, 20000) i;
    insert into spend_limits (id, scope_type, scope_id, amount, pooled_limit_enabled, pooled_monthly_credit_limit)
    select 'g' || i, 'rbac_group', 'g' || i, 1, true, 1 from generate_series(1, 20000) i;
    insert into pooled_spend select 'g' || i, '${month}', 1 from generate_series(1, 20000) i;
    insert into session_spend select 'p' || i, 's', '${month}', 1 from generate_series(1, 20000) i;
    insert into spend_limits (id, scope_type, amount) values ('s', 'session', 1)`);
  const asked = asking({ principals: ["p7"], groups: ["g7", "g8"], sessions: [["p7", "s"]] });
  for (const state of ["new", "analyzed"]) {
    if (state === "analyzed") await database.script("analyze");
    // As often as it takes for a plan to be kept, on each connection.
    for (let reads = 0; reads < 30; reads += 1) {
      const [read] = await query<{ pools: unknown[]; scanned: string }>`
        select pools, (
          select sum(seq_tup_read)::text from pg_stat_xact_user_tables
          where relname like '%spend%' and read.pools is not null
        ) as scanned
        from spend_standings_1(${JSON.stringify(asked)}::text::jsonb) as read`;
      expect([read?.pools.length, Number(read?.scanned)]).toEqual([2, 0]);
    }
  }
  await database.close();
});
