// The SQL that README.md gives operators for erasing one person: it leaves nothing of that person in any table, and everything
// of the others.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createEndingsStore } from "../../src/store/endings.ts";
import { migratedPostgres, type Migrated } from "./migrated.ts";

const readme = await Bun.file(join(import.meta.dir, "..", "..", "README.md")).text();

const variable = ":'sub'";

/** The one block of SQL in which psql puts a `sub`, without the `begin` and `commit` around it: one message is one transaction. */
function erasingSql(): string {
  const blocks = [...readme.matchAll(/^```sql\n(.*?)^```$/gms)]
    .map(([, text = ""]) => text)
    .filter((text) => text.includes(variable));
  const [, statements] = /^begin;\n(.*)^commit;\n$/ms.exec(blocks.join("")) ?? [];
  if (blocks.length === 1 && statements !== undefined) return statements;
  throw new Error(
    `README.md must have one \`\`\`sql block with ${variable} in it, from begin; to commit;, and has ${blocks.length}`,
  );
}

/** As psql puts a variable into SQL: quoted. */
const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;

const sub = "o'hara|00u1";
const others = ["o'hara|00u12", "bob", "erased by name"];

/** A group and a session may be called like somebody's `sub`; they are not that person. */
const group = sub;

let database: Migrated;
beforeAll(async () => {
  database = await migratedPostgres();
  for (const [index, principal] of [sub, ...others].entries()) await fill(principal, index);
  await database.query`
    insert into pooled_spend (rbac_group_id, period, cents) values (${group}, '2026-11', 50)`;
  await database.query`
    insert into spend_limits (id, scope_type, scope_id, amount) values ('spl_group', 'rbac_group', ${group}, 900)`;
  await database.script(erasingSql().replaceAll(variable, literal(sub)));
}, 60_000);
afterAll(() => database?.close());

/** Everything that a person leaves behind, an administrator's part included. */
async function fill(principal: string, index: number): Promise<void> {
  const { query } = database;
  const actor = `oidc:${principal}`;
  const user = JSON.stringify({
    id: "x",
    scope: { type: "user", user_id: principal },
    amount: "5",
  });
  const team = JSON.stringify({ id: "x", scope: { type: "rbac_group", rbac_group_id: group } });
  for (const period of ["2026-11-23", "2026-W48", "2026-11"]) {
    await query`insert into spend (principal, period, cents) values (${principal}, ${period}, 7)`;
    await query`
      insert into session_spend (principal, session_id, period, cents)
      values (${principal}, ${sub}, ${period}, 7)`;
  }
  await query`
    insert into principal_emails (principal, email, name, groups)
    values (${principal}, 'somebody@example.com', 'Somebody', '["eng"]')`;
  await query`
    insert into principal_groups (day, principal, groups) values ('2026-11-23', ${principal}, '["eng"]')`;
  await createEndingsStore(query).record(
    [{ kind: "principal", principal, throughSeconds: 5, actor }],
    3_600,
  );
  await query`
    insert into spend_limits (id, scope_type, scope_id, amount, created_by)
    values (${`spl_user_${index}`}, 'user', ${principal}, 5, ${actor}),
      (${`spl_by_${index}`}, 'rbac_group', ${`team ${index}`}, 5, ${actor})`;
  await query`
    insert into admin_audit (actor, action, target, before, after) values
      (${actor}, 'spend_limit.upsert', ${`spl_by_${index}`}, null, ${team}::text::jsonb),
      ('admin-key:tf', 'spend_limit.upsert', ${`spl_user_${index}`}, null, ${user}::text::jsonb),
      ('admin-key:tf', 'spend_limit.delete', ${`spl_user_${index}`}, ${user}::text::jsonb, null)`;
}

const count = async (table: string, condition: string) => {
  const [row] = await database.script<{ rows: number }>(
    `select count(*)::int as rows from ${table} where ${condition}`,
  );
  return row?.rows;
};

