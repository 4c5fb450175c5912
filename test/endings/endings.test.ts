// What has ended, at the replica that was asked and at those that hear of it, whatever happens to the store and the clocks
// meanwhile. The statements are in test/store/endings.test.ts, the way from a request in test/gateway/sign-out.test.ts.
import { expect, test } from "bun:test";
import {
  array,
  assert,
  asyncProperty,
  boolean,
  constant,
  constantFrom,
  nat,
  oneof,
  record,
  tuple,
} from "fast-check";
import { refreshTokenTtlSeconds } from "../../src/endings/endings.ts";
import { issuedTo } from "../../src/endings/known-endings.ts";
import { createWorld, pollMs, type Replica, type World } from "./replicas.ts";

const sessionOf = (sub: string, id: string, beganAtSeconds: number) =>
  issuedTo(sub, { id, beganAtSeconds });
const nothingRead = { sessions: [], principals: [], next: undefined };
/** Of a sign-in there and now. */
const signIn = (replica: Replica, sub: string, id: string) =>
  sessionOf(sub, id, replica.beginningOf(sub));

test("a session that was ended has ended there at once, and elsewhere at the next look, and no other has", async () => {
  const world = createWorld();
  const [here, there] = [await world.replica(), await world.replica()];
  const [one, two] = [signIn(here, "ada", "s1"), signIn(here, "ada", "s2")];
  const ending = here.endSession("s1");
  expect(here.hasEnded(one)).toBe(true);
  expect(await ending).toBe(true);
  expect(there.hasEnded(one)).toBe(false);
  await world.pass(pollMs);
  for (const replica of [here, there]) {
    expect([replica.hasEnded(one), replica.hasEnded(two)]).toEqual([true, false]);
    expect(await replica.hasEverEnded(two)).toBe(false);
  }
});

test("all that somebody began has ended, and what they begin afterwards has not, in the same second", async () => {
  const world = createWorld();
  const [here, there] = [await world.replica(), await world.replica()];
  const untimed = sessionOf("ada", "old", 0);
  const before = signIn(here, "ada", "s1");
  const other = signIn(here, "bob", "s2");
  await here.endPrincipals(["ada"], "admin-key:ops");
  const after = signIn(here, "ada", "s3");
  await world.pass(pollMs);
  for (const replica of [here, there]) {
    const ended = [untimed, before, other, after].map((each) => replica.hasEnded(each));
    expect(ended).toEqual([true, true, false, false]);
  }
  // And once more: whoever signed in anew goes, too.
  await here.endPrincipals(["ada"], "admin-key:ops");
  expect(here.hasEnded(after)).toBe(true);
  expect(here.hasEnded(signIn(here, "ada", "s4"))).toBe(false);
});

test("a sign-in at a replica that has not heard and whose clock is 5 s ahead counts as one before", async () => {
  const world = createWorld();
  const here = await world.replica();
  const there = await world.replica({ clockAheadMs: 5_000 });
  const began = signIn(there, "ada", "s1");
  await here.endPrincipals(["ada"], "admin-key:ops");
  await world.pass(pollMs);
  expect(there.hasEnded(began)).toBe(true);
});

test("a `sub` that no database stores is ended under the name that it is stored under", async () => {
  const world = createWorld();
  const here = await world.replica();
  const subs = ["a\0da", "\ud800", "x".repeat(5_000)];
  const began = subs.map((sub) => signIn(here, sub, sub));
  for (const sub of subs) expect(await here.endPrincipals([sub], "a")).toBe(true);
  expect(began.map(here.hasEnded)).toEqual([true, true, true]);
  for (const { ending } of world.rows.values())
    if (ending.kind === "principal") expect(ending.principal).toBe(ending.principal.toWellFormed());
});

test("a replica that starts later knows of everything", async () => {
  const world = createWorld();
  const here = await world.replica();
  const one = signIn(here, "ada", "s1");
  await here.endSession("s1");
  await here.endPrincipals(["bob"], "a");
  await world.pass(3_600_000);
  const later = await world.replica();
  expect(later.hasEnded(one)).toBe(true);
  expect(later.hasEnded(sessionOf("bob", "s2", world.seconds() - 3_600))).toBe(true);
});

