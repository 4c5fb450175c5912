// The body of a POST: what is read of it, and the first thing that is wrong with it.
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { readLimitRequest } from "../../src/spend/admin/limit-request.ts";

const valid = { scope: { type: "organization" }, amount: "1", period: "daily" };
const read = (over: object) => readLimitRequest(JSON.stringify({ ...valid, ...over }));

/** A body without a field: undefined is left out of JSON. */
const without = undefined;
const user = (user_id: unknown) => ({ scope: { type: "user", user_id } });
const group = { scope: { type: "rbac_group", rbac_group_id: "eng" }, period: "monthly" };

const types = "Expected 'user' | 'rbac_group' | 'organization' | 'session'";
const periods = "Expected 'daily' | 'weekly' | 'monthly', received";
const cents = "must be a whole-number decimal string of cents";
const groupsOnly = "Pooled budget fields can only be set on a group-level limit";
const monthlyOnly =
  "Pooled budgets are monthly only. Set pooled fields on the group's monthly limit.";

const refused: [object, string][] = [
  [{ scope: without }, "scope: Required"],
  [{ scope: null }, "scope: Expected object, received null"],
  [{ scope: [] }, "scope: Expected object, received array"],
  [{ scope: "x" }, "scope: Expected object, received string"],
  ...[{}, { type: "User" }, { type: null }, { type: "toString" }].map((scope): [object, string] => [
    { scope },
    `scope.type: Invalid discriminator value. ${types}`,
  ]),
  [user(without), "scope.user_id: Required"],
  [user(5), "scope.user_id: Expected string, received number"],
  [user(null), "scope.user_id: Expected string, received null"],
  [user(""), "scope.user_id: String must contain at least 1 character(s)"],
  [user("a\0b"), "scope.user_id: String must not contain U+0000"],
  [user("x".repeat(1_025)), "scope.user_id: String must contain at most 1024 byte(s) of UTF-8"],
  [user("é".repeat(513)), "scope.user_id: String must contain at most 1024 byte(s) of UTF-8"],
  [{ scope: { type: "rbac_group", user_id: "a" } }, "scope.rbac_group_id: Required"],
  [{ amount: without }, "amount: Required"],
  [{ amount: without, pooled_budget: null }, "amount: Required"],
  [{ amount: 5 }, "amount: Expected string, received number"],
  [{ amount: [] }, "amount: Expected string, received array"],
  ...["-1", "+5", "1.5", "", "ten", "1e3", " 5", "5\n", "٣", "1".repeat(19)].map(
    (amount): [object, string] => [{ amount }, `amount: ${cents}`],
  ),
  [{ period: "Daily" }, `period: Invalid enum value. ${periods} 'Daily'`],
  [{ period: null }, `period: ${periods} null`],
  [{ period: 5 }, `period: ${periods} number`],
  ...[null, "usd", "EUR", 5].map((currency): [object, string] => [
    { currency },
    'currency: Invalid literal value, expected "USD"',
  ]),
  [{ pooled_budget: "50" }, "pooled_budget: Expected object, received string"],
  [{ pooled_budget: [] }, "pooled_budget: Expected object, received array"],
  [{ pooled_budget: { amount: 5 } }, "pooled_budget.amount: Expected string, received number"],
  [{ pooled_budget: { amount: "x" } }, `pooled_budget.amount: ${cents}`],
  [{ pooled_budget: { paused: 1 } }, "pooled_budget.paused: Expected boolean, received number"],
  [
    { pooled_budget: { currency: "EUR" } },
    'pooled_budget.currency: Invalid literal value, expected "USD"',
  ],
  [{ pooled_budget: { amount: "5" } }, groupsOnly],
  [{ pooled_budget: { paused: false } }, groupsOnly],
  [{ scope: { type: "session" }, pooled_budget: { amount: "5" } }, groupsOnly],
  [{ ...group, period: "weekly", pooled_budget: { amount: "5", paused: true } }, monthlyOnly],
];
test.each(refused)("%j is refused: %s", (over, message) => {
  expect(() => read(over)).toThrow(message);
});

