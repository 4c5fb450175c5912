// What becomes of a call on its way: what is held for it, when that is given back, and where it is charged, once.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Owner } from "../../src/spend/accounts.ts";
import type { Charge } from "../../src/spend/ledger.ts";
import { cent } from "../../src/spend/money.ts";
import type { BillingFields, Reservation } from "../../src/spend/reservation.ts";
import { eventStream } from "../support/scene.ts";
import { fedStream, started, stopped, streamed, used, whole } from "../support/metered-answers.ts";
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
  week,
} from "./core-scene.ts";
import { readMessagesCall } from "../../src/upstream/request/call.ts";
import { captureLog, type Logged } from "./logged.ts";

let logged: Logged;
beforeEach(() => {
  logged = captureLog();
});
afterEach(() => logged.end());

const owners = {
  ada: { kind: "principal", principal: "ada" },
  eng: { kind: "group", group: "eng" },
  ops: { kind: "group", group: "ops" },
  session: { kind: "session", principal: "ada", sessionId: "s1" },
} satisfies Record<string, Owner>;

const call = callOf(100);
const estimate = estimateOf(call);

/** A reservation, and what there is to see of it: what is held on each account, in cents, and what was charged. */
async function reserved(
  caps: Core["database"]["caps"] = [],
  {
    sessionId,
    audited = {},
    ...options
  }: CoreOptions & { sessionId?: string; audited?: BillingFields } = {},
) {
  const core = openCore(options);
  core.database.caps = caps;
  const charges: Charge[] = [];
  core.onCharge = (charge) => void charges.push(charge);
  const admission = await core.admit(ada, sessionId);
  const reservation = await admission.reserve({ ...call, audited }, never);
  return {
    admit: core.admit,
    close: async () => {
      const closed = core.reservations.close(2_000);
      await turns();
      await core.pass(2_000);
      await closed;
    },
    accounts: core.accounts,
    database: core.database,
    setTime: core.setTime,
    reservation,
    held: (owner: keyof typeof owners = "ada") => core.accounts.of(owners[owner]).reserved,
    /** Rows and cents of each charge. */
    charged: () =>
      charges.map(({ rows, cost, day: on }) => ({
        cents: Number(cost / cent),
        day: on,
        rows: rows.map((row) => Object.values(row).join(" ")),
      })),
  };
}

