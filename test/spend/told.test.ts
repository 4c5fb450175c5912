// What a client is told of its standing. Names, order, texts and numbers are measured at the reference.
import { describe, expect, test } from "bun:test";
import { createAccounts } from "../../src/spend/accounts.ts";
import { cent, centsText, moneyOf } from "../../src/spend/money.ts";
import { type PeriodName, periodsAt } from "../../src/spend/periods.ts";
import { type Source, type Standing, standingOf } from "../../src/spend/standing.ts";
import {
  limitReached,
  limitSpokenFor,
  limitUnavailable,
  standingHeaders,
} from "../../src/spend/told.ts";

const noon = Date.parse("2026-11-23T12:00:00Z");
const monthsEnd = String(Date.parse("2026-12-01T00:00:00Z") / 1000);
const prefix = "anthropic-ratelimit-unified-";

type Told = {
  cents: string;
  amount: number;
  period?: PeriodName;
  source?: Source;
  group?: string;
  at?: number;
};

function standing({
  cents,
  amount,
  period = "monthly",
  source = "organization",
  group,
  at,
}: Told): Standing {
  const periods = periodsAt(at ?? noon);
  const account = createAccounts().of({ kind: "principal", principal: "ada" });
  account.read(periods[period].key, moneyOf(cents));
  const limit = { source, period, amount: BigInt(amount) * cent };
  return standingOf(account, group === undefined ? limit : { ...limit, group }, periods[period]);
}

const headersOf = (told: Told) => standingHeaders(standing(told));
const named = (told: Told) =>
  Object.fromEntries(headersOf(told).map(([name, value]) => [name.replace(prefix, ""), value]));

describe("an answer tells of a limit", () => {
  test("with these headers, all of them the client's own names", () => {
    expect(headersOf({ cents: "100", amount: 1000 })).toEqual([
      [`${prefix}status`, "allowed"],
      [`${prefix}representative-claim`, "overage"],
      [`${prefix}overage-status`, "allowed"],
      [`${prefix}overage-utilization`, "0.1"],
      [`${prefix}reset`, monthsEnd],
      [`${prefix}overage-reset`, monthsEnd],
    ]);
    expect(headersOf({ cents: "760", amount: 1000 })).toEqual([
      [`${prefix}status`, "allowed_warning"],
      [`${prefix}representative-claim`, "overage"],
      [`${prefix}overage-status`, "allowed_warning"],
      [`${prefix}overage-utilization`, "0.76"],
      [`${prefix}overage-surpassed-threshold`, "0.75"],
      [`${prefix}reset`, monthsEnd],
      [`${prefix}overage-reset`, monthsEnd],
    ]);
  });

  test.each([
    ["0", "0", undefined],
    ["4.999", "0", undefined],
    ["5", "0.01", undefined],
    ["15", "0.02", undefined],
    ["500", "0.5", undefined],
    ["745", "0.75", undefined],
    ["750", "0.75", undefined],
    ["750.000001", "0.75", "0.75"],
    ["950", "0.95", "0.75"],
    ["950.000001", "0.95", "0.95"],
    ["994", "0.99", "0.95"],
    ["995", "0.99", "0.95"],
    ["999.999999999999999999999999", "0.99", "0.95"],
    ["-1", "0", undefined],
    ["-500", "-0.5", undefined],
    ["-2000", "-2", undefined],
  ])("of which %s of 1000 cents are spent as %s, past %p", (cents, utilization, threshold) => {
    const told = named({ cents, amount: 1000 });
    expect(told["overage-utilization"]).toBe(utilization);
    expect(told["overage-surpassed-threshold"]).toBe(threshold);
    const status = threshold === undefined ? "allowed" : "allowed_warning";
    expect([told.status, told["overage-status"]]).toEqual([status, status]);
  });

  test("of nothing, under which somebody has come by a refund, as full", () => {
    expect(named({ cents: "-5", amount: 0 })).toMatchObject({
      status: "allowed_warning",
      "overage-utilization": "0.99",
      "overage-surpassed-threshold": "0.95",
    });
  });

  test.each([
    ["daily", "2026-11-24"],
    ["weekly", "2026-11-30"],
    ["monthly", "2026-12-01"],
  ] as const)("that is %s with when it ends, in seconds", (period, day) => {
    const ends = String(Date.parse(`${day}T00:00:00Z`) / 1000);
    expect(named({ cents: "1", amount: 1000, period })).toMatchObject({
      reset: ends,
      "overage-reset": ends,
    });
  });
});

const reached = (told: Told, blockedMessage?: string, now = told.at ?? noon) =>
  limitReached(standing(told), { blockedMessage, now });

