// Limits hold in whichever order things happen. Requests of several people, in groups that share pools, are admitted, wait, are
// answered, fail and hang up, while statements are carried out, are answered late, or get lost, and time passes: all of it at
// random, step by step, over a database in memory that does what the real one does.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ApiError } from "../../src/http/errors.ts";
import type { Owner } from "../../src/spend/accounts.ts";
import { cent, type Money } from "../../src/spend/money.ts";
import type { Reservation } from "../../src/spend/reservation.ts";
import type { Admission } from "../../src/spend/spend.ts";
import { rowKey, type SpendRow } from "../../src/spend/tally.ts";
import type { StandingsQuestion } from "../../src/store/standings.ts";
import { fedStream, started, used, whole } from "../support/metered-answers.ts";
import { callOf, cap, estimateOf, openCore, route, turns, uncounted } from "./core-scene.ts";
import type { Statement } from "./memory-database.ts";

const people = [
  { sub: "ada", groups: ["eng", "ops"] },
  { sub: "bob", groups: ["eng"] },
  { sub: "cyd", groups: [] },
].map((person) => ({ ...person, email: undefined, name: undefined }));
const sessionIds = ["s1", "s2", undefined];
const owners: readonly Owner[] = [
  ...people.map(({ sub }) => ({ kind: "principal", principal: sub }) as const),
  { kind: "group", group: "eng" },
  { kind: "group", group: "ops" },
  ...people.flatMap(({ sub }) =>
    ["s1", "s2"].map((sessionId) => ({ kind: "session", principal: sub, sessionId }) as const),
  ),
];

/** In cents, which are tokens here. */
const capAmount = 60;
const poolAmounts = { eng: 50, ops: 80 };
const sessionAmount = 40;
const maxTokens = [1, 5, 8];
const mostOneCosts = maxTokens
  .map((count) => estimateOf(callOf(count)))
  .reduce((most, one) => (one > most ? one : most), 0n);

const instants = [
  "2026-11-23T12:00:00Z",
  "2026-11-24T00:00:00Z",
  "2026-11-30T23:59:59Z",
  "2026-12-01T00:00:01Z",
  "2026-11-23T11:00:00Z",
];

type Underway = { statement: Statement; isExecuted: boolean; seen: Map<string, Money>; at: number };
type World = ReturnType<typeof openWorld>;

