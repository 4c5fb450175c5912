// What is deleted because it is old, and what never is.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Database } from "../../src/store/database.ts";
import { pruneRowsMax } from "../../src/store/kv.ts";
import { createRetention, type RetentionOptions } from "../../src/store/retention.ts";
import { migratedPostgres } from "./migrated.ts";

let database: Database;
beforeEach(async () => {
  database = await migratedPostgres();
}, 60_000);
afterEach(() => database.close());

/** The day, week and month that are under way in these tests, whatever the date is. */
const current = ["2026-11-23", "2026-W48", "2026-11"];

const prune = (options: Partial<RetentionOptions> = {}) =>
  createRetention(database.query, {
    spendMonths: 13,
    auditDays: 365,
    identityDays: 90,
    currentPeriods: () => current,
    ...options,
  }).prune();

/** The table's rows by one of their columns, sorted. */
async function left(table: string, column: string): Promise<string[]> {
  const rows = await database.script<{ name: string }>(
    `select ${column} as name from ${table} order by 1`,
  );
  return rows.map(({ name }) => name);
}

describe("retention", () => {
  test("deletes sums that have not changed for the months of spend, and no younger ones", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at) values
        ('old', '2025-10', now() - interval '13 months 1 minute'),
        ('young', '2025-10', now() - interval '12 months 20 days'),
        ('written lately', '2020-01-01', now());
      insert into pooled_spend (rbac_group_id, period, updated_at) values
        ('old', '2025-10', now() - interval '13 months 1 minute'),
        ('young', '2025-10', now() - interval '12 months 20 days')`);
    expect(await prune()).toBe(2);
    expect(await left("spend", "principal")).toEqual(["written lately", "young"]);
    expect(await left("pooled_spend", "rbac_group_id")).toEqual(["young"]);
  });

  test("keeps the sums of a period that is under way, however long they have not changed", async () => {
    const periods = [...current, "2026-11-22", "2026-W47", "2026-10"];
    for (const [table, key] of [
      ["spend", "principal"],
      ["pooled_spend", "rbac_group_id"],
      ["session_spend", "session_id, principal"],
    ] as const) {
      const keys = key.includes(",") ? "'a', 'a'" : "'a'";
      for (const period of periods) {
        await database.script(
          `insert into ${table} (${key}, period, updated_at) values (${keys}, '${period}', now() - interval '2 years')`,
        );
      }
    }
    expect(await prune({ spendMonths: 0.0001 })).toBe(9);
    for (const table of ["spend", "pooled_spend", "session_spend"]) {
      expect(await left(table, "period")).toEqual(current.toSorted());
    }
  });

  test("takes a fraction of a month for what it is", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at) values
        ('four days', '2025-10', now() - interval '4 days'),
        ('two days', '2025-10', now() - interval '2 days')`);
    await prune({ spendMonths: 0.1 });
    expect(await left("spend", "principal")).toEqual(["two days"]);
  });

  test("deletes sessions 40 days after their last request, or with the spend if that goes sooner", async () => {
    await database.script(`
      insert into session_spend (principal, session_id, period, updated_at)
      select 'a', 'days ' || days, '2025-10', now() - days * interval '1 day' from unnest('{10,39,41}'::int[]) as days`);
    await prune();
    expect(await left("session_spend", "session_id")).toEqual(["days 10", "days 39"]);
    await prune({ spendMonths: 1 });
    expect(await left("session_spend", "session_id")).toEqual(["days 10"]);
  });

  test("keeps the position of a writer as long as spend, and a month at least", async () => {
    await database.script(`
      insert into spend_writers (writer, seq, updated_at)
      select 'days ' || days, 1, now() - days * interval '1 day' from unnest('{30,32,390,400}'::int[]) as days`);
    await prune();
    expect(await left("spend_writers", "writer")).toEqual(["days 30", "days 32", "days 390"]);
    await prune({ spendMonths: 0.1 });
    expect(await left("spend_writers", "writer")).toEqual(["days 30"]);
  });

  test("deletes who somebody is after the days of identities, whether there is spend or not", async () => {
    await database.script(`
      insert into principal_emails (principal, email, updated_at) values
        ('old', 'old@example.com', now() - interval '91 days'),
        ('young', 'young@example.com', now() - interval '89 days');
      insert into spend (principal, period) values ('old', '2026-10')`);
    expect(await prune()).toBe(1);
    expect(await left("principal_emails", "principal")).toEqual(["young"]);
    expect(await left("spend", "principal")).toEqual(["old"]);
  });

  test("keeps who was in which group for today and yesterday", async () => {
    await database.script(`
      insert into principal_groups (day, principal, groups)
      select to_char(now() at time zone 'UTC' - days * interval '1 day', 'YYYY-MM-DD'), 'days ' || days, '[]'
      from generate_series(0, 3) as days`);
    await prune();
    expect(await left("principal_groups", "principal")).toEqual(["days 0", "days 1"]);
  });

  test("deletes rows of the trail after the days of audit", async () => {
    await database.script(`
      insert into admin_audit (at, actor, action, target) values
        (now() - interval '366 days', 'a', 'b', 'old'), (now() - interval '364 days', 'a', 'b', 'young')`);
    await prune();
    expect(await left("admin_audit", "target")).toEqual(["young"]);
  });

  test("deletes the rest although the trail may not be deleted from", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at) values ('old', '2020-01', now() - interval '2 years');
      insert into admin_audit (at, actor, action, target) values (now() - interval '2 years', 'a', 'b', 'c');
      create function refuse() returns trigger language plpgsql as 'begin raise exception ''append only''; end';
      create trigger refuse before delete on admin_audit for each row execute function refuse()`);
    const failure = await prune().catch((error: unknown) => String(error));
    expect(failure).toContain("append only");
    expect(await left("spend", "principal")).toEqual([]);
  });

  test("deletes no more than so many rows of a table at once, the oldest first, and tells that there may be more", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at)
      select 'p' || n, '2020-01', now() - interval '2 years' - n * interval '1 minute'
      from generate_series(1, ${pruneRowsMax + 3}) as n`);
    expect(await prune()).toBe(pruneRowsMax);
    expect(await left("spend", "principal")).toEqual(["p1", "p2", "p3"]);
    expect(await prune()).toBe(3);
    expect(await prune()).toBe(0);
  });

  test("waits for nobody who is writing a row, and leaves it to them", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at)
      select name, '2020-01', now() - interval '2 years' from unnest('{written,idle}'::text[]) as name`);
    const writing = database.script(`do $$ begin
      update spend set cents = cents + 1, updated_at = now() where principal = 'written';
      while not exists (select from kv where key = 'write on') loop perform pg_sleep(0.01); end loop;
    end $$`);
    await untilLocked();
    expect(await prune()).toBe(1);
    expect(await left("spend", "principal")).toEqual(["written"]);
    await database.script("insert into kv (key, value) values ('write on', '')");
    await writing;
    expect(await prune()).toBe(0);
    expect(await left("spend", "principal")).toEqual(["written"]);
  });

  test("never fails for a retention that is longer than time", async () => {
    await database.script(`
      insert into spend (principal, period, updated_at) values ('old', '2020-01', now() - interval '50 years')`);
    const forever = 1e308;
    expect(await prune({ spendMonths: forever, auditDays: forever, identityDays: forever })).toBe(
      0,
    );
  });
});

/** Resolves when somebody holds the row that the test writes. */
async function untilLocked(): Promise<void> {
  for (;;) {
    const free = await database.query`
      select 1 from spend where principal = 'written' for update skip locked`;
    if (free.length === 0) return;
    await Bun.sleep(5);
  }
}
