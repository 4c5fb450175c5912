// Spend on a disk while the database is away: what is in the file when, and that a later process writes it, once.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { openJournal } from "../../src/spend/journal.ts";
import { cent, type Money } from "../../src/spend/money.ts";
import type { Database } from "../../src/store/database.ts";
import { migratedPostgres } from "../store/migrated.ts";
import { temporaryDirectory } from "../store/opened.ts";
import {
  createLedgerScene,
  createLink,
  type LedgerScene,
  month,
  monthOf,
  spentBy,
} from "./ledger-scene.ts";
import { untilTrue } from "../support/until-true.ts";

let database: Database;
beforeAll(async () => {
  database = await migratedPostgres();
}, 60_000);
afterAll(() => database.close());

let root: string;
let directory: string;
let people = 0;
/** Somebody whom no other test charges. */
let ada: string;
beforeEach(() => {
  root = temporaryDirectory();
  directory = join(root, "journal");
  ada = `ada-${(people += 1)}`;
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const spent = () => spentBy(database.query, ada);
const open = (link = createLink(database.query)) =>
  createLedgerScene(database.query, directory, link);
const files = () => readdirSync(directory).filter((name) => name !== "lock");
const onlyFile = () => join(directory, files()[0] ?? "none");
const textOf = (path: string) => readFileSync(path, "utf8");

/** Numbers and amounts of the lines. */
function linesOf(path: string): [number, string][] {
  const lines = textOf(path).split("\n").slice(0, -1);
  return lines.map((line) => {
    const { seq, entries } = JSON.parse(line);
    return [seq, entries.principals.map((entry: string[]) => entry[2]).join()];
  });
}

async function untilWritten(): Promise<void> {
  for (let turns = 0; turns < 400 && files().length > 0; turns += 1) await Bun.sleep(5);
  expect(files()).toEqual([]);
}

/** A next process, until it has written what it found. */
async function replayed(): Promise<LedgerScene> {
  const next = open();
  await untilWritten();
  return next;
}

/** Time for appends to reach the disk, which the hand clock knows nothing of. */
async function passAndSettle(scene: LedgerScene, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await scene.pass(50);
    await Bun.sleep(15);
  }
}

async function charged(scene: LedgerScene, ...cents: number[]): Promise<void> {
  for (const amount of cents) {
    scene.charge(amount, { principal: ada });
    await passAndSettle(scene, 100);
  }
}

describe("a journal", () => {
  test("is not written while the database takes everything", async () => {
    const scene = open();
    await charged(scene, 1, 2, 3);
    expect(files()).toEqual([]);
    expect(await spent()).toBe(6n * cent);
    await scene.ledger.close(1_000);
  });

  test("gets what waits for a database that is away: first the batch that was sent, then the rest by and by", async () => {
    const scene = open();
    scene.link.state = "down";
    await charged(scene, 1);
    expect(linesOf(onlyFile())).toEqual([[1, "1"]]);
    await charged(scene, 2, 4);
    expect(linesOf(onlyFile())).toEqual([
      [1, "1"],
      [2, "2"],
      [3, "4"],
    ]);
    await scene.kill();
  });

  test("gets what is behind a batch whose answer does not come, and that batch", async () => {
    const scene = open();
    const release = scene.link.hold();
    scene.charge(1, { principal: ada });
    await scene.pass(60);
    scene.charge(2, { principal: ada });
    await passAndSettle(scene, 50);
    expect(linesOf(onlyFile())).toEqual([
      [1, "1"],
      [2, "2"],
    ]);
    release();
    await passAndSettle(scene, 100);
    expect(await spent()).toBe(3n * cent);
    expect(files()).toEqual([]);
    await scene.ledger.close(1_000);
  });

  test("is gone when the database has everything, and written again in the next outage", async () => {
    const scene = open();
    for (const amount of [1, 2]) {
      scene.link.state = "down";
      await charged(scene, amount);
      await untilTrue(() => files().length === 1);
      scene.link.state = "up";
      await passAndSettle(scene, 2_100);
      await untilTrue(() => files().length === 0);
    }
    expect(await spent()).toBe(3n * cent);
    await scene.ledger.close(1_000);
  });

  test("is gone soon after an outage also while charges keep coming", async () => {
    const scene = open();
    scene.link.state = "down";
    await charged(scene, 1);
    scene.link.state = "up";
    let rounds = 0;
    for (; rounds < 200 && files().length > 0; rounds += 1) {
      scene.charge(1, { principal: ada });
      await scene.pass(20);
      await Bun.sleep(2);
    }
    expect(rounds).toBeLessThan(200);
    await scene.ledger.close(1_000);
    expect(await spent()).toBe(BigInt(1 + rounds) * cent);
  });

  test("is for its owner only", async () => {
    const scene = open();
    scene.link.state = "down";
    await charged(scene, 1);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(onlyFile()).mode & 0o777).toBe(0o600);
    await scene.kill();
  });

  test("belongs to one process, and the setting is named to a second one", async () => {
    const scene = open();
    expect(() => openJournal(directory)).toThrow(
      `store.journal: cannot use ${directory}: in use by process ${process.pid} on ${hostname()}. Each process needs a directory of its own`,
    );
    await scene.ledger.close(1_000);
    openJournal(directory).release();
  });

  test("that cannot be written stops the start, naming the setting", () => {
    writeFileSync(directory, "a file");
    expect(() => openJournal(directory)).toThrow(`store.journal: cannot use ${directory}: `);
  });

  test("that fails is said so once, and is whole when it works again", async () => {
    const scene = open();
    scene.link.state = "down";
    renameSync(directory, `${directory}.away`);
    await charged(scene, 1, 2);
    await passAndSettle(scene, 2_000);
    expect(scene.lines.filter((line) => line.startsWith("error"))).toEqual([
      expect.stringMatching(/^error spend journal failed \(store\.journal\): ENOENT/),
    ]);
    renameSync(`${directory}.away`, directory);
    await passAndSettle(scene, 1_100);
    scene.charge(4, { principal: ada });
    await passAndSettle(scene, 100);
    expect(linesOf(onlyFile()).map(([, cents]) => cents)).toEqual(["1", "2", "4"]);
    await scene.kill();
    await (await replayed()).ledger.close(1_000);
    expect(await spent()).toBe(7n * cent);
  });

  test("keeps what a ledger could not write when it was closed", async () => {
    const scene = open();
    scene.link.state = "down";
    scene.charge(5, { principal: ada });
    const closing = scene.ledger.close(1_000);
    await passAndSettle(scene, 50);
    await closing;
    expect(scene.lines.at(-1)).toBe(
      "warn spend of 5 cents waits in the journal for the next start",
    );
    const next = await replayed();
    expect(await spent()).toBe(5n * cent);
    await next.ledger.close(1_000);
  });
});

