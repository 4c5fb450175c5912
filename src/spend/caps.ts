// Caps: limits on what may be spent in a period, and which one applies to a person. Pure; how they are stored is store/'s, how
// they are set admin/'s, and how a person stands against them standing.ts's.
import type { PeriodName } from "./periods.ts";

/** For whom a cap is. For all but a pool, everybody that it is for has the whole amount for themselves. */
export const scopeTypes = ["organization", "rbac_group", "session", "user"] as const;
export type ScopeType = (typeof scopeTypes)[number];

export type Cap = {
  readonly id: string;
  readonly scopeType: ScopeType;
  /** The group or the `sub` that it is for; empty for the organisation and for sessions. */
  readonly scopeId: string;
  readonly period: PeriodName;
  /** Whole cents; null is no limit, which is not the same as no cap. */
  readonly amount: bigint | null;
  /** A budget that the members of a group share, monthly. */
  readonly pool: Pool | null;
};

export type Pool = {
  /** Whole cents. */
  readonly amount: bigint;
  readonly isPaused: boolean;
};

export type GroupLimitMode = "min" | "max";

/** Whose caps are asked for. */
export type Person = { readonly sub: string; readonly groups: readonly string[] };

/**
 * The cap on a person's own spend in a period: the person's own, else of the caps of the person's groups the lowest or the
 * highest, else the organisation's. No limit is higher than any. Undefined when there is none.
 */
export function effectiveCap(
  caps: readonly Cap[],
  person: Person,
  period: PeriodName,
  mode: GroupLimitMode,
): Cap | undefined {
  let organization: Cap | undefined;
  let group: Cap | undefined;
  for (const cap of caps) {
    if (cap.period !== period) continue;
    if (cap.scopeType === "user" && cap.scopeId === person.sub) return cap;
    if (cap.scopeType === "organization") organization = cap;
    if (cap.scopeType === "rbac_group" && person.groups.includes(cap.scopeId)) {
      if (group === undefined || isPreferred(cap, group, mode)) group = cap;
    }
  }
  return group ?? organization;
}

function isPreferred(cap: Cap, other: Cap, mode: GroupLimitMode): boolean {
  const order = compareAmounts(cap.amount, other.amount) || compareIds(cap.id, other.id);
  return mode === "min" || cap.amount === other.amount ? order < 0 : order > 0;
}

function compareAmounts(one: bigint | null, other: bigint | null): number {
  if (one === other) return 0;
  if (one === null) return 1;
  if (other === null) return -1;
  return one < other ? -1 : 1;
}

/** Of equal caps the one that comes first by its id, so that every replica names the same one. */
function compareIds(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
