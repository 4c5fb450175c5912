// What the admin API tells of each person's limits: which cap applies, where it comes from, how much is spent, page by page.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { ApiError } from "../../src/http/errors.ts";
import {
  createEffective,
  type EffectiveDeps,
  type EffectivePage,
} from "../../src/spend/admin/effective.ts";
import type { Database } from "../../src/store/database.ts";
import { createEffectiveStore } from "../../src/store/effective.ts";
import { createStandingsStore } from "../../src/store/standings.ts";
import { migratedPostgres } from "../store/migrated.ts";

/** A Monday, the first day of a week, not of a month. */
const monday = Date.UTC(2026, 10, 23, 12);
const keys = { daily: "2026-11-23", weekly: "2026-W48", monthly: "2026-11" };

let database: Database;
let statements = 0;
beforeAll(async () => {
  database = await migratedPostgres();
}, 60_000);
beforeEach(async () => {
  await database.script("truncate spend, principal_emails, spend_limits");
});
afterAll(() => database.close());

function ask(parameters: string, deps: Partial<EffectiveDeps> = {}): Promise<EffectivePage> {
  const counted: Database["query"] = (text, ...values) => {
    statements += 1;
    return database.query(text, ...values);
  };
  const effective = createEffective({
    store: createEffectiveStore(counted),
    standings: createStandingsStore(counted),
    groupLimitMode: "min",
    now: () => monday,
    ...deps,
  });
  return effective(new URLSearchParams(parameters));
}

const refusal = (parameters: string) =>
  ask(parameters).then(
    () => undefined,
    (error: unknown) =>
      error instanceof ApiError ? [error.status, error.type, error.message] : error,
  );

async function spent(principal: string, cents: string, period: string = keys.monthly) {
  await database.query`
    insert into spend (principal, period, cents) values (${principal}, ${period}, ${cents}::text::numeric)`;
}

async function known(principal: string, groups: readonly string[]) {
  await database.query`
    insert into principal_emails (principal, email, name, groups)
    values (${principal}, ${`${principal}@example.com`}, ${`Name of ${principal}`}, ${JSON.stringify(groups)}::text::jsonb)`;
}

async function cap(
  id: string,
  scope: "user" | "rbac_group" | "organization" | "session",
  scopeId: string,
  amount: string | null,
  period = "monthly",
) {
  await database.query`
    insert into spend_limits (id, scope_type, scope_id, amount, period)
    values (${id}, ${scope}, ${scopeId}, ${amount}::text::bigint, ${period})`;
}

const people = ({ data }: EffectivePage) => data.map(({ scope }) => scope.user_id);

/** What applies, in short. */
const applied = ({ data }: EffectivePage) =>
  data.map(({ amount, source, spend_limit_id: id }) => [id, amount, source?.type ?? null]);

describe("a row", () => {
  test("says who, which cap, from where and how much is spent", async () => {
    await known("ada", ["eng", "ops"]);
    await spent("ada", "100.0300");
    await cap("spl_org", "organization", "", "1000");
    expect(await ask("period[]=monthly")).toEqual({
      data: [
        {
          scope: { type: "user", user_id: "ada" },
          groups: ["eng", "ops"],
          actor: {
            type: "user_actor",
            user_id: "ada",
            name: "Name of ada",
            email_address: "ada@example.com",
            deleted: false,
          },
          amount: "1000",
          currency: "USD",
          period: "monthly",
          source: { type: "organization" },
          spend_limit_id: "spl_org",
          period_to_date_spend: "100.03",
        },
      ],
      next_page: null,
    });
  });

  test("has its keys in the order that clients have seen so far", async () => {
    await spent("ada", "1");
    expect(Object.keys((await ask("")).data[0] ?? {}).join(" ")).toBe(
      "scope groups actor amount currency period source spend_limit_id period_to_date_spend",
    );
  });

  test("of somebody unknown, without cap or spend, is full of nulls", async () => {
    const { data } = await ask("user_ids[]=nobody&period[]=daily");
    expect(data).toEqual([
      {
        scope: { type: "user", user_id: "nobody" },
        groups: [],
        actor: {
          type: "user_actor",
          user_id: "nobody",
          name: null,
          email_address: null,
          deleted: false,
        },
        amount: null,
        currency: "USD",
        period: "daily",
        source: null,
        spend_limit_id: null,
        period_to_date_spend: "0",
      },
    ]);
  });

  test.each([
    ["0", "0"],
    ["0.000", "0"],
    ["100", "100"],
    ["100.000", "100"],
    ["-4.50", "-4.5"],
    ["0.000000000000000000000001", "0.000000000000000000000001"],
    ["123456789012345678901234567890.10", "123456789012345678901234567890.1"],
  ])("shows a sum of %s as %s", async (cents, shown) => {
    await spent("ada", cents);
    expect((await ask("period[]=monthly")).data[0]?.period_to_date_spend).toBe(shown);
  });

  test("with a sum that is no amount says 0, as enforcement has it", async () => {
    await spent("ada", "NaN");
    expect((await ask("period[]=monthly")).data[0]?.period_to_date_spend).toBe("0");
  });

  test("tells amounts that floating point cannot", async () => {
    await spent("ada", "1");
    await cap("spl_org", "organization", "", "9007199254740993");
    expect((await ask("period[]=monthly")).data[0]?.amount).toBe("9007199254740993");
  });
});

