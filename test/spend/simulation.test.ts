// The ledger against the truth: thousands of charges by several gateways over one database, while everything that can go wrong
// does (simulated-world.ts). What the database has in the end is what was charged, within the bound that ledger.ts states.
import { expect, test } from "bun:test";
import { moneyOf } from "../../src/spend/money.ts";
import { rowKey } from "../../src/spend/tally.ts";
import { migratedPostgres } from "../store/migrated.ts";
import type { Query } from "../../src/store/database.ts";
import { createWorld } from "./simulated-world.ts";
import { numbersFrom } from "../support/seeded-numbers.ts";

const seeds = [1, 2, 3];
const rounds = 1_200;

test.each(seeds)(
  "what is recorded is what was charged, through everything that can happen (seed %i)",
  async (seed) => {
    const database = await migratedPostgres();
    const random = numbersFrom(seed);
    const world = createWorld(database.query, random);
    for (let round = 0; round < rounds; round += 1) {
      for (let charges = random() * 3; charges > 0; charges -= 1) world.charge();
      await world.pass(10 * Math.floor(random() * 6));
      if (random() < 0.1) world.disturb();
      if (random() < 0.01) world.kill();
      if (random() < 0.005) world.close();
      if (random() < 0.02) world.jumpClock();
    }
    await world.end();

    const { charges, mayBeLost, broken } = world;
    expect(broken).toEqual([]);
    const recorded = await rowsIn(database.query);
    const isRecorded = ({ id, rows }: (typeof charges)[number]) =>
      rows.some(
        (row) => row.kind === "session" && row.sessionId === id && recorded.has(rowKey(row)),
      );

    // Nothing is lost but what may be.
    const lost = charges.filter((charge) => !isRecorded(charge));
    expect(lost.filter(({ id }) => !mayBeLost.has(id))).toEqual([]);
    // Every row holds the charges that are recorded, each once: no more, no less, to the last decimal.
    const truth = new Map<string, bigint>();
    for (const { rows, cost } of charges.filter(isRecorded)) {
      for (const row of rows) truth.set(rowKey(row), (truth.get(rowKey(row)) ?? 0n) + cost);
    }
    const rows = [...new Set([...truth.keys(), ...recorded.keys()])];
    expect(rows.filter((row) => recorded.get(row) !== truth.get(row))).toEqual([]);

    // And the world was as bad as it should be.
    expect(charges.length).toBeGreaterThan(1_000);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.length).toBeLessThan(charges.length / 3);
    await database.close();
  },
  60_000,
);

/** Every row of spend by its key. */
async function rowsIn(query: Query): Promise<Map<string, bigint>> {
  const rows = await query<{
    kind: string;
    owner: string;
    session: string;
    period: string;
    cents: string;
  }>`
    select 'principal' as kind, principal as owner, '' as session, period, cents from spend
    union all select 'group', rbac_group_id, '', period, cents from pooled_spend
    union all select 'session', principal, session_id, period, cents from session_spend`;
  return new Map(
    rows.map(({ kind, owner, session, period, cents }) => {
      const key =
        kind === "session"
          ? rowKey({ kind, principal: owner, sessionId: session, period })
          : kind === "group"
            ? rowKey({ kind, group: owner, period })
            : rowKey({ kind: "principal", principal: owner, period });
      return [key, moneyOf(cents)];
    }),
  );
}
