// Every statement that lists, makes, changes or deletes caps, and the trail of those changes. A change and its row of the trail
// are one statement, and it happens to the cap that was read or not at all: what the trail says was there before, was. What a
// cap may hold is spend/admin/'s affair; reading caps for a request is in standings.ts.
import type { Query } from "./database.ts";
import type { CapRow } from "./standings.ts";

/** For whom and for when a cap is. There is at most one for each. */
export type LimitScope = Pick<CapRow, "scope_type" | "scope_id" | "period">;

/** A cap as it is stored. Amounts in whole cents, as text. */
export type LimitRow = CapRow & {
  currency: string;
  created_at: Date;
  updated_at: Date;
  /** What the group's members have spent together in the month asked for, in cents; null when nothing yet, or for other caps. */
  pool_cents: string | null;
};

/** A cap with the mark that tells this state of it from every other one. */
export type ReadLimit = LimitRow & { version: string };

/** What a change leaves. Amounts may have leading zeros, which are not kept. */
export type NewLimit = LimitScope &
  Pick<CapRow, "amount" | "pooled_limit_enabled" | "pooled_monthly_credit_limit">;

export type LimitsPage = {
  scopeType: string | undefined;
  /** Id of the cap that the page begins after or ends before; at most one of both. */
  after: string | undefined;
  before: string | undefined;
  rowsMax: number;
};

/** A change, as the trail has it. `before` and `after` are as `spend_limit` objects, without what was spent of a pool. */
export type TrailRow = {
  id: string;
  at: Date;
  actor: string;
  action: string;
  target: string;
  before: object | null;
  after: object | null;
  reason: string | null;
};

/** Each throws what the database or the connection throws. `month` is the period that pools' spend is shown of: `2026-11`. */
export type LimitsStore = {
  /** In the order in which they were made; of the rows before a cap, the last ones. Empty for a cursor that no cap has. */
  list(page: LimitsPage, month: string): Promise<LimitRow[]>;
  withId(id: string, month: string): Promise<ReadLimit | undefined>;
  ofScope(scope: LimitScope, month: string): Promise<ReadLimit | undefined>;
  /**
   * Makes a cap, under `id`, or replaces what was read of it, which keeps its id. Undefined, and nothing done, when it is not
   * as it was read any more: somebody else was quicker.
   */
  put(
    limit: NewLimit,
    change: { from: ReadLimit | undefined; id: string; actor: string; month: string },
  ): Promise<LimitRow | undefined>;
  /** Deletes a cap. False, and nothing done, when it is not as it was read any more. */
  remove(limit: ReadLimit, actor: string): Promise<boolean>;
  /** Changes from the newest one on, or from the one before `before`. */
  trail(page: { before: string | undefined; rowsMax: number }): Promise<TrailRow[]>;
};

