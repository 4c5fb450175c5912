// How a person stands against the caps that hold: every sum that has a limit, which of them is the fullest and whether one is
// used up. Pure. What is known of sums and caps is accounts.ts's and known-caps.ts's, what the client is told told.ts's.
import type { Account } from "./accounts.ts";
import type { Money } from "./money.ts";
import { type Period, type PeriodName, periodNames } from "./periods.ts";

/** What set a limit: a cap on the person's own spend, by whom it is for; a pool that groups share; or the ceiling of a session. */
export type Source = "organization" | "rbac_group" | "user" | "group_pool" | "session";

/** What a sum may come to in each period of a kind. */
export type Limit = {
  readonly source: Source;
  readonly period: PeriodName;
  readonly amount: Money;
  /** Of a pool. */
  readonly group?: string;
};

/** One sum that has a limit. */
export type Standing = Limit & {
  /** When the sum starts at zero again, in milliseconds since the epoch. */
  readonly resetsAt: number;
  readonly spent: Money;
  readonly account: Account;
};

/** How an account stands against a limit. @param period of the limit's kind */
export function standingOf(account: Account, limit: Limit, { key, endsAt }: Period): Standing {
  return { ...limit, resetsAt: endsAt, spent: account.spentIn(key), account };
}

/** Used up: what was spent is the amount or more. */
export function isUsedUp({ spent, amount }: Standing): boolean {
  return spent >= amount;
}

/** Would be used up if all requests under way cost as much as they may. */
export function isSpokenFor({ spent, amount, account }: Standing): boolean {
  return spent + account.reserved >= amount;
}

/** The one to tell of: of those used up the last to reset, since until then nothing goes; else the fullest. */
export function toTell(standings: readonly Standing[]): Standing | undefined {
  return lastToReset(standings.filter(isUsedUp)) ?? best(standings, compareFullness);
}

/** The one of which a refusal tells. */
export function lastToReset(usedUp: readonly Standing[]): Standing | undefined {
  return best(usedUp, (one, other) => one.resetsAt - other.resetsAt);
}

/** The greatest in an order, and of equal ones that of the longest period. */
function best(
  standings: readonly Standing[],
  compare: (one: Standing, other: Standing) => number,
): Standing | undefined {
  return standings.reduce<Standing | undefined>(
    (greatest, standing) =>
      greatest === undefined ||
      (compare(standing, greatest) || compareLength(standing, greatest)) > 0
        ? standing
        : greatest,
    undefined,
  );
}

function compareLength(one: Standing, other: Standing): number {
  return periodNames.indexOf(one.period) - periodNames.indexOf(other.period);
}

/**
 * `spent / amount` in parts of `1 / parts`, rounded half up: 54 for 0.535 in hundredths. For showing, never for deciding.
 * Of a limit of zero it is the whole.
 */
export function utilization(standing: Standing, parts: bigint): bigint {
  const { spent, amount } = partsOf(standing);
  const doubled = 2n * spent * parts + amount;
  const divisor = 2n * amount;
  // BigInt division cuts towards zero; below zero that would round up.
  return doubled >= 0n ? doubled / divisor : (doubled - divisor + 1n) / divisor;
}

/** Whether more than `percent` of the limit is spent. */
export function isAbove(standing: Standing, percent: bigint): boolean {
  const { spent, amount } = partsOf(standing);
  return spent * 100n > amount * percent;
}

/** Of the parts spent. */
function compareFullness(one: Standing, other: Standing): number {
  const left = partsOf(one).spent * partsOf(other).amount;
  const right = partsOf(other).spent * partsOf(one).amount;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A limit of zero is full, whatever is spent. */
function partsOf({ spent, amount }: Standing): { spent: Money; amount: Money } {
  return amount === 0n ? { spent: 1n, amount: 1n } : { spent, amount };
}
