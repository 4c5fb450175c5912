// The statements that add settled spend to the tables, each batch exactly once. What a batch holds, when it is sent and what
// happens when the database is away is spend/'s.
//
// How a batch is added once: a writer numbers what it settles, and a batch carries the numbers `(after, seq]`. The row of the
// writer in spend_writers holds the highest number that the tables contain. One statement moves it from `after` or below to
// `seq` and adds the sums, or does neither. So of batches that share a number at most one is ever added, however often they
// are sent, in whichever order they arrive, and also when one that was given up for lost still runs on the server.
import type { Query } from "./database.ts";

/** What is to be added, in cents as decimal text. No row is there twice, and no text has what PostgreSQL cannot store. */
export type SpendEntries = {
  readonly principals: readonly (readonly [principal: string, period: string, cents: string])[];
  readonly groups: readonly (readonly [group: string, period: string, cents: string])[];
  readonly sessions: readonly (readonly [
    principal: string,
    sessionId: string,
    period: string,
    cents: string,
  ])[];
};

/** Who somebody is, and the groups on a day (`2026-11-22`). No principal is in a batch twice. */
export type IdentityEntry = readonly [
  principal: string,
  email: string | null,
  name: string | null,
  groups: readonly string[],
  day: string,
];

export type SpendBatch = {
  readonly writer: string;
  /** The highest number that the writer knows to be in the tables; 0 before the first batch. */
  readonly after: number;
  /** The highest number in this batch. */
  readonly seq: number;
  readonly entries: SpendEntries;
  readonly identities: readonly IdentityEntry[];
};

/** Each is one statement and throws what the database or the connection throws. */
export type LedgerStore = {
  /** Resolves with true when the batch was added, and with false when a number of it was in the tables before. */
  apply(batch: SpendBatch): Promise<boolean>;
  /** The highest number of a writer in the tables; 0 for one that they do not know. */
  seqOf(writer: string): Promise<number>;
};

/** Bytes that the texts of a key may have together: PostgreSQL refuses an index entry beyond 2,704, a third of a page. */
const keyBytesMax = 2_500;

/** Whether a row with this key can be stored. One that cannot would fail the batch that it is in, every time. */
export function isIndexable(key: string): boolean {
  return key.length <= keyBytesMax / 3 || Buffer.byteLength(key) <= keyBytesMax;
}

export function createLedgerStore(query: Query): LedgerStore {
  return {
    async apply({ writer, after, seq, entries, identities }) {
      // Whoever adds to several rows locks them in the order of their keys, so that replicas wait for each other and do not
      // end in a deadlock.
      const rows = await query`
        with fresh as (
          insert into spend_writers as known (writer, seq) values (${writer}, ${seq})
          on conflict (writer) do update set seq = excluded.seq, updated_at = now()
          where known.seq <= ${after}
          returning seq
        ), of_principals as (
          insert into spend as known (principal, period, cents)
          select entry ->> 0, entry ->> 1, (entry ->> 2)::numeric
          from json_array_elements(${JSON.stringify(entries.principals)}::text::json) as entry
          where exists (select from fresh) order by 1, 2
          on conflict (principal, period) do update
          set cents = known.cents + excluded.cents, updated_at = now()
        ), of_groups as (
          insert into pooled_spend as known (rbac_group_id, period, cents)
          select entry ->> 0, entry ->> 1, (entry ->> 2)::numeric
          from json_array_elements(${JSON.stringify(entries.groups)}::text::json) as entry
          where exists (select from fresh) order by 1, 2
          on conflict (rbac_group_id, period) do update
          set cents = known.cents + excluded.cents, updated_at = now()
        ), of_sessions as (
          insert into session_spend as known (principal, session_id, period, cents)
          select entry ->> 0, entry ->> 1, entry ->> 2, (entry ->> 3)::numeric
          from json_array_elements(${JSON.stringify(entries.sessions)}::text::json) as entry
          where exists (select from fresh) order by 1, 2, 3
          on conflict (principal, session_id, period) do update
          set cents = known.cents + excluded.cents, updated_at = now()
        ), people as (
          select entry ->> 0 as principal, entry ->> 1 as email, entry ->> 2 as name,
            (entry -> 3)::jsonb as groups, entry ->> 4 as day
          from json_array_elements(${JSON.stringify(identities)}::text::json) as entry
          where exists (select from fresh)
        ), emails as (
          insert into principal_emails (principal, email, name, groups)
          select principal, email, name, groups from people order by 1
          on conflict (principal) do update
          set email = excluded.email, name = excluded.name, groups = excluded.groups, updated_at = now()
        ), memberships as (
          insert into principal_groups (day, principal, groups)
          select day, principal, groups from people order by 1, 2
          on conflict (day, principal) do update set groups = excluded.groups
        )
        select seq from fresh`;
      return rows.length > 0;
    },

    async seqOf(writer) {
      const [row] = await query<{ seq: string }>`
        select seq from spend_writers where writer = ${writer}`;
      return Number(row?.seq ?? 0);
    },
  };
}
