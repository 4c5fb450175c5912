// The schema on real PostgreSQL: applied once however many start together, adopted where the reference made it, and left alone
// when a newer gateway was there.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { type Database } from "../../src/store/database.ts";
import { createDatabase } from "../../src/store/database.ts";
import { type Migration, migrate, migrations } from "../../src/store/migrations.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { storeConfig } from "./opened.ts";
import { referenceSchema } from "./reference-schema.ts";
import { createDialer } from "../../src/store/dial.ts";

let server: TestPostgres;
let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);
beforeEach(async () => {
  url = await server.createDatabase();
  sql = postgres(url, { max: 1, onnotice: () => undefined });
});
afterEach(() => sql.end());

/** The migrations' view of the test's database. */
function databaseAt(target: string): Database {
  const { hostname, port, pathname } = new URL(target);
  return createDatabase(
    {
      max: 2,
      socket: createDialer([{ host: hostname, port: Number(port) }]),
      user: "postgres",
      database: pathname.slice(1),
      connect_timeout: 5,
      connection: {},
    },
    { statementMs: 10_000, replaceWhenLate: false },
  );
}

async function migrateWith(list: readonly Migration[]): Promise<void> {
  const database = databaseAt(url);
  try {
    await migrate(database, list);
  } finally {
    await database.close();
  }
}

const appliedVersions = async () =>
  (await sql<{ version: number }[]>`select version from gateway_migrations order by version`).map(
    ({ version }) => version,
  );

describe("migrations", () => {
  test("are numbered from 1 without gaps", () => {
    expect(migrations.map(({ version }) => version)).toEqual(
      migrations.map((_, index) => index + 1),
    );
  });

  test("are applied once, though several replicas start at the same moment", async () => {
    // Not idempotent on purpose: applied twice, the second would fail or count twice.
    const list: Migration[] = [
      {
        version: 1,
        name: "table",
        sql: "create table counted (n int); insert into counted values (0);",
      },
      { version: 2, name: "count", sql: "update counted set n = n + 1;" },
    ];
    await Promise.all(Array.from({ length: 6 }, () => migrateWith(list)));
    expect(await appliedVersions()).toEqual([1, 2]);
    expect(await sql`select n from counted`).toMatchObject([{ n: 1 }]);
  });

  test("that fail leave nothing behind", async () => {
    const list: Migration[] = [
      { version: 1, name: "good", sql: "create table first_table (n int);" },
      { version: 2, name: "bad", sql: "create table second_table (n int); select 1 / 0;" },
    ];
    const failure = migrateWith(list);
    expect(failure).rejects.toThrow("division by zero");
    await failure.catch(() => undefined);
    const tables =
      await sql`select table_name from information_schema.tables where table_schema = 'public'`;
    expect(tables).toHaveLength(0);
  });

  test("that are new are applied alone, after those that are there", async () => {
    const first: Migration = { version: 1, name: "one", sql: "create table one (n int);" };
    const second: Migration = { version: 2, name: "two", sql: "create table two (n int);" };
    await migrateWith([first]);
    await migrateWith([first, second]);
    expect(await appliedVersions()).toEqual([1, 2]);
  });

  test("of a newer gateway do not stop an older one", async () => {
    await (await openPostgres(storeConfig(url))).close();
    await sql`insert into gateway_migrations (version, name) values (99, 'from_the_future')`;
    const store = await openPostgres(storeConfig(url));
    await store.kv.put("key", "value", 60);
    expect(await store.kv.get("key")).toBe("value");
    await store.close();
    expect(await appliedVersions()).toEqual([...migrations.map(({ version }) => version), 99]);
  });

  test("need no right to create anything once they are applied", async () => {
    await (await openPostgres(storeConfig(url))).close();
    await sql`create role reader_writer login`;
    await sql`grant select, insert, update, delete on all tables in schema public to reader_writer`;
    try {
      const store = await openPostgres(storeConfig(url, { username: "reader_writer" }));
      expect(await store.kv.count("key", 60)).toBe(1);
      await store.close();
    } finally {
      await sql`drop owned by reader_writer`;
      await sql`drop role reader_writer`;
    }
  });
});

describe("a database of the reference gateway", () => {
  /** What the two products share, as the catalog describes it. */
  async function sharedSchema(): Promise<string[]> {
    const ours = ["gateway_migrations", "_migrations"];
    const columns = await sql`
      select table_name, column_name, data_type, is_nullable, column_default, is_identity
      from information_schema.columns where table_schema = 'public' and table_name <> all(${ours}) order by 1, 2`;
    const indexes = await sql`
      select tablename, indexname, indexdef from pg_indexes
      where schemaname = 'public' and tablename <> all(${ours}) order by 1, 2`;
    const constraints = await sql`
      select conrelid::regclass::text as on_table, conname, pg_get_constraintdef(oid) as definition from pg_constraint
      where connamespace = 'public'::regnamespace and conrelid::regclass::text <> all(${ours}) order by 1, 2`;
    return [...columns, ...indexes, ...constraints].map((line) => JSON.stringify(line));
  }

  test("is adopted in place: rows stay to the last decimal, and the gateway works", async () => {
    await sql.unsafe(referenceSchema);
    await sql`insert into kv values ('old', 'value', now() + interval '1 hour'), ('eternal', 'value', null)`;
    await sql`insert into spend (principal, period, cents) values ('sub', '2026-11', 12.3), ('broken', '2026-11', 'NaN')`;

    const store = await openPostgres(storeConfig(url));
    expect(await store.kv.get("old")).toBe("value");
    expect(await store.kv.get("eternal")).toBe("value");
    expect(await store.kv.insert("old", "other", 60)).toBe(false);
    expect(await store.kv.insert("eternal", "other", 60)).toBe(false);
    await store.close();

    // What was no number is none now.
    expect(await sql`select principal, cents from spend order by 1`).toMatchObject([
      { principal: "broken", cents: "0" },
      { principal: "sub", cents: "12.3" },
    ]);
    expect(await sql`select version from _migrations`).toHaveLength(8);
  });

  test("has all its columns, indexes and constraints afterwards, but for exact cents and one more kind of cap", async () => {
    await sql.unsafe(referenceSchema);
    const before = await sharedSchema();
    await (await openPostgres(storeConfig(url))).close();
    const after = new Set(await sharedSchema());
    const gone = before.filter((line) => !after.has(line));
    expect(gone).toEqual([
      expect.stringMatching(/"pooled_spend".*"cents".*"double precision"/),
      expect.stringMatching(/"spend".*"cents".*"double precision"/),
      expect.stringContaining("spend_limits_scope_type_check"),
    ]);
  });

  test("is then the same as one of ours", async () => {
    await sql.unsafe(referenceSchema);
    await (await openPostgres(storeConfig(url))).close();
    const adopted = await sharedSchema();
    await sql.end();
    const other = await server.createDatabase();
    sql = postgres(other, { max: 1, onnotice: () => undefined });
    await (await openPostgres(storeConfig(other))).close();
    expect(await sharedSchema()).toEqual(adopted);
  });
});
