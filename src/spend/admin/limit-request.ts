// What a POST to the admin API asks for: its body, read and checked, the first thing wrong with it named as the reference
// names it. What comes of it, given the cap that is there already, is limit-contents.ts's.
import { ApiError } from "../../http/errors.ts";
import type { LimitScope } from "../../store/limits.ts";
import { type ScopeType, scopeTypes } from "../caps.ts";
import { type PeriodName, periodNames } from "../periods.ts";
import {
  asName,
  asObject,
  asText,
  type Fields,
  fieldsOf,
  invalid,
  isGiven,
  kindOf,
  required,
} from "./body-fields.ts";
import { scopeIdFields } from "./scope.ts";

export type LimitRequest = {
  readonly scope: LimitScope;
  /** Whole cents, null for no limit; undefined to leave it as it is. */
  readonly amount: string | null | undefined;
  /** Undefined when the request says nothing of a pool. What is undefined within stays as it is. */
  readonly pool: PoolRequest | undefined;
};

export type PoolRequest = {
  readonly amount: string | null | undefined;
  readonly isPaused: boolean | undefined;
};

/**
 * Checked in the order scope, amount, period, currency, pooled_budget, and then whether an amount is missing; unknown fields are
 * ignored.
 * @throws ApiError `invalid_request_error` for the first that is wrong.
 */
export function readLimitRequest(body: string): LimitRequest {
  const fields = fieldsOf(body);
  const scope = asObject(required(fields.scope, "scope"), "scope");
  const scopeType = asScopeType(scope.type);
  const scopeId = scopeIdOf(scopeType, scope);
  const amount = fields.amount === undefined ? undefined : asAmount(fields.amount, "amount");
  const period = asPeriod(fields.period);
  checkCurrency(fields.currency, "currency");
  const pool = asPool(fields.pooled_budget);
  // Who only changes the pool need not repeat the amount.
  if (pool === undefined) required(fields.amount, "amount");
  checkMayPool(pool, scopeType, period);
  return { scope: { scope_type: scopeType, scope_id: scopeId, period }, amount, pool };
}

function asScopeType(value: unknown): ScopeType {
  const type = scopeTypes.find((candidate) => candidate === value);
  if (type !== undefined) return type;
  throw invalid(
    "scope.type",
    "Invalid discriminator value. Expected 'user' | 'rbac_group' | 'organization' | 'session'",
  );
}

function scopeIdOf(scopeType: ScopeType, scope: Fields): string {
  const name = scopeIdFields[scopeType];
  if (name === undefined) return "";
  const field = `scope.${name}`;
  return asName(required(scope[name], field), field);
}

/** At most 18 digits, which is less than a bigint of the database holds. */
function asAmount(value: unknown, field: string): string | null {
  if (value === null) return null;
  const text = asText(value, field);
  if (/^[0-9]{1,18}$/.test(text)) return text;
  throw invalid(field, "must be a whole-number decimal string of cents");
}

function asPeriod(value: unknown): PeriodName {
  if (value === undefined) return "monthly";
  const period = periodNames.find((name) => name === value);
  if (period !== undefined) return period;
  const expected = `Expected ${periodNames.map((name) => `'${name}'`).join(" | ")}, received`;
  throw typeof value === "string"
    ? invalid("period", `Invalid enum value. ${expected} '${value}'`)
    : invalid("period", `${expected} ${kindOf(value)}`);
}

function checkCurrency(value: unknown, field: string): void {
  if (value === undefined || value === "USD") return;
  throw invalid(field, 'Invalid literal value, expected "USD"');
}

function asPool(value: unknown): PoolRequest | undefined {
  if (!isGiven(value)) return undefined;
  const fields = asObject(value, "pooled_budget");
  const amount =
    fields.amount === undefined ? undefined : asAmount(fields.amount, "pooled_budget.amount");
  const { paused } = fields;
  if (isGiven(paused) && typeof paused !== "boolean") {
    throw invalid("pooled_budget.paused", `Expected boolean, received ${kindOf(paused)}`);
  }
  checkCurrency(fields.currency, "pooled_budget.currency");
  return { amount, isPaused: paused ?? undefined };
}

/** What would take a pool away is welcome everywhere, since it is true already. */
function checkMayPool(
  pool: PoolRequest | undefined,
  scopeType: ScopeType,
  period: PeriodName,
): void {
  const asksForOne = isGiven(pool?.amount) || pool?.isPaused === false;
  if (!asksForOne) return;
  if (scopeType !== "rbac_group") {
    throw new ApiError(
      "invalid_request_error",
      "Pooled budget fields can only be set on a group-level limit",
    );
  }
  if (period !== "monthly") {
    throw new ApiError(
      "invalid_request_error",
      "Pooled budgets are monthly only. Set pooled fields on the group's monthly limit.",
    );
  }
}
