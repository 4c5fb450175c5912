// The SQL that README.md gives operators who go back to the reference: it leaves the tables as the reference made them, with the
// same sums, and the next start of this gateway takes them over again.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import postgres from "postgres";
import { openPostgres } from "../../src/store/postgres.ts";
import { startPostgres } from "../support/postgres.ts";
import { storeConfig } from "./opened.ts";
import { referenceSchema } from "./reference-schema.ts";

const readme = await Bun.file(join(import.meta.dir, "..", "..", "README.md")).text();

let url: string;
let sql: postgres.Sql;
beforeAll(async () => {
  url = await (await startPostgres()).createDatabase();
  sql = postgres(url, { max: 1, onnotice: () => undefined });
  await sql.unsafe(referenceSchema);
  await sql`insert into spend (principal, period, cents) values ('ada', '2026-11', 0.1)`;
  await sql`insert into pooled_spend (rbac_group_id, period, cents) values ('eng', '2026-11', 7.25)`;
  await sql`insert into spend_limits (id, scope_type, amount) values ('spl_org', 'organization', 5)`;
}, 60_000);
afterAll(() => sql?.end());

/** Starts a store of this gateway, which migrates, and stops it. */
const start = async () => (await openPostgres(storeConfig(url))).close();

async function columnTypes(): Promise<string[]> {
  const rows = await sql<{ type: string }[]>`
    select data_type as type from information_schema.columns
    where table_name in ('spend', 'pooled_spend') and column_name = 'cents'`;
  return rows.map(({ type }) => type);
}

async function sums(): Promise<string[]> {
  const rows = await sql<{ cents: string }[]>`
    select cents::text from spend union all select cents::text from pooled_spend`;
  return rows.map(({ cents }) => cents);
}

test("going back leaves the reference its own columns, sums and caps, and coming again makes the sums exact again", async () => {
  await start();
  expect(await columnTypes()).toEqual(["numeric", "numeric"]);
  await sql`insert into spend_limits (id, scope_type, amount) values ('spl_session', 'session', 5)`;

  const blocks = [...readme.matchAll(/^```sql\n(.*?)^```$/gms)]
    .map(([, text = ""]) => text)
    .filter((text) => text.includes("double precision"));
  expect(blocks).toHaveLength(1);
  await sql.unsafe(blocks.join(""));
  expect(await columnTypes()).toEqual(["double precision", "double precision"]);
  expect(await sums()).toEqual(["0.1", "7.25"]);
  expect([...(await sql`select id from spend_limits`)]).toEqual([{ id: "spl_org" }]);

  await sql`update spend set cents = cents + 0.2`;
  await start();
  expect(await columnTypes()).toEqual(["numeric", "numeric"]);
  expect((await sums()).map(Number)).toEqual([0.3, 7.25]);
});
