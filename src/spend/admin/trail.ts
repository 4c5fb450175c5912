// The audit trail of the caps, newest first: who changed which one, from what, to what. Its rows are written by
// store/limits.ts, with the changes.
import { ApiError } from "../../http/errors.ts";
import type { LimitsStore } from "../../store/limits.ts";
import { limitIn, pageOf } from "./page.ts";

const limitDefault = 100;

/**
 * The body of the answer to a query of the trail; `after_id` goes on to older changes.
 * @throws ApiError `invalid_request_error` for a parameter that is wrong.
 */
export function createTrail(
  limits: Pick<LimitsStore, "trail">,
): (search: URLSearchParams) => Promise<object> {
  return async (search) => {
    const limit = limitIn(search, limitDefault);
    const newer = search.get("after_id") ?? undefined;
    // More digits than the ids of the database have.
    if (newer !== undefined && !/^[0-9]{1,18}$/.test(newer)) {
      throw new ApiError("invalid_request_error", "after_id: must be an audit event id");
    }
    const found = await limits.trail({ before: newer, rowsMax: limit + 1 });
    const { rows, has_more } = pageOf(found, limit, "first");
    const data = rows.map(({ id, at, actor, action, target, before, after, reason }) => ({
      type: "audit_event",
      id,
      created_at: at,
      actor,
      action,
      target_id: target,
      before,
      after,
      reason,
    }));
    return { data, has_more };
  };
}
