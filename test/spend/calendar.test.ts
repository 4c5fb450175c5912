// The periods of this moment, remembered while their day lasts.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { createCalendar, periodsAt } from "../../src/spend/periods.ts";

const midnight = Date.parse("2026-12-01T00:00:00Z");
const dayMs = 86_400_000;

test("a calendar tells the periods of each moment, in whichever order the clock shows them", () => {
  // Many around midnight, and some a year away.
  const moment = fc.oneof(
    fc.integer({ min: midnight - 2, max: midnight + 2 }),
    fc.integer({ min: midnight - 3 * dayMs, max: midnight + 3 * dayMs }),
    fc.integer({ min: midnight - 400 * dayMs, max: midnight + 400 * dayMs }),
  );
  fc.assert(
    fc.property(fc.array(moment, { minLength: 1, maxLength: 30 }), (moments) => {
      let at = 0;
      const calendar = createCalendar(() => at);
      for (at of moments) expect(calendar()).toEqual(periodsAt(at));
    }),
  );
});

test("it works them out once a day", () => {
  let at = midnight;
  const calendar = createCalendar(() => at);
  const first = calendar();
  at = midnight + dayMs - 1;
  expect(calendar()).toBe(first);
  at = midnight + dayMs;
  expect(calendar()).not.toBe(first);
});
