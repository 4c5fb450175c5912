// What kill -9 takes with it: at most what was settled in the last moments, and nothing ever twice. Real processes, really
// killed.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrations.ts";
import { startPostgres } from "../support/postgres.ts";
import { temporaryDirectory } from "../store/opened.ts";
import { cent } from "../../src/spend/money.ts";
import { createLedgerScene, databaseAt, spentBy } from "./ledger-scene.ts";

/** The bound is 100 ms; what a machine that is busy with other things adds to it must not fail the test. */
const lostMs = 100 + 500;
const kills = 3;

let url: string;
let database: Database;
beforeAll(async () => {
  const server = await startPostgres();
  url = await server.createDatabase();
  database = databaseAt(url);
  await migrate(database);
}, 60_000);
afterAll(() => database.close());

/** Starts the process, kills it while it is in the middle of things, and tells what it had said. */
async function killedProcess(...args: string[]) {
  const program = fileURLToPath(import.meta.resolve("./killed-process.ts"));
  const child = Bun.spawn([process.execPath, program, ...args], {
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = "";
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += chunk;
    const isRunning = said.split("\n").length > 1_000 + Math.random() * 200;
    if (isRunning && !child.killed) child.kill("SIGKILL");
  }
  await child.exited;
  const lines = said.split("\n").slice(0, -1);
  const charges = lines
    .filter((line) => line.startsWith("charged "))
    .map((line) => Number(line.split(" ")[2]));
  const written = lines.findLast((line) => line.startsWith("written "))?.split(" ")[1];
  const last = charges.at(-1) ?? 0;
  return {
    charged: charges.length,
    /** Charges that are too old to be lost. */
    settled: charges.filter((at) => at < last - lostMs).length,
    written: Number(written ?? 0),
  };
}

const spentCents = async () => Number((await spentBy(database.query)) / cent);

test("a process that is killed between batches or in one leaves what it had settled, once", async () => {
  for (let round = 0; round < kills; round += 1) {
    const before = await spentCents();
    const { charged, settled, written } = await killedProcess(url);
    // A statement that was sent is carried out.
    await Bun.sleep(100);
    const spent = (await spentCents()) - before;
    expect(written).toBeGreaterThan(0);
    expect(settled).toBeGreaterThan(0);
    expect(spent).toBeGreaterThanOrEqual(Math.max(written, settled));
    expect(spent).toBeLessThanOrEqual(charged);
  }
}, 60_000);

test("a process that is killed while the database is away leaves it in its journal, once", async () => {
  const directory = temporaryDirectory();
  const nowhere = url.replace(/:\d+\//, ":1/");
  for (let round = 0; round < kills; round += 1) {
    const before = await spentCents();
    const { charged, settled, written } = await killedProcess(nowhere, directory);
    expect(written).toBe(0);
    const { ledger } = createLedgerScene(database.query, directory);
    while (readdirSync(directory).some((name) => name.endsWith(".jsonl"))) await Bun.sleep(5);
    const spent = (await spentCents()) - before;
    expect(settled).toBeGreaterThan(0);
    expect(spent).toBeGreaterThanOrEqual(settled);
    expect(spent).toBeLessThanOrEqual(charged);
    await ledger.close(1_000);
  }
  rmSync(directory, { recursive: true });
}, 60_000);
