// Who is let through, who waits and who is refused, and what is written about it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import type { Identity } from "../../src/spend/ledger.ts";
import { cent } from "../../src/spend/money.ts";
import type { Reservation } from "../../src/spend/reservation.ts";
import type { Principal } from "../../src/session.ts";
import { whole } from "../support/metered-answers.ts";
import {
  ada,
  callOf,
  cap,
  type Core,
  type CoreOptions,
  day,
  estimateOf,
  month,
  never,
  openCore,
  route,
  turns,
  uncounted,
} from "./core-scene.ts";
import { captureLog, type Logged } from "./logged.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

type Caps = Core["database"]["caps"];

function coreWith(caps: Caps, options: CoreOptions = {}): Core {
  const core = openCore(options);
  core.database.caps = caps;
  return core;
}

const refusalOf = (attempt: Promise<unknown>): Promise<ApiError> =>
  attempt.then(
    () => {
      throw new Error("it was let through");
    },
    (error: unknown) => {
      if (error instanceof ApiError) return error;
      throw error;
    },
  );

/** One request from its beginning to its end. */
async function request(core: Core, cents: number, principal = ada, sessionId?: string) {
  const admission = await core.admit(principal, sessionId);
  await answered(await admission.reserve(callOf(cents), never), cents);
}

async function answered(reservation: Reservation, cents: number): Promise<void> {
  const answer = whole({ input_tokens: 0, output_tokens: cents });
  await (await reservation.answered(answer, route, uncounted)).text();
}

const pool = (group: string, amount: number, paused = false) =>
  cap(`rbac_group:${group}`, 10_000, "monthly", { amount, paused });

describe("one request after the other", () => {
  test.each([
    ["the organisation's cap", [cap("organization", 100)], "organization"],
    ["a daily cap", [cap("organization", 100, "daily")], "organization"],
    [
      "a group's cap",
      [cap("rbac_group:eng", 100, "weekly"), cap("organization", 5, "weekly")],
      "rbac_group",
    ],
    ["an own cap", [cap("user:ada", 100), cap("rbac_group:eng", 5)], "user"],
    ["a session's ceiling", [cap("session", 100, "daily")], "session"],
    ["a pool", [pool("eng", 100)], "group_pool"],
  ] as const)(
    "are let through until %s is used up, and then no more",
    async (_what, caps, source) => {
      for (const reserves of [true, false]) {
        const core = coreWith([...caps], { reserves });
        for (const cents of [30, 30, 39]) await request(core, cents, ada, "s1");
        // 99 of 100 are spent: the next one is let through, and may overshoot.
        await request(core, 50, ada, "s1");
        const refusal = await refusalOf(core.admit(ada, "s1"));
        expect(refusal.type).toBe("billing_error");
        const [event] = logged.events().slice(-1);
        expect(event).toMatchObject({ evt: "spend.blocked", cause: "over_limit", source });
      }
    },
  );

  test("are refused at the very cent, and not before", async () => {
    const core = coreWith([cap("organization", 100)]);
    const ofAda = { kind: "principal", principal: "ada", period: month } as const;
    core.database.add(ofAda, 100n * cent - 1n);
    await core.admit();
    core.database.add(ofAda, 1n);
    await refusalOf(core.admit());
  });

  test("are refused from the very next one on by what another replica has changed", async () => {
    const core = coreWith([]);
    await request(core, 10);
    core.database.caps = [cap("organization", 10)];
    await refusalOf(core.admit());
    core.database.caps = [cap("organization", 11)];
    await request(core, 0);
    core.database.add({ kind: "principal", principal: "ada", period: month }, cent);
    await refusalOf(core.admit());
    core.database.caps = [];
    await core.admit();
  });

  test("are let through again when the period is over", async () => {
    const core = coreWith([cap("organization", 10, "daily")]);
    await request(core, 10);
    core.setTime(`${day}T23:59:59.999Z`);
    await refusalOf(core.admit());
    core.setTime("2026-11-24T00:00:00Z");
    await core.admit();
  });

  test("are each session's own affair, where sessions have a ceiling", async () => {
    const core = coreWith([cap("session", 10)]);
    await request(core, 10, ada, "s1");
    await refusalOf(core.admit(ada, "s1"));
    await core.admit(ada, "s2");
    await core.admit({ ...ada, sub: "bob" }, "s1");
    await core.admit(ada);
  });

  test("are each person's own affair, but for pools", async () => {
    const core = coreWith([cap("organization", 10), pool("eng", 15)]);
    const bob = { ...ada, sub: "bob" };
    const withoutGroups = { ...ada, sub: "cyd", groups: [] };
    await request(core, 10);
    await request(core, 10, withoutGroups);
    await request(core, 9, bob);
    await refusalOf(core.admit(bob));
    await refusalOf(core.admit(withoutGroups));
  });
});

