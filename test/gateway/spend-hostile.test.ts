// People whom the identity provider describes in ways that a database refuses: they are held to their limits all the same, and
// nobody who asks at the same moment notices.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { answerInFull } from "../support/metered-answers.ts";
import {
  group,
  openSpendScene,
  person,
  refusal,
  setCap,
  utilizationIn,
} from "../support/spending.ts";

const scene = await openSpendScene((config) => (config.admin.billing_group_tag = "team"));
const { gateway, buy, upstream, tables } = scene;
afterAll(() => scene.stop());

const long = "x".repeat(10 * 1024);

const hostile = [
  ["a NUL in the sub", { sub: "n\0ul" }],
  ["half a surrogate pair in the sub", { sub: "half \ud800" }],
  ["an empty sub", { sub: "" }],
  ["a NUL in a group", { sub: "g1", groups: ["a\0b", "plain"] }],
  ["half a surrogate pair in a group", { sub: "g2", groups: ["\udfff", "plain"] }],
  ["a group of 10 kB", { sub: "g3", groups: [long, "plain"] }],
  ["a thousand groups", { sub: "g4", groups: Array.from({ length: 1_000 }, (_, i) => `g${i}`) }],
  ["a NUL in the e-mail", { sub: "e1", email: "a\0@example.com", name: "n\0" }],
  ["half a surrogate pair in the e-mail", { sub: "e2", email: "\ud800@example.com" }],
  ["an e-mail of 10 kB", { sub: "e3", email: `${long}@example.com`, name: long }],
  [
    "what SQL and JSON are written with",
    { sub: `'; drop table spend; --"\\u0000{}`, groups: [`"],"`] },
  ],
  ["the name of an object's own", { sub: "__proto__", groups: ["constructor", "__proto__"] }],
] as const;

beforeAll(async () => {
  upstream.answer = answerInFull;
  await setCap(gateway, { type: "organization" }, 50);
});

const buyerOf = (claims: (typeof hostile)[number][1]) => ({
  ...claims,
  groups: "groups" in claims ? [...claims.groups] : [],
});

describe.each(hostile)("somebody with %s", (what, claims) => {
  const buyer = buyerOf(claims);

  test("is held to the limit, and charged by itself", async () => {
    const first = await buy(buyer, 40);
    expect([first.status, utilizationIn(first)]).toEqual([200, "0"]);
    await first.text();
    const second = await buy(buyer, 10);
    expect([second.status, utilizationIn(second)]).toEqual([200, "0.8"]);
    await second.text();
    expect((await refusal(await buy(buyer, 1)))[1]).toBe("billing_error");
  });

  test("disturbs nobody who asks at the same moment", async () => {
    const sub = `beside ${what}`;
    const cents = 3;
    const all = Array.from({ length: 10 }, async (_, index) => {
      if (index % 2 === 1) return (await buy(buyer, 1)).status;
      const response = await buy({ sub, email: "p@example.com", groups: ["plain"] }, cents);
      await response.text();
      return utilizationIn(response) === null ? "unlimited" : response.status;
    });
    expect(await Promise.all(all)).toEqual(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 1 ? 429 : 200)),
    );
    await tables.untilSpent(sub, 5 * cents);
  });
});

test("somebody with a sub of 10 kB disturbs nobody, either", async () => {
  const all = Array.from({ length: 10 }, (_, index) =>
    buy(index % 2 === 0 ? "beside long" : long, 3).then((response) => response.text()),
  );
  await Promise.all(all);
  await tables.untilSpent("beside long", 15);
});

// No index of the database can hold such a key as it is.
test("somebody with a sub of 10 kB is held to the limit", async () => {
  await (await buy(long, 50)).text();
  await gateway.audited("inference", { sub: long });
  expect((await buy(long, 1)).status).toBe(429);
});

test("a cap and a pool for a group with such a name hold for its members", async () => {
  const name = "half \ud83d";
  await setCap(gateway, group(name), 1_000, { pooled_budget: { amount: "20", paused: false } });
  const member = { sub: "of half", groups: [name] };
  await (await buy(member, 20)).text();
  expect((await refusal(await buy(member, 1)))[2]).toContain("your group's budget");
  await setCap(gateway, person("of \ud83d"), 5);
  await (await buy("of \ud83d", 5)).text();
  expect((await buy("of \ud83d", 1)).status).toBe(429);
});

test("none of it failed a statement", () => {
  const warnings = gateway.stderr().match(/^\[gateway\] \S+ (?:warn|error) .*spend.*$/gm) ?? [];
  expect(warnings).toEqual([]);
});
