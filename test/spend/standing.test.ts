// How full a limit is, which of several is told of, and how that is rounded. The numbers in tables are measured at the reference.
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { createAccounts } from "../../src/spend/accounts.ts";
import { cent, moneyOf } from "../../src/spend/money.ts";
import { periodNames, periodsAt } from "../../src/spend/periods.ts";
import {
  isAbove,
  isSpokenFor,
  isUsedUp,
  lastToReset,
  type Standing,
  standingOf,
  toTell,
  utilization,
} from "../../src/spend/standing.ts";

/** A day on which a month, a week and a day have all different ends. */
const monday = periodsAt(Date.parse("2026-11-23T12:00:00Z"));
/** A day on which a month ends before its week. */
const lastOfNovember = periodsAt(Date.parse("2026-11-30T12:00:00Z"));
/** A day on which a month, a week and a day end together. */
const sunday31st = periodsAt(Date.parse("2027-01-31T12:00:00Z"));

function standing(
  cents: string,
  amount: number | string,
  period: Standing["period"] = "monthly",
  periods = monday,
): Standing {
  const account = createAccounts().of({ kind: "principal", principal: "ada" });
  account.read(periods[period].key, moneyOf(cents));
  const limit = { source: "organization", amount: BigInt(amount) * cent, period } as const;
  return standingOf(account, limit, periods[period]);
}

test("a standing is of the account's sum in the period, and says when that ends", () => {
  const account = createAccounts().of({ kind: "group", group: "eng" });
  account.read(monday.monthly.key, 5n);
  account.read(monday.daily.key, 4n);
  const limit = { source: "group_pool", amount: 9n, group: "eng", period: "monthly" } as const;
  expect(standingOf(account, limit, monday.monthly)).toEqual({
    source: "group_pool",
    amount: 9n,
    group: "eng",
    period: "monthly",
    spent: 5n,
    resetsAt: Date.parse("2026-12-01T00:00:00Z"),
    account,
  });
});

describe("a limit", () => {
  test.each([
    ["99.999999999999999999999999", 100, false],
    ["100", 100, true],
    ["101", 100, true],
    ["0", 0, true],
    ["-0.1", 0, false],
    ["-5", 100, false],
  ])("of which %s cents are spent out of %i is used up: %p", (cents, amount, expected) => {
    expect(isUsedUp(standing(cents, amount))).toBe(expected);
  });

  test("is spoken for when what is held, too, leaves nothing of it", () => {
    const accounts = createAccounts();
    const account = accounts.of({ kind: "principal", principal: "ada" });
    account.read(monday.monthly.key, 60n);
    const limit = { source: "user", amount: 100n, period: "monthly" } as const;
    const now = () => isSpokenFor(standingOf(account, limit, monday.monthly));
    expect(now()).toBe(false);
    const hold = accounts.hold([account], 39n);
    expect(now()).toBe(false);
    accounts.hold([account], 1n);
    expect(now()).toBe(true);
    hold.release();
    expect(now()).toBe(false);
  });
});

describe("of several limits", () => {
  test("the fullest is told of, by what is not rounded", () => {
    const fuller = standing("504", 1000, "daily");
    expect(toTell([standing("501", 1000), fuller, standing("5000", 10_000, "weekly")])).toBe(
      fuller,
    );
  });

  test("of equally full ones that of the longest period is told of, whichever resets first", () => {
    const [daily, weekly, monthly] = periodNames.map((name, index) =>
      standing(String(50 * (index + 1)), 100 * (index + 1), name, lastOfNovember),
    );
    if (daily === undefined || weekly === undefined || monthly === undefined) throw new Error();
    expect(toTell([daily, monthly, weekly])).toBe(monthly);
    expect(toTell([weekly, daily])).toBe(weekly);
  });

  test("one of nothing is full, whatever is spent", () => {
    const zero = standing("-5", 0, "daily");
    expect(toTell([standing("99", 100), zero])).toBe(zero);
  });

  test("of those that are used up the last to reset is told of, however full", () => {
    const weekly = standing("100", 100, "weekly", lastOfNovember);
    const monthly = standing("500", 100, "monthly", lastOfNovember);
    const daily = standing("0", 0, "daily", lastOfNovember);
    expect(toTell([daily, monthly, weekly])).toBe(weekly);
    expect(lastToReset([daily, monthly])).toBe(monthly);
  });

  test("of those that are used up and reset together that of the longest period is told of", () => {
    const [daily, weekly, monthly] = periodNames.map((name, index) =>
      standing("900", 300 * (index + 1), name, sunday31st),
    );
    if (daily === undefined || weekly === undefined || monthly === undefined) throw new Error();
    expect(toTell([monthly, daily, weekly])).toBe(monthly);
    expect(lastToReset([daily, weekly])).toBe(weekly);
  });

  test("one that is used up is told of before all that are not", () => {
    const daily = standing("10", 10, "daily");
    expect(toTell([standing("999", 1000), daily])).toBe(daily);
  });

  test("none is told of where there are none", () => {
    expect(toTell([])).toBe(undefined);
    expect(lastToReset([])).toBe(undefined);
  });
});

describe("utilization", () => {
  test.each([
    ["0", 1000, 0],
    ["4.999", 1000, 0],
    ["5", 1000, 1],
    ["15", 1000, 2],
    ["745", 1000, 75],
    ["995", 1000, 100],
    ["1004.9", 1000, 100],
    ["1014.9", 1000, 101],
    ["1200", 1000, 120],
    ["9999", 1000, 1000],
    ["0.000000001", 1000, 0],
    ["-1", 1000, 0],
    ["-6", 1000, -1],
    ["-500", 1000, -50],
    ["-2000", 1000, -200],
    ["0", 0, 100],
    ["250", 0, 100],
    ["-5", 0, 100],
    ["9007199254740992", "9007199254740993", 100],
  ])("of %s cents out of %s is %i hundredths", (cents, amount, expected) => {
    expect(Number(utilization(standing(cents, amount), 100n))).toBe(expected);
  });

  test("is rounded half up, where the reference's floating point falls short of the half", () => {
    expect(Number(utilization(standing("1005", 1000), 100n))).toBe(101);
    expect(Number(utilization(standing("-5", 1000), 100n))).toBe(0);
  });

  test("is what JavaScript rounds to, whenever floating point is exact", () => {
    // Out of powers of two, so that no quotient is rounded before it is.
    const spent = fc.integer({ min: -5_000_000, max: 5_000_000 });
    fc.assert(
      fc.property(spent, fc.integer({ min: 0, max: 16 }), (cents, exponent) => {
        const shown = Number(utilization(standing(String(cents), 2 ** exponent), 100n));
        expect(shown).toBe(Math.round((100 * cents) / 2 ** exponent) + 0);
      }),
    );
  });
});

describe("more than a share of it is spent", () => {
  test.each([
    ["750", 1000, 75n, false],
    ["750.000001", 1000, 75n, true],
    ["950", 1000, 95n, false],
    ["950.000000000000000000000001", 1000, 95n, true],
    ["-1", 0, 95n, true],
    ["0", 0, 95n, true],
    ["-1", 1000, 0n, false],
  ])("when %s of %i are, and the share is %i %%: %p", (cents, amount, percent, expected) => {
    expect(isAbove(standing(cents, amount), percent)).toBe(expected);
  });
});