describe("of several reasons to refuse", () => {
  const spent = (core: Core) => {
    const { database } = core;
    for (const period of [day, month]) {
      database.add({ kind: "principal", principal: "ada", period }, 100n * cent);
      database.add({ kind: "session", principal: "ada", sessionId: "s1", period }, 100n * cent);
    }
    for (const group of ["eng", "ops"])
      database.add({ kind: "group", group, period: month }, 100n * cent);
  };
  const told = async (caps: Caps) => {
    const core = coreWith(caps);
    spent(core);
    const { headers } = await refusalOf(core.admit(ada, "s1"));
    const [event] = logged.events().slice(-1);
    return { headers, event };
  };

  test("the person's own cap is told of before the session's, the session's before the pools'", async () => {
    const pools = [pool("eng", 50), pool("ops", 60)];
    const own = [cap("user:ada", 5, "daily"), cap("user:ada", 7)];
    expect((await told([...pools, cap("session", 6), ...own])).event).toEqual({
      evt: "spend.blocked",
      request_id: "req-1",
      sub: "ada",
      cause: "over_limit",
      cap_cents: "7",
      source: "user",
      period: "monthly",
    });
    expect(
      (await told([...pools, cap("session", 6, "daily"), cap("user:ada", 500)])).event,
    ).toEqual({
      evt: "spend.blocked",
      request_id: "req-1",
      sub: "ada",
      cause: "over_limit",
      cap_cents: "6",
      source: "session",
      period: "daily",
    });
  });

  test("the pools are told of together, by the one that would have paid first", async () => {
    const { event, headers } = await told([pool("eng", 50), pool("ops", 55), pool("hr", 99)]);
    expect(event).toEqual({
      evt: "spend.blocked",
      request_id: "req-1",
      sub: "ada",
      cause: "over_limit",
      cap_cents: "55",
      source: "group_pool",
      period: "monthly",
      groups: ["ops", "eng"],
    });
    expect(headers["anthropic-ratelimit-unified-overage-utilization"]).toBe("1.82");
  });

  test("one pool with something in it is enough, and a paused one does not count", async () => {
    const core = coreWith([pool("eng", 50), pool("ops", 500)]);
    spent(core);
    await core.admit();
    core.database.caps = [pool("eng", 50), pool("ops", 500, true)];
    await refusalOf(core.admit());
    core.database.caps = [pool("eng", 50, true)];
    await core.admit();
  });

  test("a larger cap, or none, of one's own does not exempt from a pool", async () => {
    const core = coreWith([pool("eng", 50), cap("user:ada", null)]);
    spent(core);
    await refusalOf(core.admit());
  });
});