describe("a refusal", () => {
  test("has these headers, in this order, and is not to be sent again", () => {
    const error = reached({ cents: "1200", amount: 1000 });
    expect([error.status, error.type]).toEqual([429, "billing_error"]);
    expect(Object.entries(error.headers)).toEqual([
      [`${prefix}status`, "rejected"],
      [`${prefix}reset`, monthsEnd],
      [`${prefix}overage-reset`, monthsEnd],
      [`${prefix}overage-utilization`, "1.2"],
      [`${prefix}overage-surpassed-threshold`, "1"],
      [`${prefix}overage-period`, "monthly"],
      [`${prefix}overage-disabled-reason`, "org_spend_cap_reached"],
      ["retry-after", String(Number(monthsEnd) - noon / 1000)],
      ["x-should-retry", "false"],
    ]);
  });

  test.each([
    ["1000", 1000, "1"],
    ["1004.9", 1000, "1"],
    ["1014.9", 1000, "1.01"],
    ["9999", 1000, "10"],
    ["1000000000000000000000", 1000, "1000000000000000000"],
    ["0", 0, "1"],
    ["250", 0, "1"],
  ])("tells that %s cents of %i are %s", (cents, amount, utilization) => {
    const { headers } = reached({ cents, amount });
    expect(headers[`${prefix}overage-utilization`]).toBe(utilization);
  });

  test.each([
    ["daily", "2026-11-23T12:00:00Z", "Nov 24"],
    ["weekly", "2026-11-23T12:00:00Z", "Nov 30"],
    ["monthly", "2026-11-23T12:00:00Z", "Dec 1"],
    ["monthly", "2027-01-31T23:59:59Z", "Feb 1"],
    ["weekly", "2026-12-31T00:00:00Z", "Jan 4"],
  ] as const)("of a %s limit on %s names %s", (period, at, day) => {
    const error = reached({ cents: "9", amount: 9, period, at: Date.parse(at) });
    expect(error.message).toBe(`spend limit reached · resets ${day}`);
    expect(error.headers[`${prefix}overage-period`]).toBe(period);
  });

  test("of a limit of nothing names no day, since nothing comes back then", () => {
    const error = reached({ cents: "250", amount: 0, period: "daily" });
    expect(error.message).toBe("spend limit reached");
    expect(error.headers[`${prefix}reset`]).toBe(String(Date.parse("2026-11-24T00:00:00Z") / 1000));
  });

  test("of a pool says so, whatever it amounts to", () => {
    for (const amount of [55, 0]) {
      const told = { cents: "55", amount, source: "group_pool", group: "eng" } as const;
      const text =
        "This request exceeds your group's budget. Ask your organization's admins to raise it, or try again after it resets on December 1 at 00:00 UTC";
      expect(reached(told, "ask").message).toBe(`${text} · ask`);
      const error = reached(told);
      expect(error.message).toBe(`${text}.`);
      const names = Object.keys(error.headers);
      expect(names.slice(5, 8)).toEqual([
        `${prefix}overage-period`,
        `${prefix}overage-scope`,
        `${prefix}overage-disabled-reason`,
      ]);
      expect(error.headers[`${prefix}overage-scope`]).toBe("group_pool");
    }
  });

  test("of a session tells what to do", () => {
    const error = reached({ cents: "5", amount: 5, period: "daily", source: "session" });
    expect(error.message).toBe(
      "this session's spend limit is reached · start a new session to go on",
    );
    expect(error.headers).not.toHaveProperty(`${prefix}overage-scope`);
  });

  test("counts the seconds to the end of the period, part of one as a whole one", () => {
    const after = (now: string) =>
      reached({ cents: "9", amount: 9, period: "daily" }, undefined, Date.parse(now)).headers[
        "retry-after"
      ];
    expect(after("2026-11-23T23:59:59Z")).toBe("1");
    expect(after("2026-11-23T23:59:58.001Z")).toBe("2");
    expect(after("2026-11-24T00:00:00Z")).toBe("0");
    expect(after("2026-11-24T00:00:01Z")).toBe("0");
  });
});

describe("the operator's own words", () => {
  const refusals = (blockedMessage?: string) => [
    reached({ cents: "9", amount: 9 }, blockedMessage).message,
    reached({ cents: "9", amount: 0 }, blockedMessage).message,
    limitUnavailable(blockedMessage).message,
  ];

  test.each(["ask finops", " ", "a\nb\tc", " \0 ", "x".repeat(3000)])(
    "end every refusal as they are: %j",
    (words) => {
      expect(refusals(words)).toEqual([
        `spend limit reached · resets Dec 1 · ${words}`,
        `spend limit reached · ${words}`,
        `spend limit unavailable · ${words}`,
      ]);
      expect(limitSpokenFor(words).message).toEndWith(` · ${words}`);
    },
  );

  test.each([undefined, ""])("are left out where there are none: %j", (words) => {
    expect(refusals(words)).toEqual([
      "spend limit reached · resets Dec 1",
      "spend limit reached",
      "spend limit unavailable",
    ]);
    expect(limitSpokenFor(words).message).not.toEndWith(" · ");
  });
});

test("while caps cannot be read the refusal says no more than that", () => {
  const error = limitUnavailable(undefined);
  expect([error.status, error.type, Object.entries(error.headers)]).toEqual([
    429,
    "billing_error",
    [
      [`${prefix}overage-disabled-reason`, "fetch_error"],
      ["x-should-retry", "false"],
    ],
  ]);
});

test("a refusal for the sake of others under way may be sent again, soon", () => {
  const error = limitSpokenFor(undefined);
  expect([error.status, error.type, error.headers]).toEqual([
    429,
    "rate_limit_error",
    { "retry-after": "5", "x-should-retry": "true" },
  ]);
});

test("an audit event has whole cents", () => {
  expect(centsText(9007199254740993n * cent)).toBe("9007199254740993");
});
