// The path of a request through spend/, put together as spending.ts does it, over a database in memory and with time that passes
// when a test says so. One token costs one cent.
import type { CapRow } from "../../src/store/standings.ts";
import { createAccounts } from "../../src/spend/accounts.ts";
import type { GroupLimitMode } from "../../src/spend/caps.ts";
import { createCheck, longPatience, shortPatience } from "../../src/spend/check.ts";
import { createKnownCaps } from "../../src/spend/known-caps.ts";
import { type Charge, createLedger, type Ledger } from "../../src/spend/ledger.ts";
import { cent, type Money } from "../../src/spend/money.ts";
import { createCalendar, type PeriodName } from "../../src/spend/periods.ts";
import { createPrices } from "../../src/spend/price.ts";
import { createReservations, type MeteredCall } from "../../src/spend/reservation.ts";
import { createWaitForRoom } from "../../src/spend/room.ts";
import { createSpend } from "../../src/spend/spend.ts";
import { createStandings } from "../../src/spend/standings.ts";
import { rowKey } from "../../src/spend/tally.ts";
import type { Principal } from "../../src/session.ts";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import { createHandClock } from "../telemetry/hand-clock.ts";
import { createMemoryDatabase, type MemoryDatabase, type Statement } from "./memory-database.ts";

export type CoreOptions = {
  onStatement?: (statement: Statement) => void;
  /** In the place of a database in memory. */
  database?: Pick<MemoryDatabase, "standings" | "ledger">;
  reserves?: boolean;
  failClosed?: boolean;
  blockedMessage?: string;
  groupLimitMode?: GroupLimitMode;
  auditsCharges?: boolean;
  /** ISO 8601. */
  at?: string;
};

/** A Monday. */
export const noon = "2026-11-23T12:00:00Z";
export const day = "2026-11-23";
export const week = "2026-W48";
export const month = "2026-11";

export const route = { upstream: "up", upstreamModel: "m" };
const price = { input: 10_000, output: 10_000, cache_read: 10_000, cache_write: 10_000 };
export const prices = createPrices({
  pricing: { multiplier: 1, overrides: [{ ...price, upstream: "up", model: "m" }] },
});

let writers = 0;

export function openCore(options: CoreOptions = {}) {
  const { reserves = true, failClosed = false, blockedMessage, groupLimitMode = "min" } = options;
  const memory = createMemoryDatabase(options.onStatement);
  const database = options.database ?? memory;
  const clock = createHandClock();
  let time = Date.parse(options.at ?? noon);
  const now = () => time;
  const { after } = clock;
  const lost: string[] = [];
  /** What was settled, by `rowKey`. */
  const settled = new Map<string, Money>();
  const real = createLedger({
    gatherMs: 50,
    store: database.ledger,
    journal: undefined,
    writer: `core-${process.pid}-${(writers += 1)}`,
    now,
    after,
    log: { info() {}, warn() {}, error: (message) => void lost.push(message) },
  });
  const ledger: Ledger = {
    ...real,
    add(charge) {
      for (const row of charge.rows) {
        const key = rowKey(row);
        settled.set(key, (settled.get(key) ?? 0n) + charge.cost);
      }
      if (charge.rows.length > 0) core.onCharge(charge);
      else core.onIdentity(charge);
      real.add(charge);
    },
  };
  const accounts = createAccounts();
  const caps = createKnownCaps();
  const periods = createCalendar(now);
  const reservations = createReservations({
    accounts,
    ledger,
    prices,
    reserves,
    auditsCharges: options.auditsCharges ?? false,
    periods,
    after,
  });
  const spend = createSpend({
    check: createCheck({
      store: database.standings,
      ledger,
      accounts,
      caps,
      periods,
      now,
      after,
      paceMs: 0,
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

  const core = {
    /** Told of each charge, and of each identity that is noted, before the ledger is. */
    onCharge: (_charge: Charge) => {},
    onIdentity: (_charge: Charge) => {},
    database: memory,
    accounts,
    ledger,
    spend,
    reservations,
    periods,
    settled,
    /** What the ledger said it lost. */
    lost,
    admit: (principal: Principal = ada, sessionId?: string, requestId = "req-1") =>
      spend.admit({ principal, sessionId, requestId }),
    /** Lets time pass, and what it leads to happen. */
    pass: async (ms: number) => {
      time += ms;
      clock.pass(ms);
      await turns();
    },
    setTime: (text: string) => {
      time = Date.parse(text);
    },
  };
  return core;
}

export type Core = ReturnType<typeof openCore>;

export const ada: Principal = {
  sub: "ada",
  email: "ada@example.com",
  name: "Ada",
  groups: ["eng", "ops"],
};

export const never = new AbortController().signal;

/** The provider's count for a call whose answer does not say: none. */
export const uncounted = async () => undefined;

/** A call that may write so many tokens and, to `estimateOf`, costs a few more. */
export function callOf(maxTokens: number): MeteredCall {
  const body = Buffer.from(JSON.stringify({ model: "m", max_tokens: maxTokens }));
  return { call: readMessagesCall(body), routes: [route], audited: {} };
}

/** What is held for a call of `callOf`. */
export function estimateOf({ call }: MeteredCall): Money {
  const { max_tokens: maxTokens } = JSON.parse(Buffer.from(call.body).toString());
  return BigInt(maxTokens + Math.ceil(call.body.length / 4)) * cent;
}

let limits = 0;

/** A row of `spend_limits`. */
export function cap(
  scope: "organization" | "session" | `user:${string}` | `rbac_group:${string}`,
  amount: number | null,
  period: PeriodName = "monthly",
  pool: { amount: number; paused?: boolean } | null = null,
): CapRow {
  const [type = "", id = ""] = scope.split(":");
  return {
    id: `spl_${String((limits += 1)).padStart(6, "0")}`,
    scope_type: type,
    scope_id: id,
    period,
    amount: amount === null ? null : String(amount),
    pooled_limit_enabled: pool !== null && pool.paused !== true,
    pooled_monthly_credit_limit: pool === null ? null : String(pool.amount),
  };
}

/** Lets everything happen that waits for nothing but its turn. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}
