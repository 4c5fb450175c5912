// Spend limits by the admin API: made, replaced, read, deleted, listed.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  expectError,
  group,
  idsOf,
  openScene,
  organization,
  person,
  type Scene,
} from "./admin-scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
}, 60_000);
beforeEach(() => scene.empty());
afterAll(() => scene.close());

describe("a spend limit", () => {
  test("is answered as an object with its fields in order, and read back the same", async () => {
    const { status, json } = await scene.post({ scope: person("ada"), amount: "007" });
    expect(status).toBe(200);
    expect(Object.keys(json)).toEqual(
      "type id created_at updated_at scope amount currency period".split(" "),
    );
    expect(json).toMatchObject({
      type: "spend_limit",
      scope: person("ada"),
      amount: "7",
      currency: "USD",
      period: "monthly",
    });
    expect(json.id).toMatch(/^spl_[0-9a-f]{32}$/);
    expect(json.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(json.updated_at).toBe(json.created_at);
    expect((await scene.ask(`/${json.id}`)).json).toEqual(json);
    expect((await scene.ask(`/${json.id.replace("_", "%5F")}`)).json).toEqual(json);
  });

  test("of the organisation or of every session has only a type as its scope", async () => {
    for (const type of ["organization", "session"]) {
      const { json } = await scene.post({
        scope: { type, user_id: "ada", foo: 1 },
        amount: null,
        period: "daily",
      });
      expect([json.scope, json.amount, json.period]).toEqual([{ type }, null, "daily"]);
    }
  });

  test("that is posted again is replaced under the same id", async () => {
    const first = (await scene.post({ scope: person("ada"), amount: "1", period: "daily" })).json;
    const second = (await scene.post({ scope: person("ada"), amount: null, period: "daily" })).json;
    expect(second).toEqual({ ...first, amount: null, updated_at: second.updated_at });
    expect((await scene.ask("")).json.data).toEqual([second]);
  });

  test("is made once when many post it at the same moment, and every one of them is in the trail", async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) => scene.post({ scope: person("ada"), amount: `${n}` })),
    );
    expect(new Set(answers.map(({ status, json }) => `${status} ${json.id}`)).size).toBe(1);
    const trail = (await scene.ask("/audit")).json.data.toReversed();
    expect(trail).toHaveLength(8);
    for (const [index, row] of trail.entries()) {
      expect(row.before).toEqual(trail[index - 1]?.after ?? null);
    }
  });

  test("is gone once it is deleted", async () => {
    const { id } = (await scene.post({ scope: person("ada"), amount: "1" })).json;
    const gone = await scene.ask(`/${id}`, { method: "DELETE" });
    expect([gone.status, gone.json]).toEqual([200, { type: "spend_limit_deleted", id }]);
    const missing: [number, string, string] = [404, "not_found_error", "spend limit not found"];
    expectError(await scene.ask(`/${id}`), missing);
    expectError(await scene.ask(`/${id}`, { method: "DELETE" }), missing);
  });

  test("keeps an id as it was written, in every script", async () => {
    const id = ' a"b\\c\u0001é\u0065\u0301漢🙂 ';
    const { json } = await scene.post({ scope: person(id), amount: "1" });
    expect((await scene.ask(`/${json.id}`)).json.scope.user_id).toBe(id);
    const half = await scene.post({ scope: person("x"), amount: "1" });
    expect(half.json.id).not.toBe(json.id);
  });

  test("for an id with half a surrogate pair has a replacement character there", async () => {
    const { json } = await scene.post(
      '{"scope":{"type":"user","user_id":"\\ud800x"},"amount":"1"}',
    );
    expect(json.scope.user_id).toBe("\ufffdx");
  });

  test("is read from a body of any content type that begins with a byte order mark", async () => {
    expect(
      (await scene.post('\ufeff {"scope":{"type":"organization"},"amount":"1"}\n')).status,
    ).toBe(200);
  });
});

