// Settled spend on its way into the database: when it is sent, that it arrives once, and what a reader counts meanwhile.
// Journals are in journal.test.ts, processes that are killed in ledger-killed.test.ts.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { SpendRow } from "../../src/spend/ledger.ts";
import { cent, moneyOf } from "../../src/spend/money.ts";
import type { Database } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrations.ts";
import { migratedEmbedded, migratedPostgres } from "../store/migrated.ts";
import { startPostgres } from "../support/postgres.ts";
import {
  createLedgerScene,
  createLink,
  databaseAt,
  type LedgerScene,
  month,
  monthOf,
  spentBy,
} from "./ledger-scene.ts";
import { severingProxyTo } from "./severing-proxy.ts";

let database: Database;
let scene: LedgerScene;
let people = 0;
/** Somebody whom no other test charges. */
let ada: string;
beforeAll(async () => {
  database = await migratedPostgres();
}, 60_000);
afterAll(() => database.close());
beforeEach(() => {
  scene = createLedgerScene(database.query);
  ada = `ada-${(people += 1)}`;
});

const spent = () => spentBy(database.query, ada);

describe("batches", () => {
  test("are sent at once after a pause, and else take in what is charged within 50 ms", async () => {
    scene.charge(1, { principal: ada });
    await scene.pass(10);
    expect(scene.link.sent).toBe(1);
    scene.charge(2, { principal: ada });
    await scene.pass(30);
    scene.charge(4, { principal: ada });
    await scene.pass(10);
    expect(scene.link.sent).toBe(1);
    await scene.pass(10);
    expect(scene.link.sent).toBe(2);
    expect(await spent()).toBe(7n * cent);
    await scene.pass(50);
    scene.charge(8, { principal: ada });
    await scene.pass(10);
    expect(scene.link.sent).toBe(3);
  });

  test("hold everything 100 ms after it was charged, however charges come", async () => {
    let sum = 0n;
    for (let round = 0; round < 30; round += 1) {
      scene.charge(1, { principal: ada });
      const before = sum;
      sum += cent;
      await scene.pass(round % 2 === 0 ? 70 : 100);
      expect(await spent()).toBeGreaterThanOrEqual(round % 2 === 0 ? before : sum);
    }
    await scene.pass(100);
    expect(await spent()).toBe(sum);
  });

  test("are sent one after another: what comes in meanwhile waits for the answer, and goes at once then", async () => {
    const release = scene.link.hold();
    scene.charge(1, { principal: ada });
    await scene.pass(50);
    scene.charge(2, { principal: ada });
    await scene.pass(100);
    scene.charge(4, { principal: ada });
    await scene.pass(100);
    expect(scene.link.sent).toBe(1);
    release();
    await scene.link.quiet();
    expect(scene.link.sent).toBe(2);
    expect(await spent()).toBe(7n * cent);
  });

  test("are told of until the database has them, with the time of the oldest charge", async () => {
    expect(scene.ledger.waiting()).toEqual({ charged: 0n, since: Infinity });
    scene.link.state = "down";
    scene.charge(1, { principal: ada });
    const { since } = scene.ledger.waiting();
    await scene.pass(100);
    scene.charge(2, { principal: ada });
    expect(scene.ledger.waiting()).toEqual({ charged: 3n * cent, since });
    scene.link.state = "up";
    await scene.pass(2_000);
    expect(scene.ledger.waiting()).toEqual({ charged: 0n, since: Infinity });
  });

  test("are not sent while nothing is charged", async () => {
    scene.charge(1, { principal: ada });
    await scene.pass(1_000);
    expect(scene.link.sent).toBe(1);
  });

  test("add to every row of a charge, to the last decimal", async () => {
    const rows: SpendRow[] = [
      monthOf(ada),
      { kind: "principal", principal: ada, period: "2026-W48" },
      { kind: "group", group: ada, period: month },
      { kind: "session", principal: ada, sessionId: "s", period: month },
    ];
    for (let n = 0; n < 10; n += 1) scene.charge(0, { rows, cost: cent / 10n + 1n });
    await scene.ledger.flush();
    const found = await database.query<{ cents: string }>`
      select cents from spend where principal = ${ada}
      union all select cents from pooled_spend where rbac_group_id = ${ada}
      union all select cents from session_spend where principal = ${ada}`;
    expect(found.map(({ cents }) => moneyOf(cents))).toEqual(Array(4).fill(cent + 10n));
  });

  test("are as many as it takes for a great number of rows", async () => {
    const crowd = Array.from({ length: 12_000 }, (_, n) => monthOf(`${ada}-${n}`));
    for (let n = 0; n < crowd.length; n += 3) scene.charge(1, { rows: crowd.slice(n, n + 3) });
    await scene.ledger.flush();
    expect(scene.link.sent).toBe(3);
    const [row] = await database.query`
      select count(*)::int as count, sum(cents)::text as sum from spend where principal like ${`${ada}-%`}`;
    expect(row).toEqual({ count: 12_000, sum: "12000" });
  });

  test("of two ledgers on the same rows at the same time all count", async () => {
    const other = createLedgerScene(database.query);
    for (let round = 0; round < 20; round += 1) {
      for (const each of [scene, other]) {
        each.charge(1, { rows: [monthOf(ada), monthOf(`${ada}-too`)] });
        each.charge(1, { rows: [monthOf(`${ada}-too`), monthOf(ada)] });
      }
      await Promise.all([scene.ledger.flush(), other.ledger.flush()]);
    }
    expect(await spent()).toBe(80n * cent);
    expect(await spentBy(database.query, `${ada}-too`)).toBe(80n * cent);
    expect([...scene.lines, ...other.lines]).toEqual([]);
  });

  test("go into the embedded store as well", async () => {
    const embedded = await migratedEmbedded();
    const own = createLedgerScene(embedded.query);
    own.link.state = "deaf";
    own.charge(5);
    await own.pass(50);
    own.link.state = "up";
    own.charge(5);
    await own.ledger.flush();
    expect(await spentBy(embedded.query)).toBe(10n * cent);
    await embedded.close();
  }, 60_000);
});

