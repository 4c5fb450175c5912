// The read behind every request's check: who shares which one, what becomes of late, lost and unreadable answers, and what is known
// afterwards.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createAccounts } from "../../src/spend/accounts.ts";
import { createCheck, shortPatience } from "../../src/spend/check.ts";
import { createKnownCaps } from "../../src/spend/known-caps.ts";
import { createLedger } from "../../src/spend/ledger.ts";
import { cent } from "../../src/spend/money.ts";
import { createCalendar } from "../../src/spend/periods.ts";
import { rowKey } from "../../src/spend/tally.ts";
import { createHandClock } from "../telemetry/hand-clock.ts";
import { cap, day, month, noon, turns, week } from "./core-scene.ts";
import { captureLog, type Logged } from "./logged.ts";
import { createMemoryDatabase, type Statement } from "./memory-database.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

/** A check whose statements wait for the test, unless it says otherwise. */
function openCheck(onStatement?: (statement: Statement) => void, paceMs = 0) {
  const statements: Statement[] = [];
  const database = createMemoryDatabase(
    onStatement ?? ((statement) => void statements.push(statement)),
  );
  const clock = createHandClock();
  let time = Date.parse(noon);
  const now = () => time;
  const ledger = createLedger({
    gatherMs: 50,
    store: database.ledger,
    journal: undefined,
    writer: "me",
    now,
    after: clock.after,
    log: { info() {}, warn() {}, error() {} },
  });
  const accounts = createAccounts();
  const caps = createKnownCaps();
  const periods = createCalendar(now);
  const check = createCheck({
    store: database.standings,
    ledger,
    accounts,
    caps,
    periods,
    now,
    after: clock.after,
    paceMs,
    patience: shortPatience,
  });
  const row = { kind: "principal", principal: "ada", period: month } as const;
  return {
    check,
    database,
    ledger,
    accounts,
    caps,
    /** Sent and neither answered nor lost. */
    statements,
    /** Takes the first of a kind out of them. */
    take: (kind: Statement["kind"]): Statement => {
      const index = statements.findIndex((statement) => statement.kind === kind);
      const [statement] = statements.splice(index, 1);
      if (index < 0 || statement === undefined) throw new Error(`no ${kind} is under way`);
      return statement;
    },
    pass: async (ms: number) => {
      time += ms;
      clock.pass(ms);
      await turns();
    },
    setTime: (text: string) => {
      time = Date.parse(text);
    },
    /** Settles some cents of Ada's, as reservation.ts does. */
    settle: (cents: number) => {
      const cost = BigInt(cents) * cent;
      accounts.of({ kind: "principal", principal: "ada" }).settle(month, cost);
      ledger.add({ rows: [row], cost, day });
    },
    row,
    spent: () => accounts.of({ kind: "principal", principal: "ada" }).spentIn(month) / cent,
  };
}

const ada = { sub: "ada", groups: ["eng", "ops"] };
const bob = { sub: "bob", groups: ["ops"] };
const asking = (person: typeof ada, sessionId?: string) => ({ person, sessionId });

function complete(statement: Statement): void {
  statement.execute();
  statement.answer();
}

describe("a check", () => {
  test("asks for the person, the groups, the session and the periods of this moment", async () => {
    const { check, database, take } = openCheck();
    const isFresh = check(asking(ada, "s1"));
    await turns();
    complete(take("read"));
    expect(await isFresh).toBe(true);
    expect(database.questions).toEqual([
      {
        principals: ["ada"],
        groups: ["eng", "ops"],
        sessions: [["ada", "s1"]],
        periods: [day, week, month],
        month,
        writer: "me",
      },
    ]);
  });

  test("asks for the next day's periods once it has come", async () => {
    const { check, database, setTime } = openCheck(complete);
    setTime("2026-11-30T23:59:59.999Z");
    await check(asking(ada));
    setTime("2026-12-01T00:00:00Z");
    await check(asking(ada));
    expect(database.questions.map(({ periods }) => periods)).toEqual([
      ["2026-11-30", "2026-W49", "2026-11"],
      ["2026-12-01", "2026-W49", "2026-12"],
    ]);
  });

  test("takes over caps and sums, and that there are none any more", async () => {
    const { check, database, caps, accounts } = openCheck(complete);
    const group = accounts.of({ kind: "group", group: "eng" });
    const session = accounts.of({ kind: "session", principal: "ada", sessionId: "s1" });
    database.caps = [cap("rbac_group:eng", 5, "monthly", { amount: 9 }), cap("session", 5)];
    database.add({ kind: "principal", principal: "ada", period: day }, 2n);
    database.add({ kind: "group", group: "eng", period: month }, 3n);
    database.add({ kind: "session", principal: "ada", sessionId: "s1", period: week }, 4n);
    await check(asking(ada, "s1"));
    expect(caps.of(ada)).toHaveLength(2);
    const sums = () => [
      accounts.of({ kind: "principal", principal: "ada" }).spentIn(day),
      group.spentIn(month),
      session.spentIn(week),
    ];
    expect(sums()).toEqual([2n, 3n, 4n]);
    database.spent.clear();
    await check(asking(ada, "s1"));
    expect(sums()).toEqual([0n, 0n, 0n]);
    database.caps = [];
    await check(asking(ada));
    expect(caps.of(ada)).toEqual([]);
  });
});