test("a look reads what is recent, and everything after a look that failed, a pause, a clock set back, and now and then", async () => {
  const world = createWorld();
  const here = await world.replica();
  await world.pass(3 * pollMs);
  expect(here.looks).toEqual(["recent", "recent", "recent"]);
  here.isCutOff = true;
  await world.pass(2 * pollMs);
  here.isCutOff = false;
  here.looks.length = 0;
  await world.pass(2 * pollMs);
  expect(here.looks).toEqual(["all", "recent"]);
  here.looks.length = 0;
  await world.pass(15 * 60_000);
  expect(here.looks.filter((look) => look === "all")).toHaveLength(1);

  let setBackMs = 0;
  const moved = await world.replica({ now: () => Date.parse("2026-11-22") - setBackMs });
  setBackMs = 3_600_000;
  await world.pass(pollMs);
  setBackMs = -60_000;
  await world.pass(pollMs);
  expect(moved.looks).toEqual(["all", "all"]);
});

test("what cannot be recorded holds here, is said, and is recorded when the store is back", async () => {
  const world = createWorld();
  const [here, there] = [await world.replica(), await world.replica()];
  const [one, bobs] = [signIn(here, "ada", "s1"), signIn(here, "bob", "s2")];
  here.isCutOff = true;
  expect(await here.endSession("s1")).toBe(false);
  expect(await here.endPrincipals(["bob"], "a")).toBe(false);
  // Asked again it is no more recorded than before.
  expect(await here.endSession("s1")).toBe(false);
  await world.pass(10 * pollMs);
  expect([one, bobs].map(here.hasEnded)).toEqual([true, true]);
  expect([one, bobs].map(there.hasEnded)).toEqual([false, false]);
  const outages = () => here.said.filter((line) => line.includes("cannot be exchanged")).length;
  expect(outages()).toBe(1);
  here.isCutOff = false;
  await world.pass(2 * pollMs);
  expect([one, bobs].map(there.hasEnded)).toEqual([true, true]);
  expect(here.said.at(-1)).toContain("exchanged with other replicas again");
  expect(await here.endSession("s1")).toBe(true);
});

test("however many are ended without the store, each is recorded when it is back, and none is said to be before", async () => {
  const world = createWorld();
  const here = await world.replica();
  here.isCutOff = true;
  const ids = Array.from({ length: 10_050 }, (_, index) => `s${index}`);
  await Promise.all(ids.map((id) => here.endSession(id)));
  expect(await here.endSession("s10049")).toBe(false);
  here.isCutOff = false;
  await world.pass(13 * pollMs);
  expect(world.rows.size).toBe(ids.length);
});

test("what is not recorded when a gateway stops is recorded then, or said to be lost", async () => {
  const world = createWorld();
  const [kept, lost] = [await world.replica(), await world.replica()];
  for (const replica of [kept, lost]) replica.isCutOff = true;
  await kept.endSession("kept");
  await lost.endSession("lost");
  kept.isCutOff = false;
  await Promise.all([kept.close(), lost.close()]);
  expect([...world.rows.keys()]).toEqual(["kept"]);
  expect(lost.said.at(-1)).toContain("were not recorded");
  kept.looks.length = 0;
  await world.pass(10 * pollMs);
  expect(kept.looks).toEqual([]);
});

test("a store that does not answer delays a sign-out for no longer than its bound, and the looks go on", async () => {
  const world = createWorld();
  const hangs = { isHanging: false };
  const here = await world.replica();
  const store = {
    record: () => (hangs.isHanging ? new Promise<void>(() => {}) : Promise.resolve()),
    read: async () => nothingRead,
    readPrincipals: async () => [],
    has: async () => false,
    principalsWithEmail: async () => [],
    prune: async () => 0,
  };
  const hanging = await world.replica({ store });
  hangs.isHanging = true;
  const beganMs = performance.now();
  expect(await hanging.endSession("s1")).toBe(false);
  expect(performance.now() - beganMs).toBeLessThan(4_000);
  expect(here.hasEnded(sessionOf("ada", "s1", 1))).toBe(false);
});