describe("the cap that applies", () => {
  beforeEach(async () => {
    await known("ada", ["eng", "ops", "off"]);
    await spent("ada", "1");
    await cap("spl_org", "organization", "", "1000");
  });

  test("is the person's own, an unlimited one too", async () => {
    await cap("spl_eng", "rbac_group", "eng", "5");
    await cap("spl_ada", "user", "ada", null);
    expect((await ask("period[]=monthly")).data[0]).toMatchObject({
      amount: null,
      source: { type: "user", user_id: "ada" },
      spend_limit_id: "spl_ada",
    });
  });

  test("is else the lowest of the groups, or the highest when so configured, no limit being higher than any", async () => {
    await cap("spl_eng", "rbac_group", "eng", "500");
    await cap("spl_ops", "rbac_group", "ops", "700");
    await cap("spl_other", "rbac_group", "other", "1");
    expect((await ask("period[]=monthly")).data[0]).toMatchObject({
      amount: "500",
      source: { type: "rbac_group", rbac_group_id: "eng" },
      spend_limit_id: "spl_eng",
    });
    const highest = { groupLimitMode: "max" } as const;
    expect(applied(await ask("period[]=monthly", highest))).toEqual([
      ["spl_ops", "700", "rbac_group"],
    ]);
    await cap("spl_off", "rbac_group", "off", null);
    expect(applied(await ask("period[]=monthly", highest))).toEqual([
      ["spl_off", null, "rbac_group"],
    ]);
  });

  test("of equal ones is the one with the smallest id", async () => {
    await cap("spl_2", "rbac_group", "eng", "500");
    await cap("spl_1", "rbac_group", "ops", "500");
    for (const groupLimitMode of ["min", "max"] as const) {
      expect(applied(await ask("period[]=monthly", { groupLimitMode }))).toEqual([
        ["spl_1", "500", "rbac_group"],
      ]);
    }
  });

  test("is found for each period by itself", async () => {
    await cap("spl_ada", "user", "ada", "7", "daily");
    await cap("spl_eng", "rbac_group", "eng", "70", "weekly");
    expect(applied(await ask(""))).toEqual([
      ["spl_ada", "7", "user"],
      ["spl_eng", "70", "rbac_group"],
      ["spl_org", "1000", "organization"],
    ]);
  });

  test("is never one on sessions, or a group's pool", async () => {
    await database.script("delete from spend_limits");
    await cap("spl_session", "session", "", "1");
    await database.script(`
      insert into spend_limits (id, scope_type, scope_id, amount, pooled_limit_enabled, pooled_monthly_credit_limit)
      values ('spl_eng', 'rbac_group', 'eng', 900, true, 50)`);
    expect(applied(await ask("period[]=monthly"))).toEqual([["spl_eng", "900", "rbac_group"]]);
  });

  test("is each person's own on a page of many", async () => {
    await known("bob", ["sales"]);
    await spent("bob", "1");
    await cap("spl_bob", "user", "bob", "3");
    await cap("spl_ops", "rbac_group", "ops", "5");
    expect(applied(await ask("period[]=monthly"))).toEqual([
      ["spl_ops", "5", "rbac_group"],
      ["spl_bob", "3", "user"],
    ]);
  });
});

