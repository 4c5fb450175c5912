// Every limit that bears on a request: the caps on the person's own spend, the ceiling of the session, the pools of the person's
// groups. Out of what is known in memory, so that it is asked again whenever something may have changed.
import type { Account, Accounts } from "./accounts.ts";
import { type Cap, effectiveCap, type GroupLimitMode, type Person } from "./caps.ts";
import type { KnownCaps } from "./known-caps.ts";
import { cent } from "./money.ts";
import { periodNames, type Periods } from "./periods.ts";
import { type Limit, type Standing, standingOf } from "./standing.ts";

/** Where a request's cost is added up, and what limits it there. */
export type Standings = {
  /** The person's own spend, and its caps. */
  readonly account: Account;
  readonly own: readonly Standing[];
  /** The session's spend, where there is a limit on sessions and the client names its session. */
  readonly session: Account | undefined;
  readonly ofSession: readonly Standing[];
  /** The pools that may pay, in order of preference. One pays; with none of them, nothing but the person's own caps count. */
  readonly pools: readonly Standing[];
};

/** What the caps of a version come to for a person. */
type Limits = {
  readonly version: number;
  readonly own: readonly Limit[];
  readonly ofSession: readonly Limit[];
  readonly pools: readonly PoolLimit[];
};

type PoolLimit = Limit & { readonly group: string };

/** @param groupLimitMode admin.group_limit_mode */
export function createStandings({
  accounts,
  caps,
  groupLimitMode,
}: {
  accounts: Accounts;
  caps: KnownCaps;
  groupLimitMode: GroupLimitMode;
}): (person: Person, sessionId: string | undefined, periods: Periods) => Standings {
  /** Caps seldom change, and people may be in hundreds of groups. */
  const known = new WeakMap<Person, Limits>();

  function limitsOf(person: Person): Limits {
    const remembered = known.get(person);
    if (remembered?.version === caps.version) return remembered;
    const limits = limitsFrom(caps.of(person), person, groupLimitMode);
    const fresh = { ...limits, version: caps.version };
    known.set(person, fresh);
    return fresh;
  }

  return (person, sessionId, periods) => {
    const limits = limitsOf(person);
    const standing = (account: Account, limit: Limit) =>
      standingOf(account, limit, periods[limit.period]);
    const account = accounts.of({ kind: "principal", principal: person.sub });
    const session =
      sessionId === undefined || limits.ofSession.length === 0
        ? undefined
        : accounts.of({ kind: "session", principal: person.sub, sessionId });
    return {
      account,
      own: limits.own.map((limit) => standing(account, limit)),
      session,
      ofSession:
        session === undefined ? [] : limits.ofSession.map((limit) => standing(session, limit)),
      pools: limits.pools.map((limit) =>
        standing(accounts.of({ kind: "group", group: limit.group }), limit),
      ),
    };
  };
}

function limitsFrom(caps: readonly Cap[], person: Person, groupLimitMode: GroupLimitMode) {
  return {
    own: periodNames.flatMap((period) => {
      const cap = effectiveCap(caps, person, period, groupLimitMode);
      return cap === undefined ? [] : limitOf(cap);
    }),
    ofSession: caps.filter((cap) => cap.scopeType === "session").flatMap(limitOf),
    pools: caps.flatMap(poolOf).toSorted(byPreference),
  };
}

function limitOf({ amount, scopeType: source, period }: Cap): Limit[] {
  return amount === null ? [] : [{ source, amount: amount * cent, period }];
}

function poolOf({ pool, scopeId: group }: Cap): PoolLimit[] {
  if (pool === null || pool.isPaused) return [];
  return [{ source: "group_pool", amount: pool.amount * cent, period: "monthly", group }];
}

/** The largest pool pays first, of equally large ones that of the first group by name. Who is in several groups has all of them. */
function byPreference(one: PoolLimit, other: PoolLimit): number {
  if (one.amount !== other.amount) return one.amount > other.amount ? -1 : 1;
  return one.group < other.group ? -1 : 1;
}