describe("a database that does not take a batch", () => {
  test("is tried again after a quarter of a second, half, one, two and two seconds, until it does", async () => {
    scene.link.state = "down";
    scene.charge(5, { principal: ada });
    await scene.pass(10);
    for (const ms of [250, 500, 1_000, 2_000, 2_000]) {
      const { sent } = scene.link;
      await scene.pass(ms - 10);
      expect(scene.link.sent).toBe(sent);
      await scene.pass(10);
      expect(scene.link.sent).toBe(sent + 1);
    }
    scene.link.state = "up";
    await scene.pass(2_000);
    expect(await spent()).toBe(5n * cent);
  });

  test("is told of at once and then every 30 seconds, with the cause and what waits, and that it is over", async () => {
    scene.link.state = "down";
    scene.charge(5, { principal: ada });
    await scene.pass(50);
    scene.charge(7, { principal: ada });
    await scene.pass(29_000);
    expect(scene.lines).toEqual([
      "warn spend record failed: connect ECONNREFUSED 127.0.0.1:5432. 5 cents settled since 2026-11-23T12:00:00.000Z wait in memory",
    ]);
    await scene.pass(4_000);
    expect(scene.lines).toHaveLength(2);
    expect(scene.lines[1]).toContain("12 cents settled since 2026-11-23T12:00:00.000Z");
    scene.link.state = "up";
    await scene.pass(2_000);
    expect(scene.lines.slice(2)).toEqual(["info spend is recorded again"]);
    expect(await spent()).toBe(12n * cent);
  });

  test("is told of with what the operator can do, where waiting will not help", async () => {
    const server = await startPostgres();
    const url = await server.createDatabase();
    const owner = databaseAt(url);
    await migrate(owner);
    await owner.script(`create role reader_${process.pid} login`);
    const reader = databaseAt(url, `reader_${process.pid}`);
    const denied = createLedgerScene(reader.query);
    denied.charge(5);
    await denied.pass(50);
    expect(denied.lines).toEqual([
      "warn spend record failed: permission denied for table spend_writers. 5 cents settled since 2026-11-23T12:00:00.000Z wait in memory. " +
        "Grant the gateway's role select, insert and update on spend, pooled_spend, session_spend, spend_writers, principal_emails and principal_groups",
    ]);
    await reader.close();

    await owner.script(
      `alter database ${new URL(url).pathname.slice(1)} set default_transaction_read_only = on`,
    );
    const standby = databaseAt(url);
    const readOnly = createLedgerScene(standby.query);
    readOnly.charge(5);
    await readOnly.pass(50);
    expect(readOnly.lines.join()).toMatch(
      /^warn spend record failed: cannot execute SELECT in a read-only transaction\. .*takes writes$/,
    );
    await standby.close();
    await owner.close();
  });

  test("and whose answer alone is lost has the batch once, however often that happens", async () => {
    const server = await startPostgres();
    const url = new URL(await server.createDatabase());
    const direct = databaseAt(url.href);
    await migrate(direct);
    const proxy = await severingProxyTo(Number(url.port));
    url.port = String(proxy.port);
    const severed = databaseAt(url.href);
    const own = createLedgerScene(severed.query);
    proxy.loseAnswers(3);
    own.charge(5);
    await own.ledger.flush();
    own.charge(7);
    for (let flushes = 0; flushes < 5; flushes += 1) await own.ledger.flush();
    expect(proxy.lost).toBe(3);
    expect(own.lines[0]).toContain("spend record failed: ");
    expect(await spentBy(direct.query)).toBe(12n * cent);
    await severed.close();
    await direct.close();
    proxy.close();
  });

  test("because batches got in each other's way is tried again without a word", async () => {
    let collisions = 2;
    const own = createLedgerScene(async (text, ...values) => {
      if ((collisions -= 1) >= 0) await database.query`do $$ begin raise sqlstate '40P01'; end $$`;
      return database.query(text, ...values);
    });
    own.charge(5, { principal: ada });
    await own.pass(1_000);
    expect(await spent()).toBe(5n * cent);
    expect(own.lines).toEqual([]);
  });

  test("keeps what waits within bounds: sessions go first, and what is lost is said", async () => {
    scene.link.state = "down";
    const rowsOf = (kind: string, from: number, to: number): SpendRow[] =>
      Array.from({ length: to - from }, (_, n) =>
        kind === "session"
          ? { kind, principal: ada, sessionId: `${from + n}`, period: month }
          : monthOf(`${ada}-${from + n}`),
      );
    scene.charge(1, { rows: rowsOf("session", 0, 100_000) });
    scene.charge(2, { rows: rowsOf("session", 100_000, 100_001) });
    scene.charge(0, { rows: rowsOf("principal", 0, 100_000) });
    scene.charge(4, { rows: rowsOf("principal", 100_000, 100_001) });
    // What is there already goes on.
    scene.charge(8, { rows: [...rowsOf("session", 0, 1), ...rowsOf("principal", 0, 1)] });
    const closing = scene.ledger.close(0);
    await scene.pass(10);
    await closing;
    expect(scene.lines).toEqual([
      "error spend of 2 cents is lost: too many rows wait, or its key is too long",
      "warn spend record failed: connect ECONNREFUSED 127.0.0.1:5432. 9 cents settled since 2026-11-23T12:00:00.000Z wait in memory",
      "error spend of 9 cents is lost: it could not be recorded: connect ECONNREFUSED 127.0.0.1:5432",
      "error spend of 4 cents is lost: too many rows wait, or its key is too long",
    ]);
  });

  test("does not get a key that no index can hold, which would fail the whole batch", async () => {
    scene.charge(5, { principal: ada });
    scene.charge(7, { principal: "漢".repeat(1_000) });
    await scene.ledger.flush();
    expect(await spent()).toBe(5n * cent);
    expect(scene.lines.join()).toContain("spend of 7 cents is lost");
  });
});

