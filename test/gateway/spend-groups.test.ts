// What groups have to do with spend: budgets that their members share, caps that each member has, the group that a request is
// billed to, and the administrators. With it what a person is shown of their own spend.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { answerInFull } from "../support/metered-answers.ts";
import { helloCall } from "../support/scene.ts";
import {
  type Buyer,
  group,
  openSpendScene,
  person,
  refusal,
  setCap,
  utilizationIn,
} from "../support/spending.ts";

const scene = await openSpendScene((config) => {
  config.admin.billing_group_tag = "team";
  config.admin.admin_groups = ["finance"];
  config.managed = { policies: [{ match: {}, desktop: {} }] };
});
const { gateway, buy, upstream, tables } = scene;
afterAll(() => scene.stop());
beforeEach(() => {
  upstream.answer = answerInFull;
});

const pool = (cents: number, paused = false) => ({
  pooled_budget: { amount: String(cents), paused },
});

/** A request that is read to its end; its status. */
async function bought(buyer: Buyer, cents: number): Promise<number> {
  const response = await buy(buyer, cents);
  await response.text();
  return response.status;
}

const overage = (response: Response, name: string) =>
  response.headers.get(`anthropic-ratelimit-unified-overage-${name}`);

describe("pools", () => {
  test("one pays at a time, the largest first, and only when all are empty is anybody refused", async () => {
    await setCap(gateway, group("small"), 1_000, pool(50));
    await setCap(gateway, group("big"), 1_000, pool(60));
    await setCap(gateway, group("none"), 1_000);
    const both = { sub: "in both", groups: ["none", "small", "big"] };
    expect(await bought(both, 60)).toBe(200);
    await tables.until(() => tables.pooled("big"), 60);
    expect(await tables.pooled("small")).toBe("0");

    // The large one is empty: whoever has only that is refused, whoever has another one goes on there.
    expect(await bought({ sub: "in big", groups: ["big"] }, 1)).toBe(429);
    expect(await bought({ sub: "in none", groups: ["none"] }, 1)).toBe(200);
    expect(await bought(both, 49)).toBe(200);
    expect(await bought({ sub: "in small", groups: ["small"] }, 30)).toBe(200);
    await tables.until(() => tables.pooled("small"), 79);
    expect(await tables.pooled("big")).toBe("60");
    expect(await tables.pooled("none")).toBe("0");

    const refused = await buy(both, 1, { headers: { "x-client-request-id": "pool-1" } });
    expect(overage(refused, "scope")).toBe("group_pool");
    expect(overage(refused, "period")).toBe("monthly");
    expect(overage(refused, "utilization")).toBe("1");
    expect(await refusal(refused)).toEqual([
      429,
      "billing_error",
      expect.stringMatching(
        /^This request exceeds your group's budget\. .* on \w+ 1 at 00:00 UTC · ask$/,
      ),
    ]);
    await gateway.audited("spend.blocked", {
      request_id: "pool-1",
      sub: "in both",
      cause: "over_limit",
      cap_cents: "60",
      source: "group_pool",
      period: "monthly",
      groups: ["big", "small"],
    });
    await tables.untilSpent("in both", 109);
  });

  test("the person's own cap speaks first, and a pool shows nowhere else", async () => {
    await setCap(gateway, group("quiet"), 1_000, pool(100));
    await setCap(gateway, person("own"), 200);
    const own = { sub: "own", groups: ["quiet"] };
    await bought(own, 90);
    const response = await buy(own, 110);
    expect(utilizationIn(response)).toBe("0.45");
    await response.text();
    const refused = await buy(own, 1);
    expect(overage(refused, "scope")).toBeNull();
    expect((await refusal(refused))[2]).toStartWith("spend limit reached");
    expect(await bought({ sub: "another", groups: ["quiet"] }, 1)).toBe(429);
  });

  test("one that is paused neither pays nor refuses", async () => {
    await setCap(gateway, group("paused"), 1_000, pool(10));
    const member = { sub: "of paused", groups: ["paused"] };
    expect(await bought(member, 10)).toBe(200);
    expect(await bought(member, 1)).toBe(429);
    await setCap(gateway, group("paused"), 1_000, pool(10, true));
    expect(await bought(member, 5)).toBe(200);
    await tables.untilSpent("of paused", 15);
    expect(await tables.pooled("paused")).toBe("10");
  });
});

