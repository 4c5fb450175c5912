// A process that settles a cent every millisecond, until somebody kills it. Arguments: URL of the database, directory of the
// journal or nothing. Says `charged <sum> <ms>` for each charge, before it is taken, and `written <sum>` for what the database
// has acknowledged; cents, and milliseconds since the epoch.
import { writeSync } from "node:fs";
import { openJournal } from "../../src/spend/journal.ts";
import { createLedger } from "../../src/spend/ledger.ts";
import { cent } from "../../src/spend/money.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import { databaseAt, monthOf } from "./ledger-scene.ts";

const [url = "", directory] = process.argv.slice(2);
const say = (line: string) => writeSync(1, `${line}\n`);
const store = createLedgerStore(databaseAt(url).query);
let charged = 0;
let written = 0;

const ledger = createLedger({
  gatherMs: 50,
  store: {
    ...store,
    async apply(batch) {
      const isAdded = await store.apply(batch);
      written += Number(batch.entries.principals[0]?.[2]);
      say(`written ${written}`);
      return isAdded;
    },
  },
  journal: directory === undefined ? undefined : openJournal(directory),
  writer: crypto.randomUUID(),
  now: Date.now,
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  log: { info: () => undefined, warn: () => undefined, error: () => undefined },
});

setInterval(() => {
  say(`charged ${(charged += 1)} ${Date.now()}`);
  ledger.add({ rows: [monthOf("ada")], cost: cent, day: "2026-11-23" });
}, 1);