const perPerson = [
  ["spend", "principal", 3],
  ["session_spend", "principal", 3],
  ["principal_emails", "principal", 1],
  ["principal_groups", "principal", 1],
  ["spend_limits", "scope_type = 'user' and scope_id", 1],
] as const;

describe("erasing one person", () => {
  test.each(perPerson)("leaves no row of theirs in %s", async (table, column) => {
    expect(await count(table, `${column} = ${literal(sub)}`)).toBe(0);
  });

  test.each(perPerson)("leaves the others' rows in %s", async (table, column, rows) => {
    for (const other of others) {
      expect(await count(table, `${column} = ${literal(other)}`)).toBe(rows);
    }
  });

  test("leaves nobody's name in the trail but the others'", async () => {
    const trail = await database.query<{ actor: string; before: unknown; after: unknown }>`
      select actor, before, after from admin_audit where target in ('spl_by_0', 'spl_user_0') and reason is null
      order by id`;
    const user = { id: "x", scope: { type: "user", user_id: "erased" }, amount: "5" };
    const team = { id: "x", scope: { type: "rbac_group", rbac_group_id: group } };
    expect(trail.map(({ actor, before, after }) => [actor, before, after])).toEqual([
      ["oidc:erased", null, team],
      ["admin-key:tf", null, user],
      ["admin-key:tf", user, null],
    ]);
    for (const other of others) {
      expect(await count("admin_audit", `actor = 'oidc:' || ${literal(other)}`)).toBe(2);
      expect(
        await count(
          "admin_audit",
          `coalesce(before, after) -> 'scope' ->> 'user_id' = ${literal(other)}`,
        ),
      ).toBe(2);
    }
  });

  test("leaves of the times when they were signed out everywhere only that there were some", async () => {
    const rows = await database.query<{ target: string; after: object }>`
      select target, after from admin_audit where action = 'principal.sign_out' order by id`;
    expect(rows.map(({ target }) => target)).toEqual(["erased", ...others]);
    expect(rows[0]?.after).toMatchObject({ type: "sign_out", user_id: "erased" });
  });

  test("writes the end of each of their caps into the trail", async () => {
    const rows = await database.query`
      select actor, action, target, before, after from admin_audit where reason is not null`;
    expect([...rows]).toEqual([
      {
        actor: "psql:postgres",
        action: "spend_limit.delete",
        target: "spl_user_0",
        before: null,
        after: null,
      },
    ]);
  });

  test("leaves caps that they set for others, without their name", async () => {
    expect(await count("spend_limits", "id = 'spl_by_0' and created_by = 'oidc:erased'")).toBe(1);
    expect(
      await count("spend_limits", "created_by like 'oidc:%' and created_by <> 'oidc:erased'"),
    ).toBe(2 * others.length);
  });

  test("leaves groups alone that are called like them", async () => {
    expect(await count("pooled_spend", `rbac_group_id = ${literal(group)} and cents = 50`)).toBe(1);
    expect(await count("spend_limits", "id = 'spl_group'")).toBe(1);
  });

  test("leaves that they were signed out, without which their refresh tokens would be good again", async () => {
    expect(await count("ended_principals", `principal = ${literal(sub)}`)).toBe(1);
  });

  test("knows every column in which a principal or an actor is kept", async () => {
    // A table that comes later belongs in README.md's SQL, and in this list.
    const columns = await database.query<{ name: string }>`
      select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public' and column_name in ('principal', 'actor', 'created_by', 'scope_id', 'sub', 'email')
      order by 1`;
    expect(columns.map(({ name }) => name)).toEqual([
      "admin_audit.actor",
      "ended_principals.principal",
      "principal_emails.email",
      "principal_emails.principal",
      "principal_groups.principal",
      "session_spend.principal",
      "spend.principal",
      "spend_limits.created_by",
      "spend_limits.scope_id",
    ]);
  });
});