function openWorld(reserves: boolean) {
  const underWay: Underway[] = [];
  let isCalm = true;
  let reads = 0;
  const core = openCore({
    reserves,
    onStatement(statement) {
      if (isCalm) {
        statement.execute();
        statement.answer();
      } else {
        underWay.push({
          statement,
          isExecuted: false,
          seen: new Map(),
          at: statement.kind === "read" ? (reads += 1) : 0,
        });
      }
    },
  });
  const { accounts, database, settled, periods } = core;
  database.caps = [
    cap("organization", capAmount),
    cap("organization", capAmount / 2, "daily"),
    cap("rbac_group:eng", 90, "monthly", { amount: poolAmounts.eng }),
    cap("rbac_group:ops", 90, "monthly", { amount: poolAmounts.ops }),
    cap("session", sessionAmount),
  ];

  const admitted: Admission[] = [];
  const waiting: AbortController[] = [];
  const reserved: { reservation: Reservation; tokens: number }[] = [];
  const refusals: unknown[] = [];
  /** What other replicas have spent, in all, and as far as a read that was answered has seen it. */
  const others = new Map<string, Money>();
  const known = new Map<string, Money>();
  let lastRead = 0;

  const keysOf = (owner: Owner) =>
    owner.kind === "group"
      ? [periods().monthly.key]
      : Object.values(periods()).map(({ key }) => key);

  function rowsAsked({ principals, groups, sessions, periods: keys, month }: StandingsQuestion) {
    const row = (owner: Owner, period: string): SpendRow => ({ ...owner, period });
    return [
      ...principals.flatMap((principal) =>
        keys.map((key) => row({ kind: "principal", principal }, key)),
      ),
      ...groups.map((group) => row({ kind: "group", group }, month)),
      ...sessions.flatMap(([principal, sessionId]) =>
        keys.map((key) => row({ kind: "session", principal, sessionId }, key)),
      ),
    ].map(rowKey);
  }

  const pick = <Item>(list: Item[], choice: number): Item | undefined =>
    list.splice(choice % Math.max(1, list.length), 1)[0];

  /** What may happen next, each by a number. */
  const events: Record<string, (choice: number) => void | Promise<void>> = {
    asks(choice) {
      const person = people[choice % people.length] ?? people[0];
      if (person === undefined) return;
      const sessionId = sessionIds[choice % sessionIds.length];
      core.spend.admit({ principal: person, sessionId, requestId: "req" }).then(
        (admission) => admitted.push(admission),
        (error) => refusals.push(error),
      );
    },
    hasSentItsBody(choice) {
      const admission = pick(admitted, choice);
      if (admission === undefined) return;
      const tokens = maxTokens[choice % maxTokens.length] ?? 1;
      const hangUp = new AbortController();
      waiting.push(hangUp);
      admission
        .reserve(callOf(tokens), hangUp.signal)
        .then(
          (reservation) => reserved.push({ reservation, tokens }),
          (error) => refusals.push(error),
        )
        .finally(() => pick(waiting, waiting.indexOf(hangUp)));
    },
    allHaveSentTheirBodies(choice) {
      while (admitted.length > 0) void events.hasSentItsBody?.(choice);
    },
    hangsUp(choice) {
      pick(waiting, choice)?.abort();
    },
    async isAnswered(choice) {
      const { reservation, tokens } = pick(reserved, choice) ?? {};
      if (reservation === undefined || tokens === undefined) return;
      const answer = whole({ input_tokens: 0, output_tokens: tokens - (choice % 2) });
      await (await reservation.answered(answer, route, uncounted)).text();
      reservation.release();
    },
    async isCutShort(choice) {
      const { reservation, tokens } = pick(reserved, choice) ?? {};
      if (reservation === undefined || tokens === undefined) return;
      const stream = fedStream();
      const response = await reservation.answered(stream.response, route, uncounted);
      stream.send(started(0), used(choice % (tokens + 1)));
      const reader = response.body?.getReader();
      await reader?.read();
      if (choice % 2 === 0) stream.breakOff();
      else await reader?.cancel();
      await reader?.read().catch(() => undefined);
      reservation.release();
    },
    fails(choice) {
      pick(reserved, choice)?.reservation.release();
    },
    isGivenUp(choice) {
      const { reservation, tokens } = pick(reserved, choice) ?? {};
      if (reservation === undefined || tokens === undefined) return;
      const counts = [Promise.resolve(tokens), Promise.resolve(undefined)];
      reservation.givenUp(counts[choice % 3] ?? Promise.reject(new Error("not counted")), route);
      reservation.release();
    },
    isCarriedOut(choice) {
      const open = underWay.filter(({ isExecuted }) => !isExecuted);
      const one = open[choice % Math.max(1, open.length)];
      if (one === undefined) return;
      one.statement.execute();
      one.isExecuted = true;
      one.seen = new Map(others);
    },
    gotItsAnswer(choice) {
      const done = underWay.filter(({ isExecuted }) => isExecuted);
      const one = done[choice % Math.max(1, done.length)];
      if (one === undefined) return;
      underWay.splice(underWay.indexOf(one), 1);
      one.statement.answer();
      const question = database.questions[one.at + calmReads - 1];
      if (one.statement.kind !== "read" || question === undefined || one.at < lastRead) return;
      lastRead = one.at;
      for (const key of rowsAsked(question)) known.set(key, one.seen.get(key) ?? 0n);
    },
    isLost(choice) {
      pick(underWay, choice)?.statement.fail();
    },
    passes: (choice) => core.pass([10, 60, 300, 2_100][choice % 4] ?? 10),
    jumps(choice) {
      core.setTime(instants[choice % instants.length] ?? "");
    },
    othersSpend(choice) {
      const owner = owners[choice % owners.length];
      if (owner === undefined) return;
      for (const period of keysOf(owner)) {
        const row = { ...owner, period };
        database.add(row, cent);
        others.set(rowKey(row), (others.get(rowKey(row)) ?? 0n) + cent);
      }
    },
  };

  let calmReads = 0;

  return {
    core,
    events,
    others,
    refusals,
    /** What is known here of a sum, and what should be. */
    sums: () =>
      owners.flatMap((owner) =>
        keysOf(owner).map((period) => {
          const row = { ...owner, period };
          const key = rowKey(row);
          return {
            row,
            settled: settled.get(key) ?? 0n,
            isKnown: accounts.of(owner).spentIn(period),
            shouldBe: (settled.get(key) ?? 0n) + (known.get(key) ?? 0n),
          };
        }),
      ),
    reserved: () => owners.map((owner) => accounts.of(owner).reserved),
    /** Everybody is checked once, so that their caps are known. */
    async begin() {
      for (const principal of people)
        for (const sessionId of ["s1", "s2"])
          await core.spend.admit({ principal, sessionId, requestId: "req" });
      calmReads = database.questions.length;
      isCalm = false;
    },
    /** The database answers from now on, and every request comes to its end. */
    async end() {
      isCalm = true;
      for (const { statement } of underWay.splice(0)) statement.fail();
      await turns();
      while (admitted.length + reserved.length + waiting.length > 0) {
        await events.hasSentItsBody?.(0);
        await turns();
        await events.fails?.(0);
        await core.pass(2_100);
      }
      await core.pass(5_000);
      await core.pass(5_000);
      await core.ledger.flush();
      await turns();
    },
  };
}

