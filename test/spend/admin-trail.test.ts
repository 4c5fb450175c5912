// What is kept and told of changes to spend limits: the trail, and the audit events.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { expectError, group, openScene, person, type Scene } from "./admin-scene.ts";

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
}, 60_000);
beforeEach(() => scene.empty());
afterAll(() => scene.close());

describe("the trail", () => {
  test("tells who changed which limit from what to what, newest first", async () => {
    const bearer = await scene.bearerOf("bob", ["platform-finops"]);
    const first = (await scene.post({ scope: person("ada"), amount: "1", reason: "x" })).json;
    await scene.post({ scope: person("ada"), amount: "2" }, { bearer });
    await scene.ask(`/${first.id}`, { method: "DELETE" });
    const { json } = await scene.ask("/audit");
    expect(Object.keys(json)).toEqual(["data", "has_more"]);
    expect(json.has_more).toBe(false);
    expect(Object.keys(json.data[0])).toEqual(
      "type id created_at actor action target_id before after reason".split(" "),
    );
    const event = { type: "audit_event", target_id: first.id, reason: null };
    expect(json.data).toMatchObject([
      { ...event, action: "spend_limit.delete", before: { amount: "2" }, after: null },
      { ...event, actor: "oidc:bob", before: { amount: "1" }, after: { amount: "2" } },
      { ...event, actor: "admin-key:tf", action: "spend_limit.upsert", before: null },
    ]);
    expect({ type: "spend_limit", ...json.data[2].after }).toEqual(first);
  });

  test("goes on to older changes after an id, a hundred at a time unless told", async () => {
    await scene.database.query`
      insert into admin_audit (actor, action, target)
      select 'admin-key:tf', 'spend_limit.upsert', 'spl_' || n from generate_series(1, 101) as n`;
    const newest = await scene.ask("/audit");
    expect([newest.json.data.length, newest.json.has_more]).toEqual([100, true]);
    const last = newest.json.data.at(-1).id;
    const rest = await scene.ask(`/audit?after_id=${last}`);
    expect([rest.json.data.length, rest.json.has_more]).toEqual([1, false]);
    expect(Number(rest.json.data[0].id)).toBeLessThan(Number(last));
    expect((await scene.ask("/audit?limit=2")).json.data).toEqual(newest.json.data.slice(0, 2));
    expect((await scene.ask("/audit?after_id=0")).json).toEqual({ data: [], has_more: false });
  });

  test("names an administrator whose `sub` no database stores", async () => {
    const bearer = await scene.bearerOf("a\0da", ["platform-finops"]);
    const { status } = await scene.post(
      { scope: person("ada"), amount: "1", period: "daily" },
      { bearer },
    );
    expect(status).toBe(200);
    expect((await scene.ask("/audit")).json.data[0].actor).toBe("oidc:a\ufffdda");
  });

  test("is refused with a wrong parameter", async () => {
    for (const id of ["x", "-1", "1.5", "1e3", "", "%205", "9223372036854775807"]) {
      const answer = await scene.ask(`/audit?after_id=${id}`);
      expectError(answer, [400, "invalid_request_error", "after_id: must be an audit event id"]);
    }
    expect((await scene.ask("/audit?limit=0&after_id=x")).json.error.message).toStartWith("limit");
  });
});

describe("a change is audited", () => {
  test("with who, which limit, and the amount before and after", async () => {
    const made = await scene.post({ scope: group("g1"), amount: "5", period: "daily" });
    await scene.post({ scope: group("g1"), amount: null, period: "daily" });
    const gone = await scene.ask(`/${made.json.id}`, { method: "DELETE" });
    const limit = {
      ts: expect.any(String),
      actor: "admin-key:tf",
      target: made.json.id,
      scope_type: "rbac_group",
      scope_id: "g1",
      period: "daily",
    };
    const [first, second, third, ...others] = scene.events();
    expect(others).toEqual([]);
    const request_id = made.headers.get("request-id");
    expect(first).toEqual({ evt: "admin.limit.upsert", request_id, ...limit, amount: "5" });
    expect(second).toMatchObject({ ...limit, before_amount: "5", amount: null });
    expect(third).toEqual({
      evt: "admin.limit.delete",
      request_id: gone.headers.get("request-id"),
      ...limit,
    });
  });

  test("with the pool before and after, null for none, where there may be one", async () => {
    const pools = [
      undefined,
      { amount: "50" },
      { paused: true },
      { amount: null, paused: true },
      null,
    ];
    for (const pooled_budget of pools) {
      await scene.post({ scope: group("eng"), amount: "10", pooled_budget });
    }
    const told = scene
      .events()
      .map(({ before_pooled_budget, pooled_budget }) => [before_pooled_budget, pooled_budget]);
    expect(told).toEqual([
      [undefined, null],
      [null, { amount: "50", paused: false }],
      [
        { amount: "50", paused: false },
        { amount: "50", paused: true },
      ],
      [{ amount: "50", paused: true }, null],
      [null, null],
    ]);
  });
});
