// The tables of spend in memory, with what store/standings.ts and store/ledger.ts make of a statement. When each statement is
// carried out, when it is answered and whether at all is a test's to say.
import type { CapRow, Standings, StandingsQuestion } from "../../src/store/standings.ts";
import type { SpendBatch } from "../../src/store/ledger.ts";
import { centsText, type Money, moneyOf } from "../../src/spend/money.ts";
import { addEntries, createTally, rowKey, type SpendRow } from "../../src/spend/tally.ts";
import type { Store } from "../../src/store/store.ts";

/** A statement on its way. Each step is taken once, in this order. */
export type Statement = {
  readonly kind: "read" | "write";
  /** Carries it out: what it reads is of this moment. */
  execute(): void;
  /** Lets the answer arrive. */
  answer(): void;
  /** Loses it, or its answer. */
  fail(message?: string): void;
};

export type MemoryDatabase = Pick<Store, "standings" | "ledger"> & {
  caps: CapRow[];
  /** Sums by `rowKey`, as text where they are no amounts. */
  readonly spent: Map<string, Money | string>;
  add(row: SpendRow, amount: Money): void;
  /** What has been asked so far. */
  readonly questions: StandingsQuestion[];
  /** The numbers of batches that are in it, by writer. */
  readonly writers: Map<string, number>;
};

/** @param onStatement told of each statement. Unless told otherwise it is carried out and answered at once. */
export function createMemoryDatabase(
  onStatement: (statement: Statement) => void = atOnce,
): MemoryDatabase {
  const spent = new Map<string, Money | string>();
  const writers = new Map<string, number>();
  const questions: StandingsQuestion[] = [];

  const sumOf = (row: SpendRow) => {
    const sum = spent.get(rowKey(row)) ?? 0n;
    return typeof sum === "string" ? sum : centsText(sum);
  };

  function add(row: SpendRow, amount: Money): void {
    spent.set(rowKey(row), moneyOf(sumOf(row)) + amount);
  }

  function read({ principals, groups, sessions, periods, month, writer }: StandingsQuestion) {
    const caps = database.caps.filter(
      ({ scope_type: type, scope_id: id }) =>
        type === "organization" ||
        type === "session" ||
        (type === "user" ? principals : groups).includes(id),
    );
    const hasSessions = caps.some(({ scope_type: type }) => type === "session");
    return {
      caps,
      principals: principals.flatMap((principal) =>
        periods.map((period) => ({
          principal,
          period,
          cents: sumOf({ kind: "principal", principal, period }),
        })),
      ),
      pools: caps
        .filter((cap) => cap.pooled_monthly_credit_limit !== null)
        .map(({ scope_id: group }) => ({
          group,
          cents: sumOf({ kind: "group", group, period: month }),
        })),
      sessions: hasSessions
        ? sessions.flatMap(([principal, session]) =>
            periods.map((period) => ({
              principal,
              session,
              period,
              cents: sumOf({ kind: "session", principal, sessionId: session, period }),
            })),
          )
        : [],
      seq: writers.get(writer) ?? 0,
    } satisfies Standings;
  }

  function write({ writer, after, seq, entries }: SpendBatch): boolean {
    const known = writers.get(writer);
    if (known !== undefined && known > after) return false;
    writers.set(writer, seq);
    const tally = createTally();
    addEntries(tally, entries);
    for (const { row, amount } of tally.sums()) add(row, amount);
    return true;
  }

  function sent<Result>(kind: Statement["kind"], execute: () => Result): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    let result: Result | undefined;
    onStatement({
      kind,
      execute: () => void (result = execute()),
      answer: () => (result === undefined ? reject(new Error("not carried out")) : resolve(result)),
      fail: (message = "connect ECONNREFUSED") => reject(new Error(message)),
    });
    return promise;
  }

  const database: MemoryDatabase = {
    caps: [],
    spent,
    add,
    questions,
    writers,
    standings: {
      read(question) {
        questions.push(question);
        return sent("read", () => read(question));
      },
    },
    ledger: {
      apply: (batch) => sent("write", () => write(batch)),
      seqOf: async (writer) => writers.get(writer) ?? 0,
    },
  };
  return database;
}

function atOnce(statement: Statement): void {
  statement.execute();
  statement.answer();
}
