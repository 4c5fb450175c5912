// A database that has fallen silent: it neither answers nor refuses, as when the machine stands still or a network drops packets.
// Then every statement would wait for as long as it may; behind this breaker only the first ones do.
//
// A statement that takes long is no silence (it may wait for a lock, for a connection, or have much to read), so the database is
// asked something easy, on a connection of its own, before anything is concluded. How long one statement may take is database.ts's.
import { log } from "../log.ts";
import type { Database } from "./database.ts";
import { within } from "./deadline.ts";

/** In milliseconds. */
export type BreakerBounds = {
  /** A statement that has no answer for so long raises doubt, and again after as long. */
  doubtMs: number;
  /** The database is silent when then it does not answer an easy question for so long. */
  askMs: number;
};

/** Asking may take a new connection first, to a database that may be far away. */
const breakerBounds: BreakerBounds = { doubtMs: 1_000, askMs: 1_000 };

/**
 * The same database, whose statements fail at once while it is silent. Those under way when that is found are given up, as late
 * ones are: they may be carried out all the same. Asked again and again, one question at a time, it opens by itself. Scripts pass.
 * @param asked the same one over connections that nothing else uses; closed together with it
 */
export function withBreaker(
  database: Database,
  asked: Pick<Database, "query" | "abandon" | "close">,
  bounds: BreakerBounds = breakerBounds,
): Database {
  const silenceMs = bounds.doubtMs + bounds.askMs;
  let isDoubted = false;
  let isSilent = false;

  async function through<T>(send: () => Promise<T>): Promise<T> {
    if (isSilent) throw silence();
    const doubting = setInterval(() => void doubt(), bounds.doubtMs);
    try {
      return await send();
    } finally {
      clearInterval(doubting);
    }
  }

  async function doubt(): Promise<void> {
    if (isDoubted) return;
    isDoubted = true;
    for (;;) {
      const answered = asked.query`select 1`.then(
        () => true,
        () => false,
      );
      // A refusal is no silence either, if it is quick: statements then fail by themselves.
      if (await isOver(answered)) break;
      if (!isSilent) fallSilent();
      else if (await answered) break;
    }
    if (isSilent) log.info("the database answers again");
    isSilent = false;
    isDoubted = false;
  }

  async function isOver(work: Promise<unknown>): Promise<boolean> {
    return within(bounds.askMs, work, "late").then(
      () => true,
      () => false,
    );
  }

  function fallSilent(): void {
    isSilent = true;
    log.warn(
      `no answer from the database for ${silenceMs / 1000}s: it is not waited for until it answers again`,
    );
    // Old connections may be dead where new ones work.
    for (const connections of [database, asked]) connections.abandon(silence());
  }

  function silence(): Error {
    return new Error(`the database does not answer, for ${silenceMs / 1000}s or longer`);
  }

  return {
    ...database,
    query: (text, ...values) => through(() => database.query(text, ...values)),
    async close() {
      await Promise.all([database.close(), asked.close()]);
    },
  };
}