describe("checks that come together", () => {
  test("share one read", async () => {
    const { check, database, take, statements } = openCheck();
    const all = [
      check(asking(ada)),
      check(asking(bob, "s")),
      check(asking(ada)),
      check(asking(ada, "s")),
    ];
    await turns();
    expect(statements).toHaveLength(1);
    complete(take("read"));
    expect(await Promise.all(all)).toEqual([true, true, true, true]);
    expect(database.questions).toMatchObject([
      {
        principals: ["ada", "bob"],
        groups: ["eng", "ops"],
        sessions: [
          ["ada", "s"],
          ["bob", "s"],
        ],
      },
    ]);
  });

  test("while a read is under way share the next one, which begins when it has ended", async () => {
    const { check, database, take, statements } = openCheck();
    const first = check(asking(ada));
    await turns();
    const read = take("read");
    read.execute();
    const others = [check(asking(ada)), check(asking(bob))];
    await turns();
    // What the first one has read was there before they came.
    expect(statements).toHaveLength(0);
    read.answer();
    await turns();
    expect(statements).toHaveLength(1);
    complete(take("read"));
    expect(await Promise.all([first, ...others])).toEqual([true, true, true]);
    expect(database.questions.map(({ principals }) => principals)).toEqual([
      ["ada"],
      ["ada", "bob"],
    ]);
  });

  test("share a read that keeps its distance from the one before", async () => {
    const { check, database, pass } = openCheck(complete, 2);
    await check(asking(ada));
    const others = [check(asking(ada)), check(asking(bob))];
    await pass(1);
    expect(database.questions).toHaveLength(1);
    // Comes while they wait, and does not wait any longer.
    others.push(check(asking(ada, "s")));
    await pass(1);
    expect(await Promise.all(others)).toEqual([true, true, true]);
    expect(database.questions).toHaveLength(2);
    await pass(2);
    await check(asking(bob));
    expect(database.questions).toHaveLength(3);
  });

  test("of one person for more than 32 sessions go into as many reads as it takes, and hold up nobody", async () => {
    const { check, database, take, statements } = openCheck();
    const sessions = Array.from({ length: 70 }, (_, index) => `s${index}`);
    const all = sessions.map((id) => check(asking(ada, id)));
    const others = [check(asking(bob)), check(asking(ada, "s0"))];
    const sizes: number[] = [];
    for (let read = 0; read < 3; read += 1) {
      await turns();
      expect(statements).toHaveLength(1);
      complete(take("read"));
      if (read === 0) expect(await Promise.all(others)).toEqual([true, true]);
      sizes.push(database.questions.at(-1)?.sessions.length ?? 0);
    }
    expect(sizes).toEqual([32, 32, 6]);
    expect(new Set(await Promise.all(all))).toEqual(new Set([true]));
    const asked = database.questions.flatMap((question) => question.sessions.map(([, id]) => id));
    expect(asked).toEqual(sessions);
    void check(asking(ada, "s70"));
    await turns();
    expect(statements).toHaveLength(1);
  });

  test("of one person for many sessions all resolve with false when the database is away", async () => {
    const { check, database } = openCheck((statement) => statement.fail());
    const all = Array.from({ length: 70 }, (_, index) => check(asking(ada, `s${index}`)));
    expect(new Set(await Promise.all(all))).toEqual(new Set([false]));
    expect(database.questions).toHaveLength(3);
  });

  test("of somebody with two bearers go by the groups of both", async () => {
    const { check, database } = openCheck(complete);
    await Promise.all([
      check(asking({ sub: "ada", groups: ["eng"] })),
      check(asking({ sub: "ada", groups: ["ops"] })),
    ]);
    expect(database.questions).toMatchObject([{ principals: ["ada"], groups: ["eng", "ops"] }]);
  });
});