describe("what a process left when it was killed", () => {
  /** One that is killed in an outage. `state`: what became of the first batch. */
  async function left(state: "down" | "deaf", ...cents: number[]): Promise<string> {
    const scene = open();
    scene.link.state = state;
    scene.charge(cents[0] ?? 0, { principal: ada });
    await scene.pass(60);
    scene.link.state = "down";
    await charged(scene, ...cents.slice(1));
    await scene.kill();
    return onlyFile();
  }

  test("is written by the next one, which says so and removes the file", async () => {
    await left("down", 1, 2, 4);
    expect(await spent()).toBe(0n);
    const next = await replayed();
    expect(await spent()).toBe(7n * cent);
    expect(next.lines).toEqual([
      "info spend of 7 cents that an earlier process settled is recorded",
    ]);
    await next.ledger.close(1_000);
  });

  test("is written once, also when the first batch had reached the database", async () => {
    await left("deaf", 1, 2, 4);
    expect(await spent()).toBe(cent);
    const next = await replayed();
    expect(await spent()).toBe(7n * cent);
    await next.ledger.close(1_000);
  });

  test("is written once, however often the file comes back", async () => {
    const path = await left("down", 1, 2, 4);
    const copy = join(root, "copy");
    copyFileSync(path, copy);
    for (let times = 0; times < 3; times += 1) {
      copyFileSync(copy, path);
      const next = await replayed();
      await next.ledger.close(1_000);
      expect(await spent()).toBe(7n * cent);
    }
  });

  test("waits while the database is away, and the answers of a replay may be lost as well", async () => {
    await left("down", 1, 2, 4);
    const link = createLink(database.query);
    link.state = "down";
    const next = open(link);
    await next.pass(1_000);
    expect(next.lines.join()).toMatch(
      /^warn spend record failed: .*\. What an earlier process settled waits in .*\.jsonl$/,
    );
    next.link.state = "deaf";
    await next.pass(5_000);
    expect(files()).toHaveLength(1);
    next.link.state = "up";
    await next.pass(5_000);
    await untilWritten();
    expect(await spent()).toBe(7n * cent);
    await next.ledger.close(1_000);
  });

  test.each([true, false])(
    "is written once, when a statement of the killed process is carried out during the replay (first: %p)",
    async (isFirst) => {
      const scene = open();
      const releaseKilled = scene.link.hold();
      scene.charge(1, { principal: ada });
      await scene.pass(60);
      await charged(scene, 2, 4);
      await scene.kill();

      // The next one has asked how far the killed one got. Only then does the statement of that one arrive.
      const next = open();
      const releaseNext = next.link.hold();
      for (let turns = 0; next.link.sent < 2 && turns < 400; turns += 1) await Bun.sleep(1);
      expect(next.link.sent).toBe(2);
      const [first, second] = isFirst ? [releaseKilled, releaseNext] : [releaseNext, releaseKilled];
      first();
      await (isFirst ? scene : next).link.quiet();
      second();
      await untilWritten();
      await scene.link.quiet();
      expect(await spent()).toBe(7n * cent);
      await next.ledger.close(1_000);
    },
  );

  /**
   * One that had 1 and 2 cents in its journal when the database was back, and took the 1. A batch of the 2 and of 4 further
   * cents is on its way.
   */
  async function recovering() {
    const scene = open();
    scene.link.state = "down";
    await charged(scene, 1, 2);
    const arrive = scene.link.hold();
    scene.link.state = "up";
    await scene.pass(1_000);
    const arriveLater = scene.link.hold();
    scene.charge(4, { principal: ada });
    arrive();
    await scene.link.quiet();
    expect(await spent()).toBe(cent);
    await scene.pass(50);
    return { scene, arriveLater };
  }

  test("is written once, when some of what was in a batch under way had lines of its own", async () => {
    const { scene } = await recovering();
    await passAndSettle(scene, 100);
    await scene.kill();
    await (await replayed()).ledger.close(1_000);
    expect(await spent()).toBe(7n * cent);
  });

  test("is written once, when a batch with more in it than the journal has arrives after the replay", async () => {
    const { scene, arriveLater } = await recovering();
    await scene.kill();
    await (await replayed()).ledger.close(1_000);
    arriveLater();
    await scene.link.quiet();
    expect(await spent()).toBe(3n * cent);
  });

  test("that another process has replayed meanwhile is written anew beyond its numbers", async () => {
    let statements = 0;
    const link = createLink(async (text, ...values) => {
      // After the batch that is refused, and the number that is.
      if ((statements += 1) > 2) throw new Error("connect ECONNREFUSED");
      return database.query(text, ...values);
    });
    const scene = open(link);
    const release = link.hold();
    await charged(scene, 1, 2);
    expect(linesOf(onlyFile()).map(([seq]) => seq)).toEqual([1, 2]);
    await database.query`
      insert into spend_writers (writer, seq) values (${scene.ledger.writer}, 9)`;
    const path = onlyFile();
    rmSync(path);
    release();
    await passAndSettle(scene, 100);
    expect(scene.lines.join()).toContain("spend of 1 cents is lost");
    expect(linesOf(path)).toEqual([[10, "2"]]);
    await scene.kill();
  });

  test("counts up to a last line that was never finished", async () => {
    const path = await left("down", 1, 2);
    const last = textOf(path).trimEnd().split("\n").at(-1) ?? "";
    appendFileSync(path, last.replace('"seq":2', '"seq":3').slice(0, -20));
    const next = await replayed();
    expect(await spent()).toBe(3n * cent);
    expect(next.lines.filter((line) => line.startsWith("error"))).toEqual([]);
    await next.ledger.close(1_000);
  });

  test("is kept for the operator where lines in it cannot be read, and the others count", async () => {
    const path = await left("down", 1, 2, 4);
    const [first, , third] = textOf(path).split("\n");
    writeFileSync(path, `${first}\n{"writer":"x"}\n${third}\n`);
    const next = open();
    for (let turns = 0; turns < 200 && existsSync(path); turns += 1) await Bun.sleep(5);
    expect(await spent()).toBe(5n * cent);
    expect(existsSync(`${path}.damaged`)).toBe(true);
    expect(next.lines.at(-1)).toContain("1 lines of the spend journal");
    await next.ledger.close(1_000);
  });

  test("may have names in it with every kind of line break", async () => {
    const group = `a\u2028b\u2029c\r\nd ${ada}`;
    const scene = open();
    scene.link.state = "down";
    scene.charge(5, { rows: [{ kind: "group", group, period: month }] });
    await passAndSettle(scene, 100);
    await scene.kill();
    const next = await replayed();
    const rows = await database.query`
      select cents from pooled_spend where rbac_group_id = ${group}`;
    expect([...rows]).toMatchObject([{ cents: "5" }]);
    await next.ledger.close(1_000);
  });

  test("in the middle of a file that was being written anew is what the old file has", async () => {
    const path = await left("down", 1, 2);
    writeFileSync(path.replace(".jsonl", ".jsonl.new"), textOf(path).replaceAll('"1"', '"9"'));
    const next = await replayed();
    expect(await spent()).toBe(3n * cent);
    expect(files()).toEqual([]);
    await next.ledger.close(1_000);
  });
});