test("without the store there is no start", async () => {
  const world = createWorld();
  const read = () => Promise.reject(new Error("the database is away"));
  const here = await world.replica();
  expect(here.said).toEqual([]);
  const opening = world.replica({ store: { read } as never });
  expect(opening).rejects.toThrow("the database is away");
  await opening.catch(() => undefined);
});

test("whatever was ended while its bearers may live is in memory, however many there are, also after a restart", async () => {
  const world = createWorld();
  const here = await world.replica({ knownMax: 10 });
  const began = Array.from({ length: 25 }, (_, index) => signIn(here, `p${index}`, `s${index}`));
  for (const { id } of began.slice(0, 20)) await here.endSession(id);
  await here.endPrincipals(
    began.slice(20).map(({ principal }) => principal),
    "a",
  );
  await world.pass(3_600_000);
  const later = await world.replica({ knownMax: 10 });
  for (const replica of [here, later]) expect(began.every(replica.hasEnded)).toBe(true);
});

test("of more endings than are remembered old ones are forgotten, and the store is asked", async () => {
  const world = createWorld();
  const here = await world.replica({ knownMax: 10 });
  const began = Array.from({ length: 25 }, (_, index) => signIn(here, "ada", `s${index}`));
  for (const { id } of began) await here.endSession(id);
  await world.pass(26 * 3_600_000);
  for (const id of ["a", "b", "c", "d", "e"]) await here.endSession(id);
  const later = await world.replica({ knownMax: 10 });
  for (const replica of [here, later]) {
    expect(began.filter(replica.hasEnded).length).toBeLessThan(11);
    for (const each of began) expect(await replica.hasEverEnded(each)).toBe(true);
    expect(await replica.hasEverEnded(signIn(replica, "ada", "another"))).toBe(false);
    replica.isCutOff = true;
    const asking = replica.hasEverEnded(signIn(replica, "ada", "another"));
    expect(asking).rejects.toThrow("the database is away");
    await asking.catch(() => undefined);
  }
});

test("a replica that starts reads page after page, of old endings no more than it remembers", async () => {
  const world = createWorld();
  // By a clock that was ahead, so that all of them are held. Recorded they were long ago.
  const throughSeconds = world.seconds() + 200_000;
  for (let index = 0; index < 10_000; index++) {
    const ageSeconds = (index < 7_500 ? 200_000 : 20_000) - index;
    const principal = `p${index}`;
    const ending = { kind: "principal" as const, principal, throughSeconds, actor: "a" };
    world.rows.set(principal, { ending, atMs: (world.seconds() - ageSeconds) * 1000 });
  }
  const [oldest, newest] = [sessionOf("p0", "s", 1), sessionOf("p9999", "s", 1)];
  const all = await world.replica();
  const some = await world.replica({ knownMax: 1_000 });
  expect([oldest, newest].map(all.hasEnded)).toEqual([true, true]);
  expect([oldest, newest].map(some.hasEnded)).toEqual([false, true]);
  // Those of which there may be bearers it has read, beyond what it remembers.
  expect(some.hasEnded(sessionOf("p7500", "s", 1))).toBe(true);
  // What it did not read it has not forgotten. It is missing all the same.
  expect(await some.hasEverEnded(oldest)).toBe(true);
});

test("a list of people is ended with one read of theirs and one record, and nothing else is read for it", async () => {
  const asked: string[] = [];
  const world = createWorld();
  const store = {
    read: async () => nothingRead,
    readPrincipals: async (people: string[]) => {
      asked.push(`read ${people.length}`);
      return [["p1", world.seconds() + 1_000]];
    },
    record: async (endings: { principal: string; throughSeconds: number }[]) => {
      asked.push(`record ${endings.length}`);
      expect(endings[1]).toMatchObject({
        principal: "p1",
        throughSeconds: world.seconds() + 1_001,
      });
    },
  };
  const here = await world.replica({ store: store as never });
  const people = Array.from({ length: 100 }, (_, index) => `p${index}`);
  const began = people.map((sub) => signIn(here, sub, sub));
  const ending = here.endPrincipals([...people, "p0"], "a");
  expect(began.every(here.hasEnded)).toBe(true);
  expect(await ending).toBe(true);
  expect(asked).toEqual(["read 100", "record 100"]);
});