describe("while the database is away", () => {
  let isAway = false;
  const opened = (caps: Caps, options: CoreOptions = {}) => {
    isAway = false;
    return coreWith(caps, {
      ...options,
      onStatement(statement) {
        if (isAway) return statement.fail();
        statement.execute();
        statement.answer();
      },
    });
  };

  test("requests are let through, and told of no limit", async () => {
    const core = opened([cap("organization", 100)]);
    await core.admit();
    isAway = true;
    const reservation = await (await core.admit()).reserve(callOf(5), never);
    const answer = whole({ input_tokens: 1, output_tokens: 1 });
    const { headers } = await reservation.answered(answer, route, uncounted);
    expect([...headers.keys()].filter((name) => name.startsWith("anthropic-"))).toEqual([]);
  });

  test("the caps that were last read go on to hold, with what is settled meanwhile", async () => {
    const core = opened([cap("organization", 100)]);
    await request(core, 50);
    isAway = true;
    await request(core, 50);
    const refusal = await refusalOf(core.admit());
    expect(refusal.message).toBe("spend limit reached · resets Dec 1");
  });

  test("a gateway that is told to refuses, in words of their own, and says why", async () => {
    const core = opened([cap("organization", 100)], { failClosed: true, blockedMessage: "ask" });
    await core.admit();
    isAway = true;
    const refusal = await refusalOf(core.admit());
    expect(refusal.message).toBe("spend limit unavailable · ask");
    expect(logged.events()).toEqual([
      { evt: "spend.blocked", request_id: "req-1", sub: "ada", cause: "store_error" },
    ]);
    isAway = false;
    await core.admit();
  });

  test("such a gateway tells who has nothing left of that", async () => {
    const core = opened([cap("organization", 10)], { failClosed: true });
    await request(core, 10);
    isAway = true;
    expect((await refusalOf(core.admit())).message).toBe("spend limit reached · resets Dec 1");
  });

  test("what somebody has spent is not told", async () => {
    const core = opened([cap("organization", 10)]);
    expect((await core.spend.standingOf(ada))?.own).toHaveLength(1);
    isAway = true;
    expect(await core.spend.standingOf(ada)).toBe(undefined);
  });
});

