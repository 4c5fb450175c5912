// One line of a journal: `{"writer":…,"seq":…,"charged":…,"since":…,"entries":{…}}`, amounts in cents as decimal text. Which lines
// a file has is journal.ts's.
import type { SpendEntries } from "../store/ledger.ts";
import type { Line } from "./backlog.ts";
import { centsText, moneyOf } from "./money.ts";
import { addEntries, createTally, entriesOf } from "./tally.ts";

/** The line, without its line break. */
export function lineText(writer: string, { seq, tally }: Line): string {
  const { charged, since } = tally;
  return JSON.stringify({
    writer,
    seq,
    charged: centsText(charged),
    since,
    entries: entriesOf(tally),
  });
}

/** Reads a line; undefined for what is none, as the part of one that a process wrote when it was killed. */
export function parseLine(text: string): (Line & { writer: string }) | undefined {
  try {
    const { writer, seq, charged, since, entries } = JSON.parse(text) as Record<string, unknown>;
    if (typeof writer !== "string" || typeof charged !== "string" || !isEntries(entries)) return;
    if (!Number.isSafeInteger(seq) || typeof since !== "number") return;
    const tally = createTally();
    addEntries(tally, entries);
    tally.count(moneyOf(charged), since);
    return { writer, seq: seq as number, tally };
  } catch {
    return undefined;
  }
}

function isEntries(value: unknown): value is SpendEntries {
  const { principals, groups, sessions } = value as Record<string, unknown>;
  return areTexts(principals, 3) && areTexts(groups, 3) && areTexts(sessions, 4);
}

function areTexts(list: unknown, length: number): boolean {
  return (
    Array.isArray(list) &&
    list.every(
      (entry) =>
        Array.isArray(entry) &&
        entry.length === length &&
        entry.every((text) => typeof text === "string"),
    )
  );
}