test("of the caps of somebody's groups the lowest holds, unless the person has one", async () => {
  await setCap(gateway, group("low"), 10, { period: "daily" });
  await setCap(gateway, group("high"), 100, { period: "daily" });
  const member = { sub: "of two", groups: ["high", "low"] };
  expect(await bought(member, 10)).toBe(200);
  expect(await bought(member, 1)).toBe(429);
  expect(await bought({ sub: "of one", groups: ["high"] }, 11)).toBe(200);
  expect(await bought({ sub: "of one", groups: ["high"] }, 1)).toBe(200);
  await setCap(gateway, person("of two"), 20, { period: "daily" });
  expect(await bought(member, 10)).toBe(200);
  expect(await bought(member, 1)).toBe(429);
});

describe("billing groups", () => {
  const biller = { sub: "biller", email: "b@example.com", groups: ["eng", "ops"] };

  test.each<[string, object, object]>([
    ["one of the developer's is audited with the cost", { team: "ops" }, { billing_group: "ops" }],
    ["another one is not believed", { team: "hr" }, { billing_group_ignored: true }],
    ["without one nothing is told", {}, {}],
  ])("%s", async (_, tags, told) => {
    upstream.answer = () =>
      Response.json({
        type: "message",
        usage: { input_tokens: 100, output_tokens: 2, cache_read_input_tokens: 1_000 },
      });
    const id = crypto.randomUUID();
    await (
      await buy(biller, 50, { fields: { tags }, headers: { "x-client-request-id": id } })
    ).text();
    await gateway.audited("spend.metered", { request_id: id });
    const [event, ...others] = gateway
      .audit("spend.metered")
      .filter(({ request_id }) => request_id === id);
    expect(others).toEqual([]);
    expect(event).toEqual({
      ts: expect.any(String),
      evt: "spend.metered",
      request_id: id,
      sub: "biller",
      ...told,
      model: helloCall.model,
      input_tokens: 100,
      output_tokens: 2,
      cache_read_input_tokens: 1_000,
      cents: 4,
    });
  });

  test("what is refused is not metered", async () => {
    upstream.answer = () => Response.json({}, { status: 400 });
    await buy(biller, 1, { headers: { "x-client-request-id": "unmetered" } });
    await gateway.audited("inference", { request_id: "unmetered" });
    const metered = gateway.audit("spend.metered").map(({ request_id }) => request_id);
    expect(metered).not.toContain("unmetered");
  });
});

describe("what a person is shown", () => {
  const usageOf = async (sub: string) => {
    const response = await fetch(`${gateway.url}/api/oauth/usage`, {
      headers: { authorization: `Bearer ${await scene.bearer({ sub })}` },
    });
    expect(response.headers.get("cache-control")).toBe("no-store");
    return (await response.json()) as object;
  };

  test("is what was spent a moment ago, in whole cents", async () => {
    await setCap(gateway, person("watcher"), 1_000);
    for (let spent = 0; spent <= 990; spent += 330) {
      const percent = spent / 10;
      expect(await usageOf("watcher")).toEqual({
        extra_usage: {
          is_enabled: true,
          monthly_limit: 1_000,
          used_credits: spent,
          utilization: percent,
          currency: "USD",
        },
        limits: [
          {
            kind: "spend",
            group: "monthly",
            percent,
            resets_at: expect.stringMatching(/-01T00:00:00\.000Z$/),
            severity: percent > 95 ? "critical" : "normal",
            is_active: true,
          },
        ],
      });
      await bought("watcher", 330);
    }
  });

  test("is a cap that was changed a moment ago", async () => {
    for (const cents of [100, 200, 300]) {
      await setCap(gateway, person("watched"), cents);
      expect(await usageOf("watched")).toMatchObject({ extra_usage: { monthly_limit: cents } });
    }
  });

  test("without a cap is what was spent, and no limit", async () => {
    await bought("uncapped", 7);
    const spent = { limit: null, used_credits: 7, utilization: null };
    expect(await usageOf("uncapped")).toEqual({
      extra_usage: {
        is_enabled: true,
        monthly_limit: null,
        used_credits: 7,
        utilization: null,
        currency: "USD",
        daily: spent,
        weekly: spent,
      },
      limits: [],
    });
  });
});

test.each([
  [["finance"], "true"],
  [["eng"], "false"],
  [[], "false"],
])("Desktop is told who administers: %j", async (groups, isAdmin) => {
  const bearer = await scene.bearer({ sub: "desktop", groups });
  const response = await fetch(`${gateway.url}/user/bootstrap`, {
    headers: { authorization: `Bearer ${bearer}` },
  });
  expect(response.headers.get("x-gateway-spend-admin")).toBe(isAdmin);
  const caps = await fetch(`${gateway.url}/v1/organizations/spend_limits`, {
    headers: { authorization: `Bearer ${bearer}` },
  });
  expect(caps.status).toBe(isAdmin === "true" ? 200 : 401);
});
