// What the gateway knows of its store, whichever database is behind it: the domains' statements, a probe, and the sweep of
// expired rows. Opening one is in postgres.ts and embedded.ts.
import { log, messageOf } from "../log.ts";
import type { Database } from "./database.ts";
import { createEffectiveStore, type EffectiveStore } from "./effective.ts";
import { createEndingsStore, type EndingsStore } from "./endings.ts";
import { createKeyValue, type KeyValue, pruneRowsMax } from "./kv.ts";
import { createLedgerStore, type LedgerStore } from "./ledger.ts";
import { createLimitsStore, type LimitsStore } from "./limits.ts";
import { createRetention, type RetentionOptions } from "./retention.ts";
import { createStandingsStore, type StandingsStore } from "./standings.ts";

export type Store = {
  kv: KeyValue;
  /** Adds to what was spent. */
  ledger: LedgerStore;
  /** What each request's check reads. */
  standings: StandingsStore;
  /** The caps, and the trail of their changes. */
  limits: LimitsStore;
  /** Who stands where, for administrators. */
  effective: EffectiveStore;
  /** Sessions that were ended before their time. */
  endings: EndingsStore;
  /** Resolves when the database has taken a write, one that leaves it as large as it was; throws when it does not. */
  probe(): Promise<void>;
  /** Ends the sweep and the connections. Bounded; statements under way have two seconds. */
  close(): Promise<void>;
};

export type StoreOptions = {
  /** How long spend, the trail and identities are kept; forever where it is not said. */
  retention?: RetentionOptions | undefined;
  /** Runs after each sweep, for what a server would do by itself. */
  maintain?: (() => Promise<void>) | undefined;
  /** Runs after the connections have closed. */
  afterClose?: (() => Promise<void>) | undefined;
  sweepIntervalMs?: number | undefined;
};

/** The row that probes write expires, so that it does not stay when the process is gone. */
const probeSeconds = 60;
const sweepIntervalMsDefault = 10 * 60_000;
/** Prunes in one sweep at most: 100,000 rows. What is left waits for the next. */
const prunesMax = 100;

/** Prunes until little is left, or it has been at it for long enough. */
async function sweepOf(swept: { prune(): Promise<number> }): Promise<void> {
  for (let prunes = 0; prunes < prunesMax; prunes += 1) {
    if ((await swept.prune()) < pruneRowsMax) return;
  }
}

/** A store on a database whose schema is up to date. */
export function createStore(database: Database, options: StoreOptions = {}): Store {
  const { query } = database;
  const kv = createKeyValue(query);
  const endings = createEndingsStore(query);
  // A row of its own, so that processes do not wait for each other.
  const probeKey = `probe:${crypto.randomUUID()}`;
  const retention = options.retention && createRetention(query, options.retention);
  let sweeping: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  async function sweep(): Promise<void> {
    try {
      await sweepOf(kv);
      await sweepOf(endings);
      await options.maintain?.();
    } catch (error) {
      // The next sweep does what this one left. An outage is for the requests that meet it to report.
      log.debug(`sweep of expired rows failed: ${messageOf(error)}`);
    }
    try {
      if (retention !== undefined) await sweepOf(retention);
    } catch (error) {
      // Nobody meets this: what has to be deleted after a time is not.
      log.warn(`deleting old spend, trail and identities failed: ${messageOf(error)}`);
    }
  }

  const timer = setInterval(() => {
    sweeping ??= sweep().finally(() => {
      sweeping = undefined;
    });
  }, options.sweepIntervalMs ?? sweepIntervalMsDefault);
  timer.unref();

  async function close(): Promise<void> {
    clearInterval(timer);
    await database.close();
    await sweeping;
    await options.afterClose?.();
  }

  return {
    kv,
    ledger: createLedgerStore(query),
    standings: createStandingsStore(query),
    limits: createLimitsStore(query),
    effective: createEffectiveStore(query),
    endings,
    probe: () => kv.put(probeKey, "", probeSeconds),
    close: () => (closing ??= close()),
  };
}
