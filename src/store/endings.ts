// Every statement on sessions that were ended before their time: recording one, reading what replicas recorded, finding whom an
// e-mail address belongs to. What has ended is decided in endings/, from memory.
//
// Time is the database's. A row is marked with clock_timestamp() when it is written and read by its age, so that replicas with
// different clocks agree on what is recent.
import type { Query } from "./database.ts";
import { pruneRowsMax } from "./kv.ts";

/** One session, by its id. */
export type SessionEnding = { readonly kind: "session"; readonly id: string };

/** All of a principal's sessions that began up to then. */
export type PrincipalEnding = {
  readonly kind: "principal";
  /** As `storableKey` has it (stored-text.ts). */
  readonly principal: string;
  /** Seconds since the epoch. */
  readonly throughSeconds: number;
  /** Who did it, for the trail. */
  readonly actor: string;
};

export type Ending = SessionEnding | PrincipalEnding;

export type RecordedEndings = {
  /** How long ago each was recorded, by the database's clock. */
  readonly sessions: readonly (readonly [id: string, ageSeconds: number])[];
  readonly principals: readonly (readonly [principal: string, throughSeconds: number])[];
};

/** Endings, those recorded last, and where the page of those before them begins: undefined where there are none. */
export type PageOfEndings = RecordedEndings & {
  readonly next: { readonly before: string; readonly ageSeconds: number } | undefined;
};

/** Each is one statement and throws what the database or the connection throws. */
export type EndingsStore = {
  /**
   * Records endings, and those of principals in the trail. Idempotent: what is recorded again is only found again by replicas
   * that look for what is recent.
   * @param keptSeconds until nothing can be used any more that they end
   */
  record(endings: readonly Ending[], keptSeconds: number): Promise<void>;
  /**
   * Of what was recorded in the last `withinSeconds`, the newest: `rowsMax` of each kind, and a few more where rows were recorded
   * at the same time. @param before where the page begins, as the page before it says; the first one without
   */
  read(withinSeconds: number, rowsMax: number, before?: string): Promise<PageOfEndings>;
  /** What is recorded of these principals. */
  readPrincipals(principals: readonly string[]): Promise<RecordedEndings["principals"]>;
  /** Whether a session is recorded as ended, by its id or with everything of its principal up to when it began. */
  has(id: string, principal: string, beganAtSeconds: number): Promise<boolean>;
  /** Who has an e-mail address, in whatever case, as far as the tables tell; `rowsMax` at most. */
  principalsWithEmail(email: string, rowsMax: number): Promise<string[]>;
  /** Deletes what has expired, at most `pruneRowsMax` rows of each kind. Resolves with how many went. */
  prune(): Promise<number>;
};

export function createEndingsStore(query: Query): EndingsStore {
  return {
    async record(endings, keptSeconds) {
      // The trail is told what changed: an ending that is written twice, because nobody heard of the first time, is one row.
      await query`
        with given as (
          select * from jsonb_to_recordset(${JSON.stringify(endings)}::text::jsonb)
            as ending (kind text, id text, principal text, "throughSeconds" bigint, actor text)
        ),
        latest as (
          select distinct on (principal) principal, "throughSeconds" as through, actor
          from given where kind = 'principal' order by principal, "throughSeconds" desc
        ),
        sessions as (
          insert into ended_sessions (id, recorded_at, expires_at)
          select distinct id, clock_timestamp(), now() + make_interval(secs => ${keptSeconds})
          from given where kind = 'session'
          on conflict (id) do update set
            recorded_at = excluded.recorded_at, expires_at = excluded.expires_at
        ),
        trail as (
          insert into admin_audit (actor, action, target, after)
          select actor, 'principal.sign_out', principal, jsonb_build_object(
            'type', 'sign_out', 'user_id', principal,
            'ended_through', to_char(to_timestamp(through) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
          )
          from latest where not exists (
            select from ended_principals as known
            where known.principal = latest.principal and known.ended_through >= latest.through
          )
        )
        insert into ended_principals (principal, ended_through, recorded_at, expires_at)
        select principal, through, clock_timestamp(), now() + make_interval(secs => ${keptSeconds})
        from latest
        on conflict (principal) do update set
          ended_through = greatest(ended_principals.ended_through, excluded.ended_through),
          recorded_at = excluded.recorded_at, expires_at = excluded.expires_at`;
    },

    async read(withinSeconds, rowsMax, before = "infinity") {
      // One row of JSON: the client reads it in less time than many rows.
      const [row] = await query<PageRow>`
        with page as (
          select greatest(
            now() - make_interval(secs => ${withinSeconds}),
            (select recorded_at from ended_sessions
              where expires_at > now() and recorded_at < ${before}::text::timestamptz
              order by recorded_at desc offset ${rowsMax - 1} limit 1),
            (select recorded_at from ended_principals
              where expires_at > now() and recorded_at < ${before}::text::timestamptz
              order by recorded_at desc offset ${rowsMax - 1} limit 1)
          ) as since
        )
        select since::text as before, extract(epoch from now() - since)::float8 as "ageSeconds",
          (select json_agg(json_build_array(id, extract(epoch from now() - recorded_at)::int))
            from ended_sessions where expires_at > now()
            and recorded_at < ${before}::text::timestamptz and recorded_at >= (select since from page)
          ) as sessions,
          (select json_agg(json_build_array(principal, ended_through))
            from ended_principals where expires_at > now()
            and recorded_at < ${before}::text::timestamptz and recorded_at >= (select since from page)
          ) as principals
        from page`;
      if (row === undefined) throw new Error("the database gave no row");
      const [sessions, principals] = [row.sessions ?? [], row.principals ?? []];
      const isFull = Math.max(sessions.length, principals.length) >= rowsMax;
      return { sessions, principals, next: isFull ? row : undefined };
    },

    async readPrincipals(principals) {
      const [row] = await query<Pick<PageRow, "principals">>`
        select json_agg(json_build_array(principal, ended_through)) as principals
        from ended_principals where principal in (
          select jsonb_array_elements_text(${JSON.stringify(principals)}::text::jsonb)
        )`;
      return row?.principals ?? [];
    },

    async has(id, principal, beganAtSeconds) {
      const rows = await query`
        select from ended_sessions where id = ${id}
        union all
        select from ended_principals
        where principal = ${principal} and ended_through >= ${beganAtSeconds}::bigint`;
      return rows.length > 0;
    },

    async principalsWithEmail(email, rowsMax) {
      const rows = await query<{ principal: string }>`
        select principal from principal_emails where lower(email) = lower(${email})
        order by principal limit ${rowsMax}`;
      return rows.map(({ principal }) => principal);
    },

    async prune() {
      const rows = await query`
        with sessions as (
          delete from ended_sessions where id in (
            select id from ended_sessions where expires_at <= now()
            order by expires_at limit ${pruneRowsMax} for update skip locked
          )
          returning 1
        ),
        principals as (
          delete from ended_principals where principal in (
            select principal from ended_principals where expires_at <= now()
            order by expires_at limit ${pruneRowsMax} for update skip locked
          )
          returning 1
        )
        select from sessions union all select from principals`;
      return rows.length;
    },
  };
}

type PageRow = {
  before: string;
  ageSeconds: number;
  sessions: [string, number][] | null;
  principals: [string, number][] | null;
};
