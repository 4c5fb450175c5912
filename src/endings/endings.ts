// Sessions that were ended before their time: by their owner, who signed out, or by an administrator, who signed somebody out
// everywhere. What has ended is known in memory (known-endings.ts), so that nothing waits for it; it is recorded in the store,
// and each replica looks there every two seconds for what the others recorded. The statements are in store/endings.ts; who may
// end what is oauth/revocation.ts's and spend/admin/sign-outs.ts's.
//
// A session is what began with one sign-in: a bearer, a refresh token, and whatever comes of refreshing. Ending it ends them all,
// also those that a replica issues before it has heard. So does ending a principal: what counts is when somebody signed in, and
// never when a token was refreshed.
import { type log, messageOf } from "../log.ts";
import { within } from "../store/deadline.ts";
import type { Ending, EndingsStore } from "../store/endings.ts";
import { storableKey } from "../store/stored-text.ts";
import type { Timer } from "../timer.ts";
import { createKnownEndings, type Issued } from "./known-endings.ts";

/** A refresh token that is not used for so long has expired. Each use gives a new one. */
export const refreshTokenTtlSeconds = 400 * 86_400;

export type Endings = {
  /** Whether a session has ended, as far as is known here: from memory. */
  readonly hasEnded: (issued: Issued) => boolean;
  /**
   * The same, for what outlives a bearer: of so many endings that not all are in memory, it asks the store.
   * @throws what the database or the connection throws, when it had to ask
   */
  hasEverEnded(issued: Issued): Promise<boolean>;
  /** When somebody who signs in now has begun, in seconds since the epoch: after whatever of theirs has ended. */
  beginningOf(sub: string): number;
  /** Ends a session: here at once, elsewhere once it is recorded. False when it could not be recorded; it is tried again. */
  endSession(id: string): Promise<boolean>;
  /** Ends all sessions of these people that have begun, likewise. @param actor as the trail names who does it */
  endPrincipals(subs: readonly string[], actor: string): Promise<boolean>;
  /** Stops looking, and tries once more to record what is not recorded. Bounded. */
  close(): Promise<void>;
};

export type EndingsOptions = {
  store: EndingsStore;
  /** Longest life of a bearer, in seconds. */
  bearerTtlSeconds: number;
  log: Pick<typeof log, "info" | "warn" | "error">;
  after: Timer;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Endings that are remembered. */
  knownMax?: number;
};

/** Milliseconds from one look at the store to the next. With the statement it is well under the 5 s that are promised. */
const pollMs = 2_000;

/** How long a statement may take, in milliseconds. */
const statementMs = 2_000;

/** Age of what is read again at each look, in seconds: more than any statement takes from its mark to its commit. */
const overlapSeconds = 60;

/** After a longer pause than this without a look that succeeded, in milliseconds, everything is read. */
const gapMsMax = 20_000;

/** Everything is read so often anyway, in milliseconds, whatever happened to clocks. */
const readAllMs = 10 * 60_000;

/** How much the clocks of replicas may differ, in seconds: a sign-in that one of them dates later than this counts as later. */
const clocksDifferSecondsMax = 5;

/**
 * Endings in memory, some 100 bytes each. There are more only while bearers may live that they end, each of a genuine sign-in.
 * Older ones are forgotten beyond this, and for refresh tokens the store is asked.
 */
const knownMaxDefault = 200_000;

/** Rows of each kind that are read at once. They hold the process for some milliseconds, and others go on in between. */
const pageRows = 2_000;

/** How many of the endings that wait to be recorded are in one statement. */
const recordedMax = 1_000;

/** Rows expire a day after the last token that they end, and never beyond what dates can hold. In memory bearers have it, too. */
const daySeconds = 86_400;
const keptSecondsMax = 36_500 * daySeconds;

/**
 * Reads what has ended, and goes on looking.
 * @throws Error when it cannot be read: without it nobody could tell whom to refuse.
 */
