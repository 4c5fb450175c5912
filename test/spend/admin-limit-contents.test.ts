// What a request makes of a cap and its pool, given what is stored.
import { describe, expect, test } from "bun:test";
import { contentsAfter } from "../../src/spend/admin/limit-contents.ts";
import { readLimitRequest } from "../../src/spend/admin/limit-request.ts";
import type { LimitRow } from "../../src/store/limits.ts";

type Pool = { amount?: string | null; paused?: boolean | null } | null;
type Stored = [amount: string | null, pool: string | null, isActive: boolean];

const stored = ([amount, pool, isActive]: Stored, scope = monthlyGroup): LimitRow => ({
  ...scope,
  id: "spl_1",
  currency: "USD",
  amount,
  pooled_limit_enabled: isActive,
  pooled_monthly_credit_limit: pool,
  created_at: new Date(0),
  updated_at: new Date(0),
  pool_cents: null,
});
const monthlyGroup = { scope_type: "rbac_group", scope_id: "eng", period: "monthly" };

/** Amount, the pool's amount and whether it pays, after a request for a group's monthly cap. */
function after(before: Stored | undefined, pooled_budget?: Pool, amount?: string | null): Stored {
  const body = { scope: { type: "rbac_group", rbac_group_id: "eng" }, amount, pooled_budget };
  const request = readLimitRequest(JSON.stringify(body));
  const cap = contentsAfter(request, before && stored(before));
  expect(cap).toMatchObject(monthlyGroup);
  return [cap.amount, cap.pooled_monthly_credit_limit, cap.pooled_limit_enabled];
}

const none: Stored = ["100", null, false];
const active: Stored = ["100", "50", true];
const paused: Stored = ["100", "50", false];

const steps: [string, Stored | undefined, Pool | undefined, string | null | undefined, Stored][] = [
  ["a new cap has no pool unless asked", undefined, undefined, "7", ["7", null, false]],
  ["a pool pays unless told to pause", undefined, { amount: "5" }, "7", ["7", "5", true]],
  ["a pool may begin paused", undefined, { amount: "5", paused: true }, "7", ["7", "5", false]],
  [
    "a paused pool may lack the members' amount",
    undefined,
    { amount: "5", paused: true },
    null,
    [null, "5", false],
  ],
  ["both amounts may be nothing at all", undefined, { amount: "0" }, "0", ["0", "0", true]],
  ["a pause of no pool stores nothing", undefined, { paused: true }, "7", ["7", null, false]],
  ["a pool stays when it is not named", active, undefined, "7", ["7", "50", true]],
  ["a pool stays when it is null", active, null, "7", ["7", "50", true]],
  ["a pool stays when it is empty", active, {}, "7", ["7", "50", true]],
  ["a paused pool stays paused", paused, undefined, "7", ["7", "50", false]],
  [
    "a paused pool stays paused with another amount",
    paused,
    { amount: "70" },
    "7",
    ["7", "70", false],
  ],
  [
    "the amount stays when only the pool is named",
    active,
    { amount: "70" },
    undefined,
    ["100", "70", true],
  ],
  ["no limit stays no limit", [null, "50", false], { amount: "5" }, undefined, [null, "5", false]],
  ["a pause keeps the amount", active, { paused: true }, undefined, paused],
  ["a pause may come with no limit", active, { paused: true }, null, [null, "50", false]],
  ["a paused pool goes on", paused, { paused: false }, undefined, active],
  ["a null pause is none", active, { paused: null }, undefined, active],
  [
    "a pool is removed by a pause without amount",
    active,
    { amount: null, paused: true },
    undefined,
    none,
  ],
  ["a paused pool is removed by no amount", paused, { amount: null }, undefined, none],
  ["no pool stays none", none, { amount: null }, undefined, none],
  ["a pool may come later", none, { amount: "50" }, undefined, active],
];
describe("of a group's monthly cap", () => {
  test.each(steps)("%s", (_name, before, pool, amount, expected) => {
    expect(after(before, pool, amount)).toEqual(expected);
  });

  const needsPoolAmount =
    "A pooled budget that isn't paused needs an amount. Set pooled_budget.amount, or set pooled_budget.paused to true.";
  const needsAmount =
    "A pooled budget that isn't paused needs amount (each member's own limit) on the same spend limit. Set amount; it may equal pooled_budget.amount.";
  const needsLimit =
    "This spend limit doesn't exist yet, so it needs amount (each member's own limit). Set amount; it may equal pooled_budget.amount.";
  const refused: [
    string,
    Stored | undefined,
    Pool | undefined,
    string | null | undefined,
    string,
  ][] = [
    ["a pool that is not there cannot go on", none, { paused: false }, undefined, needsPoolAmount],
    ["a new one cannot go on either", undefined, { paused: false }, "7", needsPoolAmount],
    ["an active pool cannot lose its amount", active, { amount: null }, undefined, needsPoolAmount],
    [
      "a pool cannot lose its amount as it goes on",
      paused,
      { amount: null, paused: false },
      undefined,
      needsPoolAmount,
    ],
    ["members of an active pool need an amount", active, undefined, null, needsAmount],
    ["members of a new pool need an amount", undefined, { amount: "5" }, null, needsAmount],
    [
      "a pool cannot go on without the members' amount",
      [null, "50", false],
      { paused: false },
      undefined,
      needsAmount,
    ],
    ["a new cap needs an amount", undefined, { amount: "5" }, undefined, needsLimit],
    ["a new cap needs an amount beside an empty pool", undefined, {}, undefined, needsLimit],
  ];
  test.each(refused)("%s", (_name, before, pool, amount, message) => {
    expect(() => after(before, pool, amount)).toThrow(
      expect.objectContaining({ type: "invalid_request_error", message }),
    );
  });
});

test("of any other cap nothing but the amount is set, or kept with an empty pool", () => {
  const daily = { ...monthlyGroup, period: "daily" };
  const person = { scope_type: "user", scope_id: "ada", period: "monthly" };
  for (const [scope, given] of [
    [daily, { type: "rbac_group", rbac_group_id: "eng" }],
    [person, { type: "user", user_id: "ada" }],
  ] as const) {
    for (const amount of ["7", undefined]) {
      const body = { scope: given, period: scope.period, amount, pooled_budget: { paused: true } };
      const cap = contentsAfter(readLimitRequest(JSON.stringify(body)), stored(none, scope));
      expect(cap).toEqual({
        ...scope,
        amount: amount ?? "100",
        pooled_limit_enabled: false,
        pooled_monthly_credit_limit: null,
      });
    }
  }
});
