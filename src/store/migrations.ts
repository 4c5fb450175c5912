// The schema, as an append-only list of numbered migrations, and the one function that applies what is missing. The SQL is
// in sql/, embedded in the executable. A published migration is never edited; a change is a new file at the end.
import addKeyValue from "../../sql/001_key_value.sql" with { type: "text" };
import addSpend from "../../sql/002_spend.sql" with { type: "text" };
import addIdentity from "../../sql/003_identity.sql" with { type: "text" };
import addSettlement from "../../sql/004_spend_settlement.sql" with { type: "text" };
import addStandings from "../../sql/005_spend_standings.sql" with { type: "text" };
import addEndings from "../../sql/006_endings.sql" with { type: "text" };
import { log } from "../log.ts";
import type { Database } from "./database.ts";

export type Migration = { version: number; name: string; sql: string };

/** Versions count from 1 without gaps. `create … if not exists` throughout, so that a database of the reference is adopted. */
export const migrations: readonly Migration[] = [
  { version: 1, name: "key_value", sql: addKeyValue },
  { version: 2, name: "spend", sql: addSpend },
  { version: 3, name: "identity", sql: addIdentity },
  { version: 4, name: "spend_settlement", sql: addSettlement },
  { version: 5, name: "spend_standings", sql: addStandings },
  { version: 6, name: "endings", sql: addEndings },
];

/** The reference gateway's lock key, so that both never migrate one database at the same time. */
const lockKey = 6_775_156;
/** How long to wait for another replica that is migrating, and for locks on tables. The server enforces it. */
const lockTimeoutSeconds = 120;
/** Bound of the whole script on our side, beyond the server's. */
const scriptMs = 300_000;

/**
 * Brings the schema up to date. On a database that is up to date it is one query, without lock or DDL. Otherwise all
 * missing migrations are applied in one transaction under an advisory lock; several replicas may do this at once. Versions
 * that a newer gateway applied are left alone.
 * @throws PostgresError, as `permission denied for schema public` for a role that may not create tables.
 */
export async function migrate(
  database: Database,
  list: readonly Migration[] = migrations,
): Promise<void> {
  const applied = await appliedVersions(database);
  const newest = Math.max(0, ...list.map(({ version }) => version));
  const newer = applied.filter((version) => version > newest);
  if (newer.length > 0) {
    log.info(
      `the database is ahead of this gateway: migration ${Math.max(...newer)} is applied, ${newest} is the newest known here. Going on`,
    );
  }
  const missing = list.filter(({ version }) => !applied.includes(version));
  if (missing.length === 0) return;
  log.info(
    `waiting for migration lock (another replica may be migrating; check pg_locks for key ${lockKey} if this persists)`,
  );
  for (const { version } of await database.script<{ version: number }>(
    scriptFor(missing),
    scriptMs,
  )) {
    log.info(`migration ${version} applied`);
  }
}

async function appliedVersions({ query }: Database): Promise<number[]> {
  try {
    const rows = await query<{ version: number }>`select version from gateway_migrations`;
    return rows.map(({ version }) => version);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefinedTable) return [];
    throw error;
  }
}

const undefinedTable = "42P01";

/**
 * One message to the server is one transaction, with poolers too. Each migration asks again under the lock whether it is
 * still missing. The last statement gives the versions that this transaction added: now() is its start.
 */
function scriptFor(missing: readonly Migration[]): string {
  return [
    `set local lock_timeout = '${lockTimeoutSeconds}s';`,
    `select pg_advisory_xact_lock(${lockKey});`,
    "create table if not exists gateway_migrations (",
    "  version int primary key, name text not null, applied_at timestamptz not null default now()",
    ");",
    ...missing.map(stepFor),
    "select version from gateway_migrations where applied_at = now() order by version;",
  ].join("\n");
}

function stepFor({ version, name, sql }: Migration): string {
  return `do $step$ begin
    if exists (select 1 from gateway_migrations where version = ${version}) then return; end if;
    execute $migration$ ${sql} $migration$;
    insert into gateway_migrations (version, name) values (${version}, '${name}');
  end $step$;`;
}