export async function openEndings(options: EndingsOptions): Promise<Endings> {
  const { store, log, after, now, bearerTtlSeconds, knownMax = knownMaxDefault } = options;
  const lifeSeconds = Math.max(refreshTokenTtlSeconds, bearerTtlSeconds);
  const keptSeconds = Math.min(lifeSeconds + daySeconds, keptSecondsMax);
  const heldSeconds = bearerTtlSeconds + daySeconds;
  const known = createKnownEndings({ max: knownMax, heldSeconds, now });
  /** What is not recorded yet: of what is known, and like it no more than there were sessions. */
  const waiting = new Map<string, Ending>();
  let readAt: number | undefined;
  let readAllAt = 0;
  let isAllRead = false;
  let isFailing = false;

  async function read(): Promise<void> {
    const startedAt = now();
    const misses =
      readAt === undefined ||
      !isWithin(startedAt - readAt, gapMsMax) ||
      !isWithin(startedAt - readAllAt, readAllMs);
    readAt = undefined;
    const isRead = await readBack(misses ? keptSecondsMax : overlapSeconds);
    readAt = startedAt;
    if (!misses) return;
    readAllAt = startedAt;
    isAllRead = isRead;
  }

  /** Learns what was recorded, the newest first. False when it stopped before the end, where there are more than are remembered. */
  async function readBack(withinSeconds: number): Promise<boolean> {
    let before: string | undefined;
    for (let rows = 0; ;) {
      const reading = store.read(withinSeconds, pageRows, before);
      const { next, ...endings } = await within(statementMs, reading, late);
      known.learn(endings);
      if (next === undefined) return true;
      rows += endings.sessions.length + endings.principals.length;
      if (rows > knownMax && next.ageSeconds > heldSeconds) return false;
      before = next.before;
    }
  }

  /** Up to when, in seconds since the epoch. Whoever signed in anew after the last time began a second after that. */
  function endEverythingOf(principal: string): number {
    const throughSeconds = Math.max(
      secondsAt(now()) + clocksDifferSecondsMax,
      known.endedThrough(principal) + 1,
    );
    known.learn({ sessions: [], principals: [[principal, throughSeconds]] });
    return throughSeconds;
  }

  async function record(endings: readonly Ending[]): Promise<void> {
    await within(statementMs, store.record(endings, keptSeconds), late);
    for (const ending of endings) {
      if (waiting.get(keyOf(ending)) === ending) waiting.delete(keyOf(ending));
    }
  }

  async function recordWaiting(): Promise<void> {
    if (waiting.size > 0) await record([...waiting.values()].slice(0, recordedMax));
  }

  async function poll(): Promise<void> {
    try {
      await read();
      await recordWaiting();
      if (isFailing) log.info("endings of sessions are exchanged with other replicas again");
      isFailing = false;
    } catch (error) {
      if (!isFailing) {
        log.warn(
          `endings of sessions cannot be exchanged with other replicas: ${messageOf(error)}. Those that are known here hold; trying on`,
        );
      }
      isFailing = true;
    }
  }

  async function end(endings: readonly Ending[]): Promise<boolean> {
    for (const ending of endings) waiting.set(keyOf(ending), ending);
    try {
      await record(endings);
      return true;
    } catch (error) {
      log.warn(`endings of sessions cannot be recorded yet: ${messageOf(error)}`);
      return false;
    }
  }

  await read();
  let isClosed = false;
  let polling = Promise.resolve();
  let cancel = after(pollMs, look);
  function look(): void {
    polling = poll().then(() => {
      if (!isClosed) cancel = after(pollMs, look);
    });
  }

  return {
    hasEnded: known.hasEnded,
    async hasEverEnded(issued) {
      if (known.hasEnded(issued)) return true;
      if (known.isComplete && isAllRead) return false;
      return store.has(issued.id, issued.principal, issued.beganAtSeconds);
    },
    beginningOf: (sub) => Math.max(secondsAt(now()), known.endedThrough(storableKey(sub)) + 1),
    async endSession(id) {
      const ending: Ending = { kind: "session", id };
      // Whoever signs out sends both tokens, and may send them again.
      if (known.hasSession(id) && !waiting.has(keyOf(ending))) return true;
      known.learn({ sessions: [[id, 0]], principals: [] });
      return end([ending]);
    },
    async endPrincipals(subs, actor) {
      const principals = [...new Set(subs.map(storableKey))];
      for (const principal of principals) endEverythingOf(principal);
      // Somebody may have done the same elsewhere, after which the person signed in anew: that has to end, too.
      const recorded = await within(statementMs, store.readPrincipals(principals), late).catch(
        () => [],
      );
      known.learn({ sessions: [], principals: recorded });
      const ended = principals.map((principal) => {
        const throughSeconds = endEverythingOf(principal);
        return { kind: "principal" as const, principal, throughSeconds, actor };
      });
      return end(ended);
    },
    async close() {
      isClosed = true;
      cancel();
      await polling;
      await recordWaiting().catch((error: unknown) => {
        log.error(`endings of ${waiting.size} sessions were not recorded: ${messageOf(error)}`);
      });
    },
  };
}

const late = `no answer from the database within ${statementMs / 1000}s`;

function keyOf(ending: Ending): string {
  return ending.kind === "session" ? `s${ending.id}` : `p${ending.principal}`;
}

/** False for a clock that was set back, too. */
function isWithin(elapsedMs: number, boundMs: number): boolean {
  return elapsedMs >= 0 && elapsedMs <= boundMs;
}

function secondsAt(ms: number): number {
  return Math.floor(ms / 1000);
}