describe("a ledger under whose numbers somebody else writes", () => {
  const lost = (cents: number) =>
    `error spend of ${cents} cents is lost: another process has written under this one's numbers, perhaps some of it. ` +
    "Do two processes use one store.journal, or a copy of it?";
  /** As a replay of its journal does. */
  const take = (seq: number) => database.query`
    insert into spend_writers (writer, seq) values (${scene.ledger.writer}, ${seq})
    on conflict (writer) do update set seq = excluded.seq`;
  async function flushed(cents: number): Promise<void> {
    scene.charge(cents, { principal: ada });
    await scene.ledger.flush();
  }

  test("says what it loses by that, and why, and goes on beyond their numbers", async () => {
    await flushed(1);
    await take(9);
    await flushed(2);
    expect(scene.lines).toEqual([lost(2)]);
    await flushed(4);
    await flushed(8);
    expect(await spent()).toBe(13n * cent);
    expect(scene.lines).toHaveLength(1);
  });

  test("loses the first of the batches that wait, and no more", async () => {
    await take(9);
    const rowsMax = 5_000;
    const crowd = Array.from({ length: 2 * rowsMax }, (_, n) => monthOf(`${ada}-${n}`));
    scene.charge(1, { rows: crowd });
    await flushed(1);
    expect(scene.lines).toHaveLength(1);
    const [row] = await database.query`
      select count(*)::int as count from spend where principal like ${`${ada}-%`}`;
    expect(row).toEqual({ count: rowsMax });
    expect(await spent()).toBe(cent);
  });

  test("says so also when the database fails before it has told their numbers", async () => {
    await take(9);
    let statements = 0;
    const failing = createLink(async (text, ...values) => {
      if ((statements += 1) === 2) throw new Error("read ECONNRESET");
      return database.query(text, ...values);
    });
    const own = createLedgerScene(database.query, undefined, failing);
    await database.query`insert into spend_writers (writer, seq) values (${own.ledger.writer}, 9)`;
    own.charge(2, { principal: ada });
    await own.ledger.flush();
    own.charge(4, { principal: ada });
    await own.pass(300);
    expect(own.lines).toContain(lost(2));
    expect(await spent()).toBe(4n * cent);
  });

  test("takes a batch that was tried before for written, without a word of loss", async () => {
    scene.link.state = "deaf";
    await flushed(1);
    scene.link.state = "up";
    await scene.pass(300);
    await flushed(2);
    expect(await spent()).toBe(3n * cent);
    expect(scene.lines.join()).not.toContain("lost");
    // The next batch is a first try again.
    await take(99);
    await flushed(4);
    expect(scene.lines.at(-1)).toBe(lost(4));
  });
});