/** Over caps and their trail. */
export function createLimitsStore(query: Query): LimitsStore {
  async function read(
    filter: LimitsPage & { id?: string; scope?: LimitScope },
    month: string,
  ): Promise<ReadLimit[]> {
    const { id = null, scope, after = null, before = null, scopeType = null } = filter;
    return query<ReadLimit>`
      select caps.*, caps.xmin::text as version, cents::text as pool_cents
      from spend_limits as caps
      left join pooled_spend as pools
        on caps.scope_type = 'rbac_group' and caps.period = 'monthly'
        and rbac_group_id = scope_id and pools.period = ${month}
      where (${id}::text is null or id = ${id})
        and (${scope === undefined} or (scope_type, scope_id, caps.period) =
          (${scope?.scope_type ?? null}, ${scope?.scope_id ?? null}, ${scope?.period ?? null}))
        and (${scopeType}::text is null or scope_type = ${scopeType})
        and (${after}::text is null or (created_at, id) >
          (select created_at, id from spend_limits where id = ${after}))
        and (${before}::text is null or (created_at, id) <
          (select created_at, id from spend_limits where id = ${before}))
      order by
        case when ${before}::text is not null then created_at end desc,
        case when ${before}::text is not null then id end desc,
        created_at, id
      limit ${filter.rowsMax}`;
  }

  /**
   * From one state to another, undefined being none, with the row of the trail. The rows are empty when nothing was done, else
   * one, of nulls when there is no cap any more. The cap that was read is locked first: whatever is then written, or compared
   * with `old`, is that very state. One that came in its place meanwhile, or where there was none, is left alone.
   */
  async function change(
    from: ReadLimit | undefined,
    to: NewLimit | undefined,
    by: { id: string; actor: string; month: string | null },
  ): Promise<LimitRow[]> {
    return query<LimitRow>`
      with old as (
        select * from spend_limits
        where id = ${from?.id ?? null} and xmin::text = ${from?.version ?? null}
        for update
      ),
      gone as (
        delete from spend_limits
        where ${to === undefined} and id = (select id from old)
        returning id
      ),
      changed as (
        insert into spend_limits (
          id, scope_type, scope_id, period, created_by,
          amount, pooled_limit_enabled, pooled_monthly_credit_limit
        )
        select
          ${by.id}::text, ${to?.scope_type ?? null}::text, ${to?.scope_id ?? null}::text,
          ${to?.period ?? null}::text, ${by.actor}::text, ${to?.amount ?? null}::bigint,
          ${to?.pooled_limit_enabled ?? null}::boolean,
          ${to?.pooled_monthly_credit_limit ?? null}::bigint
        where ${to !== undefined} and (${from === undefined} or exists (select from old))
        on conflict (scope_type, scope_id, period) do update set
          amount = excluded.amount,
          pooled_limit_enabled = excluded.pooled_limit_enabled,
          pooled_monthly_credit_limit = excluded.pooled_monthly_credit_limit,
          updated_at = excluded.updated_at
        where spend_limits.id = (select id from old)
        returning *
      ),
      images as (
        select side, jsonb_build_object(
          'id', id,
          'scope', jsonb_build_object('type', scope_type) || case scope_type
            when 'user' then jsonb_build_object('user_id', scope_id)
            when 'rbac_group' then jsonb_build_object('rbac_group_id', scope_id)
            else '{}' end,
          'amount', amount::text, 'period', period, 'currency', currency,
          'created_at', to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
          'updated_at', to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        ) || case
          when scope_type <> 'rbac_group' or period <> 'monthly' then '{}'
          when pooled_monthly_credit_limit is null then '{"pooled_budget": null}'
          else jsonb_build_object('pooled_budget', jsonb_build_object(
            'amount', pooled_monthly_credit_limit::text, 'paused', not pooled_limit_enabled
          )) end as image
        from (select 'before' as side, * from old union all select 'after', * from changed) as sides
      ),
      trail as (
        insert into admin_audit (actor, action, target, before, after)
        select
          ${by.actor}, ${to === undefined ? "spend_limit.delete" : "spend_limit.upsert"},
          ${from?.id ?? by.id},
          (select image from images where side = 'before'),
          (select image from images where side = 'after')
        where exists (select from gone) or exists (select from changed)
        returning id
      )
      select changed.*, cents::text as pool_cents
      from trail left join changed on true
      left join pooled_spend as pools
        on scope_type = 'rbac_group' and changed.period = 'monthly'
        and rbac_group_id = scope_id and pools.period = ${by.month}`;
  }

  const everything = { scopeType: undefined, after: undefined, before: undefined, rowsMax: 1 };
  return {
    async list(page, month) {
      const rows = await read(page, month);
      return page.before === undefined ? rows : rows.toReversed();
    },

    async withId(id, month) {
      const [row] = await read({ ...everything, id }, month);
      return row;
    },

    async ofScope(scope, month) {
      const [row] = await read({ ...everything, scope }, month);
      return row;
    },

    async put(limit, { from, ...by }) {
      const [row] = await change(from, limit, by);
      return row;
    },

    async remove(limit, actor) {
      const rows = await change(limit, undefined, { id: limit.id, actor, month: null });
      return rows.length === 1;
    },

    async trail({ before = null, rowsMax }) {
      return query<TrailRow>`
        select id::text, at, actor, action, target, before, after, reason from admin_audit
        where ${before}::bigint is null or id < ${before}::bigint
        order by admin_audit.id desc limit ${rowsMax}`;
    },
  };
}
