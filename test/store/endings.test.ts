// The statements on sessions that have ended, on both stores.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  createEndingsStore,
  type EndingsStore,
  type PageOfEndings,
} from "../../src/store/endings.ts";
import { pruneRowsMax } from "../../src/store/kv.ts";
import { type Migrated, migratedEmbedded, migratedPostgres } from "./migrated.ts";

const hour = 3_600;
const nothing = { sessions: [], principals: [], next: undefined };
/** The embedded store counts milliseconds. */
const clockTick = () => Bun.sleep(2);
const session = (id: string) => ({ kind: "session", id }) as const;
const principal = (name: string, throughSeconds: number, actor = "admin-key:ops") =>
  ({ kind: "principal", principal: name, throughSeconds, actor }) as const;

describe.each([
  ["PostgreSQL", migratedPostgres],
  ["the embedded store", migratedEmbedded],
])("endings on %s", (_name, open) => {
  let database: Migrated;
  let store: EndingsStore;
  beforeAll(async () => {
    database = await open();
    store = createEndingsStore(database.query);
  }, 60_000);
  beforeEach(async () => {
    await database.script(
      "truncate ended_sessions, ended_principals, admin_audit, principal_emails",
    );
  });
  afterAll(() => database.close());

  const trail = () =>
    database.query<{ actor: string; action: string; target: string; after: object }>`
      select actor, action, target, after from admin_audit order by id`;
  const aged = (seconds: number) =>
    database.script(
      ["ended_sessions", "ended_principals"]
        .map((table) => `update ${table} set recorded_at = now() - interval '${seconds} seconds'`)
        .join(";"),
    );

  test("nothing is read where nothing is recorded", async () => {
    expect(await store.read(hour, 10)).toEqual(nothing);
    expect(await store.readPrincipals(["ada"])).toEqual([]);
    expect(await store.has("s1", "ada", 0)).toBe(false);
  });

  test("what is recorded is read, with its age, whatever the names are", async () => {
    const name = `a "b" \\ 'c' é 漢 🙂 ,{}[] `;
    await store.record([session("s1")], hour);
    await aged(30);
    await store.record([session("s2"), principal(name, 1_795_000_000)], hour);
    const { sessions, principals, next } = await store.read(60, 10);
    expect(new Map(sessions)).toEqual(
      new Map([
        ["s1", 30],
        ["s2", 0],
      ]),
    );
    expect(principals).toEqual([[name, 1_795_000_000]]);
    expect(next).toBeUndefined();
    expect(await store.readPrincipals(["x", name])).toEqual([[name, 1_795_000_000]]);
  });

  test("what is older is not recent, until it is recorded again", async () => {
    await store.record([session("s1"), principal("ada", 5)], hour);
    await aged(61);
    expect(await store.read(60, 10)).toEqual(nothing);
    expect((await store.read(hour, 10)).sessions).toEqual([["s1", 61]]);
    await store.record([session("s1"), principal("ada", 5)], hour);
    expect(await store.read(60, 10)).toEqual({
      sessions: [["s1", 0]],
      principals: [["ada", 5]],
      next: undefined,
    });
  });

  test("the newest are read where there are too many", async () => {
    for (const n of [1, 2, 3, 4]) {
      await store.record([session(`s${n}`), principal(`p${n}`, n)], hour);
      await clockTick();
    }
    const page = await store.read(hour, 2);
    expect(page.sessions.map(([id]) => id).toSorted()).toEqual(["s3", "s4"]);
    expect(page.next?.ageSeconds).toBeLessThan(hour);
  });

  test("page after page everything is read once, however many were recorded at the same time, and no page is much too long", async () => {
    const ids = (from: number, count: number) =>
      Array.from({ length: count }, (_, n) => session(`s${from + n}`));
    await store.record(ids(0, 7), hour);
    await aged(10);
    for (let n = 7; n < 20; n++) {
      await store.record([session(`s${n}`), principal(`p${n}`, n)], hour);
      await clockTick();
    }
    await store.record([session("expired"), principal("expired", 1)], 0);
    const read: string[] = [];
    let page: PageOfEndings | undefined;
    do {
      page = await store.read(hour, 3, page?.next?.before);
      expect(page.sessions.length).toBeLessThan(10);
      read.push(...[...page.sessions, ...page.principals].map(([name]) => name));
    } while (page.next !== undefined);
    const names = [
      ...Array.from({ length: 20 }, (_, n) => `s${n}`),
      ...Array.from({ length: 13 }, (_, n) => `p${n + 7}`),
    ];
    expect(read.toSorted()).toEqual(names.toSorted());
    expect((await store.read(5, 50)).sessions).toHaveLength(13);
  });

  test("everything of somebody has ended up to the latest time, whichever was recorded last", async () => {
    await store.record([principal("ada", 7)], hour);
    await store.record([principal("ada", 5), principal("bob", 1), principal("bob", 2)], hour);
    expect(new Map((await store.read(hour, 10)).principals)).toEqual(
      new Map([
        ["ada", 7],
        ["bob", 2],
      ]),
    );
    const asked = [await store.has("x", "ada", 7), await store.has("x", "ada", 8)];
    expect(asked).toEqual([true, false]);
    expect(await store.has("x", "cyd", 0)).toBe(false);
  });

  test("a session is found by its id", async () => {
    await store.record([session("s1")], hour);
    expect([await store.has("s1", "ada", 9), await store.has("s2", "ada", 9)]).toEqual([
      true,
      false,
    ]);
  });

  test("the trail has a row for each time that somebody was signed out, and one only, however often that is recorded", async () => {
    const first = principal("ada", 1_795_000_000);
    await store.record([first, session("s1")], hour);
    await store.record([first], hour);
    await store.record([principal("ada", 1_795_000_009, "oidc:bob")], hour);
    expect(await trail()).toEqual([
      {
        actor: "admin-key:ops",
        action: "principal.sign_out",
        target: "ada",
        after: { type: "sign_out", user_id: "ada", ended_through: "2026-11-18T11:06:40Z" },
      },
      expect.objectContaining({ actor: "oidc:bob" }),
    ]);
  });

  test("replicas may record the same at the same moment", async () => {
    const endings = Array.from({ length: 50 }, (_, n) => [session(`s${n}`), principal(`p${n}`, n)]);
    await Promise.all(
      [endings, endings.toReversed()].map((list) => store.record(list.flat(), hour)),
    );
    const { sessions, principals } = await store.read(hour, 1_000);
    expect([sessions.length, principals.length]).toEqual([50, 50]);
  });

  test("what has expired is not read, and deleted, and the rest is kept", async () => {
    await store.record([session("gone"), principal("gone", 1)], 0);
    await store.record([session("kept"), principal("kept", 1)], hour);
    await clockTick();
    const { sessions, principals } = await store.read(hour, 10);
    expect([sessions, principals]).toEqual([[["kept", 0]], [["kept", 1]]]);
    expect(await store.prune()).toBe(2);
    expect(await store.prune()).toBe(0);
    expect(await store.has("gone", "gone", 1)).toBe(false);
    expect(await store.has("kept", "", 1)).toBe(true);
  });

  test("so many are deleted at a time", async () => {
    await store.record(
      Array.from({ length: pruneRowsMax + 1 }, (_, n) => session(`s${n}`)),
      0,
    );
    await clockTick();
    expect(await store.prune()).toBe(pruneRowsMax);
    expect(await store.prune()).toBe(1);
  });

  test("people are found by their whole address in any case, and a bounded number of them", async () => {
    await database.query`
      insert into principal_emails (principal, email) values
        ('p2', 'Ada@Example.com'), ('p1', 'ada@example.com'), ('p3', 'xada@example.com'), ('p4', null)`;
    expect(await store.principalsWithEmail("ADA@example.com", 10)).toEqual(["p1", "p2"]);
    expect(await store.principalsWithEmail("ada@example.com", 1)).toEqual(["p1"]);
    expect(await store.principalsWithEmail("ada%", 10)).toEqual([]);
  });
});
