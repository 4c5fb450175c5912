// Every statement on table kv: device grants, rate-limit counters and other rows that expire. What the keys and values mean
// is the callers' affair. Time is the database's now(), so that replicas with different clocks agree.
import type { Query } from "./database.ts";

export type KeyValue = {
  /** The value of an unexpired row. */
  get(key: string): Promise<string | undefined>;
  /** Writes a row unless an unexpired one has the key. Of callers at the same moment exactly one gets true. */
  insert(key: string, value: string, ttlSeconds: number): Promise<boolean>;
  /** Writes a row, over whatever was there. */
  put(key: string, value: string, ttlSeconds: number): Promise<void>;
  /** Compare-and-set on an unexpired row; its expiry stays. Of callers with the same `expected` exactly one gets true. */
  replace(key: string, expected: string, value: string): Promise<boolean>;
  /** Compare-and-delete on an unexpired row. Of callers at the same moment exactly one gets true. */
  take(key: string, expected: string): Promise<boolean>;
  /** Counts in a window that opens with its first hit and closes `windowSeconds` later. Resolves with the new count. */
  count(key: string, windowSeconds: number): Promise<number>;
  /** Deletes expired rows, at most `pruneRowsMax`. Resolves with how many went. */
  prune(): Promise<number>;
};

/** Rows that one prune deletes at most, so that it never holds many locks. */
export const pruneRowsMax = 1_000;

/** The operations on the table; each is one statement and throws what the database or the connection throws. */
export function createKeyValue(query: Query): KeyValue {
  return {
    async get(key) {
      const [row] = await query<{ value: string }>`
        select value from kv
        where key = ${key} and (expires_at is null or expires_at > now())`;
      return row?.value;
    },

    async insert(key, value, ttlSeconds) {
      const rows = await query`
        insert into kv (key, value, expires_at)
        values (${key}, ${value}, now() + make_interval(secs => ${ttlSeconds}))
        on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at
        where kv.expires_at <= now()
        returning key`;
      return rows.length === 1;
    },

    async put(key, value, ttlSeconds) {
      await query`
        insert into kv (key, value, expires_at)
        values (${key}, ${value}, now() + make_interval(secs => ${ttlSeconds}))
        on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`;
    },

    async replace(key, expected, value) {
      const rows = await query`
        update kv set value = ${value}
        where key = ${key} and value = ${expected} and (expires_at is null or expires_at > now())
        returning key`;
      return rows.length === 1;
    },

    async take(key, expected) {
      const rows = await query`
        delete from kv
        where key = ${key} and value = ${expected} and (expires_at is null or expires_at > now())
        returning key`;
      return rows.length === 1;
    },

    async count(key, windowSeconds) {
      const [row] = await query<{ value: string }>`
        insert into kv (key, value, expires_at)
        values (${key}, '1', now() + make_interval(secs => ${windowSeconds}))
        on conflict (key) do update set
          value = case when kv.expires_at > now() then (kv.value::bigint + 1)::text else '1' end,
          expires_at = case when kv.expires_at > now() then kv.expires_at else excluded.expires_at end
        returning value`;
      return Number(row?.value);
    },

    async prune() {
      // Rows that someone is renewing right now are locked, and left for the next time.
      const rows = await query`
        delete from kv where key in (
          select key from kv where expires_at <= now()
          order by expires_at limit ${pruneRowsMax} for update skip locked
        )
        returning key`;
      return rows.length;
    },
  };
}