describe("many requests at the same moment", () => {
  const call = callOf(10);
  const eachCosts = Number(estimateOf(call) / cent);

  /** So many requests that are let in and have all sent their bodies. What has become of each so far. */
  async function sendAll(core: Core, count: number, principalOf = (_index: number) => ada) {
    const admissions = await Promise.all(
      Array.from({ length: count }, (_, index) => core.admit(principalOf(index), "s1")),
    );
    const signals = admissions.map(() => new AbortController());
    const results: (Reservation | Error | undefined)[] = admissions.map(() => undefined);
    const ends = admissions.map(async (admission, index) => {
      const { signal } = signals[index] ?? { signal: never };
      results[index] = await admission.reserve(call, signal).catch((error: Error) => error);
    });
    await turns();
    const isIn = (result: (typeof results)[number]): result is Reservation =>
      result !== undefined && !(result instanceof Error);
    return {
      signals,
      results,
      ends: Promise.all(ends),
      letIn: () => results.filter(isIn),
      refused: () => results.filter((result) => result instanceof ApiError),
      waiting: () => results.filter((result) => result === undefined).length,
    };
  }

  test.each([
    ["a cap", [cap("organization", 3 * eachCosts)]],
    ["a pool", [pool("eng", 3 * eachCosts)]],
    ["a session's ceiling", [cap("session", 3 * eachCosts)]],
  ])("are let through as far as %s has room for them, and the others wait", async (_what, caps) => {
    const { letIn, waiting } = await sendAll(coreWith(caps), 20);
    expect([letIn().length, waiting()]).toEqual([3, 17]);
  });

  test("of different people wait for each other at a pool", async () => {
    const core = coreWith([pool("eng", 3 * eachCosts), cap("organization", eachCosts)]);
    const { letIn, waiting } = await sendAll(core, 20, (index) => ({ ...ada, sub: `p${index}` }));
    expect([letIn().length, waiting()]).toEqual([3, 17]);
  });

  test("fill one pool after the other before anybody waits", async () => {
    const core = coreWith([pool("eng", 3 * eachCosts), pool("ops", 2 * eachCosts)]);
    const { letIn, waiting } = await sendAll(core, 20);
    expect([letIn().length, waiting()]).toEqual([5, 15]);
    const held = ["eng", "ops"].map((group) => core.accounts.of({ kind: "group", group }).reserved);
    expect(held).toEqual([BigInt(3 * eachCosts) * cent, BigInt(2 * eachCosts) * cent]);
  });

  test("that wait go on in their order as others turn out to cost less", async () => {
    const core = coreWith([cap("organization", eachCosts)]);
    const { results, letIn } = await sendAll(core, 5);
    for (let index = 0; index < 5; index += 1) {
      expect(letIn()).toHaveLength(index + 1);
      const next = results[index];
      if (next === undefined || next instanceof Error) throw new Error("it still waits");
      await answered(next, 0);
      await turns();
    }
    expect(core.accounts.of({ kind: "principal", principal: "ada" }).reserved).toBe(0n);
  });

  test("that wait at a pool go on when somebody else is done", async () => {
    const core = coreWith([pool("eng", eachCosts)]);
    const { letIn } = await sendAll(core, 2, (index) => ({ ...ada, sub: `p${index}` }));
    expect(letIn()).toHaveLength(1);
    letIn()[0]?.release();
    await turns();
    expect(letIn()).toHaveLength(2);
  });

  test("that wait at a session's ceiling go on when another of its requests is done", async () => {
    const core = coreWith([cap("session", eachCosts)]);
    const { letIn } = await sendAll(core, 2);
    expect(letIn()).toHaveLength(1);
    letIn()[0]?.release();
    await turns();
    expect(letIn()).toHaveLength(2);
  });

  test("that wait are refused as soon as others have used the limit up", async () => {
    const core = coreWith([cap("organization", eachCosts)]);
    const { letIn, refused, ends } = await sendAll(core, 5);
    const [first] = letIn();
    if (first !== undefined) await answered(first, eachCosts);
    await ends;
    expect(refused().map(({ message }) => message)).toEqual(
      Array(4).fill("spend limit reached · resets Dec 1"),
    );
    expect(logged.events().map((event) => (event as { cause: string }).cause)).toEqual(
      Array(4).fill("over_limit"),
    );
  });

  test("that wait are refused after two seconds, and may come again", async () => {
    const core = coreWith([pool("eng", eachCosts), pool("ops", eachCosts)], {
      blockedMessage: "ask",
    });
    const { waiting, refused, ends } = await sendAll(core, 3);
    await core.pass(1_999);
    expect(waiting()).toBe(1);
    await core.pass(1);
    await ends;
    const [refusal] = refused();
    expect([refusal?.type, refusal?.message]).toEqual([
      "rate_limit_error",
      "requests under way may use up the rest of the spend limit · try again when they have finished · ask",
    ]);
    expect(logged.events()).toEqual([
      {
        evt: "spend.blocked",
        request_id: "req-1",
        sub: "ada",
        cause: "reserved",
        cap_cents: String(eachCosts),
        source: "group_pool",
        period: "monthly",
        groups: ["eng", "ops"],
      },
    ]);
  });

  test("that wait are let through in the end when the cap was raised meanwhile", async () => {
    const core = coreWith([cap("organization", eachCosts)]);
    const { letIn, ends } = await sendAll(core, 2);
    core.database.caps = [cap("organization", 2 * eachCosts)];
    await core.admit();
    await core.pass(2_000);
    await ends;
    expect(letIn()).toHaveLength(2);
  });

  test("that wait and whose client hangs up leave without a word, and hold nothing", async () => {
    const core = coreWith([cap("organization", eachCosts)]);
    const { signals, results, letIn, waiting, ends } = await sendAll(core, 3);
    for (const signal of signals.slice(1)) signal.abort();
    await ends;
    expect(results.slice(1).map((result) => (result as Error).name)).toEqual([
      "AbortError",
      "AbortError",
    ]);
    expect([letIn().length, waiting()]).toEqual([1, 0]);
    expect(logged.events()).toEqual([]);
    for (const reservation of letIn()) reservation.release();
    expect(core.accounts.of({ kind: "principal", principal: "ada" }).reserved).toBe(0n);
  });

  test("whose client has hung up before do not wait at all", async () => {
    const core = coreWith([cap("organization", eachCosts)]);
    await sendAll(core, 1);
    const gone = AbortSignal.abort();
    const admission = await core.admit();
    const outcome = await admission.reserve(call, gone).catch((error: Error) => error);
    expect(outcome).toMatchObject({ name: "AbortError" });
  });

  test("are all let through where nothing is reserved", async () => {
    const core = coreWith([cap("organization", eachCosts)], { reserves: false });
    const { letIn } = await sendAll(core, 20);
    expect(letIn()).toHaveLength(20);
    expect(core.accounts.of({ kind: "principal", principal: "ada" }).reserved).toBe(0n);
  });

  test("overshoot a limit by one of them at most, should each cost all that it may", async () => {
    const amount = 1_000;
    const core = coreWith([cap("organization", amount)]);
    core.database.add({ kind: "principal", principal: "ada", period: month }, 990n * cent);
    const { letIn, ends } = await sendAll(core, 100);
    for (const reservation of letIn()) await answered(reservation, eachCosts);
    await core.pass(2_000);
    await ends;
    const spent = core.accounts.of({ kind: "principal", principal: "ada" }).spentIn(month) / cent;
    expect(spent).toBeGreaterThanOrEqual(BigInt(amount));
    expect(spent).toBeLessThan(BigInt(amount + eachCosts));
  });
});

