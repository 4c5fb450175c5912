// What a cap holds after a request, given what is stored of it: what the request leaves out stays, and a pool that pays needs
// an amount of its own and one for each member. Pure.
import { ApiError } from "../../http/errors.ts";
import type { LimitRow, NewLimit } from "../../store/limits.ts";
import type { LimitRequest } from "./limit-request.ts";

/**
 * The cap as it shall be stored.
 * @param stored the cap of the same scope and period, if there is one
 * @throws ApiError `invalid_request_error` when the request and what is stored do not come to a whole cap.
 */
export function contentsAfter(request: LimitRequest, stored: LimitRow | undefined): NewLimit {
  const amount = request.amount === undefined ? stored?.amount : request.amount;
  if (amount === undefined) {
    throw new ApiError(
      "invalid_request_error",
      "This spend limit doesn't exist yet, so it needs amount (each member's own limit). Set amount; it may equal pooled_budget.amount.",
    );
  }
  const pool = hasPools(request.scope) ? poolAfter(request, stored, amount) : noPool;
  return {
    ...request.scope,
    amount,
    pooled_limit_enabled: pool.isActive,
    pooled_monthly_credit_limit: pool.amount,
  };
}

/** Whether caps of this scope and period may have a pool. */
export function hasPools(scope: { scope_type: string; period: string }): boolean {
  return scope.scope_type === "rbac_group" && scope.period === "monthly";
}

type StoredPool = { amount: string | null; isActive: boolean };
const noPool: StoredPool = { amount: null, isActive: false };

function poolAfter(
  { pool }: LimitRequest,
  stored: LimitRow | undefined,
  memberAmount: string | null,
): StoredPool {
  const { amount: amountBefore, isActive: wasActive } =
    stored === undefined ? noPool : storedPool(stored);
  const amount = pool?.amount === undefined ? amountBefore : pool.amount;
  const isPaused = pool?.isPaused ?? (amountBefore !== null && !wasActive);
  if (amount === null) {
    // Without an amount there is no pool. Whoever wants one to pay, or goes on wanting it, should hear of it.
    if (!isPaused && (wasActive || pool?.isPaused === false)) {
      throw new ApiError(
        "invalid_request_error",
        "A pooled budget that isn't paused needs an amount. Set pooled_budget.amount, or set pooled_budget.paused to true.",
      );
    }
    return noPool;
  }
  if (!isPaused && memberAmount === null) {
    throw new ApiError(
      "invalid_request_error",
      "A pooled budget that isn't paused needs amount (each member's own limit) on the same spend limit. Set amount; it may equal pooled_budget.amount.",
    );
  }
  return { amount, isActive: !isPaused };
}

function storedPool(stored: LimitRow): StoredPool {
  return { amount: stored.pooled_monthly_credit_limit, isActive: stored.pooled_limit_enabled };
}
