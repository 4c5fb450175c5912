// A process whose journal is on a small disk. Arguments: URL of the database, directory of the journal, and what it is to do. Says
// what happened, a line each.
//
// `fill`: spends while the database is away, goes on when the disk is full, then has some room again, and kills itself with everything
// on the disk. `replay`: writes what it finds there.
import { readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openJournal } from "../../src/spend/journal.ts";
import { createLedger } from "../../src/spend/ledger.ts";
import { cent } from "../../src/spend/money.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import { createLink, databaseAt, monthOf } from "./ledger-scene.ts";

const [url = "", directory = "", task] = process.argv.slice(2);
const say = (line: string) => void writeSync(1, `${line}\n`);
const ballast = join(directory, "ballast");
const link = createLink(databaseAt(url).query);
if (task === "fill") link.state = "down";

const failures: string[] = [];
const ledger = createLedger({
  gatherMs: 10,
  store: createLedgerStore(link.query),
  journal: openJournal(directory),
  writer: crypto.randomUUID(),
  now: Date.now,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  log: { info: say, warn: () => undefined, error: (message) => void failures.push(message) },
});
const journaled = () => readdirSync(directory).filter((name) => name.endsWith(".jsonl"));

/** A cent each, for so many people that their lines fill pages of the disk. */
async function spend(from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1) {
    ledger.add({
      rows: [monthOf(`person-${n}-${"x".repeat(100)}`)],
      cost: cent,
      day: "2026-11-23",
    });
    if (n % 20 === 0) await Bun.sleep(20);
  }
  await Bun.sleep(200);
}

async function until(holds: () => boolean): Promise<void> {
  for (let waits = 0; waits < 500 && !holds(); waits += 1) await Bun.sleep(10);
}

if (task === "fill") {
  await spend(0, 100);
  say(`failed before: ${failures.length}`);
  fill();
  await spend(100, 400);
  await until(() => failures.length > 0);
  say(failures.join("\n"));
  say(`drafts left: ${readdirSync(directory).filter((name) => name.endsWith(".new")).length}`);
  rmSync(ballast);
  // It is tried again each second.
  await Bun.sleep(2_500);
  say(`waiting: ${ledger.waiting().charged / cent}`);
  process.kill(process.pid, "SIGKILL");
} else {
  await until(() => journaled().length === 0);
  say(`left: ${journaled().length}`);
  await ledger.close(1_000);
  process.exit();
}

/** Takes all the room there is. */
function fill(): void {
  for (const size of [1 << 20, 1 << 16, 1 << 12]) {
    try {
      for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: "a" });
    } catch {
      // Less may still go in.
    }
  }
}
