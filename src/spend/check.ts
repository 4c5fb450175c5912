// The read that every request's check needs: caps and sums as the database has them now, so that what another replica has just
// changed holds for the very next request. Checks that arrive while a read is under way share the next one. What they read
// goes into the memory of this process, where accounts and caps are looked up.
//
// A database that does not answer must not cost each request the wait: once a read is late nobody waits for it any more, nor asks
// for another while it is under way, and until one has come back in time the next ones are hardly waited for.
import { log, messageOf } from "../log.ts";
import type { Standings, StandingsQuestion, StandingsStore } from "../store/standings.ts";
import type { Accounts, Owner } from "./accounts.ts";
import type { Person } from "./caps.ts";
import type { KnownCaps } from "./known-caps.ts";
import type { Ledger, SpendRow } from "./ledger.ts";
import { type Money, moneyOrZero } from "./money.ts";
import type { Periods } from "./periods.ts";
import { atMost, type Timer } from "../timer.ts";

/** Whose standing is read. */
export type Asked = { readonly person: Person; readonly sessionId: string | undefined };

/** Brings what is known of somebody up to date. Resolves with false when the database could not be asked; never rejects. */
export type Check = (asked: Asked) => Promise<boolean>;

export type CheckDeps = {
  store: StandingsStore;
  ledger: Pick<Ledger, "openRead" | "writer">;
  accounts: Accounts;
  caps: KnownCaps;
  periods: () => Periods;
  /** Milliseconds since the epoch. */
  now: () => number;
  after: Timer;
  /**
   * Milliseconds from the beginning of one read to that of the next, at least: a replica under load asks the database so often
   * at most, and more checks share each read.
   */
  paceMs: number;
  patience: Patience;
};

/**
 * How long a read is waited for, in milliseconds. Callers wait for two at most, the one under way and the one that they share; who
 * asks for more of one person than go into a read waits for those that take them.
 */
export type Patience = {
  readonly ms: number;
  /** After one that was late or failed, until one takes less than `ms`. It takes a quarter of a second to connect anew. */
  readonly inDoubtMs: number;
};

/** For requests that go on by what is known when nothing can be read. */
export const shortPatience: Patience = { ms: 500, inDoubtMs: 50 };
/** For those that are refused then: a database that is slow for a moment should not refuse anybody. */
export const longPatience: Patience = { ms: 2_000, inDoubtMs: 500 };

/** For so long, in milliseconds, a late read that does not come back keeps everybody from asking again. */
const overdueMs = 2_000;

/** Milliseconds between two log lines about the same. */
const logIntervalMs = 10_000;

/**
 * Askings of one person in one read: clients make up the ids of sessions, and must not make everybody's read as large as they
 * like. Further ones go into the next read.
 */
const askingsMax = 32;

/** Those who share one read, by person: groups and sessions may differ between their requests. */
type People = Map<string, Asked[]>;

/** A read that has not begun. */
type NextRead = { readonly people: People; readonly isFresh: Promise<boolean> };

type OpenRead = ReturnType<Ledger["openRead"]>;

