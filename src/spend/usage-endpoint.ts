// GET /api/oauth/usage: what the client shows a person of their own spend, in the words of its /usage and status line. The
// numbers are whole cents here, because that is what clients read.
import { notStored } from "../http/refusal.ts";
import type { HandlerFor } from "../http/router.ts";
import type { Principal } from "../session.ts";
import { cent, type Money } from "./money.ts";
import { type PeriodName, periodNames, type Periods } from "./periods.ts";
import type { Spend } from "./spend.ts";
import { isAbove, isUsedUp, type Standing, toTell, utilization } from "./standing.ts";

/** Percent of a limit above which it is marked, the highest first. */
const severities = [
  [95n, "critical"],
  [75n, "warning"],
] as const;

/** A request that would be let through has not used the limit up. */
const allowedPercentMax = 99n;

/** Answers 503 in plain text while the database is away. */
export function createUsageEndpoint(
  spend: Pick<Spend, "standingOf">,
  { periods }: { periods: () => Periods },
): HandlerFor<Principal> {
  return async (_incoming, principal) => {
    const standing = await spend.standingOf(principal);
    if (standing === undefined)
      return new Response("spend limit unavailable", { status: 503, headers: notStored });
    const { account, own } = standing;
    const today = periods();
    const spentIn = (name: PeriodName) => wholeCents(account.spentIn(today[name].key));
    const active = toTell(own);
    return Response.json(active === undefined ? withoutCap(spentIn) : withCaps(active, own), {
      headers: notStored,
    });
  };
}

function withCaps(active: Standing, standings: readonly Standing[]) {
  return {
    extra_usage: {
      is_enabled: true,
      monthly_limit: wholeCents(active.amount),
      used_credits: wholeCents(active.spent),
      utilization: percent(active),
      currency: "USD",
    },
    limits: periodNames.flatMap((name) =>
      standings
        .filter(({ period }) => period === name)
        .map((standing) => ({
          kind: "spend",
          group: standing.period,
          percent: percent(standing),
          resets_at: new Date(standing.resetsAt).toISOString(),
          severity: severityOf(standing),
          is_active: standing === active,
        })),
    ),
  };
}

function withoutCap(spentIn: (name: PeriodName) => number) {
  const of = (name: PeriodName) => ({
    limit: null,
    used_credits: spentIn(name),
    utilization: null,
  });
  return {
    extra_usage: {
      is_enabled: true,
      monthly_limit: null,
      used_credits: spentIn("monthly"),
      utilization: null,
      currency: "USD",
      daily: of("daily"),
      weekly: of("weekly"),
    },
    limits: [],
  };
}

function percent(standing: Standing): number {
  const used = utilization(standing, 100n);
  return Number(isUsedUp(standing) || used < allowedPercentMax ? used : allowedPercentMax);
}

function severityOf(standing: Standing): string {
  if (isUsedUp(standing)) return "critical";
  return severities.find(([above]) => isAbove(standing, above))?.[1] ?? "normal";
}

/** Rounded down, below zero as well, where BigInt division cuts towards it. */
function wholeCents(money: Money): number {
  const whole = money / cent;
  return Number(whole * cent > money ? whole - 1n : whole);
}
