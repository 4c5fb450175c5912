// How long spend, the trail and identities are kept: the statements that delete what is older. When they run is store.ts's;
// rows of kv expire by themselves, in kv.ts; erasing one person is an operator's, with the SQL in README.md.
//
// Age is told by the database's now(), which also wrote `updated_at`: a gateway whose clock is wrong deletes nothing for it.
import type { Query } from "./database.ts";
import { pruneRowsMax } from "./kv.ts";

export type RetentionOptions = {
  /** Spend, since it last changed. Calendar months; may be a fraction. */
  spendMonths: number;
  /** Changes of caps. */
  auditDays: number;
  /** Names, addresses and groups of people, since they were last heard of. */
  identityDays: number;
  /** Keys of the periods that are under way. */
  currentPeriods: () => readonly string[];
};

export type Retention = {
  /**
   * Deletes what is too old, at most `pruneRowsMax` rows of each table, and none that somebody is writing. Resolves with how
   * many went; with that many or more there may be others left.
   */
  prune(): Promise<number>;
};

/** Longer than the longest period, so that none is left that a cap still looks at. */
const sessionDays = 40;

/**
 * Positions of writers are kept so long at least: a batch that waited on a disk must find what was already written of it.
 */
const writerDaysMin = 31;

/** A hundred years stand for whatever is more: beyond what dates can hold every prune would fail. */
const monthsMax = 1_200;
const daysMax = 36_500;

/** Each prune is a few statements, each of which throws what the database or the connection throws. */
export function createRetention(query: Query, options: RetentionOptions): Retention {
  const months = Math.min(options.spendMonths, monthsMax);
  const auditDays = Math.min(options.auditDays, daysMax);
  const identityDays = Math.min(options.identityDays, daysMax);
  const current = () => JSON.stringify(options.currentPeriods());

  // Each picks the rows by an index on their age (the tables without one are small), locks them, which looks at them again as
  // they are now, and deletes those. Sums of a period that is not over are kept, however short the retention is.
  const statements = [
    () => query`
      with old as (
        select principal, period from spend
        where updated_at < now() - ${months}::float8 * interval '1 month'
          and not ${current()}::text::jsonb ? period
        order by updated_at limit ${pruneRowsMax} for update skip locked
      )
      delete from spend using old
      where spend.principal = old.principal and spend.period = old.period
      returning 1`,

    () => query`
      with old as (
        select rbac_group_id, period from pooled_spend
        where updated_at < now() - ${months}::float8 * interval '1 month'
          and not ${current()}::text::jsonb ? period
        limit ${pruneRowsMax} for update skip locked
      )
      delete from pooled_spend as pools using old
      where pools.rbac_group_id = old.rbac_group_id and pools.period = old.period
      returning 1`,

    () => query`
      with old as (
        select principal, session_id, period from session_spend
        where updated_at < greatest(
            now() - ${months}::float8 * interval '1 month', now() - ${sessionDays}::float8 * interval '1 day'
          )
          and not ${current()}::text::jsonb ? period
        order by updated_at limit ${pruneRowsMax} for update skip locked
      )
      delete from session_spend as sessions using old
      where sessions.principal = old.principal
        and sessions.session_id = old.session_id and sessions.period = old.period
      returning 1`,

    () => query`
      with old as (
        select writer from spend_writers
        where updated_at < least(
          now() - ${months}::float8 * interval '1 month', now() - ${writerDaysMin}::float8 * interval '1 day'
        )
        limit ${pruneRowsMax} for update skip locked
      )
      delete from spend_writers using old where spend_writers.writer = old.writer returning 1`,

    () => query`
      with old as (
        select principal from principal_emails
        where updated_at < now() - ${identityDays}::float8 * interval '1 day'
        order by updated_at limit ${pruneRowsMax} for update skip locked
      )
      delete from principal_emails using old
      where principal_emails.principal = old.principal
      returning 1`,

    // Who was in which group is of use on that day. Yesterday's stays for those whose clock is behind.
    () => query`
      with old as (
        select day, principal from principal_groups
        where day < to_char(now() at time zone 'UTC' - interval '1 day', 'YYYY-MM-DD')
        order by day limit ${pruneRowsMax} for update skip locked
      )
      delete from principal_groups using old
      where principal_groups.day = old.day and principal_groups.principal = old.principal
      returning 1`,

    // The last, because it is the one that may be forbidden: where the trail must not lose rows, nobody may delete from it.
    () => query`
      with old as (
        select id from admin_audit
        where at < now() - ${auditDays}::float8 * interval '1 day'
        order by at limit ${pruneRowsMax} for update skip locked
      )
      delete from admin_audit using old where admin_audit.id = old.id returning 1`,
  ];

  return {
    async prune() {
      let deleted = 0;
      for (const statement of statements) {
        const rows = await statement();
        deleted += rows.length;
      }
      return deleted;
    },
  };
}