export function createCheck(deps: CheckDeps): Check {
  const { store, ledger, accounts, caps, periods, now, after, paceMs, patience } = deps;
  let lastRead: Promise<unknown> = Promise.resolve();
  /** In the order in which they will begin: one, unless somebody has asked for more than go into it. */
  const nextReads: NextRead[] = [];
  let begunAt = -Infinity;
  /** The last read was late, or failed. */
  let isInDoubt = false;
  /** One that nobody waits for any more is under way. */
  let isOverdue = false;
  const failureLoggedAt = new Map<string, number>();
  /** Reads are numbered, so that one that was late does not overwrite what a later one found. */
  let begun = 0;
  let applied = 0;

  return (asked) => {
    if (isOverdue) return notFresh;
    const next = nextReads.find(({ people }) => hasRoomFor(asked, people)) ?? furtherRead();
    add(next.people, asked);
    return next.isFresh;
  };

  function furtherRead(): NextRead {
    const people: People = new Map();
    const isFresh = lastRead.then(async () => {
      // A clock that was set back must not make it longer.
      const sinceMs = Math.max(0, now() - begunAt);
      if (sinceMs < paceMs) await new Promise<void>((begin) => after(paceMs - sinceMs, begin));
      begunAt = now();
      nextReads.shift();
      return read([...people.values()].flat());
    });
    lastRead = isFresh;
    const further = { people, isFresh };
    nextReads.push(further);
    return further;
  }

  async function read(people: readonly Asked[]): Promise<boolean> {
    if (isOverdue) return false;
    let isSlow = false;
    let isFresh = false;
    let isOver = false;
    const cancel = after(patience.ms, () => {
      isSlow = isInDoubt = true;
      tellUnread(`no answer from the database within ${patience.ms / 1000}s`);
    });
    const reading = readFor(people).then(
      () => {
        isFresh = true;
        isInDoubt = isSlow;
      },
      (error: unknown) => {
        isInDoubt = true;
        tellUnread(messageOf(error));
      },
    );
    const over = reading.then(() => {
      isOver = true;
      cancel();
    });
    await atMost(isInDoubt ? patience.inDoubtMs : patience.ms, over, after);
    if (!isOver) {
      isOverdue = true;
      void atMost(overdueMs, over, after).then(() => (isOverdue = false));
    }
    return isFresh;
  }

  /** Also when nobody waits for it any more: what it finds is better than what was known before it. */
  async function readFor(people: readonly Asked[]): Promise<void> {
    const number = (begun += 1);
    const question = questionFor(people, periods(), ledger.writer);
    const opened = ledger.openRead();
    try {
      const standings = await store.read(question);
      if (number < applied) return;
      applied = number;
      apply(question, standings, opened);
    } finally {
      opened.close();
    }
  }

  function apply({ month, ...asked }: StandingsQuestion, found: Standings, opened: OpenRead): void {
    caps.read(asked, found.caps);
    const take = (owner: Owner, periodKey: string, cents: string) => {
      const account = accounts.of(owner);
      const row = account.rowOf(periodKey);
      account.read(periodKey, amountOf(cents, row) + opened.unwritten(row, found.seq));
    };
    for (const { principal, period, cents } of found.principals)
      take({ kind: "principal", principal }, period, cents);
    for (const { group, cents } of found.pools) take({ kind: "group", group }, month, cents);
    for (const { principal, session: sessionId, period, cents } of found.sessions)
      take({ kind: "session", principal, sessionId }, period, cents);
  }

  function amountOf(cents: string, row: SpendRow): Money {
    return moneyOrZero(cents, (why) => {
      const whose = row.kind === "group" ? row.group : row.principal;
      tell("sum", `spend of ${row.kind} ${whose} in ${row.period} counts as 0: ${messageOf(why)}`);
    });
  }

  function tellUnread(why: string): void {
    tell(
      "read",
      `spend check failed: ${why}. Until the database answers, enforcement goes by the caps and sums that were last read here`,
    );
  }

  function tell(subject: string, message: string): void {
    // A clock that was set back must not make it last for as long.
    if (Math.abs(now() - (failureLoggedAt.get(subject) ?? -Infinity)) < logIntervalMs) return;
    failureLoggedAt.set(subject, now());
    log.warn(message);
  }
}

const notFresh = Promise.resolve(false);

function hasRoomFor(asked: Asked, people: People): boolean {
  const known = people.get(asked.person.sub);
  return known === undefined || known.length < askingsMax || isAmong(known, asked);
}

function add(people: People, asked: Asked): void {
  const known = people.get(asked.person.sub);
  if (known === undefined) people.set(asked.person.sub, [asked]);
  else if (!isAmong(known, asked)) known.push(asked);
}

/** A person object is one bearer's, so that the same one has the same groups. */
function isAmong(known: readonly Asked[], { person, sessionId }: Asked): boolean {
  return known.some((other) => other.person === person && other.sessionId === sessionId);
}

function questionFor(
  people: readonly Asked[],
  periods: Periods,
  writer: string,
): StandingsQuestion {
  const groups = new Set<string>();
  // One person may be in thousands, and is here once for each session.
  for (const person of new Set(people.map((asked) => asked.person)))
    for (const group of person.groups) groups.add(group);
  return {
    principals: [...new Set(people.map(({ person }) => person.sub))],
    groups: [...groups],
    sessions: people.flatMap(({ person, sessionId }) =>
      sessionId === undefined ? [] : [[person.sub, sessionId] as const],
    ),
    periods: Object.values(periods).map(({ key }) => key),
    month: periods.monthly.key,
    writer,
  };
}
