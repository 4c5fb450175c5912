// A ceiling for every session: one amount, which each session of each person has for itself, so that an agent that runs away stops
// before it has eaten its owner's day.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { answerInFull, slowly } from "../support/metered-answers.ts";
import {
  deleteCap,
  openSpendScene,
  person,
  refusal,
  setCap,
  utilizationIn,
} from "../support/spending.ts";

const scene = await openSpendScene();
const { gateway, buy, upstream, tables } = scene;
const ceiling = { type: "session" };
const ceilingId = await setCap(gateway, ceiling, 100, { period: "daily" });
afterAll(() => scene.stop());
beforeEach(() => {
  upstream.answer = answerInFull;
});

/** A request of a session, read to its end. */
async function inSession(
  sub: string,
  session: string | undefined,
  cents: number,
): Promise<unknown[]> {
  const headers: Record<string, string> =
    session === undefined ? {} : { "x-claude-code-session-id": session };
  const response = await buy(sub, cents, { headers });
  return response.status === 200 ? [200] : [...(await refusal(response)), response.headers];
}

const refused = (headers: object) => [
  429,
  "billing_error",
  "this session's spend limit is reached · start a new session to go on · ask",
  headers,
];

test("a session that has spent it goes no further, and says what to do", async () => {
  expect(await inSession("ada", "one", 99)).toEqual([200]);
  expect(await inSession("ada", "one", 30)).toEqual([200]);
  const answer = await buy("ada", 1, {
    headers: { "x-claude-code-session-id": "one", "x-client-request-id": "session-1" },
  });
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    "anthropic-ratelimit-unified-status": "rejected",
    "anthropic-ratelimit-unified-overage-period": "daily",
    "anthropic-ratelimit-unified-overage-utilization": "1.29",
    "x-should-retry": "false",
  });
  expect([...(await refusal(answer)), {}]).toEqual(refused({}));
  await gateway.audited("spend.blocked", {
    request_id: "session-1",
    sub: "ada",
    cause: "over_limit",
    cap_cents: "100",
    source: "session",
    period: "daily",
  });
});

test("another session of the same person, one without a name and another person's of the same name go on", async () => {
  expect(await inSession("bea", "one", 100)).toEqual([200]);
  expect(await inSession("bea", "one", 1)).toEqual(refused(expect.anything()));
  expect(await inSession("bea", "two", 60)).toEqual([200]);
  expect(await inSession("bea", undefined, 500)).toEqual([200]);
  expect(await inSession("bea", undefined, 1)).toEqual([200]);
  expect(await inSession("cy", "one", 60)).toEqual([200]);
  await tables.untilSpent("bea", 661);
  await tables.untilSpent("cy", 60);
});

test("what a session spends counts for its person as always, and is what the person is told of", async () => {
  await setCap(gateway, person("dan"), 1_000);
  const headers = { "x-claude-code-session-id": "one" };
  await (await buy("dan", 90, { headers })).text();
  const response = await buy("dan", 5, { headers });
  // The session's 90 % are not the person's: the client knows nothing of ceilings.
  expect(utilizationIn(response)).toBe("0.09");
  await response.text();
  await tables.untilSpent("dan", 95);
  const usage = await fetch(`${gateway.url}/api/oauth/usage`, {
    headers: { authorization: `Bearer ${await scene.bearer({ sub: "dan" })}` },
  });
  expect(await usage.json()).toMatchObject({
    extra_usage: { monthly_limit: 1_000, used_credits: 95 },
    limits: [{ group: "monthly" }],
  });
});

test("who has nothing left reads of that, and not of the session", async () => {
  await setCap(gateway, person("eve"), 100);
  expect(await inSession("eve", "one", 100)).toEqual([200]);
  const [status, , message] = await inSession("eve", "one", 1);
  expect([status, message]).toEqual([429, expect.stringContaining("spend limit reached · resets")]);
});

test("many requests of one session overshoot its ceiling by one", async () => {
  upstream.answer = slowly(200);
  const sent = Array.from({ length: 40 }, () => inSession("fay", "one", 40));
  const through = (await Promise.all(sent)).filter(([status]) => status === 200);
  expect(through).toHaveLength(3);
  await tables.untilSpent("fay", 120);
});

test("a session id that is too long to be one is none", async () => {
  expect(await inSession("gus", "x".repeat(129), 100)).toEqual([200]);
  expect(await inSession("gus", "x".repeat(129), 1)).toEqual([200]);
});

test("a ceiling that is raised holds at once, and without one a session's spend is not kept", async () => {
  expect(await inSession("hal", "one", 100)).toEqual([200]);
  expect(await inSession("hal", "one", 1)).toEqual(refused(expect.anything()));
  await setCap(gateway, ceiling, 200, { period: "daily" });
  expect(await inSession("hal", "one", 1)).toEqual([200]);
  await deleteCap(gateway, ceilingId);
  expect(await inSession("hal", "one", 1_000)).toEqual([200]);
  expect(await inSession("hal", "one", 1)).toEqual([200]);
  await tables.untilSpent("hal", 1_102);
  const [kept] = await tables.sql`select sum(cents)::text as cents from session_spend
    where principal = 'hal'`;
  expect(kept?.["cents"]).toBe("101");
});