describe("periods", () => {
  test("are all three in their order, or those asked for in the order asked for, each once", async () => {
    await spent("ada", "1", keys.daily);
    await spent("ada", "2", keys.weekly);
    await spent("ada", "3", keys.monthly);
    const told = async (parameters: string) =>
      (await ask(parameters)).data.map((row) => [row.period, row.period_to_date_spend]);
    expect(await told("")).toEqual([
      ["daily", "1"],
      ["weekly", "2"],
      ["monthly", "3"],
    ]);
    expect(await told("period[]=monthly&period[]=daily&period[]=monthly")).toEqual([
      ["monthly", "3"],
      ["daily", "1"],
    ]);
  });

  test("are those that the clock is in", async () => {
    await spent("ada", "1", keys.daily);
    const spendAt = async (at: number) =>
      (await ask("period[]=daily", { now: () => at })).data[0]?.period_to_date_spend;
    expect(await spendAt(Date.UTC(2026, 10, 24) - 1)).toBe("1");
    expect(await spendAt(Date.UTC(2026, 10, 24))).toBe("0");
  });
});

describe("user_ids[]", () => {
  test("lists exactly those, in their order, as often as they are named", async () => {
    await spent("ada", "1");
    await spent("bob", "2");
    const asked = "user_ids[]=zoe&user_ids[]=ada&user_ids[]=zoe&user_ids[]=a,b&period[]=monthly";
    expect(people(await ask(asked))).toEqual(["zoe", "ada", "zoe", "a,b"]);
  });

  test("leaves q, sort, limit and page nothing to say", async () => {
    await spent("bob", "2");
    const page = await ask(
      "user_ids[]=ada&user_ids[]=bob&q=zzz&sort=spend_desc&limit=1&page=junk&period[]=monthly",
    );
    expect(people(page)).toEqual(["ada", "bob"]);
    expect(page.next_page).toBeNull();
  });

  test("may be 100 and no more", async () => {
    const ids = (count: number) =>
      Array.from({ length: count }, (_, index) => `user_ids[]=u${index}`).join("&");
    expect((await ask(`${ids(100)}&period[]=daily`)).data).toHaveLength(100);
    expect(await refusal(ids(101))).toEqual([
      400,
      "invalid_request_error",
      "user_ids[]: at most 100 entries per request",
    ]);
  });

  test("with what no database stores is somebody unknown", async () => {
    expect(people(await ask("user_ids[]=%00&period[]=daily"))).toEqual(["\ufffd"]);
    expect((await ask("q=%00")).data).toEqual([]);
  });
});

describe("pages", () => {
  beforeEach(async () => {
    for (const [principal, cents] of Object.entries({ a1: "1", a2: "30", a3: "20", a4: "20.0" }))
      await spent(principal, cents);
    await spent("a5", "99", "2026-10");
  });

  async function walk(parameters: string): Promise<string[][]> {
    const pages: string[][] = [];
    for (let token: string | null = ""; token !== null;) {
      const next: string = token === "" ? "" : `&page=${encodeURIComponent(token)}`;
      const page = await ask(parameters + next);
      pages.push([...new Set(people(page))]);
      token = page.next_page;
      if (pages.length > 10) throw new Error("the pages do not end");
    }
    return pages;
  }

  test("hold as many people as the limit says, with all their rows", async () => {
    const page = await ask("limit=2");
    expect(page.data).toHaveLength(6);
    expect(await walk("limit=2")).toEqual([["a1", "a2"], ["a3", "a4"], ["a5"]]);
  });

  test("end with the last one, also when it is full", async () => {
    expect(await walk("limit=5")).toEqual([["a1", "a2", "a3", "a4", "a5"]]);
    expect(await walk("limit=5&q=nobody")).toEqual([[]]);
  });

  test("sorted by spend go on from the sum that the one before ended with", async () => {
    expect(await walk("limit=1&sort=spend_desc&period[]=monthly")).toEqual([
      ["a2"],
      ["a3"],
      ["a4"],
      ["a1"],
    ]);
    expect(await walk("limit=3&sort=spend_desc&period[]=monthly")).toEqual([
      ["a2", "a3", "a4"],
      ["a1"],
    ]);
  });

  test("hold what the search finds", async () => {
    expect(await walk("limit=1&q=A3")).toEqual([["a3"]]);
    expect(await walk("limit=1&q=a")).toHaveLength(5);
    expect(await walk("limit=2&q=")).toHaveLength(3);
  });

  test("hold 20 people unless asked otherwise, 1,000 at most", async () => {
    await database.script(
      "insert into spend (principal, period) select 'p' || n, '2026-11' from generate_series(1, 1100) as n",
    );
    expect((await ask("period[]=daily")).data).toHaveLength(20);
    const full = await ask("period[]=daily&limit=1000");
    expect(full.data).toHaveLength(1_000);
    expect(full.next_page).not.toBeNull();
  });

  test("take two round trips to the database, however many people they hold", async () => {
    for (const parameters of ["limit=5", "sort=spend_desc&period[]=monthly", "user_ids[]=a1"]) {
      statements = 0;
      await ask(parameters);
      expect(statements).toBe(2);
    }
  });
});

