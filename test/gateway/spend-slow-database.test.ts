// A database that answers late: what a statement was given up for and did after all, and what it did not, is told apart, so that
// everything is charged exactly once.
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../support/gateway.ts";
import { answerInFull } from "../support/metered-answers.ts";
import { openSpendScene, person, refusal, setCap, type Tables } from "../support/spending.ts";

const directory = mkdtempSync(join(tmpdir(), "gateway-spend-slow-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** How long a statement may take before it is given up and sent again on another connection, and some time more. */
const givenUpMs = 7_000;

/** Whoever adds to these rows is in the midst of its statement until they are let go. */
const rowsOfAda = "select from spend where principal = 'ada' for update";

/** Holds the locks that a statement takes until they are let go. */
async function locked({ sql }: Tables, statement: string): Promise<() => Promise<void>> {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const { promise: taken, resolve: hasTaken } = Promise.withResolvers<void>();
  const holding = sql.begin(async (transaction) => {
    await transaction.unsafe(statement);
    hasTaken();
    await held;
  });
  await taken;
  return async () => {
    release();
    await holding;
  };
}

test("statements that were given up and run all the same are not added to those that were sent for them", async () => {
  const scene = await openSpendScene();
  try {
    const { gateway, buy, upstream, tables } = scene;
    upstream.answer = answerInFull;
    await (await buy("ada", 1)).text();
    await tables.untilSpent("ada", 1);
    const unlock = await locked(tables, rowsOfAda);
    for (let sent = 0; sent < 5; sent++) {
      await (await buy("ada", 10)).text();
      await Bun.sleep(givenUpMs / 5);
    }
    await gateway.waitForLog(/spend record failed: /);
    await unlock();
    await tables.untilSpent("ada", 51);
    await (await buy("ada", 1)).text();
    await tables.untilSpent("ada", 52);
  } finally {
    await scene.stop();
  }
}, 30_000);

test("nor is what a killed process left on the server added to what its journal says", async () => {
  const scene = await openSpendScene(
    (config) => (config.store.journal = join(directory, "journal")),
  );
  const { gateway, buy, upstream, tables } = scene;
  let restarted: typeof gateway | undefined;
  try {
    upstream.answer = answerInFull;
    await (await buy("ada", 1)).text();
    await tables.untilSpent("ada", 1);
    const unlock = await locked(tables, rowsOfAda);
    for (const cents of [10, 20, 30]) {
      await (await buy("ada", cents)).text();
      await Bun.sleep(200);
    }
    await gateway.stop("SIGKILL");
    restarted = await startGateway(scene.config);
    await (await buy("ada", 2, { gateway: restarted })).text();
    await Bun.sleep(500);
    await unlock();
    await tables.untilSpent("ada", 63);
    await (await buy("ada", 1, { gateway: restarted })).text();
    await tables.untilSpent("ada", 64);
  } finally {
    await restarted?.stop("SIGKILL");
    await scene.stop();
  }
}, 30_000);

test("caps that cannot be read in time hold as they were, and only the first ones wait for them", async () => {
  const scene = await openSpendScene();
  try {
    const { gateway, buy, upstream, tables } = scene;
    upstream.answer = answerInFull;
    await setCap(gateway, person("ada"), 100);
    await (await buy("ada", 60)).text();
    await tables.untilSpent("ada", 60);
    const unlock = await locked(tables, "lock table spend_limits in access exclusive mode");
    const began = performance.now();
    const served = await buy("ada", 40);
    expect(served.status).toBe(200);
    await served.text();
    expect(performance.now() - began).toBeWithin(400, 1_900);
    const next = performance.now();
    for (let asked = 0; asked < 5; asked++)
      expect((await refusal(await buy("ada", 1)))[1]).toBe("billing_error");
    expect(performance.now() - next).toBeLessThan(1_000);
    await gateway.waitForLog(/warn spend check failed: no answer from the database within 0\.5s/);
    await unlock();
    await tables.untilSpent("ada", 100);
  } finally {
    await scene.stop();
  }
}, 30_000);
