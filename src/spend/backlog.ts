// What was settled and is not in the database yet, in numbered batches; and of it, what is not in the journal either. Pure: when
// anything is sent or journaled is ledger.ts's.
//
// Everything settled is in one of three places: `queue`, batches that are sealed, the first of which may be under way; `kept`,
// what has a number because it is in the journal, but is in no batch; `fresh`, the rest. A number is given once: to a batch, or
// to a line of the journal. A batch has the numbers `(after, seq]`: its own, and those of the lines that are in it.
import { type IdentityEntry, isIndexable } from "../store/ledger.ts";
import type { Money } from "./money.ts";
import { createTally, rowKey, type SpendRow, splitTally, type Tally } from "./tally.ts";

/** Its content never changes. */
export type Batch = {
  readonly after: number;
  readonly seq: number;
  readonly tally: Tally;
  readonly identities: readonly IdentityEntry[];
};

/** What a line of the journal holds: the sums under a number. */
export type Line = { readonly seq: number; readonly tally: Tally };

/** One statement that reads rows, from before it is sent until its answer is taken in. */
export type Read = {
  /**
   * What the ledger has for a row that the statement did not see.
   * @param seenSeq the ledger's number in spend_writers, as the same statement saw it; 0 when it has none
   */
  readonly unwritten: (row: SpendRow, seenSeq: number) => Money;
  close(): void;
};

export type Backlog = {
  /** Adds to each row. Returns the rows for which there is no room here, or would be none in the database's index. */
  add(rows: readonly SpendRow[], cost: Money, at: number): readonly SpendRow[];
  openRead(): Read;
  /** Makes batches of what is in none. Returns whether the journal has to be written anew before the first is sent. */
  seal(identities: readonly IdentityEntry[]): boolean;
  /** The batch to send. */
  first(): Batch | undefined;
  /** The first batch is in the database. */
  acknowledge(): void;
  /**
   * The first batch will not be in the database: somebody else has written under this ledger's numbers, up to `taken`. What
   * waits behind it is numbered from there on, and the journal has to be written anew before it is sent.
   */
  abandon(taken: number): void;
  /** What the journal lacks; from now on it counts as being there. */
  newLines(): Line[];
  /** Everything, as the journal's whole content; from now on it counts as being there. */
  allLines(): Line[];
  /** Whether the database has everything that counts as being in the journal. */
  isJournalWritten(): boolean;
  /** What was charged and is not in the database, and since when, in milliseconds since the epoch. */
  waiting(): { charged: Money; since: number };
  isEmpty(): boolean;
};

type Sealed = Batch & {
  /** The part of it that is not in the journal. */
  unjournaled: Tally | undefined;
};

export type BacklogBounds = {
  /** Rows that wait at most; half of them for sessions, whose spend is the least of what can be lost. */
  rowsMax: number;
  /** Rows of one batch, and of one line of a journal that is written anew. Some 200 ms of the database's time. */
  batchRowsMax: number;
};

export const backlogBounds: BacklogBounds = { rowsMax: 200_000, batchRowsMax: 5_000 };

/** Batches kept for reads. At 100 a second longer than any statement may take. */
const acknowledgedMax = 10_000;

