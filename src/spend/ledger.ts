// The ledger: settled spend is written behind. It counts in memory at once, and goes to the database in batches, each exactly
// once. What waits in which batch is backlog.ts's, the statements store/ledger.ts's, the file that a batch waits in while the
// database is away journal.ts's; here is when each of them is asked.
//
// What can be lost. A process that ends by close() loses nothing while the database or the journal takes it. One that is killed
// loses at most what it settled in the last 100 ms, if the database had not committed it: after 50 ms at most it is sent, and 50 ms
// later, while no answer has come, it is journaled, which takes as long as the disk takes. Without a journal, everything since
// the last batch that the database committed, which while it is away is everything. Nothing is ever added twice.
import { messageOf } from "../log.ts";
import type { LedgerStore } from "../store/ledger.ts";
import {
  type BacklogBounds,
  backlogBounds,
  type Batch,
  createBacklog,
  type Read,
} from "./backlog.ts";
import { createIdentityNotes, type Identity } from "./identity-notes.ts";
import type { Journal } from "./journal.ts";
import { createJournaling } from "./journaling.ts";
import { startReplay } from "./journal-replay.ts";
import { centsText, type Money } from "./money.ts";
import { createRecordReport, isCollision, type RecordLog } from "./record-report.ts";
import { entriesOf, type SpendRow } from "./tally.ts";
import { atMost, type Timer } from "../timer.ts";

export type { Identity } from "./identity-notes.ts";
export type { SpendRow } from "./tally.ts";

/** What one settled request adds: its cost to each row. `day` is the key of the day that the identity was seen on. */
export type Charge = {
  readonly rows: readonly SpendRow[];
  readonly cost: Money;
  readonly identity?: Identity;
  readonly day: string;
};

export type Ledger = {
  /** The name under which spend_writers has the number of the last batch. */
  readonly writer: string;
  /** Takes a charge. Returns at once and never throws. */
  add(charge: Charge): void;
  /** To be opened before a statement that reads rows is sent, and closed when its answer is taken in. */
  openRead(): Read;
  /** What was charged and is not in the database, and since when, in milliseconds since the epoch: Infinity for nothing. */
  waiting(): { charged: Money; since: number };
  /** Tries to write everything now. Never rejects. */
  flush(): Promise<void>;
  /**
   * Flushes for `timeoutMs` milliseconds at most; what is not written then is journaled, or said to be lost. Gives the journal
   * back. Takes nothing any more. Never rejects.
   */
  close(timeoutMs: number): Promise<void>;
};

export type LedgerOptions = {
  store: LedgerStore;
  /** store.journal; what earlier processes left there is written, too. Closed with the ledger. */
  journal: Journal | undefined;
  /** A random name that no ledger has had before. */
  writer: string;
  /** Milliseconds since the epoch. */
  now: () => number;
  after: Timer;
  log: RecordLog;
  bounds?: BacklogBounds;
  /**
   * Between two batches, in milliseconds, at most 50: so long charges gather until they are sent, or journaled while another
   * batch is under way. The first after a pause is sent at once.
   */
  gatherMs: number;
};

const retryMsMin = 250;
const retryMsMax = 2_000;
/** Collisions in a row that are nobody's trouble yet. */
const collisionsMax = 3;
/** How long anything waits for the journal, in milliseconds: a disk that hangs does not keep spend from the database. */
const journalMs = 2_000;

const takenNumbers =
  "another process has written under this one's numbers, perhaps some of it. Do two processes use one store.journal, or a copy of it?";

