// What this process knows of spend, in memory: of each person, pooled group and session the sums that the database had when it
// was last asked, plus what was settled here since, and what requests under way may still cost. A mirror, not the ledger: it
// is overwritten with every check (check.ts), and stands in while the database is away.
import type { SpendRow } from "./ledger.ts";
import type { Money } from "./money.ts";

/** Whose spend is added up. */
export type Owner =
  | { readonly kind: "principal"; readonly principal: string }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "session"; readonly principal: string; readonly sessionId: string };

/** The sums of one owner. */
export type Account = {
  /** The row of the database that holds the sum of a period. */
  rowOf(periodKey: string): SpendRow;
  /** What was spent in a period, as far as is known here. */
  spentIn(periodKey: string): Money;
  /** Takes over what the database says of a period. */
  read(periodKey: string, spent: Money): void;
  /** Adds what was settled. */
  settle(periodKey: string, cost: Money): void;
  /** What requests under way may cost at most, all together. */
  readonly reserved: Money;
};

/** A hold on accounts for the most that one request may cost. */
export type Hold = {
  /** Gives it back, and has those who wait try again. Once: further calls do nothing. */
  readonly release: () => void;
};

/** Somebody who waits for holds to be given back. */
export type Wait<Result> = {
  /** What the attempt came to; undefined when the wait was given up before. Rejects with what the attempt threw. */
  readonly result: Promise<Result | undefined>;
  /** Ends the wait. Without effect on one that is over. */
  readonly giveUp: () => void;
};

export type Accounts = {
  /** The account of an owner, with nothing in it when nothing is known of it yet. */
  of(owner: Owner): Account;
  /** Holds an amount on each account. */
  hold(accounts: readonly Account[], amount: Money): Hold;
  /**
   * Makes an attempt each time that a hold on one of the accounts is given back, until it returns something or throws. Whoever
   * has waited longest is the first to try, and has what it takes before the next one looks. It must not give back a hold.
   */
  wait<Result>(accounts: readonly Account[], attempt: () => Result | undefined): Wait<Result>;
};

/** Accounts of people and groups remembered. Those unused for longest go first, but none that something is held on. */
const accountsMax = 50_000;

/** The same of sessions, by themselves: clients make up their ids, and must not have people and groups forgotten. */
const sessionsMax = 20_000;

/** Sums of one account: today's three periods, and those that have just ended. */
const periodsMax = 8;

type Entry = Account & {
  reserved: Money;
  holds: number;
  /** The attempts of those who wait, in the order in which they came. */
  readonly waiting: Set<() => void>;
};

/** @param max accounts of people and groups remembered; `maxOfSessions` beside them of sessions */
export function createAccounts(max = accountsMax, maxOfSessions = sessionsMax): Accounts {
  const peopleAndGroups = createMemory(max);
  const sessions = createMemory(maxOfSessions);
  const entriesOf = (accounts: readonly Account[]) => accounts as readonly Entry[];

  return {
    of: (owner) => (owner.kind === "session" ? sessions : peopleAndGroups)(owner),

    hold(accounts, amount) {
      const held = entriesOf(accounts);
      for (const entry of held) {
        entry.reserved += amount;
        entry.holds += 1;
      }
      let isHeld = true;
      return {
        release() {
          if (!isHeld) return;
          isHeld = false;
          for (const entry of held) {
            entry.reserved -= amount;
            entry.holds -= 1;
          }
          for (const { waiting } of held) for (const tryAgain of waiting) tryAgain();
        },
      };
    },

    wait<Result>(accounts: readonly Account[], attempt: () => Result | undefined): Wait<Result> {
      const waitedFor = entriesOf(accounts);
      const { promise, resolve, reject } = Promise.withResolvers<Result | undefined>();
      const end = () => {
        for (const { waiting } of waitedFor) waiting.delete(tryAgain);
      };
      function tryAgain(): void {
        try {
          const result = attempt();
          if (result === undefined) return;
          resolve(result);
        } catch (error) {
          reject(error);
        }
        end();
      }
      for (const { waiting } of waitedFor) waiting.add(tryAgain);
      return {
        result: promise,
        giveUp() {
          end();
          resolve(undefined);
        },
      };
    },
  };
}

/** Entries by owner, `max` of them. */
function createMemory(max: number): (owner: Owner) => Entry {
  /** In the order of last use. */
  const entries = new Map<string, Entry>();

  function forgetOldest(): void {
    for (const [key, { holds, waiting }] of entries) {
      if (holds > 0 || waiting.size > 0) continue;
      entries.delete(key);
      return;
    }
  }

  return (owner) => {
    const key = keyOf(owner);
    const known = entries.get(key);
    if (known === undefined) {
      // Before the new one is there, which nothing is held on yet.
      if (entries.size >= max) forgetOldest();
    } else if (entries.size < max / 2) {
      // Nobody will be forgotten for long: the order can wait.
      return known;
    } else {
      entries.delete(key);
    }
    const entry = known ?? newEntry(owner);
    entries.set(key, entry);
    return entry;
  };
}

function newEntry(owner: Owner): Entry {
  /** In the order of last writing, so that the periods that count are never the ones that are forgotten. */
  const sums = new Map<string, Money>();

  function set(periodKey: string, spent: Money): void {
    sums.delete(periodKey);
    sums.set(periodKey, spent);
    const [oldest] = sums.size > periodsMax ? sums.keys() : [];
    if (oldest !== undefined) sums.delete(oldest);
  }

  const spentIn = (periodKey: string) => sums.get(periodKey) ?? 0n;
  return {
    rowOf: (period) => ({ ...owner, period }),
    spentIn,
    read: set,
    settle: (periodKey, cost) => set(periodKey, spentIn(periodKey) + cost),
    reserved: 0n,
    holds: 0,
    waiting: new Set(),
  };
}

function keyOf(owner: Owner): string {
  switch (owner.kind) {
    case "principal":
      return `principal\0${owner.principal}`;
    case "group":
      return `group\0${owner.group}`;
    case "session":
      return `session\0${owner.principal}\0${owner.sessionId}`;
  }
}