test("a limit that was used up while the body was sent is found so at once, and not waited for", async () => {
  const core = coreWith([cap("organization", 10)]);
  const admission = await core.admit();
  await request(core, 10);
  const refusal = await refusalOf(admission.reserve(callOf(1), never));
  expect(refusal.type).toBe("billing_error");
});

describe("who somebody is", () => {
  function noted(core: Core): Identity[] {
    const identities: Identity[] = [];
    core.onIdentity = ({ identity, cost }) => {
      expect(cost).toBe(0n);
      if (identity !== undefined) identities.push(identity);
    };
    return identities;
  }

  test("is noted with the first request of a bearer on a day, and also when that is refused", async () => {
    const core = coreWith([cap("organization", 0)]);
    const identities = noted(core);
    await refusalOf(core.admit());
    await refusalOf(core.admit());
    const first = {
      principal: "ada",
      email: "ada@example.com",
      name: "Ada",
      groups: ["eng", "ops"],
    };
    expect(identities).toEqual([first]);
    core.setTime("2026-11-24T00:00:00Z");
    await refusalOf(core.admit());
    await refusalOf(core.admit({ ...ada, name: "Ada L", email: undefined, groups: [] }));
    expect(identities.slice(1)).toEqual([
      first,
      { principal: "ada", email: undefined, name: "Ada L", groups: [] },
    ]);
  });

  test("is not asked of the usage endpoint", async () => {
    const core = coreWith([]);
    const identities = noted(core);
    await core.spend.standingOf(ada);
    expect(identities).toEqual([]);
  });

  test("goes to the database as text that it can keep, wherever it came from", async () => {
    const core = coreWith([cap("session", 10), pool("e\ufffdg", 100)]);
    const identities = noted(core);
    const rows: object[] = [];
    core.onCharge = (charge) => void rows.push(...charge.rows);
    const hostile: Principal = {
      sub: "a\0da",
      email: "a\ud800@example.com",
      name: "\udc00",
      groups: ["e\0g", "e\ufffdg", "ops"],
    };
    await request(core, 1, hostile, "s\0\ud800");
    const text = JSON.stringify([core.database.questions, identities, rows]);
    expect(text).not.toMatch(/\\u0000|\\ud[89a-f]/);
    expect(core.database.questions).toMatchObject([
      {
        principals: ["a\ufffdda"],
        groups: ["e\ufffdg", "ops"],
        sessions: [["a\ufffdda", "s\ufffd\ufffd"]],
      },
    ]);
    expect(identities).toEqual([
      {
        principal: "a\ufffdda",
        email: "a\ufffd@example.com",
        name: "\ufffd",
        groups: ["e\ufffdg", "ops"],
      },
    ]);
    expect(rows).toContainEqual({ kind: "group", group: "e\ufffdg", period: month });
  });

  test("is the same through every request of a bearer, and read once for all of them", async () => {
    const core = coreWith([]);
    await Promise.all(Array.from({ length: 20 }, () => core.admit()));
    expect(core.database.questions).toMatchObject([
      { principals: ["ada"], groups: ["eng", "ops"], sessions: [] },
    ]);
  });
});

describe("a request whose body comes late", () => {
  test("is held against what others have spent since it was let through", async () => {
    const core = coreWith([cap("organization", 100)]);
    const admission = await core.admit();
    await core.pass(1_001);
    // Another replica's.
    core.database.add({ kind: "principal", principal: "ada", period: month }, 100n * cent);
    expect(await refusalOf(admission.reserve(callOf(1), never))).toMatchObject({
      type: "billing_error",
    });
  });

  test("is asked for once while it comes soon", async () => {
    const core = coreWith([cap("organization", 100)]);
    const admission = await core.admit();
    await core.pass(1_000);
    await admission.reserve(callOf(1), never);
    expect(core.database.questions).toHaveLength(1);
  });
});