test("a row is kept for longer than anything that it ends, whatever the lifetime of a bearer", async () => {
  const kept: number[] = [];
  for (const bearerTtlSeconds of [60, 3_600_000_000]) {
    const world = createWorld();
    const here = await world.replica({
      bearerTtlSeconds,
      store: {
        read: async () => nothingRead,
        record: async (_: unknown, keptSeconds: number) => void kept.push(keptSeconds),
      } as never,
    });
    await here.endSession("s1");
  }
  expect(kept[0]).toBeGreaterThan(refreshTokenTtlSeconds);
  // As long as dates go, and no error.
  expect(kept[1]).toBe(36_500 * 86_400);
});

type Step = { at: number; sub: string } & (
  | { do: "sign in" }
  | { do: "end session"; of: number }
  | { do: "end principal" }
  | { do: "cut off"; cut: boolean }
  | { do: "pass"; ms: number }
);

const steps = array(
  tuple(
    nat(2),
    constantFrom("ada", "bob"),
    oneof(
      { weight: 4, arbitrary: record({ do: constant("sign in" as const) }) },
      record({ do: constant("end session" as const), of: nat(20) }),
      record({ do: constant("end principal" as const) }),
      record({ do: constant("cut off" as const), cut: boolean() }),
      record({ do: constant("pass" as const), ms: constantFrom(300, pollMs, 30_000) }),
    ),
  ),
  { maxLength: 40 },
);

test("whatever is begun and ended where, while replicas are cut off and clocks differ: all agree in the end, and nothing ended lives", async () => {
  await assert(
    asyncProperty(steps, async (list) => {
      const world = createWorld();
      const replicas = [
        await world.replica(),
        await world.replica({ clockAheadMs: 2_000 }),
        await world.replica({ clockAheadMs: -2_000 }),
      ];
      const { begun, mustEnd, mayEnd } = await played(
        world,
        replicas,
        list.map(([at, sub, step]) => ({ at, sub, ...step })),
      );
      for (const replica of replicas) replica.isCutOff = false;
      await world.pass(3 * pollMs);
      for (const session of begun) {
        const verdicts = replicas.map((replica) => replica.hasEnded(session));
        expect(new Set(verdicts).size).toBe(1);
        if (mustEnd.has(session)) expect(verdicts[0]).toBe(true);
        else if (!mayEnd.has(session)) expect(verdicts[0]).toBe(false);
      }
      for (const replica of replicas) await replica.close();
    }),
    { numRuns: 2_000 },
  );
});

/** Who began what, what of it was ended, and what began where an ending had not been heard of, which may count as before it. */
async function played(world: World, replicas: readonly Replica[], list: readonly Step[]) {
  const begun: ReturnType<typeof sessionOf>[] = [];
  const mustEnd = new Set<(typeof begun)[number]>();
  const mayEnd = new Set<(typeof begun)[number]>();
  let wasCutOff = false;
  /** Where somebody was signed out last. It had heard of the times before, unless somebody was cut off. */
  const endedAt = new Map<string, Replica>();
  for (const step of list) {
    const replica = replicas[step.at] ?? replicas[0]!;
    switch (step.do) {
      case "sign in": {
        const session = signIn(replica, step.sub, `s${begun.length}`);
        begun.push(session);
        const lastAt = endedAt.get(step.sub);
        if (lastAt !== undefined && (wasCutOff || lastAt !== replica)) mayEnd.add(session);
        break;
      }
      case "end session": {
        const session = begun[step.of];
        if (session === undefined) break;
        mustEnd.add(session);
        await replica.endSession(session.id);
        break;
      }
      case "end principal":
        for (const session of begun.filter(({ principal }) => principal === step.sub)) {
          // Dated after an ending of which this replica cannot have heard.
          if (wasCutOff && session.beganAtSeconds > world.seconds()) mayEnd.add(session);
          else mustEnd.add(session);
        }
        await replica.endPrincipals([step.sub], "a");
        endedAt.set(step.sub, replica);
        break;
      case "cut off":
        replica.isCutOff = step.cut;
        wasCutOff ||= step.cut;
        break;
      case "pass":
        await world.pass(step.ms);
    }
  }
  return { begun, mustEnd, mayEnd };
}
