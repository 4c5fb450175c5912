// Work that holds the event loop, a little at a time: in between everybody's requests have their turn, and nobody can have more
// than a share of the time or of the places, whatever they send. What the work is, is vouch.ts's.
import type { Timer } from "../../timer.ts";

export type Piece = {
  /** Whose work it is. */
  readonly owner: string;
  /** What is held in memory until then. */
  readonly bytes: number;
  /** Must not throw. */
  readonly run: () => void;
  /** In place of `run`. */
  readonly drop: (why: string) => void;
};

export type Turns = {
  /** Takes a piece: it is run soon, or dropped. */
  readonly offer: (piece: Piece) => void;
  /** Waits until what waits is run, at most this long; the rest is dropped. Undefined when nothing waits. */
  readonly close: (timeoutMs: number) => Promise<void> | undefined;
};

/** What waits at most: pieces and their bytes, of everybody and of one owner. */
const waitingMax = 4_096;
const bytesMax = 64 * 1024 * 1024;
const waitingOfOneMax = 16;
const bytesOfOneMax = 8 * 1024 * 1024;

/** Milliseconds until the event loop has its turn; one piece may take longer. */
const turnMs = 5;

/** Of its time, in milliseconds: what everybody has at first, and gets back of it each second. */
const allowanceMs = 500;
const refillMsPerSecond = 50;

/** What a piece takes of that at least: it has cost something before it came here. */
const pieceMsMin = 0.25;

/** Owners remembered, beside those of whom something waits. One that is forgotten has its whole allowance again, as it nearly had. */
const ownersMax = 10_000;

const usedUp = "its sender has used up their share of time";

/** What an owner has left of its time at one moment, and what of it waits. */
type Account = { leftMs: number; at: number; pieces: number; bytes: number };

/**
 * @param options.now milliseconds with fractions, of a clock that is never set: `performance.now`
 * @param options.after with 0: when the event loop has had its turn
 */
export function createTurns({ now, after }: { now: () => number; after: Timer }): Turns {
  const waiting: Piece[] = [];
  const accounts = new Map<string, Account>();
  let waitingBytes = 0;
  let cancelNext: (() => void) | undefined;

  /** With what came back of its time until now. */
  function accountOf(owner: string): Account {
    const known = accounts.get(owner) ?? { leftMs: allowanceMs, at: now(), pieces: 0, bytes: 0 };
    const refilledMs = ((now() - known.at) / 1000) * refillMsPerSecond;
    known.leftMs = Math.min(allowanceMs, known.leftMs + refilledMs);
    known.at = now();
    // Whoever was busy last is remembered longest.
    accounts.delete(owner);
    const [oldest] = accounts;
    if (oldest !== undefined && accounts.size >= ownersMax && oldest[1].pieces === 0)
      accounts.delete(oldest[0]);
    accounts.set(owner, known);
    return known;
  }

  function isRoomFor(bytes: number, account: Account): boolean {
    if (account.pieces >= waitingOfOneMax || account.bytes + bytes > bytesOfOneMax) return false;
    return waiting.length < waitingMax && waitingBytes + bytes <= bytesMax;
  }

  function runOne(piece: Piece): void {
    const account = accountOf(piece.owner);
    waitingBytes -= piece.bytes;
    account.bytes -= piece.bytes;
    account.pieces -= 1;
    // Many may have been offered before the first was run.
    if (account.leftMs <= 0) return piece.drop(usedUp);
    const beganMs = now();
    piece.run();
    account.leftMs -= Math.max(pieceMsMin, now() - beganMs);
    // Nothing comes back meanwhile.
    account.at = now();
  }

  function runTurn(): void {
    cancelNext = undefined;
    const endMs = now() + turnMs;
    do {
      const piece = waiting.shift();
      if (piece === undefined) return;
      runOne(piece);
    } while (now() < endMs);
    if (waiting.length > 0) cancelNext = after(0, runTurn);
  }

  async function finish(timeoutMs: number): Promise<void> {
    const endMs = now() + timeoutMs;
    while (waiting.length > 0 && now() < endMs)
      await new Promise<void>((resolve) => void after(0, resolve));
    cancelNext?.();
    for (const piece of waiting.splice(0)) piece.drop("the gateway stops");
  }

  return {
    offer(piece) {
      const account = accountOf(piece.owner);
      if (account.leftMs <= 0) return piece.drop(usedUp);
      if (!isRoomFor(piece.bytes, account)) return piece.drop("too many wait");
      waiting.push(piece);
      waitingBytes += piece.bytes;
      account.bytes += piece.bytes;
      account.pieces += 1;
      cancelNext ??= after(0, runTurn);
    },
    close: (timeoutMs) => (waiting.length > 0 ? finish(timeoutMs) : undefined),
  };
}
