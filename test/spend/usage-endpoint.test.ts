// GET /api/oauth/usage: what the client shows somebody of their own spend. The numbers in tables are measured at the reference.
import { describe, expect, test } from "bun:test";
import { cent, moneyOf } from "../../src/spend/money.ts";
import type { PeriodName } from "../../src/spend/periods.ts";
import { createUsageEndpoint } from "../../src/spend/usage-endpoint.ts";
import type { CapRow } from "../../src/store/standings.ts";
import { ada, cap, type Core, day, month, openCore, week } from "./core-scene.ts";

const keys: Record<PeriodName, string> = { daily: day, weekly: week, monthly: month };

function coreWith(caps: readonly CapRow[], spent: Partial<Record<PeriodName, string>> = {}): Core {
  const core = openCore();
  core.database.caps = [...caps];
  for (const [name, cents] of Object.entries(spent))
    core.database.add(
      { kind: "principal", principal: "ada", period: keys[name as PeriodName] },
      moneyOf(cents),
    );
  return core;
}

async function answerOf(core: Core): Promise<Response> {
  const { spend, periods } = core;
  type Incoming = Parameters<ReturnType<typeof createUsageEndpoint>>[0];
  return createUsageEndpoint(spend, { periods })({} as Incoming, ada);
}

const usage = async (caps: readonly CapRow[], spent?: Partial<Record<PeriodName, string>>) =>
  (await (await answerOf(coreWith(caps, spent))).json()) as any;

describe("somebody without a limit", () => {
  test("is told of what they spent in each period", async () => {
    expect(await usage([], { daily: "1.5", weekly: "20", monthly: "300.99" })).toEqual({
      extra_usage: {
        is_enabled: true,
        monthly_limit: null,
        used_credits: 300,
        utilization: null,
        currency: "USD",
        daily: { limit: null, used_credits: 1, utilization: null },
        weekly: { limit: null, used_credits: 20, utilization: null },
      },
      limits: [],
    });
  });

  test("is somebody who was set free of one, too", async () => {
    const { extra_usage, limits } = await usage([cap("organization", 5), cap("user:ada", null)]);
    expect([extra_usage.monthly_limit, limits]).toEqual([null, []]);
  });
});

describe("somebody with limits", () => {
  test("is told of each, and in dollars of the one that the headers tell of", async () => {
    const caps = [cap("organization", 1000), cap("organization", 500, "daily")];
    expect(await usage(caps, { daily: "300", monthly: "310" })).toEqual({
      extra_usage: {
        is_enabled: true,
        monthly_limit: 500,
        used_credits: 300,
        utilization: 60,
        currency: "USD",
      },
      limits: [
        {
          kind: "spend",
          group: "daily",
          percent: 60,
          resets_at: "2026-11-24T00:00:00.000Z",
          severity: "normal",
          is_active: true,
        },
        {
          kind: "spend",
          group: "monthly",
          percent: 31,
          resets_at: "2026-12-01T00:00:00.000Z",
          severity: "normal",
          is_active: false,
        },
      ],
    });
  });

  test("is told of the last to reset of those that are used up, however full", async () => {
    const caps = [cap("organization", 100), cap("organization", 100, "daily")];
    const { limits, extra_usage } = await usage(caps, { daily: "900", monthly: "100" });
    expect(limits.map((limit: any) => limit.is_active)).toEqual([false, true]);
    expect([extra_usage.monthly_limit, extra_usage.utilization]).toEqual([100, 100]);
  });

  test.each([
    ["0.999", 1000, 0],
    ["99.99", 1000, 99],
    ["999.9999999", 1000, 999],
    ["-0.5", 1000, -1],
    ["-2", 1000, -2],
    ["1000000000000000000000", 1000, 1e21],
  ])("is told of %s cents rounded down", async (monthly, amount, expected) => {
    const { extra_usage } = await usage([cap("organization", amount)], { monthly });
    expect(extra_usage.used_credits).toBe(expected);
  });

  test.each([
    ["0", 1000, 0, "normal"],
    ["750", 1000, 75, "normal"],
    ["750.01", 1000, 75, "warning"],
    ["950", 1000, 95, "warning"],
    ["950.1", 1000, 95, "critical"],
    ["995", 1000, 99, "critical"],
    ["999.999", 1000, 99, "critical"],
    ["1000", 1000, 100, "critical"],
    ["2500", 1000, 250, "critical"],
    ["-6", 1000, -1, "normal"],
    ["-1", 1000, 0, "normal"],
    ["0", 0, 100, "critical"],
    ["-5", 0, 99, "critical"],
  ])("%s cents of %i are %i percent, which is %s", async (monthly, amount, percent, severity) => {
    const { extra_usage, limits } = await usage([cap("organization", amount)], { monthly });
    expect([limits[0].percent, limits[0].severity]).toEqual([percent, severity]);
    expect(extra_usage.utilization).toBe(percent);
  });

  test("is not told of pools, however full, nor of sessions", async () => {
    const caps = [cap("rbac_group:eng", 1000, "monthly", { amount: 0 }), cap("session", 0)];
    const { extra_usage, limits } = await usage(caps, { monthly: "10" });
    expect(limits).toHaveLength(1);
    expect([extra_usage.monthly_limit, limits[0].severity]).toEqual([1000, "normal"]);
  });
});

test("what was settled here counts before it is written, and what is changed elsewhere at once", async () => {
  const core = coreWith([]);
  const read = async () => ((await (await answerOf(core)).json()) as any).extra_usage;
  core.ledger.add({
    rows: [{ kind: "principal", principal: "ada", period: month }],
    cost: 7n * cent,
    day,
  });
  expect(await read()).toMatchObject({ used_credits: 7, monthly_limit: null });
  core.database.caps = [cap("organization", 10)];
  core.database.add({ kind: "principal", principal: "ada", period: month }, cent);
  expect(await read()).toMatchObject({ used_credits: 8, monthly_limit: 10 });
});

test("no cache keeps it", async () => {
  expect((await answerOf(coreWith([]))).headers.get("cache-control")).toBe("no-store");
});

test("while the database is away it is a 503 in plain text, which no cache keeps either", async () => {
  const core = openCore({ onStatement: (statement) => statement.fail() });
  const response = await answerOf(core);
  expect([response.status, await response.text()]).toEqual([503, "spend limit unavailable"]);
  expect(response.headers.get("cache-control")).toBe("no-store");
});
