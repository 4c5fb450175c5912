// Several gateways over one database, as far as spend goes, in a world where everything that can go wrong does, at random but
// by a seed: processes end or are killed, statements and answers are lost or come late, the database is away, clocks jump.
// Every charge has a session of its own, so that of each one it can be told afterwards whether it is in the database.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JournalFile, openJournal } from "../../src/spend/journal.ts";
import { backlogBounds } from "../../src/spend/backlog.ts";
import { createLedger, type Ledger, type SpendRow } from "../../src/spend/ledger.ts";
import type { Money } from "../../src/spend/money.ts";
import { periodNames, periodsAt } from "../../src/spend/periods.ts";
import type { Query } from "../../src/store/database.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import { createHandClock, type HandClock } from "../telemetry/hand-clock.ts";
import { createLink, type Link } from "./ledger-scene.ts";

export type SimulatedCharge = {
  id: string;
  rows: readonly SpendRow[];
  cost: Money;
  /** When it was made, in milliseconds that really passed. */
  at: number;
};

type Gateway = {
  ledger: Ledger;
  link: Link;
  clock: HandClock;
  charges: SimulatedCharge[];
  /** How many of the charges are in batches that the database has acknowledged. */
  acknowledged: number;
  /** Since when nothing has been wrong with the link. */
  wellSince: number;
  release: (() => void) | undefined;
  closing: Promise<void> | undefined;
};

export type World = {
  charge(): void;
  /** Lets time pass for everybody, and what it leads to happen. */
  pass(ms: number): Promise<void>;
  /** Something goes wrong with the link of somebody, or is well again. */
  disturb(): void;
  /** Somebody is killed, and started again. */
  kill(): void;
  /** Somebody ends in an orderly way, and is started again when that is done. */
  close(): void;
  jumpClock(): void;
  /** Everything is well again, and everybody ends. */
  end(): Promise<void>;
  readonly charges: readonly SimulatedCharge[];
  /** Ids of charges that the stated bound allows to be lost. */
  readonly mayBeLost: ReadonlySet<string>;
  /** Ways in which the bound itself did not hold. */
  readonly broken: readonly string[];
};

/** What a process that is killed may lose: 100 ms, and the step of time in the middle of which it is. */
const lostMs = 100;
const stepMs = 10;
/** After this long without a fault nothing waits any more: the longest pause between attempts, and a batch. */
const calmMs = 2_200;
const closeMs = 600;
/**
 * So few that what waits is often more than one batch. Only with a journal: without one, a process that is killed between two
 * of them leaves a part of the rows of a charge, and it could not be told any more what is right.
 */
const batchRowsMax = 25;

