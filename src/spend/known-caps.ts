// The caps that this process knows, in memory: what the database said when it was last asked. Each check overwrites what it asked
// for; while the database is away, the last known caps go on to hold.
import type { CapRow, StandingsQuestion } from "../store/standings.ts";
import { type Cap, type Person, type ScopeType, scopeTypes } from "./caps.ts";
import { periodNames } from "./periods.ts";

export type KnownCaps = {
  /** Takes over an answer: who was asked for and has no cap in it has none. */
  read(asked: Pick<StandingsQuestion, "principals" | "groups">, rows: readonly CapRow[]): void;
  /** Every cap that bears on a person, sessions' and pools included. */
  of(person: Person): readonly Cap[];
  /** Another number whenever somebody's caps are others than before. */
  readonly version: number;
};

/** People and groups whose caps are remembered. Those read longest ago go first. */
const scopesMax = 100_000;

const none: readonly Cap[] = [];

/** @param max people and groups whose caps are remembered */
export function createKnownCaps(max = scopesMax): KnownCaps {
  /** Of those who have any, in the order in which they were read. */
  const byScope = new Map<string, readonly Cap[]>();
  let version = 0;

  function remember(scope: string, caps: readonly Cap[]): void {
    const known = byScope.get(scope) ?? none;
    if (known === caps) return;
    if (!isSame(known, caps)) version += 1;
    byScope.delete(scope);
    if (caps.length > 0) byScope.set(scope, caps);
    const [oldest] = byScope.size > max ? byScope.keys() : [];
    if (oldest !== undefined) byScope.delete(oldest);
  }

  return {
    read({ principals, groups }, rows) {
      const found = new Map<string, Cap[]>();
      for (const row of rows) {
        const cap = capOf(row);
        if (cap === undefined) continue;
        const scope = scopeKey(cap.scopeType, cap.scopeId);
        const caps = found.get(scope);
        if (caps === undefined) found.set(scope, [cap]);
        else caps.push(cap);
      }
      const take = (scope: string) => remember(scope, found.get(scope) ?? none);
      for (const group of groups) take(scopeKey("rbac_group", group));
      for (const principal of principals) take(scopeKey("user", principal));
      // Last, so that the caps of everybody are never the ones that are forgotten.
      for (const scope of everybodys) take(scope);
    },
    of({ sub, groups }) {
      const scopes = [
        scopeKey("user", sub),
        ...groups.map((group) => scopeKey("rbac_group", group)),
        ...everybodys,
      ];
      return scopes.flatMap((scope) => byScope.get(scope) ?? none);
    },
    get version() {
      return version;
    },
  };
}

function scopeKey(type: ScopeType, id: string): string {
  return `${type}\0${id}`;
}

const everybodys = [scopeKey("organization", ""), scopeKey("session", "")];

/** Whether two lists of a scope's caps, of which there is one for each period, say the same. */
function isSame(some: readonly Cap[], others: readonly Cap[]): boolean {
  return (
    some.length === others.length &&
    some.every((cap) => others.some((other) => isEqual(cap, other)))
  );
}

/** Of the same scope. */
function isEqual(cap: Cap, other: Cap): boolean {
  return (
    cap.period === other.period &&
    cap.id === other.id &&
    cap.amount === other.amount &&
    cap.pool?.amount === other.pool?.amount &&
    cap.pool?.isPaused === other.pool?.isPaused
  );
}

/** Undefined for a row of a kind that this version does not know. */
function capOf(row: CapRow): Cap | undefined {
  const period = periodNames.find((name) => name === row.period);
  if (period === undefined || !isScopeType(row.scope_type)) return undefined;
  const pooled = row.pooled_monthly_credit_limit;
  return {
    id: row.id,
    scopeType: row.scope_type,
    scopeId: row.scope_id,
    period,
    amount: row.amount === null ? null : BigInt(row.amount),
    pool: pooled === null ? null : { amount: BigInt(pooled), isPaused: !row.pooled_limit_enabled },
  };
}

function isScopeType(word: string): word is ScopeType {
  return (scopeTypes as readonly string[]).includes(word);
}