describe("what was settled and is not in what was read", () => {
  test("counts beside it: in no batch yet", async () => {
    const { check, settle, spent } = openCheck(complete);
    settle(5);
    await check(asking(ada));
    expect(spent()).toBe(5n);
  });

  test("counts beside it: in a batch that is under way, carried out or not", async () => {
    const { check, settle, spent, take, pass } = openCheck();
    settle(5);
    await pass(100);
    const write = take("write");
    const before = check(asking(ada));
    await turns();
    complete(take("read"));
    await before;
    expect(spent()).toBe(5n);

    write.execute();
    const after = check(asking(ada));
    await turns();
    complete(take("read"));
    await after;
    expect(spent()).toBe(5n);
  });

  test("counts beside it: in a batch that was written between the reading and its answer", async () => {
    const { check, settle, spent, take, pass } = openCheck();
    settle(5);
    await pass(100);
    const isFresh = check(asking(ada));
    await turns();
    const read = take("read");
    read.execute();
    complete(take("write"));
    await turns();
    read.answer();
    await isFresh;
    expect(spent()).toBe(5n);
  });

  test("counts once: in a batch that was written before the reading, and answered after", async () => {
    const { check, settle, spent, take, pass } = openCheck();
    settle(5);
    await pass(100);
    const isFresh = check(asking(ada));
    await turns();
    const [write, read] = [take("write"), take("read")];
    write.execute();
    read.execute();
    write.answer();
    await turns();
    read.answer();
    await isFresh;
    expect(spent()).toBe(5n);
  });

  test("counts once: in a batch whose answer was lost", async () => {
    const { check, settle, spent, take, pass } = openCheck();
    settle(5);
    await pass(100);
    const write = take("write");
    write.execute();
    write.fail();
    await turns();
    const isFresh = check(asking(ada));
    await turns();
    complete(take("read"));
    await isFresh;
    expect(spent()).toBe(5n);
  });

  test("counts beside it: settled between the reading and its answer", async () => {
    const { check, settle, spent, take } = openCheck();
    const isFresh = check(asking(ada));
    await turns();
    const read = take("read");
    read.execute();
    settle(5);
    read.answer();
    await isFresh;
    expect(spent()).toBe(5n);
  });
});

