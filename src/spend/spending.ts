// Everything about spend that a process keeps between requests, put together: what it knows of caps and sums, what it has to
// write, and the parts that answer requests.
import type { AdminConfig } from "../config/admin-schema.ts";
import type { Config } from "../config/schema.ts";
import type { Handler, HandlerFor } from "../http/router.ts";
import type { Principal, Sessions } from "../session.ts";
import type { Store } from "../store/store.ts";
import { createAccounts } from "./accounts.ts";
import { createAdminApi } from "./admin/admin-api.ts";
import { createEffective } from "./admin/effective.ts";
import { createCheck, longPatience, shortPatience } from "./check.ts";
import { openJournal } from "./journal.ts";
import { createKnownCaps } from "./known-caps.ts";
import { createLedger, type LedgerOptions } from "./ledger.ts";
import { createCalendar } from "./periods.ts";
import { centsNumber } from "./money.ts";
import { createPrices } from "./price.ts";
import { createReservations } from "./reservation.ts";
import { createWaitForRoom } from "./room.ts";
import { createSpend, type Spend } from "./spend.ts";
import { createStandings } from "./standings.ts";
import { createUsageEndpoint } from "./usage-endpoint.ts";

export type Spending = {
  spend: Spend;
  usage: HandlerFor<Principal>;
  adminApi(sessions: Pick<Sessions, "authenticate">): Handler;
  /** What was spent and is not in the database: how much, and how old the oldest of it is. */
  readonly unwritten: () => { cents: number; seconds: number };
  /** Writes what is settled, for so many milliseconds at most; what cannot be written is journaled, or said to be lost. */
  close(timeoutMs: number): Promise<void>;
};

/** Milliseconds between two reads of what bears on requests. */
const checkPaceMs = 2;

/** How long charges wait for counts when the process ends, in milliseconds. */
const countsMs = 2_000;

/** Milliseconds between two batches of what was settled. */
const settleGatherMs = 10;

export type SpendingOptions = Pick<LedgerOptions, "after" | "log" | "now"> & {
  store: Pick<Store, "ledger" | "standings" | "limits" | "effective">;
};

/**
 * @param admin of the same configuration: without it nothing is counted
 * @throws Error naming store.journal when the directory cannot be used
 */
export function openSpending(
  config: Config,
  admin: AdminConfig,
  { store, after, log, now }: SpendingOptions,
): Spending {
  const { blocked_message: blockedMessage, group_limit_mode: groupLimitMode } = admin;
  const { reserve: reserves, fail_closed_on_error: failClosed } = config.enforcement;
  const journal =
    config.store.journal === undefined ? undefined : openJournal(config.store.journal);
  const ledger = createLedger({
    store: store.ledger,
    journal,
    writer: crypto.randomUUID(),
    gatherMs: settleGatherMs,
    now,
    after,
    log,
  });
  const accounts = createAccounts();
  const caps = createKnownCaps();
  const periods = createCalendar(now);
  const reservations = createReservations({
    accounts,
    ledger,
    prices: createPrices(config),
    reserves,
    auditsCharges: admin.billing_group_tag !== undefined,
    periods,
    after,
  });
  const spend = createSpend({
    check: createCheck({
      store: store.standings,
      ledger,
      accounts,
      caps,
      periods,
      now,
      after,
      paceMs: checkPaceMs,
      patience: failClosed ? longPatience : shortPatience,
    }),
    ledger,
    standingsOf: createStandings({ accounts, caps, groupLimitMode }),
    reservation: reservations.make,
    waitForRoom: createWaitForRoom({ accounts, after }),
    failClosed,
    reserves,
    blockedMessage,
    periods,
    now,
  });
  const effective = createEffective({
    store: store.effective,
    standings: store.standings,
    groupLimitMode,
    now,
  });

  return {
    spend,
    usage: createUsageEndpoint(spend, { periods }),
    adminApi: (sessions) =>
      createAdminApi({ admin, sessions, limits: store.limits, effective, now }),
    unwritten() {
      const { charged, since } = ledger.waiting();
      return { cents: centsNumber(charged), seconds: Math.max(0, now() - since) / 1000 };
    },
    async close(timeoutMs) {
      await reservations.close(Math.min(timeoutMs, countsMs));
      await ledger.close(timeoutMs);
    },
  };
}
