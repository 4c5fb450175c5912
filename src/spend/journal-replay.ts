// What earlier processes left in their journals goes into the database, under their own names and numbers, so that each line is
// added once however often a file is replayed, and whatever of it was added before. While the database is away the files wait.
import { createReadStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename } from "node:path";
import type { LedgerStore } from "../store/ledger.ts";
import type { BacklogBounds, Line } from "./backlog.ts";
import { parseLine } from "./journal-lines.ts";
import { centsText, type Money } from "./money.ts";
import type { RecordLog, RecordReport } from "./record-report.ts";
import { createTally, entriesOf } from "./tally.ts";
import type { Timer } from "../timer.ts";

export type Replay = {
  /** Ends it after the statement under way, if there is one. What is left waits for the next process. */
  close(): Promise<void>;
};

type ReplayDeps = {
  store: LedgerStore;
  after: Timer;
  log: RecordLog;
  report: Pick<RecordReport, "replayFailed">;
  bounds: Pick<BacklogBounds, "batchRowsMax">;
};

const retryMsMin = 250;
const retryMsMax = 5_000;

/** Replays the files, one after another, and deletes each. One with lines that cannot be read is renamed to `….damaged`. */
export function startReplay(paths: readonly string[], deps: ReplayDeps): Replay {
  const { store, after, log, report, bounds } = deps;
  const closing = new AbortController();

  async function run(): Promise<void> {
    let retryMs = retryMsMin;
    for (const path of paths) {
      for (let isDone = false; !isDone && !closing.signal.aborted;) {
        try {
          await replay(path);
          isDone = true;
          retryMs = retryMsMin;
        } catch (error) {
          report.replayFailed(path, error);
          await pause(retryMs);
          retryMs = Math.min(2 * retryMs, retryMsMax);
        }
      }
    }
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = after(ms, resolve);
      const wake = () => {
        cancel();
        resolve();
      };
      closing.signal.addEventListener("abort", wake, { once: true });
    });
  }

  async function replay(path: string): Promise<void> {
    let replayed = 0n;
    for (;;) {
      const { isWhole, added, unreadable } = await pass(path);
      replayed += added;
      if (closing.signal.aborted) return;
      if (!isWhole) continue;
      if (replayed > 0n)
        log.info(
          `spend of ${centsText(replayed)} cents that an earlier process settled is recorded`,
        );
      if (unreadable === 0) return rm(path, { force: true });
      log.error(
        `${unreadable} lines of the spend journal ${path} cannot be read and are not recorded; it is kept as ${basename(path)}.damaged`,
      );
      return rename(path, `${path}.damaged`);
    }
  }

  /** Goes once through a file. It is not whole when a number was added meanwhile, by a statement of its own process. */
  async function pass(path: string): Promise<Pass> {
    const found: Pass = { isWhole: true, added: 0n, unreadable: 0 };
    const writer = basename(path, ".jsonl");
    let written = await store.seqOf(writer);
    let batch = createTally();
    let last = written;

    async function apply(): Promise<void> {
      if (batch.rows === 0) return;
      const entries = entriesOf(batch);
      if (await store.apply({ writer, after: written, seq: last, entries, identities: [] }))
        found.added += batch.charged;
      else found.isWhole = false;
      batch = createTally();
      written = last;
    }

    for await (const line of linesOf(path, writer, () => (found.unreadable += 1))) {
      if (line.seq <= last) continue;
      if (batch.rows > 0 && batch.rows + line.tally.rows > bounds.batchRowsMax) await apply();
      if (closing.signal.aborted || !found.isWhole) return found;
      batch.addAll(line.tally);
      last = line.seq;
    }
    await apply();
    return found;
  }

  const running = run();
  return {
    close() {
      closing.abort();
      return running;
    },
  };
}

type Pass = { isWhole: boolean; added: Money; unreadable: number };

/** The lines of a file. A last line that cannot be read was never finished, and does not count as unreadable. */
async function* linesOf(
  path: string,
  writer: string,
  onUnreadable: () => void,
): AsyncGenerator<Line> {
  let isUnreadable = false;
  for await (const text of textLinesOf(path)) {
    if (isUnreadable) onUnreadable();
    const line = parseLine(text);
    isUnreadable = line?.writer !== writer;
    if (line !== undefined && !isUnreadable) yield line;
  }
}

/** Only a line feed ends a line: names may have in them what others take for a line break. */
async function* textLinesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(path, "utf8")) {
    const texts = `${rest}${chunk}`.split("\n");
    rest = texts.pop() ?? "";
    yield* texts;
  }
  if (rest !== "") yield rest;
}