describe("reading", () => {
  /** What the database has for Ada and what the ledger adds to it, asked for as a check does. */
  async function read(own = scene): Promise<bigint> {
    const opened = own.ledger.openRead();
    const [row] = await database.query<{ cents: string; seq: string }>`
      select coalesce((select cents from spend where principal = ${ada} and period = ${month}), 0) as cents,
        coalesce((select seq from spend_writers where writer = ${own.ledger.writer}), 0) as seq`;
    const sum = moneyOf(row?.cents ?? "") + opened.unwritten(monthOf(ada), Number(row?.seq));
    opened.close();
    return sum;
  }

  test("counts what was charged a moment ago, is under way, or was written without an answer", async () => {
    scene.charge(1, { principal: ada });
    expect(await read()).toBe(cent);
    const release = scene.link.hold();
    await scene.pass(50);
    scene.charge(2, { principal: ada });
    expect(await read()).toBe(3n * cent);
    scene.link.state = "deaf";
    release();
    await scene.pass(50);
    expect(await spent()).toBe(cent);
    expect(await read()).toBe(3n * cent);
    scene.link.state = "up";
    await scene.pass(1_000);
    expect(await spent()).toBe(3n * cent);
    expect(await read()).toBe(3n * cent);
  });

  test("counts a batch whose acknowledgement came before the answer of a statement that had not seen it", async () => {
    scene.charge(1, { principal: ada });
    const early = scene.ledger.openRead();
    await scene.pass(50);
    const late = scene.ledger.openRead();
    expect(await spent()).toBe(cent);
    expect(early.unwritten(monthOf(ada), 0)).toBe(cent);
    expect(late.unwritten(monthOf(ada), 1)).toBe(0n);
    scene.charge(2, { principal: ada });
    await scene.pass(50);
    expect(early.unwritten(monthOf(ada), 0)).toBe(3n * cent);
    expect(late.unwritten(monthOf(ada), 1)).toBe(2n * cent);
    early.close();
    expect(late.unwritten(monthOf(ada), 1)).toBe(2n * cent);
    late.close();
    // Nobody needs them any more.
    expect(scene.ledger.openRead().unwritten(monthOf(ada), 0)).toBe(0n);
  });

  test("is exact at every moment, while batches come and go and answers are lost", async () => {
    let charged = 0n;
    const reader = async () => {
      // Everything settled until the answer is in it, and nothing twice.
      for (let reads = 0; reads < 200; reads += 1) expect(await read()).toBe(charged);
    };
    const readers = Promise.all([reader(), reader(), reader()]);
    for (let round = 0; round < 300; round += 1) {
      scene.charge(round, { principal: ada });
      charged += BigInt(round) * cent;
      scene.link.state = round % 7 === 0 ? "deaf" : "up";
      scene.clock.pass(round % 5 === 0 ? 250 : 30);
      await new Promise(setImmediate);
    }
    await readers;
    scene.link.state = "up";
    await scene.ledger.flush();
    await scene.ledger.flush();
    expect(await spent()).toBe(charged);
  });
});