export function createLedger(options: LedgerOptions): Ledger {
  const { store, journal, writer, now, after, log, gatherMs, bounds = backlogBounds } = options;
  const backlog = createBacklog(bounds);
  const identities = createIdentityNotes();
  const report = createRecordReport(log, now);
  const file = journal?.fileOf(writer);
  const journaling = file && createJournaling(file, { backlog, report, after });
  const where = file === undefined ? "in memory" : "in memory and in the journal";
  const replay = journal && startReplay(journal.earlier, { store, after, log, report, bounds });

  let cancelTick: (() => void) | undefined;
  let tickDueAt = Infinity;
  let tickedAt = -Infinity;
  let cancelRetry: (() => void) | undefined;
  let sending: Promise<void> | undefined;
  let flushes = 0;
  let retryMs = retryMsMin;
  let collisions = 0;
  /** The first batch was sent before, and nobody knows what came of that. */
  let mayBeWritten = false;
  let lastFailure: unknown = "no answer from the database";
  /** `closing`: takes nothing any more. `closed`: does nothing any more. */
  let state: "open" | "closing" | "closed" = "open";

  function wakeSoon(): void {
    // A clock that was set back must not make it longer.
    const sinceMs = Math.max(0, now() - tickedAt);
    wakeIn(Math.max(0, gatherMs - sinceMs));
  }

  /** At the latest. */
  function wakeIn(ms: number): void {
    const dueAt = now() + ms;
    if (state === "closed" || (cancelTick !== undefined && tickDueAt <= dueAt)) return;
    cancelTick?.();
    tickDueAt = dueAt;
    cancelTick = after(ms, tick);
  }

  function tick(): void {
    cancelTick = undefined;
    tickedAt = now();
    if (sending === undefined && cancelRetry === undefined) void send();
    else void journaling?.keep();
  }

  function send(): Promise<void> {
    cancelRetry?.();
    cancelRetry = undefined;
    sending ??= sendEach().finally(() => {
      sending = undefined;
    });
    return sending;
  }

  /** Sends batch after batch until one fails, or nothing is due. What came in meanwhile is due when its tick has passed. */
  async function sendEach(): Promise<void> {
    do {
      const needsRewrite = backlog.first() === undefined && backlog.seal(identities.take());
      if (needsRewrite && journaling) await atMost(journalMs, journaling.rewrite(), after);
      const batch = backlog.first();
      if (batch === undefined || state === "closed") return;
      // At the next tick a batch that is still under way is journaled.
      if (journaling !== undefined) wakeSoon();
      try {
        if (await apply(batch)) succeeded();
        else await abandon(batch, await store.seqOf(writer));
      } catch (error) {
        return failed(error);
      }
    } while (isMoreDue());
  }

  /** Resolves with false when a number of the batch is in the tables, which no try of this ledger's can have put there. */
  async function apply(batch: Batch): Promise<boolean> {
    const wasSent = mayBeWritten;
    mayBeWritten = true;
    const isAdded = await store.apply({ ...batch, writer, entries: entriesOf(batch.tally) });
    mayBeWritten = wasSent;
    return isAdded || wasSent;
  }

  /**
   * Somebody else writes as this ledger. How much of the batch they have written nobody can tell, and nothing may be added
   * twice; what comes after it is sent under numbers beyond theirs.
   */
  async function abandon({ tally }: Batch, taken: number): Promise<void> {
    if (state === "closed") return;
    report.lost(tally.charged, takenNumbers);
    backlog.abandon(taken);
    if (journaling) await atMost(journalMs, journaling.rewrite(), after);
  }

  const isMoreDue = () =>
    cancelTick === undefined ||
    flushes > 0 ||
    backlog.first() !== undefined ||
    identities.waiting > 0;

  function succeeded(): void {
    if (state === "closed") return;
    backlog.acknowledge();
    mayBeWritten = false;
    retryMs = retryMsMin;
    collisions = 0;
    report.written();
    journaling?.clear();
  }

  function failed(error: unknown): void {
    if (state === "closed") return;
    lastFailure = error;
    collisions = isCollision(error) ? collisions + 1 : Infinity;
    if (collisions > collisionsMax) report.failed(error, backlog.waiting(), where);
    cancelRetry = after(retryMs, () => void send());
    retryMs = Math.min(2 * retryMs, retryMsMax);
  }

  async function flush(): Promise<void> {
    flushes += 1;
    await sending;
    await send();
    flushes -= 1;
  }

  /** While the database fails it is tried again, for as long as there is time; with a journal there is no need to. */
  async function flushUntilClosed(): Promise<void> {
    await flush();
    if (journaling !== undefined) return;
    while (!backlog.isEmpty()) {
      await new Promise<void>((resolve) => void after(retryMsMin, resolve));
      if (state === "closed") return;
      await flush();
    }
  }

  return {
    writer,

    add({ rows, cost, identity, day }) {
      if (state !== "open") return report.lost(cost, "it was settled after the ledger was closed");
      const refused = backlog.add(rows, cost, now());
      if (refused.length > 0) report.lost(cost, "too many rows wait, or its key is too long");
      if (identity !== undefined) identities.note(identity, day);
      // An identity comes before its charge, and can wait for it.
      if (rows.length > 0) wakeSoon();
      else wakeIn(gatherMs);
    },

    openRead: () => backlog.openRead(),
    waiting: () => backlog.waiting(),
    flush,

    async close(timeoutMs) {
      if (state !== "open") return;
      state = "closing";
      await atMost(timeoutMs, flushUntilClosed(), after);
      state = "closed";
      cancelTick?.();
      cancelRetry?.();
      if (!backlog.isEmpty()) await putAside();
      report.close();
      await atMost(journalMs, Promise.all([journaling?.close(), replay?.close()]), after);
      journal?.release();
    },
  };

  async function putAside(): Promise<void> {
    const { charged } = backlog.waiting();
    let isKept = false;
    const keeping = journaling?.keep().then((isDone) => (isKept = isDone));
    await atMost(journalMs, Promise.resolve(keeping), after);
    if (!isKept) return report.lost(charged, `it could not be recorded: ${messageOf(lastFailure)}`);
    log.warn(`spend of ${centsText(charged)} cents waits in the journal for the next start`);
  }
}