describe("a pooled budget", () => {
  test("is shown on a group's monthly limit and no other, with what the group spent this month", async () => {
    const pooled = await scene.post({
      scope: group("eng"),
      amount: "100",
      pooled_budget: { amount: "050" },
    });
    expect(pooled.json.pooled_budget).toEqual({
      amount: "50",
      paused: false,
      currency: "USD",
      period_to_date_spend: "0",
    });
    await scene.database.query`
      insert into pooled_spend (rbac_group_id, period, cents) values ('eng', '2026-11', 33.50), ('eng', '2026-10', 9)`;
    const read = await scene.ask(`/${pooled.json.id}`);
    expect(read.json.pooled_budget.period_to_date_spend).toBe("33.5");
    const paused = await scene.post({ scope: group("eng"), pooled_budget: { paused: true } });
    expect(paused.json).toMatchObject({
      amount: "100",
      pooled_budget: { amount: "50", paused: true, period_to_date_spend: "33.5" },
    });
    const others = [
      { scope: group("eng"), period: "daily" },
      { scope: person("ada") },
      { scope: organization },
    ];
    for (const other of others) {
      expect(await scene.post({ amount: "1", ...other })).not.toHaveProperty("json.pooled_budget");
    }
    expect((await scene.post({ scope: group("ops"), amount: "1" })).json.pooled_budget).toBeNull();
  });

  test("of which no amount is spent (`NaN`) is shown with 0, and can be changed", async () => {
    const body = { scope: group("eng"), amount: "100", pooled_budget: { amount: "50" } };
    await scene.post(body);
    await scene.database.query`
      insert into pooled_spend (rbac_group_id, period, cents) values ('eng', '2026-11', 'NaN')`;
    for (const { status, json } of [await scene.ask(""), await scene.post(body)]) {
      expect(status).toBe(200);
      const [limit] = json.data ?? [json];
      expect(limit.pooled_budget.period_to_date_spend).toBe("0");
    }
  });

  test("that does not fit what is stored is refused and changes nothing", async () => {
    const body = { scope: group("eng"), amount: "100", pooled_budget: { amount: "50" } };
    const { json } = await scene.post(body);
    const refused = await scene.post({ scope: group("eng"), pooled_budget: { amount: null } });
    expect(refused.status).toBe(400);
    expect((await scene.ask(`/${json.id}`)).json).toEqual(json);
    expect((await scene.ask("/audit")).json.data).toHaveLength(1);
  });
});

describe("the list", () => {
  test("of none is empty", async () => {
    const { json } = await scene.ask("");
    expect(json).toEqual({ data: [], has_more: false, first_id: null, last_id: null });
  });

  test("goes forwards and backwards from an id, twenty at a time unless told", async () => {
    const ids: string[] = [];
    for (let index = 0; index < 22; index += 1) {
      ids.push((await scene.post({ scope: person(`p${index}`), amount: "1" })).json.id);
    }
    const pages: [string, string[], boolean][] = [
      ["", ids.slice(0, 20), true],
      [`?after_id=${ids[19]}`, ids.slice(20), false],
      ["?limit=22", ids, false],
      ["?limit=21", ids.slice(0, 21), true],
      [`?limit=2&after_id=${ids[3]}`, ids.slice(4, 6), true],
      [`?limit=2&after_id=${ids[19]}`, ids.slice(20), false],
      [`?limit=2&before_id=${ids[4]}`, ids.slice(2, 4), true],
      [`?limit=2&before_id=${ids[2]}`, ids.slice(0, 2), false],
      [`?limit=2&before_id=${ids[1]}`, ids.slice(0, 1), false],
      [`?before_id=${ids[0]}`, [], false],
      [`?limit=+1&limit=5&after_id=${ids[0]}`, ids.slice(1, 2), true],
    ];
    for (const [search, expected, hasMore] of pages) {
      const page = await scene.ask(search);
      expect([search, ...idsOf(page)]).toEqual([search, ...expected]);
      expect(page.json).toMatchObject({
        has_more: hasMore,
        first_id: expected[0] ?? null,
        last_id: expected.at(-1) ?? null,
      });
    }
  });

  test("shows one kind of scope when asked", async () => {
    for (const scope of [organization, group("eng"), person("ada"), { type: "session" }]) {
      await scene.post({ scope, amount: "1" });
      const { json } = await scene.ask(`?scope_type=${scope.type}`);
      expect(json.data.map((limit: any) => limit.scope)).toEqual([scope]);
    }
  });

  const between = "limit: must be between 1 and 1000";
  const kinds = "scope_type: must be one of organization, rbac_group, session, user";
  const exclusive = "after_id and before_id are mutually exclusive";
  const refused: [string, string][] = [
    ...["0", "1001", "-1", "1.5", "x", "", "Infinity", "2%26"].map((limit): [string, string] => [
      `?limit=${limit}&scope_type=bad`,
      between,
    ]),
    ["?scope_type=&after_id=a&before_id=b", kinds],
    ["?scope_type=User", kinds],
    ["?after_id=a&before_id=b", exclusive],
    ["?after_id=&before_id=", exclusive],
    ["?after_id=spl_nope", "after_id: no spend limit with this id"],
    ["?after_id=", "after_id: no spend limit with this id"],
    ["?before_id=spl_nope", "before_id: no spend limit with this id"],
    ["?before_id=%00", "before_id: no spend limit with this id"],
  ];
  test.each(refused)("with %s is refused: %s", async (search, message) => {
    expectError(await scene.ask(search), [400, "invalid_request_error", message]);
  });
});