describe("identities", () => {
  const identity = (more: object = {}) => ({
    principal: ada,
    email: `${ada}@example.com`,
    name: "Ada",
    groups: ["eng"],
    ...more,
  });
  async function written() {
    const rows = await database.query<{ name: string; groups: string[]; xmin: string }>`
      select name, groups, xmin::text from principal_emails where principal = ${ada}`;
    return rows[0];
  }

  test("are written beside the spend, and again only when something changed or on another day", async () => {
    scene.charge(1, { principal: ada, identity: identity() });
    await scene.pass(50);
    const first = await written();
    expect(first).toMatchObject({ name: "Ada", groups: ["eng"] });

    scene.charge(1, { principal: ada, identity: identity() });
    await scene.pass(50);
    expect(await spent()).toBe(2n * cent);
    expect(await written()).toEqual(first);

    scene.charge(1, { principal: ada, identity: identity({ groups: ["eng", "ops"] }) });
    await scene.pass(50);
    const second = await written();
    expect(second).toMatchObject({ groups: ["eng", "ops"] });

    const nextDay = { identity: identity({ groups: ["eng", "ops"] }), day: "2026-11-24" };
    scene.charge(1, { principal: ada, ...nextDay });
    await scene.pass(50);
    expect((await written())?.xmin).not.toBe(second?.xmin);
    const days = await database.query`
      select day from principal_groups where principal = ${ada} order by day`;
    expect(days.map((row) => (row as { day: string }).day)).toEqual(["2026-11-23", "2026-11-24"]);
  });

  test("of many people at once are all written", async () => {
    for (let n = 0; n < 1_200; n += 1) {
      const principal = `${ada}-${n}`;
      scene.charge(1, { principal, identity: identity({ principal }) });
    }
    await scene.pass(50);
    const [row] = await database.query`
      select count(*)::int as count from principal_emails where principal like ${`${ada}-%`}`;
    expect(row).toEqual({ count: 1_200 });
  });
});

describe("closing", () => {
  test("writes what is left, and takes nothing any more", async () => {
    scene.charge(5, { principal: ada });
    await scene.ledger.close(1_000);
    expect(await spent()).toBe(5n * cent);
    scene.charge(7, { principal: ada });
    await scene.pass(1_000);
    expect(await spent()).toBe(5n * cent);
    expect(scene.lines).toEqual([
      "error spend of 7 cents is lost: it was settled after the ledger was closed",
    ]);
  });

  test("tries a database that is away again while there is time", async () => {
    scene.link.state = "down";
    scene.charge(5, { principal: ada });
    const closing = scene.ledger.close(5_000);
    await scene.pass(1_000);
    scene.link.state = "up";
    await scene.pass(2_000);
    await closing;
    expect(await spent()).toBe(5n * cent);
  });

  test("says what is lost when time is up, and sends nothing afterwards", async () => {
    scene.link.state = "down";
    scene.charge(5, { principal: ada });
    const closing = scene.ledger.close(5_000);
    await scene.pass(5_100);
    await closing;
    expect(scene.lines.at(-1)).toBe(
      "error spend of 5 cents is lost: it could not be recorded: connect ECONNREFUSED 127.0.0.1:5432",
    );
    scene.link.state = "up";
    await scene.pass(10_000);
    expect(await spent()).toBe(0n);
  });
});
