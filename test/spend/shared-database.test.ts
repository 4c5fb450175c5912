// Two replicas over one PostgreSQL, with requests that overlap as they will: what each knows of spend is what the database has,
// and what the database has is what was settled. (Which orders of events there are to get right is interleavings.test.ts's.)
import { afterAll, beforeAll, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import type { Owner } from "../../src/spend/accounts.ts";
import { cent, type Money, moneyOf } from "../../src/spend/money.ts";
import { rowKey, type SpendRow } from "../../src/spend/tally.ts";
import { createLedgerStore } from "../../src/store/ledger.ts";
import { createStandingsStore } from "../../src/store/standings.ts";
import { type Migrated, migratedPostgres } from "../store/migrated.ts";
import { whole } from "../support/metered-answers.ts";
import {
  callOf,
  type Core,
  day,
  month,
  never,
  openCore,
  route,
  uncounted,
  week,
} from "./core-scene.ts";

let database: Migrated;
beforeAll(async () => {
  database = await migratedPostgres();
}, 60_000);
afterAll(() => database.close());

const people = ["ada", "bob", "cyd"].map((sub) => ({
  sub,
  email: undefined,
  name: undefined,
  groups: sub === "cyd" ? [] : ["eng"],
}));
const sessionIds = ["s1", "s2"];
const requestsEach = 40;

const owners: readonly Owner[] = [
  { kind: "group", group: "eng" },
  ...people.flatMap(({ sub: principal }): Owner[] => [
    { kind: "principal", principal },
    ...sessionIds.map((sessionId): Owner => ({ kind: "session", principal, sessionId })),
  ]),
];

async function written(): Promise<Map<string, Money>> {
  const rows = await database.query<{ row: SpendRow; cents: string }>`
    select json_build_object('kind', 'principal', 'principal', principal, 'period', period) as row, cents::text
    from spend union all
    select json_build_object('kind', 'group', 'group', rbac_group_id, 'period', period), cents::text
    from pooled_spend union all
    select json_build_object(
      'kind', 'session', 'principal', principal, 'sessionId', session_id, 'period', period), cents::text
    from session_spend`;
  return new Map(rows.map(({ row, cents }) => [rowKey(row), moneyOf(cents)]));
}

/** Requests of one person at one replica, one after the other. Returns how many were let through. */
async function requestsOf(
  core: Core,
  person: (typeof people)[number],
  seed: number,
): Promise<number> {
  let letThrough = 0;
  for (let index = 0; index < requestsEach; index += 1) {
    const tokens = (seed * 7 + index * 3) % 10;
    try {
      const admission = await core.admit(person, sessionIds[index % 2]);
      const reservation = await admission.reserve(callOf(tokens + 1), never);
      if (tokens % 4 === 0) await Bun.sleep(tokens % 3);
      const answer = whole({ input_tokens: 0, output_tokens: tokens });
      await (await reservation.answered(answer, route, uncounted)).text();
      letThrough += 1;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }
  return letThrough;
}

test("two replicas settle what they settle once, and know it of each other", async () => {
  await database.script(`
    insert into spend_limits (id, scope_type, amount) values ('o', 'organization', 250), ('s', 'session', 150);
    insert into spend_limits (id, scope_type, scope_id, amount, pooled_limit_enabled, pooled_monthly_credit_limit)
    values ('g', 'rbac_group', 'eng', 250, true, 400)`);
  const stores = {
    standings: createStandingsStore(database.query),
    ledger: createLedgerStore(database.query),
  };
  const cores = [openCore({ database: stores }), openCore({ database: stores })];

  const work = { isOver: false };
  const time = (async () => {
    while (!work.isOver) {
      await Bun.sleep(5);
      await Promise.all(cores.map((core) => core.pass(5)));
    }
  })();
  const working = cores.flatMap((core, replica) =>
    people.map((person, index) => requestsOf(core, person, replica * 3 + index)),
  );
  const letThrough = (await Promise.all(working)).reduce((sum, count) => sum + count, 0);
  work.isOver = true;
  await time;
  await Promise.all(cores.map((core) => core.ledger.flush()));

  const settled = new Map<string, Money>();
  for (const core of cores)
    for (const [key, sum] of core.settled) settled.set(key, (settled.get(key) ?? 0n) + sum);
  expect(await written()).toEqual(settled);
  expect(cores.flatMap(({ lost }) => lost)).toEqual([]);

  // And limits were met.
  expect(letThrough).toBeGreaterThan(50);
  expect(letThrough).toBeLessThan(cores.length * people.length * requestsEach);
  const ofCyd = rowKey({ kind: "principal", principal: "cyd", period: month });
  expect(settled.get(ofCyd)).toBeGreaterThanOrEqual(250n * cent);

  for (const core of cores) {
    for (const person of people)
      for (const sessionId of sessionIds)
        await core.admit(person, sessionId).catch(() => undefined);
    for (const owner of owners) {
      const account = core.accounts.of(owner);
      expect(account.reserved).toBe(0n);
      const periods =
        owner.kind === "group" || owner.kind === "session" ? [month] : [day, week, month];
      for (const period of periods) {
        const row = { ...owner, period };
        expect({ row, spent: account.spentIn(period) }).toEqual({
          row,
          spent: settled.get(rowKey(row)) ?? 0n,
        });
      }
    }
  }
}, 60_000);
