// Sums by row: what several charges add to the same rows, folded together. Pure; which tallies there are is backlog.ts's.
import type { SpendEntries } from "../store/ledger.ts";
import { centsText, type Money, moneyOf } from "./money.ts";

/** One row that spend is added to. A period is a key of periods.ts. */
export type SpendRow =
  | { readonly kind: "principal"; readonly principal: string; readonly period: string }
  | { readonly kind: "group"; readonly group: string; readonly period: string }
  | {
      readonly kind: "session";
      readonly principal: string;
      readonly sessionId: string;
      readonly period: string;
    };

export type Tally = {
  /** Adds to one row. */
  add(row: SpendRow, amount: Money): void;
  /** Counts what was charged, once for all the rows that a charge is added to. @param at milliseconds since the epoch */
  count(charged: Money, at: number): void;
  /** Adds everything that is in another one, which stays as it is. */
  addAll(other: Tally): void;
  /** The sum of a row, by its `rowKey`; undefined when nothing was added to it. */
  of(key: string): Money | undefined;
  sums(): Iterable<{ readonly row: SpendRow; readonly amount: Money }>;
  readonly rows: number;
  readonly charged: Money;
  /** When the first charge was counted, in milliseconds since the epoch; Infinity before. */
  readonly since: number;
};

/** What tells a row from every other one. */
export function rowKey(row: SpendRow): string {
  switch (row.kind) {
    case "principal":
      return `principal\0${row.period}\0${row.principal}`;
    case "group":
      return `group\0${row.period}\0${row.group}`;
    case "session":
      return `session\0${row.period}\0${row.sessionId}\0${row.principal}`;
  }
}

export function createTally(): Tally {
  const sums = new Map<string, { readonly row: SpendRow; amount: Money }>();
  let charged = 0n;
  let since = Infinity;

  function add(row: SpendRow, amount: Money): void {
    const key = rowKey(row);
    const sum = sums.get(key);
    if (sum === undefined) sums.set(key, { row, amount });
    else sum.amount += amount;
  }

  function count(amount: Money, at: number): void {
    charged += amount;
    since = Math.min(since, at);
  }

  return {
    add,
    count,
    addAll(other) {
      for (const { row, amount } of other.sums()) add(row, amount);
      count(other.charged, other.since);
    },
    of: (key) => sums.get(key)?.amount,
    sums: () => sums.values(),
    get rows() {
      return sums.size;
    },
    get charged() {
      return charged;
    },
    get since() {
      return since;
    },
  };
}

/** The same sums in tallies of at most `rowsMax` rows. What was charged is counted in the last one. */
export function splitTally(tally: Tally, rowsMax: number): Tally[] {
  let part = createTally();
  const parts = [part];
  for (const { row, amount } of tally.sums()) {
    if (part.rows === rowsMax) {
      part.count(0n, tally.since);
      parts.push((part = createTally()));
    }
    part.add(row, amount);
  }
  part.count(tally.charged, tally.since);
  return parts;
}

/** The sums as the database and the journal take them. */
export function entriesOf(tally: Tally): SpendEntries {
  const principals: SpendEntries["principals"][number][] = [];
  const groups: SpendEntries["groups"][number][] = [];
  const sessions: SpendEntries["sessions"][number][] = [];
  for (const { row, amount } of tally.sums()) {
    const cents = centsText(amount);
    if (row.kind === "principal") principals.push([row.principal, row.period, cents]);
    else if (row.kind === "group") groups.push([row.group, row.period, cents]);
    else sessions.push([row.principal, row.sessionId, row.period, cents]);
  }
  return { principals, groups, sessions };
}

/** Adds what a line of a journal holds. @throws Error when an amount is none */
export function addEntries(tally: Tally, { principals, groups, sessions }: SpendEntries): void {
  for (const [principal, period, cents] of principals)
    tally.add({ kind: "principal", principal, period }, moneyOf(cents));
  for (const [group, period, cents] of groups)
    tally.add({ kind: "group", group, period }, moneyOf(cents));
  for (const [principal, sessionId, period, cents] of sessions)
    tally.add({ kind: "session", principal, sessionId, period }, moneyOf(cents));
}