/** What happens, and how often compared with everything else. */
const ofRequests = {
  asks: 6,
  hasSentItsBody: 3,
  allHaveSentTheirBodies: 1,
  isAnswered: 3,
  isCutShort: 1,
  isGivenUp: 1,
  fails: 1,
};
const ofClients = { hangsUp: 0.3 };
const ofTheDatabase = { isCarriedOut: 8, gotItsAnswer: 8, isLost: 0.5 };
const ofTime = { passes: 2, jumps: 0.1 };
const alone = { ...ofRequests, ...ofClients, ...ofTheDatabase, ...ofTime };
const amongOthers = { ...alone, othersSpend: 1 };

const happenings = (weights: Record<string, number>) =>
  fc.array(
    fc.oneof(
      ...Object.entries(weights).map(([name, weight]) => ({
        weight: weight * 10,
        arbitrary: fc.tuple(fc.constant(name), fc.nat(30)),
      })),
    ),
    { minLength: 100, maxLength: 500, size: "max" },
  );

async function play(
  steps: readonly (readonly [string, number])[],
  { reserves, check }: { reserves: boolean; check: (world: World) => void },
): Promise<World> {
  const world = openWorld(reserves);
  await world.begin();
  for (const [name, choice] of steps) {
    await world.events[name]?.(choice);
    await turns(3);
    check(world);
  }
  await world.end();
  return world;
}

/** A failure is made shorter for as long. */
const options = { numRuns: 50, interruptAfterTimeLimit: 20_000 };

describe("in whichever order things happen", () => {
  test("a sum that is known here is what was settled here and, as far as it was read, what others spent: never less, never twice", async () => {
    let known = 0;
    await fc.assert(
      fc.asyncProperty(happenings(amongOthers), fc.boolean(), async (steps, reserves) => {
        await play(steps, {
          reserves,
          check(world) {
            for (const { row, isKnown, shouldBe } of world.sums()) {
              if (isKnown !== shouldBe)
                expect({ row, isKnown }).toEqual({ row, isKnown: shouldBe });
              if (shouldBe > 0n) known += 1;
            }
          },
        });
      }),
      options,
    );
    expect(known).toBeGreaterThan(100);
  }, 60_000);

  test("with reservation no limit is ever overshot by more than one request costs", async () => {
    let fullest = 0n;
    await fc.assert(
      fc.asyncProperty(happenings(alone), async (steps) => {
        await play(steps, {
          reserves: true,
          check(world) {
            const { monthly, daily } = world.core.periods();
            const spent = (row: SpendRow) => world.core.settled.get(rowKey(row)) ?? 0n;
            const within = (row: SpendRow, cents: number) => {
              const left = BigInt(cents) * cent + mostOneCosts - spent(row);
              if (left <= 0n)
                throw new Error(`${JSON.stringify(row)}: ${spent(row) / cent} of ${cents}`);
              if (spent(row) > fullest) fullest = spent(row);
            };
            for (const { sub: principal, groups } of people) {
              const isInGroup = groups.length > 0;
              within(
                { kind: "principal", principal, period: monthly.key },
                isInGroup ? 90 : capAmount,
              );
              within({ kind: "principal", principal, period: daily.key }, capAmount / 2);
              for (const sessionId of ["s1", "s2"])
                within(
                  { kind: "session", principal, sessionId, period: monthly.key },
                  sessionAmount,
                );
            }
            for (const [group, cents] of Object.entries(poolAmounts))
              within({ kind: "group", group, period: monthly.key }, cents);
          },
        });
      }),
      options,
    );
    expect(fullest).toBeGreaterThan(30n * cent);
  }, 60_000);

  test("at rest nothing is held, everything is written, and whoever was refused was told so", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(happenings(amongOthers), fc.boolean(), async (steps, reserves) => {
        const { core, others, reserved, refusals } = await play(steps, {
          reserves,
          check: () => undefined,
        });
        expect(reserved().every((amount) => amount === 0n)).toBe(true);
        expect(core.lost).toEqual([]);
        const truth = new Map(others);
        for (const [key, sum] of core.settled) truth.set(key, (truth.get(key) ?? 0n) + sum);
        expect(new Map(core.database.spent)).toEqual(truth);
        for (const refusal of refusals) {
          const isTold = refusal instanceof ApiError && refusal.status === 429;
          const hungUp = refusal instanceof DOMException && refusal.name === "AbortError";
          expect(isTold || hungUp).toBe(true);
        }
        refused += refusals.length;
      }),
      options,
    );
    expect(refused).toBeGreaterThan(100);
  }, 60_000);
});
