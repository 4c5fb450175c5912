// What the operator reads about spend that does not get into the database: that it waits, why and how to help, that it goes on,
// and what is lost. Each at most every 30 s while it lasts.
import { type log as operationalLog, messageOf } from "../log.ts";
import { adviceOn, codeOf } from "../store/advice.ts";
import { centsText, type Money } from "./money.ts";

export type RecordLog = Pick<typeof operationalLog, "info" | "warn" | "error">;

export type RecordReport = {
  /** An attempt to write failed. @param waiting what waits since when; `where` it is meanwhile */
  failed(error: unknown, waiting: { charged: Money; since: number }, where: string): void;
  /** A batch was written. */
  written(): void;
  journalFailed(error: unknown): void;
  replayFailed(path: string, error: unknown): void;
  /** An amount will never be in the database. */
  lost(amount: Money, why: string): void;
  /** Says what is lost and was not said yet. */
  close(): void;
};

/** Milliseconds between two lines about the same. */
const intervalMs = 30_000;

/** SQLSTATE of a role that lacks a privilege. */
const notPermitted = "42501";
const grantAdvice =
  "Grant the gateway's role select, insert and update on spend, pooled_spend, session_spend, spend_writers, principal_emails and principal_groups";

/** @param now milliseconds since the epoch */
export function createRecordReport(log: RecordLog, now: () => number): RecordReport {
  const toldAt = new Map<string, number>();
  const losses = new Map<string, Money>();
  let isFailing = false;

  function isDue(subject: string): boolean {
    const last = toldAt.get(subject);
    // A clock that was set back would else silence it for as long.
    if (last !== undefined && Math.abs(now() - last) < intervalMs) return false;
    toldAt.set(subject, now());
    return true;
  }

  return {
    failed(error, { charged, since }, where) {
      isFailing = true;
      if (!isDue("record")) return;
      const help = codeOf(error) === notPermitted ? grantAdvice : adviceOn(error);
      log.warn(
        `spend record failed: ${messageOf(error)}. ${centsText(charged)} cents settled since ${timeText(since)} wait ${where}` +
          (help === undefined ? "" : `. ${help}`),
      );
    },
    written() {
      if (!isFailing) return;
      isFailing = false;
      if (toldAt.delete("record")) log.info("spend is recorded again");
    },
    journalFailed(error) {
      if (!isDue("journal")) return;
      log.error(
        `spend journal failed (store.journal): ${messageOf(error)}. What waits to be recorded is in memory only`,
      );
    },
    replayFailed(path, error) {
      if (!isDue(`replay of ${path}`)) return;
      log.warn(
        `spend record failed: ${messageOf(error)}. What an earlier process settled waits in ${path}`,
      );
    },
    lost(amount, why) {
      losses.set(why, (losses.get(why) ?? 0n) + amount);
      if (isDue(why)) tellLost(why);
    },
    close() {
      for (const why of losses.keys()) tellLost(why);
    },
  };

  function tellLost(why: string): void {
    log.error(`spend of ${centsText(losses.get(why) ?? 0n)} cents is lost: ${why}`);
    losses.delete(why);
  }
}

/** Whether two statements got in each other's way (classes 40 of SQLSTATE), which sending one again mends. */
export function isCollision(error: unknown): boolean {
  return codeOf(error).startsWith("40");
}

function timeText(at: number): string {
  return Number.isFinite(at) ? new Date(at).toISOString() : "a moment ago";
}
