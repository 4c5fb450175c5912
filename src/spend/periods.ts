// The periods that caps are for: days, weeks from Monday and months, all in UTC. How a period is called in the database, when it
// ends, and nothing else.

export const periodNames = ["daily", "weekly", "monthly"] as const;
export type PeriodName = (typeof periodNames)[number];

/** One period of each kind. */
export type Periods = Readonly<Record<PeriodName, Period>>;

export type Period = {
  /** As the tables name it: `2026-11-22`, `2026-W47` (ISO 8601 week) or `2026-11`. */
  readonly key: string;
  /** When the next one begins, in milliseconds since the epoch. */
  readonly endsAt: number;
};

const dayMs = 86_400_000;

/** The periods that an instant lies in. @param at milliseconds since the epoch */
export function periodsAt(at: number): Periods {
  const date = new Date(at);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth();
  const midnight = Date.UTC(year, month, date.getUTCDate());
  const monday = midnight - ((date.getUTCDay() + 6) % 7) * dayMs;
  const day = new Date(midnight).toISOString().slice(0, 10);
  return {
    daily: { key: day, endsAt: midnight + dayMs },
    weekly: { key: weekKey(monday), endsAt: monday + 7 * dayMs },
    monthly: { key: day.slice(0, 7), endsAt: Date.UTC(year, month + 1, 1) },
  };
}

/** The periods of each moment that it is asked in. Remembered for the day: each request asks several times. */
export function createCalendar(now: () => number): () => Periods {
  let today: Periods | undefined;
  return () => {
    const at = now();
    const endsAt = today?.daily.endsAt ?? -Infinity;
    if (today === undefined || at >= endsAt || at < endsAt - dayMs) today = periodsAt(at);
    return today;
  };
}

/** A week belongs to the year that its Thursday lies in (ISO 8601). */
function weekKey(monday: number): string {
  const thursday = monday + 3 * dayMs;
  const year = new Date(thursday).getUTCFullYear();
  const week = Math.floor((thursday - Date.UTC(year, 0, 1)) / (7 * dayMs)) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}