export function createWorld(query: Query, random: () => number): World {
  const root = mkdtempSync(join(tmpdir(), "gateway-test-world-"));
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]) => list[below(list.length)] as T;

  /** So that statements of several processes arrive in ever other orders. */
  const slowly: Query = async (text, ...values) => {
    await Bun.sleep(below(4));
    return query(text, ...values);
  };

  let passed = 0;
  let wall = Date.UTC(2026, 11, 30, 23, 59, 59);
  let processes = 0;
  let fileOperations = 0;
  let disturbed = 0;
  let killAt: { gateway: Gateway; at: number } | undefined;
  const charges: SimulatedCharge[] = [];
  const mayBeLost = new Set<string>();
  const broken: string[] = [];
  const links: Link[] = [];
  /** Statements for which nobody waits any more, and that have not arrived yet. */
  const late: (() => void)[] = [];
  /** Of everybody, so that those of the killed are closed in the end, which the system would have done. */
  const files: JournalFile[] = [];
  /** Two with a journal, two without. */
  const directories = [join(root, "0"), join(root, "1"), undefined, undefined];
  const gateways = directories.map((directory) => start(directory));

  function start(directory: string | undefined): Gateway {
    const link = createLink(slowly);
    links.push(link);
    const clock = createHandClock();
    const gateway: Gateway = {
      link,
      clock,
      charges: [],
      acknowledged: 0,
      wellSince: passed,
      release: undefined,
      closing: undefined,
      ledger: createLedger({
        gatherMs: 50,
        store: watched(() => gateway, link),
        journal: directory === undefined ? undefined : counted(openJournal(directory)),
        writer: `world-${(processes += 1)}-${below(1e9)}`,
        now: () => wall,
        after: clock.after,
        log: { info: () => undefined, warn: () => undefined, error: () => undefined },
        bounds: directory === undefined ? backlogBounds : { ...backlogBounds, batchRowsMax },
      }),
    };
    return gateway;
  }

  /** Notes how far the database has acknowledged what a ledger settled. */
  function watched(gatewayOf: () => Gateway, link: Link) {
    const contents = new Map<number, number>();
    const store = createLedgerStore(link.query);
    return {
      ...store,
      async apply(batch: Parameters<typeof store.apply>[0]) {
        const gateway = gatewayOf();
        const isOwn = batch.writer === gateway.ledger.writer;
        if (isOwn && !contents.has(batch.seq)) contents.set(batch.seq, gateway.charges.length);
        const isAdded = await store.apply(batch);
        if (isOwn) gateway.acknowledged = contents.get(batch.seq) ?? 0;
        return isAdded;
      },
    };
  }

  /** Counts what is under way on the disk, so that time waits for it. */
  function counted(journal: ReturnType<typeof openJournal>): ReturnType<typeof openJournal> {
    const count =
      <Args extends unknown[]>(work: (...args: Args) => Promise<void>) =>
      async (...args: Args) => {
        fileOperations += 1;
        try {
          return await work(...args);
        } finally {
          fileOperations -= 1;
        }
      };
    return {
      ...journal,
      fileOf(writer) {
        const file = journal.fileOf(writer);
        files.push(file);
        const counting: JournalFile = {
          append: count((lines) => file.append(lines)),
          replace: count((lines) => file.replace(lines)),
          remove: count(() => file.remove()),
          close: count(() => file.close()),
          get bytes() {
            return file.bytes;
          },
        };
        return counting;
      },
    };
  }

  const open = () => gateways.filter(({ closing }) => closing === undefined);

  /** What has not reached the database is lost, unless there is a journal. */
  function noteLosses(gateway: Gateway, hasJournal: boolean, isKilled: boolean): void {
    const unwritten = gateway.charges.slice(gateway.acknowledged);
    const isCalm = passed - gateway.wellSince > calmMs;
    for (const { id, at } of unwritten) {
      const isYoung = isKilled && at > passed - lostMs - stepMs;
      if (isYoung || !hasJournal) mayBeLost.add(id);
      if (isCalm && !isYoung) broken.push(`${id} was not written though nothing was wrong`);
    }
  }

  function startAgain(gateway: Gateway): void {
    const index = gateways.indexOf(gateway);
    gateways[index] = start(directories[index]);
  }

  async function settle(): Promise<void> {
    await Promise.all(gateways.map(({ link }) => link.quiet()));
    if (fileOperations > 0) await settle();
  }

  /** Often it is the same one several times, and then killed shortly after: in between is where mistakes are. */
  function disturb(): void {
    if (random() < 0.4) disturbed = below(gateways.length);
    const gateway = gateways[disturbed] ?? pick(gateways);
    if (random() < 0.3) killAt = { gateway, at: passed + below(200) };
    if (random() < 0.5) return heal(gateway);
    gateway.wellSince = Infinity;
    const kind = pick(["down", "deaf", "late", "slow", "slow"] as const);
    if (kind !== "slow") {
      gateway.link.state = kind;
      return;
    }
    // What waits arrives, and what comes after it waits.
    gateway.link.state = "up";
    const arrive = gateway.release;
    gateway.release = gateway.link.hold();
    arrive?.();
  }

  function heal(gateway: Gateway): void {
    gateway.link.state = "up";
    gateway.release?.();
    gateway.release = undefined;
    gateway.wellSince = passed;
  }

  async function step(): Promise<void> {
    passed += stepMs;
    wall += stepMs;
    for (const { clock } of gateways) clock.pass(stepMs);
    // Now and then somebody is killed in the middle of what this led to.
    if (random() < 0.003) kill();
    if (killAt !== undefined && passed >= killAt.at) {
      kill(killAt.gateway);
      killAt = undefined;
    }
    if (random() < 0.05) late.shift()?.();
    await settle();
    for (const { link } of gateways) late.push(...link.late.splice(0));
  }

  function kill(gateway = pick(open())): void {
    if (gateway === undefined || !open().includes(gateway)) return;
    const directory = directories[gateways.indexOf(gateway)];
    noteLosses(gateway, directory !== undefined, true);
    gateway.link.abandon();
    late.push(...gateway.link.late.splice(0));
    if (gateway.release !== undefined) late.push(gateway.release);
    if (directory !== undefined) rmSync(join(directory, "lock"));
    startAgain(gateway);
    // What it had sent may arrive while the next process asks what did.
    const arriving = random() < 0.7 ? late.splice(0) : [];
    setTimeout(() => arriving.forEach((arrive) => arrive()), below(8));
  }

  function close(): void {
    const gateway = pick(open());
    const directory = directories[gateways.indexOf(gateway)];
    gateway.closing = gateway.ledger.close(closeMs).then(() => {
      noteLosses(gateway, directory !== undefined, false);
      gateway.link.abandon();
      if (gateway.release !== undefined) late.push(gateway.release);
      startAgain(gateway);
    });
  }

  return {
    charge() {
      const gateway = pick(open());
      if (gateway === undefined) return;
      const principal = pick(["ada", "bob", "cyd", "dan", "eve"]);
      const periods = periodsAt(wall);
      const id = `charge-${charges.length}`;
      const rows: SpendRow[] = periodNames.map((name) => ({
        kind: "principal",
        principal,
        period: periods[name].key,
      }));
      const period = periods.monthly.key;
      if (random() < 0.5) rows.push({ kind: "group", group: pick(["eng", "ops"]), period });
      rows.push({ kind: "session", principal, sessionId: id, period });
      // From the finest unit to hundreds of dollars.
      const cost = BigInt(1 + below(1e9)) * 10n ** BigInt(below(20));
      const charge = { id, rows, cost, at: passed };
      charges.push(charge);
      gateway.charges.push(charge);
      gateway.ledger.add({ rows, cost, day: periods.daily.key });
    },

    async pass(ms) {
      for (let left = ms; left > 0; left -= stepMs) await step();
    },

    disturb,
    kill: () => kill(),
    close,

    jumpClock() {
      const { daily, weekly, monthly } = periodsAt(wall);
      const year = Date.UTC(new Date(wall).getUTCFullYear() + 1, 0, 1);
      // To the last moments of a day, a week, a month or a year; or back, by up to two days.
      const end = pick([daily.endsAt, weekly.endsAt, monthly.endsAt, year]);
      wall = random() < 0.7 ? end - 1 - below(60) : wall - below(2 * 86_400_000);
    },

    async end() {
      for (const gateway of gateways) heal(gateway);
      for (const arrive of late.splice(0)) arrive();
      for (let ended = 0; ended < 2; ended += 1) {
        await this.pass(6_000);
        // The second time around for files that somebody finished writing when it was as good as killed.
        const ending = gateways.map(
          (gateway) => (gateway.closing ??= gateway.ledger.close(closeMs)),
        );
        await this.pass(closeMs);
        await Promise.all(ending);
        if (ended === 0) gateways.slice().forEach(startAgain);
      }
      await Promise.all([
        ...links.map((link) => link.quiet()),
        ...files.map((file) => file.close()),
      ]);
      rmSync(root, { recursive: true });
    },

    charges,
    mayBeLost,
    broken,
  };
}
