// The spend limits themselves: list, read, make or replace, delete. What comes back is a `spend_limit` object, and each change
// an audit event beside the row of the trail that store/limits.ts writes with it.
import { audit, type AuditEvent } from "../../audit.ts";
import { ApiError } from "../../http/errors.ts";
import type { LimitRow, LimitsStore, ReadLimit } from "../../store/limits.ts";
import { storable } from "../../store/stored-text.ts";
import { type ScopeType, scopeTypes } from "../caps.ts";
import { centsText, moneyOrZero } from "../money.ts";
import { periodsAt } from "../periods.ts";
import { contentsAfter, hasPools } from "./limit-contents.ts";
import { readLimitRequest } from "./limit-request.ts";
import { scopeObject } from "./scope.ts";
import { limitIn, pageOf } from "./page.ts";

/** Who changes a cap, in which request. */
export type Change = { readonly actor: string; readonly requestId: string };

/** Each resolves with the body of the answer, and throws ApiError for what the caller should mend. */
export type LimitEndpoints = {
  list(search: URLSearchParams): Promise<object>;
  read(id: string): Promise<object>;
  /** @param body JSON */
  put(body: string, change: Change): Promise<object>;
  remove(id: string, change: Change): Promise<object>;
};

const limitDefault = 20;

/** Tries at a change while others change the same cap. Of those at the same moment one succeeds each time. */
const triesMax = 20;

/** @param deps.now milliseconds since the epoch, for the month whose pools' spend is shown */
export function createLimitEndpoints(deps: {
  limits: LimitsStore;
  now: () => number;
}): LimitEndpoints {
  const { limits } = deps;
  const month = () => periodsAt(deps.now()).monthly.key;

  async function existing(id: string): Promise<ReadLimit> {
    const limit = await limits.withId(storable(id), month());
    if (limit === undefined) throw new ApiError("not_found_error", "spend limit not found");
    return limit;
  }

  /** Asked when a list is empty, as one is from a cursor that no cap has: one that was deleted must not end a list early. */
  async function checkCursor(name: "after_id" | "before_id", id: string): Promise<void> {
    if ((await limits.withId(id, month())) !== undefined) return;
    throw new ApiError("invalid_request_error", `${name}: no spend limit with this id`);
  }

  return {
    async list(search) {
      const limit = limitIn(search, limitDefault);
      const scopeType = scopeTypeIn(search);
      const after = cursorIn(search, "after_id");
      const before = cursorIn(search, "before_id");
      if (after !== undefined && before !== undefined) {
        throw new ApiError(
          "invalid_request_error",
          "after_id and before_id are mutually exclusive",
        );
      }
      const found = await limits.list({ scopeType, after, before, rowsMax: limit + 1 }, month());
      if (found.length === 0) {
        if (after !== undefined) await checkCursor("after_id", after);
        if (before !== undefined) await checkCursor("before_id", before);
      }
      const { rows, has_more } = pageOf(found, limit, before === undefined ? "first" : "last");
      return {
        data: rows.map(limitObject),
        has_more,
        first_id: rows[0]?.id ?? null,
        last_id: rows.at(-1)?.id ?? null,
      };
    },

    async read(id) {
      return limitObject(await existing(id));
    },

    async put(body, change) {
      const request = readLimitRequest(body);
      return untilDone(async () => {
        const from = await limits.ofScope(request.scope, month());
        const to = await limits.put(contentsAfter(request, from), {
          from,
          id: `spl_${crypto.randomUUID().replaceAll("-", "")}`,
          actor: change.actor,
          month: month(),
        });
        if (to === undefined) return undefined;
        audit(upsertEvent(change, from, to));
        return limitObject(to);
      });
    },

    async remove(id, change) {
      return untilDone(async () => {
        const limit = await existing(id);
        if (!(await limits.remove(limit, change.actor))) return undefined;
        audit({ evt: "admin.limit.delete", ...whatChanged(change, limit) });
        return { type: "spend_limit_deleted", id: limit.id };
      });
    },
  };
}

/** Tries again from reading on when somebody else changed the same cap in between. */
async function untilDone(attempt: () => Promise<object | undefined>): Promise<object> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const done = await attempt();
    if (done !== undefined) return done;
  }
  throw new Error(`a spend limit was changed by others ${triesMax} times while it was written`);
}

function cursorIn(search: URLSearchParams, name: "after_id" | "before_id"): string | undefined {
  const id = search.get(name);
  return id === null ? undefined : storable(id);
}

/** @throws ApiError `invalid_request_error` */
function scopeTypeIn(search: URLSearchParams): ScopeType | undefined {
  const asked = search.get("scope_type");
  const scopeType = scopeTypes.find((candidate) => candidate === asked);
  if (asked === null || scopeType !== undefined) return scopeType;
  throw new ApiError(
    "invalid_request_error",
    `scope_type: must be one of ${scopeTypes.join(", ")}`,
  );
}

function limitObject(limit: LimitRow): object {
  const pool = poolOf(limit);
  const spent = centsText(moneyOrZero(limit.pool_cents ?? "0"));
  return {
    type: "spend_limit",
    id: limit.id,
    created_at: limit.created_at,
    updated_at: limit.updated_at,
    scope: scopeObject(limit.scope_type, limit.scope_id),
    amount: limit.amount,
    currency: limit.currency,
    period: limit.period,
    ...(hasPools(limit) && {
      pooled_budget: pool && { ...pool, currency: limit.currency, period_to_date_spend: spent },
    }),
  };
}

function poolOf(limit: LimitRow): { amount: string; paused: boolean } | null {
  const { pooled_monthly_credit_limit: amount } = limit;
  return amount === null ? null : { amount, paused: !limit.pooled_limit_enabled };
}

function upsertEvent(change: Change, from: LimitRow | undefined, to: LimitRow): AuditEvent {
  return {
    evt: "admin.limit.upsert",
    ...whatChanged(change, to),
    ...(from && { before_amount: from.amount }),
    amount: to.amount,
    ...(from && hasPools(to) && { before_pooled_budget: poolOf(from) }),
    ...(hasPools(to) && { pooled_budget: poolOf(to) }),
  };
}

function whatChanged({ actor, requestId }: Change, limit: LimitRow) {
  const { id: target, scope_type, scope_id, period } = limit;
  return { request_id: requestId, actor, target, scope_type, scope_id, period };
}
