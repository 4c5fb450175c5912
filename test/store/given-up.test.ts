// What the database server has left of statements that were given up here: nothing that waits for a lock, and no connection for
// each of them, however long it lasts and however many try.
import { afterAll, beforeAll, expect, test } from "bun:test";
import postgres from "postgres";
import { openPostgres } from "../../src/store/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { startPostgres, type TestPostgres } from "../support/postgres.ts";
import { stallingProxyTo } from "../support/stalling-proxy.ts";
import { storeConfig } from "./opened.ts";

let server: TestPostgres;
beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

const opened: (() => Promise<unknown>)[] = [];
afterAll(() => Promise.all(opened.map((close) => close())));

const maxConnections = 5;

/** A store on a database of its own, in which a test can lock the table of keys. A statement is late after five seconds. */
async function openScene({ url = (real: string) => real, connections = maxConnections } = {}) {
  const real = await server.createDatabase();
  const store = await openPostgres(
    storeConfig(url(real), { max_connections: connections, connect_timeout_seconds: 1 }),
  );
  const sql = postgres(real, { max: 2, onnotice: () => undefined });
  opened.push(
    () => store.close(),
    () => sql.end({ timeout: 1 }),
  );

  /** Resolves when nobody else can use the table, with what ends that. */
  async function lock(): Promise<() => Promise<void>> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: taken, resolve: hasTaken } = Promise.withResolvers<void>();
    const locking = sql.begin(async (transaction) => {
      await transaction`lock table kv in access exclusive mode`;
      hasTaken();
      await released;
    });
    // Of a test that fails nobody takes it back.
    locking.catch(() => undefined);
    await taken;
    return async () => {
      release();
      await locking;
    };
  }

  /** The store's connections, and how many of them wait for the lock. */
  async function connectionsNow(): Promise<{ all: number; blocked: number }> {
    const [row] = await sql<{ all: number; blocked: number }[]>`
      select count(*)::int as all, count(*) filter (where wait_event_type = 'Lock')::int as blocked
      from pg_stat_activity
      where application_name = 'claude-gateway' and datname = current_database()`;
    return row ?? { all: 0, blocked: 0 };
  }
  const untilBlocked = (blocked: number) =>
    until(async () => (await connectionsNow()).blocked === blocked);
  return { store, lock, connectionsNow, untilBlocked };
}

/** Within five seconds. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let asked = 0; asked < 100 && !(await holds()); asked += 1) await Bun.sleep(50);
  expect(await holds()).toBe(true);
}

const outcome = (work: Promise<unknown>) =>
  work.then(
    () => "done",
    (error: Error) => error.message,
  );
const count = (store: Store) => outcome(store.kv.count("counted", 3_600));

test.concurrent("a locked table costs a few connections, is no silence, and what was given up is not carried out", async () => {
  const { store, lock, connectionsNow } = await openScene();
  await store.kv.count("counted", 3_600);
  const unlock = await lock();
  const outcomes: Promise<string>[] = [];
  const others: Promise<string>[] = [];
  const seen: number[] = [];
  // Longer than what is sent first may take, and than what waits for its turn may.
  for (const endsAt = performance.now() + 7_000; performance.now() < endsAt;) {
    outcomes.push(count(store));
    others.push(outcome(store.ledger.seqOf("w")));
    seen.push((await connectionsNow()).all);
    await Bun.sleep(50);
  }
  expect(Math.max(...seen)).toBeWithin(maxConnections, 2 * maxConnections + 2);

  await unlock();
  const unlockedAt = performance.now();
  expect(await store.kv.count("others", 3_600)).toBe(1);
  expect(performance.now() - unlockedAt).toBeLessThan(1_500);
  const found = [...(await Promise.all(outcomes)), ...(await Promise.all(others))];
  expect(new Set(found)).toEqual(
    new Set([
      "done",
      "no answer from the database within 5s",
      "no connection to the database became free within 2.5s",
    ]),
  );
  const done = (await Promise.all(outcomes)).filter((each) => each === "done").length;
  expect(await store.kv.get("counted")).toBe(String(done + 1));
  await until(async () => (await connectionsNow()).all <= maxConnections + 1);
}, 20_000);

test.concurrent("what waits for a lock when the database falls silent does not wait on when it answers again", async () => {
  const proxy = await stallingProxyTo(Number(new URL(server.url).port));
  opened.push(async () => proxy.close());
  const { store, lock, untilBlocked } = await openScene({
    url: (real) => real.replace(/:\d+\//, `:${proxy.port}/`),
  });
  const unlock = await lock();
  const counted = [count(store), count(store)];
  await untilBlocked(2);
  proxy.stall();
  const silent = "the database does not answer, for 2s or longer";
  expect(await Promise.all(counted)).toEqual([silent, silent]);
  proxy.goOn();
  await untilBlocked(0);
  await unlock();
  await until(async () => (await outcome(store.probe())) === "done");
  expect(await store.kv.get("counted")).toBeUndefined();
}, 20_000);

test.concurrent("what waits for a lock when the store is closed does not wait on", async () => {
  const { store, lock, connectionsNow } = await openScene();
  const unlock = await lock();
  const counted = count(store);
  await until(async () => (await connectionsNow()).blocked === 1);
  await store.close();
  expect(await counted).toBe("the store is closed");
  await until(async () => (await connectionsNow()).all === 0);
  await unlock();
}, 20_000);

test.concurrent("the server that runs it is found among several", async () => {
  const { store, lock, untilBlocked } = await openScene({
    url: (real) => real.replace(/@(127\.0\.0\.1:\d+)/, "@$1,127.0.0.1:1,127.0.0.1:1"),
    connections: 1,
  });
  const unlock = await lock();
  const late = count(store);
  await untilBlocked(1);
  expect(await late).toBe("no answer from the database within 5s");
  await untilBlocked(0);
  await unlock();
}, 20_000);