/** The answer as a client has it. */
async function read(
  reservation: Reservation,
  response: Response,
  countInput: () => Promise<number | undefined> = uncounted,
) {
  const answer = await reservation.answered(response, route, countInput);
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

const tokens = (output: number) => whole({ input_tokens: 0, output_tokens: output });
const ofAda = [`principal ada ${day}`, `principal ada ${week}`, `principal ada ${month}`];

describe("held is", () => {
  test("the most that the call may cost, for the person, until it is answered", async () => {
    const { reservation, held } = await reserved();
    expect(held()).toBe(estimate);
    await read(reservation, tokens(1));
    expect(held()).toBe(0n);
  });

  test("the same for the session and the pool that will be charged, where there are limits on them", async () => {
    const pools = ["eng", "ops"].map((group, index) =>
      cap(`rbac_group:${group}`, 10_000, "monthly", { amount: 5_000 + index }),
    );
    const { held, reservation } = await reserved([...pools, cap("session", 10_000)], {
      sessionId: "s1",
    });
    const all = () => (["ada", "session", "ops", "eng"] as const).map((name) => held(name));
    expect(all()).toEqual([estimate, estimate, estimate, 0n]);
    reservation.release();
    expect(all()).toEqual([0n, 0n, 0n, 0n]);
  });

  test("nothing where nothing is reserved", async () => {
    const { reservation, held, charged } = await reserved([], { reserves: false });
    expect(held()).toBe(0n);
    await read(reservation, tokens(5));
    expect([held(), charged().length]).toEqual([0n, 1]);
  });
});

describe("an answer is charged", () => {
  test("to the person in each period", async () => {
    const { reservation, charged } = await reserved();
    await read(reservation, tokens(7));
    expect(charged()).toEqual([{ cents: 7, day, rows: ofAda }]);
  });

  test("to the session in the periods in which sessions have a limit", async () => {
    const caps = [
      cap("session", 5_000, "daily"),
      cap("session", 5_000),
      cap("session", null, "weekly"),
    ];
    const { reservation, charged } = await reserved(caps, { sessionId: "s1" });
    await read(reservation, tokens(7));
    const [{ rows } = { rows: [] }] = charged();
    expect(rows.slice(3).toSorted()).toEqual([`session ada s1 ${month}`, `session ada s1 ${day}`]);
  });

  test("to one pool: the first that is not spoken for", async () => {
    const caps = [
      cap("rbac_group:eng", 10_000, "monthly", { amount: 500 }),
      cap("rbac_group:ops", 10_000, "monthly", { amount: 550 }),
    ];
    const chargedAfter = async (spent: { ops: number; eng: number }) => {
      const core = openCore();
      core.database.caps = caps;
      for (const [group, cents] of Object.entries(spent))
        core.database.add({ kind: "group", group, period: month }, BigInt(cents) * cent);
      const groups: string[] = [];
      core.onCharge = ({ rows }) => {
        for (const row of rows) if (row.kind === "group") groups.push(row.group);
      };
      const reservation = await (await core.admit()).reserve(call, never);
      await read(reservation, tokens(7));
      return groups;
    };
    expect(await chargedAfter({ ops: 0, eng: 0 })).toEqual(["ops"]);
    expect(await chargedAfter({ ops: 549, eng: 499 })).toEqual(["ops"]);
    expect(await chargedAfter({ ops: 550, eng: 499 })).toEqual(["eng"]);
  });

  test("to the pool that it was let through for, though that was filled up or removed meanwhile", async () => {
    const pools = [cap("rbac_group:eng", 10_000, "monthly", { amount: 500 })];
    const { reservation, charged, database, admit } = await reserved(pools);
    database.caps = [cap("rbac_group:ops", 10_000, "monthly", { amount: 900 })];
    database.add({ kind: "group", group: "eng", period: month }, 500n * cent);
    await admit();
    await read(reservation, tokens(7));
    expect(charged()[0]?.rows).toEqual([...ofAda, `group eng ${month}`]);
  });

  test("to the periods in which it ends, whenever it began", async () => {
    const caps = [
      cap("rbac_group:eng", 10_000, "monthly", { amount: 500 }),
      cap("session", 5_000, "daily"),
    ];
    const { reservation, charged, setTime, held } = await reserved(caps, {
      sessionId: "s1",
      at: "2026-11-30T23:59:59Z",
    });
    setTime("2026-12-01T00:00:00Z");
    await read(reservation, tokens(7));
    const ends = ["principal ada 2026-12-01", "principal ada 2026-W49", "principal ada 2026-12"];
    expect(charged()).toEqual([
      {
        cents: 7,
        day: "2026-12-01",
        rows: [...ends, "group eng 2026-12", "session ada s1 2026-12-01"],
      },
    ]);
    expect(held()).toBe(0n);
  });

  test("here before the ledger has written it", async () => {
    const { reservation, accounts } = await reserved();
    await read(reservation, tokens(7));
    expect(accounts.of(owners.ada).spentIn(week)).toBe(7n * cent);
  });

  test("at nothing when it used nothing, and still recorded", async () => {
    const { reservation, charged } = await reserved();
    await read(reservation, tokens(0));
    expect(charged()).toEqual([{ cents: 0, day, rows: ofAda }]);
  });

  test.each([200, 201, 301])("with status %i", async (status) => {
    const { reservation, charged } = await reserved();
    const { body } = tokens(3);
    expect((await read(reservation, new Response(body, { status }))).status).toBe(status);
    expect(charged()).toHaveLength(1);
  });
});

describe("nothing is charged, and what was held is given back, for", () => {
  test.each([400, 429, 500, 529])(
    "an answer of %i, which is passed on as it is",
    async (status) => {
      const { reservation, charged, held } = await reserved([cap("organization", 10_000)]);
      const answer = Response.json({ usage: { input_tokens: 5, output_tokens: 5 } }, { status });
      expect(await reservation.answered(answer, route, uncounted)).toBe(answer);
      expect(held()).toBe(estimate);
      reservation.release();
      expect([charged(), held()]).toEqual([[], 0n]);
      expect([...answer.headers.keys()]).toEqual(["content-type"]);
    },
  );

  test("an answer without a body", async () => {
    const { reservation, charged, held } = await reserved();
    await read(reservation, new Response(null, { status: 204 }));
    expect([charged(), held()]).toEqual([[], 0n]);
  });

  test("a call that came to nothing, once, however often that is said", async () => {
    const { reservation, charged, held, admit } = await reserved();
    await (await admit()).reserve(call, never);
    reservation.release();
    reservation.release();
    expect([charged(), held()]).toEqual([[], estimate]);
  });
});

describe("a stream", () => {
  test("is held for and charged when it has ended, whatever is said meanwhile", async () => {
    const { reservation, charged, held } = await reserved();
    const stream = fedStream();
    const reading = read(reservation, stream.response);
    await turns();
    reservation.release();
    stream.send(started(2), used(5));
    await turns();
    expect([charged(), held()]).toEqual([[], estimate]);
    stream.send(stopped);
    stream.end();
    expect((await reading).text).toBe(eventStream([started(2), used(5), stopped]));
    expect([charged()[0]?.cents, held()]).toEqual([7, 0n]);
  });

  test.each(["the client hangs up", "the connection is lost"])(
    "is charged once when %s",
    async (what) => {
      const { reservation, charged, held } = await reserved();
      const stream = fedStream();
      const answer = await reservation.answered(stream.response, route, uncounted);
      stream.send(started(2), used(5));
      const reader = answer.body?.getReader();
      await reader?.read();
      if (what === "the client hangs up") await reader?.cancel();
      else stream.breakOff();
      await reader?.read().catch(() => undefined);
      reservation.release();
      expect([charged().map(({ cents }) => cents), held()]).toEqual([[7], 0n]);
    },
  );

  test("is charged what it told, also where a whole answer was asked for", async () => {
    const { reservation, charged } = await reserved();
    const stream = fedStream();
    const reading = read(reservation, stream.response, () => Promise.resolve(9_999));
    stream.send(started(2));
    stream.end();
    await reading;
    expect(charged().map(({ cents }) => cents)).toEqual([2]);
  });

  test("that nobody ever reads is given up for lost, with what was held", async () => {
    const { reservation, held } = await reserved();
    const answer = await reservation.answered(fedStream().response, route, uncounted);
    await answer.body?.cancel();
    await turns();
    expect(held()).toBe(0n);
  });
});

describe("an answer that does not say what it used", () => {
  const silent = () => Response.json({ text: "x".repeat(30) });
  const outputTokens = Math.ceil(JSON.stringify({ text: "x".repeat(30) }).length / 4);

  test("is charged for the input that the provider counts", async () => {
    const { reservation, charged, held } = await reserved();
    const count = Promise.withResolvers<number | undefined>();
    await read(reservation, silent(), () => count.promise);
    expect([charged(), held()]).toEqual([[], estimate]);
    count.resolve(50);
    await turns();
    expect([charged()[0]?.cents, held()]).toEqual([50 + outputTokens, 0n]);
  });

  test("is charged by the length of the call when the provider cannot tell", async () => {
    const { reservation, charged } = await reserved();
    await read(reservation, silent());
    const inputTokens = Math.ceil(call.call.body.length / 4);
    expect(charged()[0]?.cents).toBe(inputTokens + outputTokens);
  });

  test("is not counted when it was to be a stream, whose call is not kept for so long", async () => {
    const body = Buffer.from(JSON.stringify({ model: "m", max_tokens: 5, stream: true }));
    const admission = await openCore().admit();
    const reservation = await admission.reserve(
      { call: readMessagesCall(body), routes: [route], audited: {} },
      never,
    );
    let counts = 0;
    await read(reservation, silent(), async () => (counts += 1));
    expect(counts).toBe(0);
  });

  test("is not counted when it does say", async () => {
    const { reservation } = await reserved();
    let counts = 0;
    await read(reservation, tokens(1), async () => (counts += 1));
    expect(counts).toBe(0);
  });
});

describe("a call that the client gave up", () => {
  test("is charged for the input that the provider counts", async () => {
    const { reservation, charged, held } = await reserved();
    const count = Promise.withResolvers<number | undefined>();
    reservation.givenUp(count.promise, route);
    reservation.release();
    expect(held()).toBe(estimate);
    count.resolve(9);
    await turns();
    expect([charged()[0]?.cents, held()]).toEqual([9, 0n]);
  });

  test.each([
    ["cannot tell", () => Promise.resolve(undefined)],
    ["fails to", () => Promise.reject(new Error("no"))],
  ])("is charged for what its body is estimated at when it %s", async (_what, counted) => {
    const { reservation, charged, held } = await reserved();
    reservation.givenUp(counted(), route);
    reservation.release();
    await turns();
    const input = Math.ceil(call.call.body.length / 4);
    expect([charged().map(({ cents }) => cents), held()]).toEqual([[input], 0n]);
  });

  test("is not forgotten when the process ends before it is counted", async () => {
    const { reservation, charged, held, close } = await reserved();
    reservation.givenUp(new Promise<undefined>(() => undefined), route);
    await close();
    expect([charged().length, held()]).toEqual([1, 0n]);
  });

  test("is charged as counted when that is known while the process waits", async () => {
    const { reservation, charged, close } = await reserved();
    const count = Promise.withResolvers<number>();
    reservation.givenUp(count.promise, route);
    const closing = close();
    count.resolve(9);
    await closing;
    await turns();
    expect(charged().map(({ cents }) => cents)).toEqual([9]);
  });
});

describe("a successful answer tells of the fullest limit", () => {
  const utilization = "anthropic-ratelimit-unified-overage-utilization";

  test("with the upstream's own headers beside it", async () => {
    const { reservation } = await reserved([cap("organization", 1_000)]);
    const answer = tokens(1);
    answer.headers.set("request-id", "req_up");
    const { headers } = await read(reservation, answer);
    expect([headers.get(utilization), headers.get("request-id")]).toEqual(["0", "req_up"]);
  });

  test("also when it streams, or has no body", async () => {
    for (const response of [streamed([started(1), stopped]), new Response(null, { status: 204 })]) {
      const { reservation } = await reserved([cap("organization", 1_000)]);
      expect((await read(reservation, response)).headers.get(utilization)).toBe("0");
    }
  });

  test("and a redirect does not, nor an answer to somebody without limits", async () => {
    const redirected = await reserved([cap("organization", 1_000)]);
    const redirect = new Response("x", { status: 301 });
    expect((await read(redirected.reservation, redirect)).headers.has(utilization)).toBe(false);
    const { reservation } = await reserved([cap("session", 1_000)], { sessionId: "s1" });
    expect((await read(reservation, tokens(1))).headers.has(utilization)).toBe(false);
  });
});

describe("where requests are billed to groups, a charge is audited", () => {
  const usage = {
    input_tokens: 3,
    output_tokens: 4,
    cache_read_input_tokens: 5,
    cache_creation_input_tokens: 6,
  };

  test("with what was used, what it cost, and for whom", async () => {
    const audited = { billing_group: "eng" };
    const { reservation } = await reserved([], { auditsCharges: true, audited });
    await read(reservation, whole(usage));
    expect(logged.events()).toEqual([
      {
        evt: "spend.metered",
        request_id: "req-1",
        sub: "ada",
        billing_group: "eng",
        model: "m",
        ...usage,
        cents: 18,
      },
    ]);
  });

  test("without what was not used", async () => {
    const { reservation } = await reserved([], { auditsCharges: true });
    await read(reservation, tokens(0));
    expect(logged.events()).toEqual([
      {
        evt: "spend.metered",
        request_id: "req-1",
        sub: "ada",
        model: "m",
        input_tokens: 0,
        output_tokens: 0,
        cents: 0,
      },
    ]);
  });

  test("and elsewhere it is not", async () => {
    const { reservation } = await reserved();
    await read(reservation, whole(usage));
    expect(logged.events()).toEqual([]);
  });
});