describe("parameters that are wrong are refused:", () => {
  const token = (cursor: unknown) => Buffer.from(JSON.stringify(cursor)).toString("base64url");
  const sorted = "sort=spend_desc&period[]=monthly";
  const invalidToken = "page: invalid page token";
  const limit = "limit: must be between 1 and 1000";
  const period = "period[]: must be one of daily, weekly, monthly";

  test.each([
    ["limit=0", limit],
    ["limit=1001", limit],
    ["limit=", limit],
    ["limit=1.5", limit],
    ["limit=x", limit],
    ["period[]=yearly", period],
    ["period[]=", period],
    ["period[]=daily&period[]=Daily", period],
    [`q=${"x".repeat(257)}`, "q: too long"],
    ["sort=x&period[]=daily", "sort: must be spend_desc"],
    ["sort=&period[]=daily", "sort: must be spend_desc"],
    ["sort=spend_desc", "sort=spend_desc requires exactly one period[]"],
    [
      "sort=spend_desc&period[]=daily&period[]=weekly",
      "sort=spend_desc requires exactly one period[]",
    ],
    ["page=", invalidToken],
    ["page=junk", invalidToken],
    [`page=${token(null)}`, invalidToken],
    [`page=${token([])}`, invalidToken],
    [`page=${token({})}`, invalidToken],
    [`page=${token({ p: 5 })}`, invalidToken],
    [`page=${token({ p: "x".repeat(9_000) })}`, invalidToken],
    [`page=${token({ p: "a", c: "1" })}`, invalidToken],
    [`${sorted}&page=${token({ p: "a" })}`, invalidToken],
    [`${sorted}&page=${token({ p: "a", c: 1 })}`, invalidToken],
    [`${sorted}&page=${token({ p: "a", c: "NaN" })}`, invalidToken],
    [`${sorted}&page=${token({ p: "a", c: "1e9" })}`, invalidToken],
    [`${sorted}&page=${token({ p: "a", c: "1; drop table spend" })}`, invalidToken],
    ["limit=0&period[]=x&sort=x&page=junk", limit],
    ["period[]=x&sort=x&page=junk", period],
    ["sort=x&page=junk", "sort: must be spend_desc"],
    ["user_ids[]=a&limit=0", limit],
    ["user_ids[]=a&sort=x", "sort: must be spend_desc"],
  ])("%s", async (parameters, message) => {
    expect(await refusal(parameters)).toEqual([400, "invalid_request_error", message]);
  });

  test.each([
    "limit=%202",
    "limit=%2B2",
    "limit=1&limit=x",
    `q=${"x".repeat(256)}`,
    "period=yearly",
    "user_ids=a",
    "scope_type=user",
    `page=${token({ p: "\0" })}`,
    `${sorted}&page=${token({ p: "\0", c: "-1.50" })}`,
    "period[]=daily&period[]=daily&sort=spend_desc",
  ])("but not %s", async (parameters) => {
    expect(await refusal(parameters)).toBeUndefined();
  });
});
