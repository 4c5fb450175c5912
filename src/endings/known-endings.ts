// What a process knows of sessions that have ended, in memory and within a bound, and what tells one session from another. How
// replicas tell each other is in endings.ts.
import { createHash } from "node:crypto";
import type { RecordedEndings } from "../store/endings.ts";
import { storableKey } from "../store/stored-text.ts";

/** Which sign-in something was issued to. */
export type Session = {
  /** Random; of what was issued before there were ids, `idOf`. */
  readonly id: string;
  /** When the person signed in, in seconds since the epoch; 0 where nothing tells. */
  readonly beganAtSeconds: number;
};

/** A session, and whose it is: `storableKey` of their `sub`. */
export type Issued = Session & { readonly principal: string };

export type KnownEndings = {
  /** Two look-ups. */
  readonly hasEnded: (issued: Issued) => boolean;
  readonly hasSession: (id: string) => boolean;
  /** Up to when everything of a principal has ended, in seconds since the epoch; -1 where nothing has. */
  readonly endedThrough: (principal: string) => number;
  learn(endings: RecordedEndings): void;
  /** False once something was forgotten. */
  readonly isComplete: boolean;
};

/**
 * @param options.max endings that are remembered, and a tenth more. Beyond it those are forgotten, sessions first, that were
 *   recorded more than `heldSeconds` ago, and no others.
 * @param options.now milliseconds since the epoch
 */
export function createKnownEndings(options: {
  max: number;
  heldSeconds: number;
  now: () => number;
}): KnownEndings {
  /** When it was recorded, in seconds since the epoch. */
  const sessions = new Map<string, number>();
  /** Up to when everything of a principal has ended, which is never before that was recorded. */
  const principals = new Map<string, number>();
  let isComplete = true;

  function remember(known: Map<string, number>, key: string, seconds: number): void {
    const latestSeconds = Math.max(seconds, known.get(key) ?? seconds);
    known.delete(key);
    known.set(key, latestSeconds);
  }

  const count = () => sessions.size + principals.size;
  let roomUpTo = options.max;

  /** All are looked through, for the order in which they were learned says little of their age: so not for each that is learned. */
  function makeRoom(nowSeconds: number): void {
    if (count() <= roomUpTo) return;
    for (const known of [sessions, principals]) {
      for (const [key, seconds] of known) {
        if (count() <= options.max) break;
        if (seconds >= nowSeconds - options.heldSeconds) continue;
        known.delete(key);
        isComplete = false;
      }
    }
    roomUpTo = Math.max(count(), options.max) * 1.1;
  }

  const endedThrough = (principal: string) => principals.get(principal) ?? -1;
  return {
    hasEnded: ({ id, principal, beganAtSeconds }) =>
      sessions.has(id) || beganAtSeconds <= endedThrough(principal),
    hasSession: (id) => sessions.has(id),
    endedThrough,
    learn(endings) {
      const nowSeconds = options.now() / 1000;
      for (const [id, ageSeconds] of endings.sessions)
        remember(sessions, id, nowSeconds - ageSeconds);
      for (const [principal, throughSeconds] of endings.principals)
        remember(principals, principal, throughSeconds);
      makeRoom(nowSeconds);
    },
    get isComplete() {
      return isComplete;
    },
  };
}

/**
 * The id of something that was issued without one: a SHA-256, which tells nothing of it.
 * @param authenticated what cannot be written in another way and still be accepted: no signature, no encoding of a secret
 */
export function idOf(authenticated: string): string {
  return createHash("sha256").update(authenticated).digest("base64url");
}

/** @param sub as the identity provider has it */
export function issuedTo(sub: string, session: Session): Issued {
  return { ...session, principal: storableKey(sub) };
}