test("the message is the whole of it, as a refusal of the client's", () => {
  expect(() => read({ amount: "x" })).toThrow(
    expect.objectContaining({ type: "invalid_request_error", message: `amount: ${cents}` }),
  );
});

const bodies: [string, string][] = [
  ["", "invalid JSON body"],
  ["{x", "invalid JSON body"],
  ["null", "Expected object, received null"],
  ["5", "Expected object, received number"],
  ["true", "Expected object, received boolean"],
  ['"x"', "Expected object, received string"],
  ["[]", "Expected object, received array"],
];
test.each(bodies)("the body %p is refused: %s", (body, message) => {
  expect(() => readLimitRequest(body)).toThrow(
    expect.objectContaining({ type: "invalid_request_error", message }),
  );
});

test("of several fields that are wrong the first is named", () => {
  const body: Record<string, unknown> = Object.fromEntries(
    ["pooled_budget", "currency", "period", "amount", "scope"].map((name) => [name, 1]),
  );
  for (const [name, good] of Object.entries({ ...valid, currency: "USD", pooled_budget: {} })) {
    expect(() => readLimitRequest(JSON.stringify(body))).toThrow(new RegExp(`^${name}: `));
    body[name] = good;
  }
  expect(() => readLimitRequest(JSON.stringify(body))).not.toThrow();
});

test("that the amount is missing is said last", () => {
  expect(() => read({ amount: without, period: "" })).toThrow(/^period: /);
  expect(() => read({ amount: without, currency: "" })).toThrow(/^currency: /);
});

test("what is left out is undefined, the period monthly", () => {
  expect(readLimitRequest('{"scope":{"type":"session"},"amount":null}')).toEqual({
    scope: { scope_type: "session", scope_id: "", period: "monthly" },
    amount: null,
    pool: undefined,
  });
  expect(read({ ...group, amount: without, pooled_budget: {} })).toEqual({
    scope: { scope_type: "rbac_group", scope_id: "eng", period: "monthly" },
    amount: undefined,
    pool: { amount: undefined, isPaused: undefined },
  });
});

test("unknown fields and ids of another scope are ignored", () => {
  const scope = { type: "user", user_id: "ada", rbac_group_id: 5, x: {} };
  expect(read({ scope, foo: 1, currency: "USD" }).scope.scope_id).toBe("ada");
});

test("an id has up to 1,024 bytes", () => {
  expect(read(user("é".repeat(512))).scope.scope_id).toHaveLength(512);
});

test("a pool that asks for nothing is welcome everywhere", () => {
  for (const pool of [{}, { amount: null }, { paused: true }, { paused: null }, { foo: 1 }]) {
    for (const over of [{}, user("ada"), { ...group, period: "daily" }, group]) {
      expect(() => read({ ...over, pooled_budget: pool })).not.toThrow();
    }
  }
});

test("whatever JSON is sent, it is read or refused as the client's mistake", () => {
  const field = fc.oneof(fc.jsonValue(), fc.constantFrom("user", "daily", "1", null));
  const body = fc.oneof(
    fc.json(),
    fc.string(),
    fc
      .record(
        { scope: field, amount: field, period: field, currency: field, pooled_budget: field },
        { requiredKeys: [] },
      )
      .map((fields) => JSON.stringify(fields)),
    fc
      .record({ amount: field, pooled_budget: fc.record({ amount: field, paused: field }) })
      .map((fields) => JSON.stringify({ ...valid, ...fields })),
  );
  fc.assert(
    fc.property(body, (text) => {
      try {
        readLimitRequest(text);
      } catch (error) {
        expect(error).toMatchObject({ type: "invalid_request_error" });
      }
    }),
    { numRuns: 500 },
  );
});
