// A ledger on a real database, with what a test needs to get between them: a connection that fails as told, timers that run
// when told, and the lines that were logged.
import { createDatabase, type Database, type Query } from "../../src/store/database.ts";
import { createDialer } from "../../src/store/dial.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import { type JournalFile, openJournal } from "../../src/spend/journal.ts";
import { type Charge, createLedger, type Ledger, type SpendRow } from "../../src/spend/ledger.ts";
import { cent, type Money, moneyOf } from "../../src/spend/money.ts";
import { createHandClock, type HandClock } from "../telemetry/hand-clock.ts";

/**
 * What happens to statements. `down`: they do not arrive. `deaf`: they are carried out, and the answer is lost. `late`: they
 * are given up for lost, and are carried out when a function in `late` is called.
 */
export type LinkState = "up" | "down" | "deaf" | "late";

export type Link = {
  query: Query;
  state: LinkState;
  readonly late: (() => void)[];
  /** Statements that were sent. */
  readonly sent: number;
  /** Statements from now on reach the database only when the function that it returns is called. */
  hold(): () => void;
  /** Resolves when no statement is under way any more, held ones apart. */
  quiet(): Promise<void>;
  /** Answers from now on reach nobody, as when the process that waits for them has ended. */
  abandon(): void;
};

export function createLink(query: Query): Link {
  const underWay = new Set<Promise<unknown>>();
  let gate: Promise<void> | undefined;
  let isAbandoned = false;
  const never = new Promise<never>(() => undefined);

  const link: Link = {
    state: "up",
    late: [],
    sent: 0,
    query: async <Row extends object>(
      text: TemplateStringsArray,
      ...values: Parameters<Query>[1][]
    ) => {
      if (isAbandoned) return never;
      (link as { sent: number }).sent += 1;
      if (link.state === "down") throw new Error("connect ECONNREFUSED 127.0.0.1:5432");
      await gate;
      const { state } = link;
      const run = () => {
        const answer = query<Row>(text, ...values);
        const settled = answer.catch(() => undefined).finally(() => underWay.delete(settled));
        underWay.add(settled);
        return answer;
      };
      if (state === "late") {
        link.late.push(() => void run().catch(() => undefined));
        throw new Error("no answer from the database within 5s");
      }
      const rows = await run();
      if (isAbandoned) return never;
      if (state === "deaf") throw new Error("read ECONNRESET");
      return rows;
    },
    hold() {
      let open = () => {};
      const closed = new Promise<void>((resolve) => {
        open = resolve;
      });
      gate = closed;
      return () => {
        if (gate === closed) gate = undefined;
        open();
      };
    },
    async quiet() {
      do {
        await Promise.all(underWay);
        // What an answer leads to is sent a few turns later.
        for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      } while (underWay.size > 0);
    },
    abandon() {
      isAbandoned = true;
    },
  };
  return link;
}

export type LedgerScene = {
  ledger: Ledger;
  clock: HandClock;
  link: Link;
  lines: string[];
  /** Adds some cents to a principal's month, and to other rows. */
  charge(
    cents: number,
    to?: { principal?: string; rows?: readonly SpendRow[] } & Partial<Charge>,
  ): void;
  /** Lets time pass in steps, and what it leads to happen. */
  pass(ms: number): Promise<void>;
  /** Ends it as kill -9 does: no statement and no line more, and its lock is nobody's. */
  kill(): Promise<void>;
};

export const month = "2026-11";
export const monthOf = (principal: string): SpendRow => ({
  kind: "principal",
  principal,
  period: month,
});

let writers = 0;

export function createLedgerScene(
  query: Query,
  directory?: string,
  link = createLink(query),
): LedgerScene {
  const clock = createHandClock();
  const lines: string[] = [];
  let now = Date.UTC(2026, 10, 23, 12);
  const journal = directory === undefined ? undefined : openJournal(directory);
  const files: JournalFile[] = [];
  const write = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const ledger = createLedger({
    gatherMs: 50,
    store: createLedgerStore(link.query),
    journal: journal && {
      ...journal,
      fileOf(writer) {
        const file = journal.fileOf(writer);
        files.push(file);
        return file;
      },
    },
    writer: `writer-${process.pid}-${(writers += 1)}`,
    now: () => now,
    after: clock.after,
    log: { info: write("info"), warn: write("warn"), error: write("error") },
  });
  return {
    ledger,
    clock,
    link,
    lines,
    charge(cents, { principal = "ada", rows = [monthOf(principal)], ...more } = {}) {
      ledger.add({ rows, cost: BigInt(cents) * cent, day: "2026-11-23", ...more });
    },
    async pass(ms) {
      for (let passed = 0; passed < ms; passed += 10) {
        now += 10;
        clock.pass(10);
        await link.quiet();
      }
    },
    async kill() {
      link.abandon();
      journal?.release();
      for (const file of files) await file.close();
    },
  };
}

/** A database by its URL, over a connection of its own. */
export function databaseAt(url: string, user = "postgres"): Database {
  const { hostname, port, pathname } = new URL(url);
  const socket = createDialer([{ host: hostname, port: Number(port) }]);
  return createDatabase(
    { max: 1, socket, user, database: pathname.slice(1), connection: {} },
    { statementMs: 10_000, replaceWhenLate: false },
  );
}

/** What the table has for a principal's month. */
export async function spentBy(query: Query, principal = "ada"): Promise<Money> {
  const [row] = await query<{ cents: string }>`
    select cents from spend where principal = ${principal} and period = ${month}`;
  return moneyOf(row?.cents ?? "0");
}
