// Keeps what is settled in the ledger's file of the journal while the database does not take it, and removes the file when the
// database has everything in it. How a file is written is journal.ts's.
//
// After an operation failed nobody knows what the file holds (part of a line, perhaps), so that the next one writes it anew; as
// happens when it has grown large, because the sums by row are far smaller than all the lines that led to them.
import type { Backlog } from "./backlog.ts";
import type { JournalFile } from "./journal.ts";
import type { RecordReport } from "./record-report.ts";
import type { Timer } from "../timer.ts";

export type Journaling = {
  /** Puts into the file what is not there yet. Resolves with whether everything is. Never rejects. */
  keep(): Promise<boolean>;
  /** The same, all lines written anew. */
  rewrite(): Promise<boolean>;
  /** Removes the file if the database has everything in it. */
  clear(): void;
  /** Ends the use of the file, which stays when something is in it that the database does not have. */
  close(): Promise<void>;
};

type JournalingDeps = {
  backlog: Backlog;
  report: Pick<RecordReport, "journalFailed">;
  after: Timer;
  rewriteBytesMin?: number;
};

/** Pause after an operation that failed, in milliseconds. */
const retryMs = 1_000;
/** A file is written anew when it is larger than this, and has doubled since the last time. */
const rewriteBytesDefault = 64 * 1024 * 1024;

export function createJournaling(
  file: JournalFile,
  { backlog, report, after, rewriteBytesMin = rewriteBytesDefault }: JournalingDeps,
): Journaling {
  let last: Promise<unknown> = Promise.resolve();
  let waiting: Promise<boolean> | undefined;
  let cancelRetry: (() => void) | undefined;
  let isUsed = false;
  let isStale = false;
  let rewriteBytes = rewriteBytesMin;

  /** One operation is under way, and at most one waits: it takes everything that came in until it begins. */
  function keep(): Promise<boolean> {
    waiting ??= inTurn(async () => {
      waiting = undefined;
      await write();
    });
    return waiting;
  }

  function inTurn(work: () => Promise<void>): Promise<boolean> {
    const done = last.then(work).then(
      () => true,
      (error: unknown) => {
        isStale = true;
        report.journalFailed(error);
        cancelRetry?.();
        cancelRetry = after(retryMs, () => void keep());
        return false;
      },
    );
    last = done;
    return done;
  }

  async function write(): Promise<void> {
    const isWhole = isStale || file.bytes > rewriteBytes;
    const lines = isWhole ? backlog.allLines() : backlog.newLines();
    if (lines.length === 0) return removeIfWritten();
    isStale = false;
    isUsed = true;
    await (isWhole ? file.replace(lines) : file.append(lines));
    if (isWhole) rewriteBytes = Math.max(rewriteBytesMin, 2 * file.bytes);
  }

  async function removeIfWritten(): Promise<void> {
    if (!isUsed || !backlog.isJournalWritten()) return;
    await file.remove();
    isUsed = false;
    isStale = false;
  }

  return {
    keep,
    rewrite() {
      isStale = true;
      return keep();
    },
    clear() {
      if (isUsed && backlog.isJournalWritten()) void inTurn(removeIfWritten);
    },
    async close() {
      cancelRetry?.();
      await last;
      await file.close();
    },
  };
}
