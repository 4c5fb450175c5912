// What a load balancer is told of the store, how long it waits for that, how often the store is asked for it, and what the operator
// reads.
import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import postgres from "postgres";
import { createReadiness } from "../../src/store/readiness.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { captureLog, type Logged } from "../spend/logged.ts";
import { startPostgres } from "../support/postgres.ts";
import { untilTrue } from "../support/until-true.ts";
import { storeConfig } from "./opened.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

/** A store that takes writes, fails them with an error, or does not answer. */
function openScene(graceSeconds = 0) {
  const scene = {
    state: "up" as "up" | "silent" | Error,
    nowMs: 1_000_000,
    probes: 0,
    unanswered: [] as (() => void)[],
  };
  const probe = () => {
    scene.probes += 1;
    if (scene.state === "up") return Promise.resolve();
    if (scene.state === "silent")
      return new Promise<void>((resolve) => void scene.unanswered.push(resolve));
    return Promise.reject(scene.state);
  };
  const isReady = createReadiness({ probe }, { graceSeconds, now: () => scene.nowMs });
  return {
    scene,
    isReady,
    /** Asks some seconds later. */
    after: (seconds: number): Promise<boolean> => {
      scene.nowMs += seconds * 1000;
      return isReady();
    },
  };
}

const down = new Error("connect ECONNREFUSED");

describe("asking", () => {
  test("together is one write, whose outcome holds for a fifth of a second", async () => {
    const { scene, isReady, after } = openScene();
    expect(await Promise.all([isReady(), isReady(), isReady()])).toEqual([true, true, true]);
    scene.state = down;
    expect(await after(0.199)).toBe(true);
    expect(scene.probes).toBe(1);
    expect(await after(0.001)).toBe(false);
    expect(scene.probes).toBe(2);
  });

  test("a store that does not answer takes less than a second, and no time while it still owes that answer", async () => {
    const { scene, isReady, after } = openScene();
    scene.state = "silent";
    const startedAt = performance.now();
    expect(await Promise.all([isReady(), isReady()])).toEqual([false, false]);
    expect(performance.now() - startedAt).toBeWithin(500, 1_500);
    for (let polls = 0; polls < 20; polls += 1) {
      const answer = after(1);
      expect(await Promise.race([answer, Bun.sleep(500).then(() => "late")])).toBe(false);
    }
    expect(scene.probes).toBe(1);
    scene.state = "up";
    scene.unanswered[0]?.();
    await untilTrue(() => scene.unanswered.length === 1);
    expect(await after(1)).toBe(true);
    expect(scene.probes).toBe(2);
  });
});

describe("the grace", () => {
  test("lasts from the first write that failed, and begins anew after one that was taken", async () => {
    const { scene, isReady, after } = openScene(30);
    expect(await isReady()).toBe(true);
    scene.state = down;
    // Nobody had asked for an hour: the store failed at some time in it.
    expect(await after(3_600)).toBe(true);
    expect(await after(29)).toBe(true);
    expect(await after(1)).toBe(false);
    scene.state = "up";
    expect(await after(1)).toBe(true);
    scene.state = down;
    expect(await after(1)).toBe(true);
    expect(await after(30)).toBe(false);
  });

  test("of none is none", async () => {
    const { scene, isReady } = openScene();
    scene.state = down;
    expect(await isReady()).toBe(false);
  });
});

describe("the log", () => {
  test("tells of an outage when it begins, when it costs readiness, every 30 seconds, and when it is over", async () => {
    const { scene, after } = openScene(10);
    scene.state = down;
    for (let polls = 0; polls < 50; polls += 1) await after(1);
    const text = (seconds: number, word: string) =>
      `warn readyz: the store takes no writes (connect ECONNREFUSED), for ${seconds}s; ${word} (store.readiness_grace_seconds: 10)`;
    expect(logged.lines()).toEqual([
      text(0, "still ready"),
      text(10, "not ready"),
      text(40, "not ready"),
    ]);
    scene.state = "up";
    await after(1);
    await after(1);
    expect(logged.lines()).toEqual(["info readyz: the store takes writes again, after 50s"]);
  });

  test("is not silenced by a clock that is set back", async () => {
    const { scene, after } = openScene();
    scene.state = down;
    await after(0);
    await after(-3_600);
    expect(logged.lines()).toHaveLength(2);
  });
});

describe("a database that only takes reads", () => {
  const opened: { close(): Promise<void> }[] = [];
  afterAll(async () => {
    for (const each of opened) await each.close();
  });

  test("is not ready, with what to do, until it takes writes, and probes leave one row", async () => {
    const server = await startPostgres();
    const url = await server.createDatabase();
    const name = new URL(url).pathname.slice(1);
    const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
    const store = await openPostgres(storeConfig(url));
    opened.push(store, { close: () => sql.end() });
    let nowMs = 0;
    const isReady = createReadiness(store, { graceSeconds: 0, now: () => (nowMs += 1_000) });
    expect([await isReady(), await isReady(), await isReady()]).toEqual([true, true, true]);

    const reading = postgres(url, { max: 1 });
    opened.push({ close: () => reading.end() });
    expect(await reading`select from kv where key like 'probe:%'`).toHaveLength(1);

    // As after a failover to which the connections did not follow: only new ones may write again.
    const renewSessions = () => sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${name} and application_name = 'claude-gateway'`;
    await sql.unsafe(`alter database ${name} set default_transaction_read_only = on`);
    await renewSessions();
    const lines: string[] = [];
    const readOnlyLine =
      /^warn readyz: the store takes no writes \(cannot execute INSERT in a read-only transaction\), for \d+s; not ready \(.*\)\. The database only takes reads: store\.postgres_url must lead to the server that takes writes$/;
    await until(async () => {
      await isReady();
      lines.push(...logged.lines());
      return lines.some((line) => readOnlyLine.test(line));
    });
    await sql.unsafe(`alter database ${name} reset default_transaction_read_only`);
    await until(isReady);
  }, 30_000);

  /** Within ten seconds. */
  async function until(holds: () => Promise<boolean>): Promise<void> {
    for (let asked = 0; asked < 200 && !(await holds()); asked += 1) await Bun.sleep(50);
    expect(await holds()).toBe(true);
  }
});
