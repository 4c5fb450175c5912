// Days, weeks and months, against a calendar that knows nothing of `Date`: it counts one day after the other by the lengths of
// months, and gives each week to the year that most of its days lie in, which is how ISO 8601 defines it.
import { afterEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { periodNames, type Periods, periodsAt } from "../../src/spend/periods.ts";

const dayMs = 86_400_000;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A day, a week or a month. */
type Span = { key: string; startsAt: number; endsAt: number };

const isLeap = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
const twoDigits = (value: number) => String(value).padStart(2, "0");

/** Spans that follow each other without a gap from 1970-01-01 on, as long as told. */
function inARow(lengths: readonly { key: string; days: number }[], startsAt = 0): Span[] {
  let at = startsAt;
  return lengths.map(({ key, days }) => ({ key, startsAt: at, endsAt: (at += days * dayMs) }));
}

const years = Array.from({ length: 2100 - 1970 + 1 }, (_, index) => 1970 + index);
const monthLengths = years.flatMap((year) =>
  monthDays.map((days, index) => ({
    key: `${year}-${twoDigits(index + 1)}`,
    days: index === 1 && isLeap(year) ? 29 : days,
  })),
);
const dayKeys = monthLengths.flatMap(({ key, days }) =>
  Array.from({ length: days }, (_, index) => `${key}-${twoDigits(index + 1)}`),
);

/** 1970-01-01 was a Thursday: the week around it began three days before. */
function weekKeys(): string[] {
  const counts = new Map<string, number>();
  const keys: string[] = [];
  for (let thursday = 0; thursday < dayKeys.length; thursday += 7) {
    const year = mostOf(dayKeys.slice(Math.max(0, thursday - 3), thursday + 4));
    const week = (counts.get(year) ?? 0) + 1;
    counts.set(year, week);
    keys.push(`${year}-W${twoDigits(week)}`);
  }
  return keys;
}

/** The year that most of these days lie in. */
function mostOf(days: readonly string[]): string {
  const [first = "", last = ""] = [days[0]?.slice(0, 4), days.at(-1)?.slice(0, 4)];
  return days.filter((day) => day.startsWith(first)).length * 2 > days.length ? first : last;
}

const calendar: Record<keyof Periods, Span[]> = {
  daily: inARow(dayKeys.map((key) => ({ key, days: 1 }))),
  weekly: inARow(
    weekKeys().map((key) => ({ key, days: 7 })),
    -3 * dayMs,
  ),
  monthly: inARow(monthLengths),
};

test.each([...periodNames])(
  "every %s period from 1970 to 2100 has its name and its end, from its first millisecond to its last",
  (name) => {
    const wrong = calendar[name].flatMap(({ key, startsAt, endsAt }) =>
      [startsAt, startsAt + 1, (startsAt + endsAt) / 2, endsAt - 1].filter((at) => {
        const period = periodsAt(at)[name];
        return period.key !== key || period.endsAt !== endsAt;
      }),
    );
    expect(wrong.map((at) => new Date(at).toISOString())).toEqual([]);
  },
);

test("the periods of one instant are those that it lies in", () => {
  const last = calendar.daily.at(-1)?.endsAt ?? 0;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: last - 1 }), (at) => {
      const periods = periodsAt(at);
      for (const name of periodNames) {
        const { key, endsAt } = periods[name];
        expect(endsAt).toBeGreaterThan(at);
        expect(periodsAt(endsAt - 1)[name].key).toBe(key);
        expect(periodsAt(endsAt)[name].key > key).toBe(true);
      }
    }),
  );
});

describe("a week belongs to one year, whole", () => {
  test.each([
    ["2020-12-31", "2020-W53"],
    ["2021-01-03", "2020-W53"],
    ["2021-01-04", "2021-W01"],
    ["2024-12-29", "2024-W52"],
    ["2024-12-30", "2025-W01"],
    ["2026-11-22", "2026-W47"],
    ["2026-11-23", "2026-W48"],
    ["2026-12-31", "2026-W53"],
    ["2028-01-01", "2027-W52"],
  ])("%s is in %s", (day, week) => {
    expect(periodsAt(Date.parse(`${day}T12:00:00Z`)).weekly.key).toBe(week);
  });
});

describe("periods end in UTC", () => {
  const zone = process.env.TZ;
  afterEach(() => {
    process.env.TZ = zone ?? "UTC";
  });

  test.each(["Pacific/Kiritimati", "Pacific/Pago_Pago"])("on a machine in %s, too", (place) => {
    process.env.TZ = place;
    const lastOfYear = Date.parse("2026-12-31T23:59:59.999Z");
    expect(new Date(lastOfYear).getTimezoneOffset()).not.toBe(0);
    expect(periodsAt(lastOfYear)).toEqual({
      daily: { key: "2026-12-31", endsAt: lastOfYear + 1 },
      weekly: { key: "2026-W53", endsAt: Date.parse("2027-01-04T00:00:00Z") },
      monthly: { key: "2026-12", endsAt: lastOfYear + 1 },
    });
    expect(periodsAt(lastOfYear + 1)).toMatchObject({
      daily: { key: "2027-01-01" },
      weekly: { key: "2026-W53" },
      monthly: { key: "2027-01", endsAt: Date.parse("2027-02-01T00:00:00Z") },
    });
    // A Thursday, by which the year of its week goes.
    expect(periodsAt(Date.parse("2026-01-01T00:00:00Z")).weekly.key).toBe("2026-W01");
  });
});

test("a leap day is a day of its own", () => {
  expect(periodsAt(Date.parse("2028-02-29T12:00:00Z"))).toMatchObject({
    daily: { key: "2028-02-29", endsAt: Date.parse("2028-03-01T00:00:00Z") },
    monthly: { key: "2028-02", endsAt: Date.parse("2028-03-01T00:00:00Z") },
  });
});
