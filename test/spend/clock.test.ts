// The machine's clock jumps while people spend: an hour back, as when it is corrected, and a month ahead and back again, as when it
// was wrong. Whatever waits goes by timers, which do not jump; only the periods follow the clock.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import { whole } from "../support/metered-answers.ts";
import {
  callOf,
  cap,
  type Core,
  never,
  noon,
  openCore,
  route,
  turns,
  uncounted,
} from "./core-scene.ts";
import { captureLog, type Logged } from "./logged.ts";
import type { Statement } from "./memory-database.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

const hourBefore = "2026-11-23T11:00:00Z";
const monthAfter = "2026-12-23T12:00:00Z";
const jumps = [hourBefore, monthAfter];

/** One request from its beginning to its end: its status. */
async function buy(core: Core, cents: number): Promise<number> {
  try {
    const admission = await core.admit();
    const reservation = await admission.reserve(callOf(cents), never);
    const answer = whole({ input_tokens: 0, output_tokens: cents });
    await (await reservation.answered(answer, route, uncounted)).text();
    return 200;
  } catch (error) {
    if (error instanceof ApiError) return error.status;
    throw error;
  }
}

/** What the database has for Ada in a period, in cents. */
const written = ({ database }: Core, period: string) =>
  database.standings
    .read({
      principals: ["ada"],
      groups: [],
      sessions: [],
      periods: [period],
      month: period,
      writer: "",
    })
    .then(({ principals }) => principals[0]?.cents);

describe("caps", () => {
  test("go by the periods of the clock as it is: those of another month are empty, and are found again when it is set right", async () => {
    const core = openCore();
    core.database.caps = [cap("user:ada", 100)];
    expect(await buy(core, 100)).toBe(200);
    expect(await buy(core, 1)).toBe(429);
    core.setTime(monthAfter);
    expect(await buy(core, 7)).toBe(200);
    core.setTime(noon);
    expect(await buy(core, 1)).toBe(429);
    await core.pass(100);
    expect(await written(core, "2026-11")).toBe("100");
    expect(await written(core, "2026-12")).toBe("7");
  });

  test("of a month that had begun go on when the clock goes back into the one before", async () => {
    const core = openCore({ at: "2026-12-01T00:30:00Z" });
    core.database.caps = [cap("user:ada", 10)];
    expect(await buy(core, 10)).toBe(200);
    core.setTime("2026-11-30T23:30:00Z");
    expect(await buy(core, 10)).toBe(200);
    expect(await buy(core, 1)).toBe(429);
    core.setTime("2026-12-01T00:00:00Z");
    expect(await buy(core, 1)).toBe(429);
  });
});

describe.each(jumps)("after a jump to %s", (time) => {
  test("what is spent is written in time", async () => {
    const core = openCore();
    await buy(core, 1);
    // Something waits for its turn when the clock jumps.
    await buy(core, 2);
    core.setTime(time);
    await core.pass(100);
    expect(await written(core, "2026-11")).toBe("3");
    await buy(core, 4);
    await core.pass(100);
    const { charged } = core.ledger.waiting();
    expect(charged).toBe(0n);
    expect(core.lost).toEqual([]);
  });

  test("a database that is away is tried again in time, and what waits is written once", async () => {
    let isAway = true;
    const core = openCore({
      onStatement(statement: Statement) {
        if (isAway) return statement.fail("connect ECONNREFUSED");
        statement.execute();
        statement.answer();
      },
    });
    await buy(core, 5);
    await core.pass(100);
    core.setTime(time);
    isAway = false;
    await core.pass(250);
    expect(await written(core, "2026-11")).toBe("5");
    expect(core.ledger.waiting().charged).toBe(0n);
  });

  test("who waits for room is not kept waiting for longer", async () => {
    const core = openCore();
    core.database.caps = [cap("user:ada", 10)];
    const first = await core.admit();
    const held = await first.reserve(callOf(100), never);
    const waiting = buy(core, 1);
    await turns();
    await core.pass(500);
    core.setTime(time);
    await core.pass(1_500);
    expect(await waiting).toBe(429);
    held.release();
    expect(await buy(core, 1)).toBe(200);
  });
});
