// Every limit that bears on a request, out of what is known of caps and sums.
import { describe, expect, test } from "bun:test";
import { createAccounts } from "../../src/spend/accounts.ts";
import type { GroupLimitMode, Person } from "../../src/spend/caps.ts";
import { createKnownCaps } from "../../src/spend/known-caps.ts";
import { cent } from "../../src/spend/money.ts";
import { periodsAt } from "../../src/spend/periods.ts";
import type { Standing } from "../../src/spend/standing.ts";
import { createStandings } from "../../src/spend/standings.ts";
import type { CapRow } from "../../src/store/standings.ts";
import { cap, day, month, noon, week } from "./core-scene.ts";

const periods = periodsAt(Date.parse(noon));
const ada: Person = { sub: "ada", groups: ["eng", "ops"] };

function known(rows: readonly CapRow[], groupLimitMode: GroupLimitMode = "min") {
  const accounts = createAccounts();
  const caps = createKnownCaps();
  const standingsOf = createStandings({ accounts, caps, groupLimitMode });
  const read = (found: readonly CapRow[]) =>
    caps.read({ principals: ["ada", "bob"], groups: ["eng", "ops", "hr", "a", "b"] }, found);
  read(rows);
  return {
    accounts,
    read,
    of: (person = ada, sessionId?: string, at = periods) => standingsOf(person, sessionId, at),
  };
}

const told = (standings: readonly Standing[]) =>
  standings.map(({ source, period, amount, group }) =>
    [source, period, amount / cent, group].filter((part) => part !== undefined).join(" "),
  );

describe("a person's own limits", () => {
  test("are none without caps, and the account is there all the same", () => {
    const { own, session, ofSession, pools, account } = known([]).of(ada, "s1");
    expect([own, ofSession, pools, session]).toEqual([[], [], [], undefined]);
    expect(account.rowOf(month)).toEqual({ kind: "principal", principal: "ada", period: month });
  });

  test("are of each period the one that applies, daily, weekly, monthly", () => {
    const rows = [
      cap("organization", 1),
      cap("organization", 2, "daily"),
      cap("organization", 3, "weekly"),
      cap("rbac_group:eng", 40),
      cap("rbac_group:ops", 30),
      cap("user:ada", 50, "daily"),
    ];
    expect(told(known(rows).of().own)).toEqual([
      "user daily 50",
      "organization weekly 3",
      "rbac_group monthly 30",
    ]);
    expect(told(known(rows, "max").of().own)).toContain("rbac_group monthly 40");
    expect(told(known(rows).of({ sub: "bob", groups: [] }).own)).toEqual([
      "organization daily 2",
      "organization weekly 3",
      "organization monthly 1",
    ]);
  });

  test("leave out a period without a limit, with what others would have set for it", () => {
    const rows = [cap("organization", 1), cap("organization", 2, "daily"), cap("user:ada", null)];
    expect(told(known(rows).of().own)).toEqual(["organization daily 2"]);
  });

  test("are measured by the sum of each period", () => {
    const { accounts, of } = known([cap("organization", 9), cap("organization", 5, "daily")]);
    const account = accounts.of({ kind: "principal", principal: "ada" });
    account.read(day, 2n);
    account.read(week, 3n);
    account.read(month, 4n);
    expect(of().own.map(({ spent }) => spent)).toEqual([2n, 4n]);
    const tomorrow = periodsAt(Date.parse("2026-11-24T00:00:00Z"));
    expect(of(ada, undefined, tomorrow).own.map(({ spent }) => spent)).toEqual([0n, 4n]);
  });
});

describe("the limits of a session", () => {
  const rows = [cap("session", 5, "daily"), cap("session", 7), cap("session", null, "weekly")];

  test("are those on sessions, for each session of each person alone", () => {
    const { accounts, of } = known(rows);
    accounts.of({ kind: "session", principal: "ada", sessionId: "s1" }).settle(day, 3n);
    const mine = of(ada, "s1");
    expect(told(mine.ofSession).toSorted()).toEqual(["session daily 5", "session monthly 7"]);
    expect(mine.ofSession.map(({ period, spent }) => `${period} ${spent}`).toSorted()).toEqual([
      "daily 3",
      "monthly 0",
    ]);
    expect(mine.session?.spentIn(day)).toBe(3n);
    expect(of(ada, "s2").session?.spentIn(day)).toBe(0n);
    expect(of({ sub: "bob", groups: [] }, "s1").session?.spentIn(day)).toBe(0n);
  });

  test("are none for a request that names no session, or while there is no limit on sessions", () => {
    expect(known(rows).of(ada, undefined)).toMatchObject({ session: undefined, ofSession: [] });
    expect(known([cap("session", null)]).of(ada, "s1")).toMatchObject({
      session: undefined,
      ofSession: [],
    });
  });
});

describe("pools", () => {
  const pooled = (group: string, amount: number, paused = false) =>
    cap(`rbac_group:${group}`, 1, "monthly", { amount, paused });

  test("are those of the person's groups that are not paused, the largest first", () => {
    const rows = [pooled("eng", 50), pooled("ops", 55), pooled("hr", 99)];
    expect(told(known(rows).of().pools)).toEqual([
      "group_pool monthly 55 ops",
      "group_pool monthly 50 eng",
    ]);
    const paused = [pooled("eng", 50), pooled("ops", 55, true)];
    expect(told(known(paused).of().pools)).toEqual(["group_pool monthly 50 eng"]);
  });

  test("of the same amount come by the name of the group, in UTF-16 code units", () => {
    const names = ["z", "é", "a", "B", "10", "9", "😀", "\uff5e"];
    const { standingsOf } = (() => {
      const caps = createKnownCaps();
      caps.read(
        { principals: [], groups: names },
        names.map((name) => pooled(name, 5)),
      );
      return {
        standingsOf: createStandings({ accounts: createAccounts(), caps, groupLimitMode: "min" }),
      };
    })();
    const { pools } = standingsOf({ sub: "ada", groups: names }, undefined, periods);
    expect(pools.map(({ group }) => group)).toEqual("10 9 B a z é 😀 \uff5e".split(" "));
  });

  test("bear on people whose own cap is larger, or who have no limit", () => {
    const rows = [pooled("eng", 50), cap("user:ada", null)];
    expect(told(known(rows).of().pools)).toEqual(["group_pool monthly 50 eng"]);
    expect(known(rows).of().own).toEqual([]);
  });

  test("are measured by what the group has spent in the month", () => {
    const { accounts, of } = known([pooled("eng", 50)]);
    accounts.of({ kind: "group", group: "eng" }).read(month, 4n);
    accounts.of({ kind: "principal", principal: "ada" }).read(month, 9n);
    expect(of().pools.map(({ spent }) => spent)).toEqual([4n]);
  });
});

test("a changed cap holds for whoever was asked about before", () => {
  const { read, of } = known([cap("organization", 1)]);
  expect(told(of().own)).toEqual(["organization monthly 1"]);
  read([cap("organization", 2), cap("rbac_group:eng", null, "monthly", { amount: 3 })]);
  expect(told(of().own)).toEqual([]);
  expect(told(of().pools)).toEqual(["group_pool monthly 3 eng"]);
  read([]);
  expect([of().own, of().pools]).toEqual([[], []]);
});