export function createBacklog({ rowsMax, batchRowsMax }: BacklogBounds): Backlog {
  let queue: Sealed[] = [];
  let kept = createTally();
  let fresh = createTally();
  let lastNumber = 0;
  let lastSealed = 0;
  let lastJournaled = 0;
  let lastAcknowledged = 0;

  /** Reads are numbered as they open. */
  let reads = 0;
  const openReads = new Set<number>();
  /** Batches that a read which was open at their acknowledgement may not have seen, with the last such read. */
  let acknowledged: { batch: Batch; neededBy: number }[] = [];

  function hasRoomFor(row: SpendRow): boolean {
    const rows = queue.reduce((sum, { tally }) => sum + tally.rows, kept.rows + fresh.rows);
    if (rows < (row.kind === "session" ? rowsMax / 2 : rowsMax)) return true;
    const key = rowKey(row);
    return fresh.of(key) !== undefined || kept.of(key) !== undefined;
  }

  function keep(): void {
    kept.addAll(fresh);
    fresh = createTally();
  }

  function nextLine(tally: Tally): Line {
    lastNumber += 1;
    lastJournaled = lastNumber;
    return { seq: lastNumber, tally };
  }

  /** Batches that no open read needs any more go. */
  function forgetAcknowledged(): void {
    const [oldest = Infinity] = openReads;
    const needed = acknowledged.filter(({ neededBy }) => neededBy >= oldest);
    acknowledged = needed.slice(-acknowledgedMax);
  }

  function unwritten(row: SpendRow, seenSeq: number): Money {
    const key = rowKey(row);
    let sum = (kept.of(key) ?? 0n) + (fresh.of(key) ?? 0n);
    const add = ({ seq, tally }: Batch) => {
      if (seq > seenSeq) sum += tally.of(key) ?? 0n;
    };
    for (const batch of queue) add(batch);
    for (const { batch } of acknowledged) add(batch);
    return sum;
  }

  return {
    add(rows, cost, at) {
      const refused = rows.filter((row) => !isIndexable(rowKey(row)) || !hasRoomFor(row));
      for (const row of rows) if (!refused.includes(row)) fresh.add(row, cost);
      if (refused.length < rows.length) fresh.count(cost, at);
      return refused;
    },

    openRead() {
      const read = (reads += 1);
      openReads.add(read);
      return {
        unwritten,
        close() {
          openReads.delete(read);
          if (acknowledged.length > 0) forgetAcknowledged();
        },
      };
    },

    seal(identities) {
      const isPartlyJournaled = kept.rows > 0;
      const unjournaled = fresh;
      // Without a journal nothing is kept, and nothing is copied.
      if (isPartlyJournaled) keep();
      const whole = isPartlyJournaled ? kept : fresh;
      if (whole.rows === 0 && identities.length === 0) return false;
      kept = createTally();
      fresh = createTally();
      const parts = whole.rows > batchRowsMax ? splitTally(whole, batchRowsMax) : [whole];
      const isSplit = parts.length > 1;
      for (const [index, tally] of parts.entries()) {
        const after = lastSealed;
        lastSealed = lastNumber += 1;
        queue.push({
          after,
          seq: lastSealed,
          tally,
          identities: index === 0 ? identities : [],
          unjournaled: isSplit ? tally : unjournaled,
        });
      }
      // Once the first part of a split is written, the database has all numbers up to the part's own. Lines that lie below
      // it would count as written, with the other parts.
      return isSplit && isPartlyJournaled;
    },

    first: () => queue[0],

    acknowledge() {
      const [batch, ...others] = queue;
      if (batch === undefined) return;
      queue = others;
      lastAcknowledged = batch.seq;
      if (openReads.size > 0) acknowledged.push({ batch, neededBy: reads });
      if (acknowledged.length > 0) forgetAcknowledged();
    },

    abandon(taken) {
      const [batch, ...others] = queue;
      if (batch === undefined) return;
      lastAcknowledged = batch.seq;
      lastSealed = Math.max(batch.seq, taken);
      lastNumber = Math.max(lastNumber, taken);
      queue = others.map((other) => {
        const after = lastSealed;
        lastSealed = lastNumber += 1;
        return { ...other, after, seq: lastSealed };
      });
    },

    newLines() {
      const lines: Line[] = [];
      for (const batch of queue) {
        const tally = batch.unjournaled;
        batch.unjournaled = undefined;
        if (tally === undefined || tally.rows === 0) continue;
        lines.push({ seq: batch.seq, tally });
        lastJournaled = batch.seq;
      }
      if (fresh.rows > 0) {
        lines.push(nextLine(fresh));
        keep();
      }
      return lines;
    },

    allLines() {
      keep();
      for (const batch of queue) batch.unjournaled = undefined;
      const lines: Line[] = queue.map(({ seq, tally }) => ({ seq, tally }));
      lastJournaled = lines.at(-1)?.seq ?? lastJournaled;
      if (kept.rows > 0) lines.push(...splitTally(kept, batchRowsMax).map(nextLine));
      return lines;
    },

    isJournalWritten: () => lastJournaled <= lastAcknowledged,

    waiting() {
      const tallies = [...queue.map(({ tally }) => tally), kept, fresh];
      return {
        charged: tallies.reduce((sum, tally) => sum + tally.charged, 0n),
        since: Math.min(...tallies.map(({ since }) => since)),
      };
    },

    isEmpty: () => queue.length === 0 && kept.rows === 0 && fresh.rows === 0,
  };
}
