// What the gateway knows of its store, whichever database is behind it: the domains' statements, a probe, and the sweep of
// expired rows. Opening one is in postgres.ts and embedded.ts.
import { log, messageOf } from "../log.ts";
import type { Database } from "./database.ts";
import { within } from "./deadline.ts";
import { createKeyValue, type KeyValue, pruneRowsMax } from "./kv.ts";

export type Store = {
  kv: KeyValue;
  /** Resolves when the database answers a query within `probeMs`; throws otherwise. */
  probe(): Promise<void>;
  /** Ends the sweep and the connections. Bounded; statements under way have two seconds. */
  close(): Promise<void>;
};

export type StoreOptions = {
  /** Runs after each sweep, for what a server would do by itself. */
  maintain?: (() => Promise<void>) | undefined;
  /** Runs after the connections have closed. */
  afterClose?: (() => Promise<void>) | undefined;
  sweepIntervalMs?: number | undefined;
};

const probeMs = 2_000;
const sweepIntervalMsDefault = 10 * 60_000;
/** Prunes in one sweep at most: 100,000 rows. What is left waits for the next. */
const prunesMax = 100;

/** A store on a database whose schema is up to date. */
export function createStore(database: Database, options: StoreOptions = {}): Store {
  const kv = createKeyValue(database.query);
  let sweeping: Promise<void> | undefined;
  let closing: Promise<void> | undefined;

  async function sweep(): Promise<void> {
    try {
      for (let prunes = 0; prunes < prunesMax; prunes += 1) {
        if ((await kv.prune()) < pruneRowsMax) break;
      }
      await options.maintain?.();
    } catch (error) {
      // The next sweep does what this one left. An outage is for the requests that meet it to report.
      log.debug(`sweep of expired rows failed: ${messageOf(error)}`);
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
    async probe() {
      await within(
        probeMs,
        database.query`select 1`,
        `the store did not answer within ${probeMs / 1000}s`,
      );
    },
    close: () => (closing ??= close()),
  };
}