describe("more rows than one batch holds", () => {
  const crowd = Array.from({ length: 11_000 }, (_, n) => n);

  async function total(): Promise<Money> {
    const [row] = await database.query<{ sum: string }>`
      select coalesce(sum(cents), 0)::text as sum from spend where principal like ${`${ada}-%`}`;
    return BigInt(row?.sum ?? 0) * cent;
  }

  test("are all there when the process ends between two of the batches", async () => {
    const scene = open();
    scene.link.state = "down";
    await charged(scene, 1);
    scene.charge(1, { rows: crowd.map((n) => monthOf(`${ada}-${n}`)) });
    await passAndSettle(scene, 200);
    scene.charge(1, { rows: crowd.map((n) => monthOf(`${ada}-${n}`)) });
    await passAndSettle(scene, 200);
    // The first batch arrives, and the first of the three that the others are.
    scene.link.state = "up";
    const { sent } = scene.link;
    for (let turns = 0; turns < 4_000 && scene.link.sent < sent + 2; turns += 1) {
      scene.clock.pass(10);
      await Bun.sleep(1);
    }
    await scene.kill();
    await scene.link.quiet();
    expect(await total()).toBe(10_000n * cent);
    await (await replayed()).ledger.close(1_000);
    expect(await total()).toBe(22_000n * cent);
    expect(await spent()).toBe(cent);
  }, 30_000);

  test("are as many batches for a replay", async () => {
    const scene = open();
    scene.link.state = "down";
    scene.charge(1, { rows: crowd.map((n) => monthOf(`${ada}-${n}`)) });
    await passAndSettle(scene, 200);
    await scene.kill();
    const next = await replayed();
    expect(await total()).toBe(11_000n * cent);
    await next.ledger.close(1_000);
  }, 30_000);
});