describe("when the database does not answer", () => {
  test("the check resolves with false at once, and what was known stays", async () => {
    let isAway = false;
    const { check, database, caps, spent, row } = openCheck((statement) =>
      isAway ? statement.fail() : complete(statement),
    );
    database.caps = [cap("user:ada", 5)];
    database.add(row, 3n * cent);
    await check(asking(ada));
    isAway = true;
    database.caps = [];
    database.spent.clear();
    expect(await check(asking(ada))).toBe(false);
    expect([caps.of(ada).length, spent()]).toEqual([1, 3n]);
    isAway = false;
    expect(await check(asking(ada))).toBe(true);
    expect([caps.of(ada).length, spent()]).toEqual([0, 0n]);
  });

  test("for half a second the check is waited for, and then by nobody for as long as that read is under way", async () => {
    const { check, pass, statements, take } = openCheck();
    let isFresh: boolean | undefined;
    void check(asking(ada)).then((fresh) => (isFresh = fresh));
    await turns();
    await pass(499);
    expect(isFresh).toBe(undefined);
    await pass(1);
    expect(isFresh).toBe(false);
    for (let requests = 0; requests < 50; requests += 1) {
      expect(await check(asking(bob))).toBe(false);
      await pass(30);
    }
    expect(statements).toHaveLength(1);
    take("read").fail();
    await turns();
    const again = check(asking(bob));
    await turns();
    complete(take("read"));
    expect(await again).toBe(true);
  });

  test("a read that does not come back at all is followed by another after two seconds, which few wait for, and briefly", async () => {
    const { check, pass, statements } = openCheck();
    void check(asking(ada));
    await turns();
    await pass(500);
    await pass(1_999);
    expect(await check(asking(bob))).toBe(false);
    expect(statements).toHaveLength(1);
    await pass(1);
    let isFresh: boolean | undefined;
    void check(asking(bob)).then((fresh) => (isFresh = fresh));
    await turns();
    expect(statements).toHaveLength(2);
    await pass(49);
    expect(isFresh).toBe(undefined);
    await pass(1);
    expect(isFresh).toBe(false);
    expect(await check(asking(ada))).toBe(false);
  });

  test("one answer in good time ends the doubt, whether or not anybody still waited for it", async () => {
    const { check, pass, take, statements } = openCheck();
    void check(asking(ada));
    await turns();
    await pass(500);
    complete(take("read"));
    await turns();
    // It came, and too late: the next one is not trusted for longer.
    const doubted = check(asking(ada));
    await turns();
    await pass(50);
    expect(await doubted).toBe(false);
    await pass(400);
    complete(take("read"));
    await turns();
    const trusted = check(asking(ada));
    await turns();
    await pass(499);
    expect(statements).toHaveLength(1);
    complete(take("read"));
    expect(await trusted).toBe(true);
  });

  test("after one that failed the next is hardly waited for, and the one after that again if it was good", async () => {
    const { check, pass, take, statements } = openCheck();
    const failing = check(asking(ada));
    await turns();
    take("read").fail();
    expect(await failing).toBe(false);
    const next = check(asking(ada));
    await turns();
    await pass(50);
    expect(await next).toBe(false);
    complete(take("read"));
    await turns();
    const last = check(asking(ada));
    await turns();
    await pass(499);
    expect(statements).toHaveLength(1);
    complete(take("read"));
    expect(await last).toBe(true);
  });

  test("checks that wait for a late read wait no longer than it", async () => {
    const { check, pass } = openCheck();
    const first = check(asking(ada));
    await turns();
    await pass(250);
    const second = check(asking(bob));
    await pass(250);
    expect(await Promise.all([first, second])).toEqual([false, false]);
  });

  test.each(["2026-11-23T11:00:00Z", "2026-12-23T12:00:00Z"])(
    "a clock that is set to %s makes none of that longer",
    async (text) => {
      const { check, pass, setTime, statements, take } = openCheck();
      void check(asking(ada));
      await turns();
      await pass(500);
      setTime(text);
      await pass(2_000);
      const next = check(asking(ada));
      await turns();
      expect(statements).toHaveLength(2);
      take("read").fail();
      complete(take("read"));
      expect(await next).toBe(true);
    },
  );

  test("an answer that comes late is taken over, with what was settled meanwhile", async () => {
    const { check, pass, take, settle, spent, database, row } = openCheck();
    database.add(row, 3n * cent);
    const isFresh = check(asking(ada));
    await turns();
    const late = take("read");
    late.execute();
    await pass(500);
    expect(await isFresh).toBe(false);
    settle(2);
    late.answer();
    await turns();
    expect(spent()).toBe(5n);
  });

  test("an answer that comes later than that of a later read is not", async () => {
    const { check, pass, take, spent, caps, database, row } = openCheck();
    database.add(row, 3n * cent);
    const isFresh = check(asking(ada));
    await turns();
    const late = take("read");
    late.execute();
    await pass(500);
    expect(await isFresh).toBe(false);
    await pass(2_000);
    database.add(row, 4n * cent);
    database.caps = [cap("user:ada", 5)];
    const later = check(asking(ada));
    await turns();
    complete(take("read"));
    await later;
    late.answer();
    await turns();
    expect([spent(), caps.of(ada).length]).toEqual([7n, 1]);
  });

  test("the operator reads of it, once in ten seconds", async () => {
    const { check, pass } = openCheck((statement) => statement.fail("connect ECONNREFUSED"));
    for (let second = 0; second < 20; second += 1) {
      await check(asking(ada));
      await pass(1_000);
    }
    const line =
      "warn spend check failed: connect ECONNREFUSED. Until the database answers, enforcement goes by the caps and sums that were last read here";
    expect(logged.lines()).toEqual([line, line]);
  });
});

describe("a sum that is no amount", () => {
  test.each(["NaN", "Infinity", "-Infinity"])(
    "as %s counts as nothing, and does not fail the check of others",
    async (text) => {
      const { check, database, accounts, spent, settle, row } = openCheck(complete);
      database.spent.set(rowKey(row), text);
      database.add({ kind: "principal", principal: "bob", period: month }, 5n);
      settle(1);
      expect(await Promise.all([check(asking(ada)), check(asking(bob))])).toEqual([true, true]);
      expect(spent()).toBe(1n);
      expect(accounts.of({ kind: "principal", principal: "bob" }).spentIn(month)).toBe(5n);
      expect(logged.lines()).toEqual([
        `warn spend of principal ada in ${month} counts as 0: not an amount of cents: ${text}`,
      ]);
    },
  );
});
