// What fails without going away: a database that stands still, that is restarted under load, that only takes reads. Nobody's request
// fails, hardly anybody's waits, and what was spent meanwhile is in the database afterwards, to the cent. One that is away altogether
// is in outage.test.ts and spend-outage.test.ts.
import { afterAll, expect, test } from "bun:test";
import postgres from "postgres";
import { answerInFull } from "../support/metered-answers.ts";
import { startOwnPostgres } from "../support/postgres.ts";
import { openSpendScene, person, setCap, type SpendScene } from "../support/spending.ts";
import { stallingProxyTo } from "../support/stalling-proxy.ts";

const server = await startOwnPostgres();
const sql = postgres(server.url, { max: 1, onnotice: () => undefined, backoff: () => 0.1 });
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await server.stop();
});

/** A scene whose gateway reaches the database at this URL, or as it is told. */
async function openScene(databaseUrl: string, gatewayUrl = databaseUrl): Promise<SpendScene> {
  const scene = await openSpendScene((config) => {
    config.store = { postgres_url: gatewayUrl };
  });
  scene.upstream.answer = answerInFull;
  return scene;
}

async function statusOf({ gateway }: SpendScene, path: string): Promise<number> {
  const { status } = await fetch(gateway.url + path);
  return status;
}

async function untilReady(scene: SpendScene): Promise<void> {
  for (let waits = 0; waits < 100 && (await statusOf(scene, "/readyz")) !== 200; waits += 1)
    await Bun.sleep(100);
  expect(await statusOf(scene, "/readyz")).toBe(200);
}

async function deviceAuthorization({ gateway }: SpendScene): Promise<[number, string]> {
  const response = await fetch(`${gateway.url}/oauth/device_authorization`, { method: "POST" });
  const { error } = (await response.json()) as { error: string };
  return [response.status, error];
}

/** Milliseconds that something took. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

test("a database that stands still is waited for by the first requests only, and caps go on to hold", async () => {
  const databaseUrl = await server.createDatabase();
  const proxy = await stallingProxyTo(Number(new URL(server.url).port));
  const stallingUrl = databaseUrl.replace(/:\d+\//, `:${proxy.port}/`);
  const scene = await openScene(stallingUrl);
  try {
    const { gateway, buy } = scene;
    for (const sub of ["full", "half"]) await setCap(gateway, person(sub), 100);
    await (await buy("full", 100)).text();
    await (await buy("half", 10)).text();
    await scene.tables.untilSpent("half", 10);

    const buyOne = async () => {
      const response = await buy("half", 1);
      expect(response.status).toBe(200);
      await response.text();
    };
    proxy.stall();
    const readyMs = await timed(async () => expect(await statusOf(scene, "/readyz")).toBe(503));
    expect(readyMs).toBeLessThan(1_000);
    // Whoever comes before it is known waits half a second at most; a wait is told from a busy machine by its length.
    const firstMs = await timed(() => Promise.all([buyOne(), buyOne(), buyOne()]));
    expect(firstMs).toBeLessThan(1_500);
    const waits: number[] = [];
    for (let bought = 0; bought < 50; bought += 1) {
      waits.push(await timed(buyOne));
      await Bun.sleep(40);
    }
    const waitsMs = waits.toSorted((one, other) => one - other);
    expect(waitsMs[25]).toBeLessThan(100);
    expect(waitsMs.filter((ms) => ms >= 400).length).toBeLessThanOrEqual(2);

    expect((await buy("full", 1)).status).toBe(429);
    // By now it is known for whatever else needs the database.
    const refusedMs = await timed(async () =>
      expect(await deviceAuthorization(scene)).toEqual([503, "temporarily_unavailable"]),
    );
    expect(refusedMs).toBeLessThan(1_000);
    expect(await statusOf(scene, "/readyz")).toBe(503);

    proxy.goOn();
    await untilReady(scene);
    await scene.tables.untilSpent("half", 63);
    expect(await scene.tables.spent("full")).toBe("100");
    // What is read again holds again.
    await setCap(gateway, person("half"), 63);
    expect((await buy("half", 1)).status).toBe(429);
    expect(gateway.stderr()).not.toContain("lost");
  } finally {
    await scene.stop();
    proxy.close();
  }
}, 40_000);

test("no request fails while the database is killed and restarted under load, and every cent is counted once", async () => {
  const scene = await openScene(await server.createDatabase());
  try {
    const { buy, gateway } = scene;
    const load = { isOver: false };
    let bought = 0;
    const statuses = new Map<number, number>();
    const buyers = Array.from({ length: 8 }, async () => {
      while (!load.isOver) {
        const response = await buy("ada", 1);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        await response.text();
        bought += 1;
      }
    });
    for (let restarts = 0; restarts < 2; restarts += 1) {
      await Bun.sleep(700);
      await server.crash();
      await Bun.sleep(restarts * 1_000);
      await server.restart();
    }
    await Bun.sleep(700);
    load.isOver = true;
    await Promise.all(buyers);
    expect([...statuses]).toEqual([[200, bought]]);
    await scene.tables.untilSpent("ada", bought);
    await gateway.waitForLog(/info spend is recorded again/);
    expect(gateway.stderr()).not.toContain("lost");
    await untilReady(scene);
  } finally {
    await scene.stop();
  }
}, 40_000);

test("while the database only takes reads spend waits, nobody is sent here, and sign-ins are put off; then all is written", async () => {
  const url = await server.createDatabase();
  const name = new URL(url).pathname.slice(1);
  const scene = await openScene(url);
  try {
    const { gateway, buy } = scene;
    await setCap(gateway, person("ada"), 100);
    await (await buy("ada", 10)).text();
    await scene.tables.untilSpent("ada", 10);
    expect(await statusOf(scene, "/readyz")).toBe(200);

    // A failover that leaves us with the server that now only reads.
    await sql.unsafe(`alter database ${name} set default_transaction_read_only = on`);
    await sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = ${name} and application_name = 'claude-gateway'`;
    for (let waits = 0; waits < 50 && (await statusOf(scene, "/readyz")) === 200; waits += 1)
      await Bun.sleep(100);
    expect(await statusOf(scene, "/readyz")).toBe(503);
    for (let cents = 1; cents <= 5; cents += 1) {
      const response = await buy("ada", cents);
      expect(response.status).toBe(200);
      await response.text();
    }
    expect(await deviceAuthorization(scene)).toEqual([503, "temporarily_unavailable"]);
    await gateway.waitForLog(
      /warn spend record failed: cannot execute \w+ in a read-only transaction\. .* wait in memory\. The database only takes reads: store\.postgres_url must lead/,
    );
    await gateway.waitForLog(
      /warn readyz: the store takes no writes \(.*read-only.*\), for \d+s; not ready .*must lead/,
    );
    // Caps are read all the same.
    expect((await buy("ada", 200)).status).toBe(200);
    expect((await buy("ada", 1)).status).toBe(429);

    await sql.unsafe(`alter database ${name} reset default_transaction_read_only`);
    await untilReady(scene);
    await scene.tables.untilSpent("ada", 225);
    await gateway.waitForLog(/info spend is recorded again/);
    await gateway.waitForLog(/info readyz: the store takes writes again/);
  } finally {
    await scene.stop();
  }
}, 40_000);
