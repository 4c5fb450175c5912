// The database goes away while people spend. What was last known goes on to hold, what is spent meanwhile is written when it is
// back, and with a journal that survives even a kill -9. What else goes on without the database is in outage.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type GatewayProcess, startGateway } from "../support/gateway.ts";
import { answerInFull } from "../support/metered-answers.ts";
import { type OwnPostgres, startOwnPostgres } from "../support/postgres.ts";
import {
  group,
  openSpendScene,
  person,
  refusal,
  setCap,
  type SpendScene,
  utilizationIn,
} from "../support/spending.ts";

const directory = mkdtempSync(join(tmpdir(), "gateway-spend-outage-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const used = "spend limit reached · resets ";
const headerNames = ({ headers }: Response) =>
  [...headers.keys()].filter((name) => name.startsWith("anthropic-ratelimit-"));

/** A scene on a server of its own, which is stopped with it. */
async function withOwnPostgres(
  change: (config: any) => void,
  run: (scene: SpendScene, postgres: OwnPostgres) => Promise<void>,
): Promise<void> {
  const postgres = await startOwnPostgres();
  const databaseUrl = await postgres.createDatabase();
  const scene = await openSpendScene((config) => {
    config.store = { postgres_url: databaseUrl };
    change(config);
  });
  scene.upstream.answer = answerInFull;
  try {
    await run(scene, postgres);
  } finally {
    await scene.stop();
    await postgres.stop();
  }
}

/** Spends so much that `full` has nothing left of 100 cents, and `half` a half. */
async function spendHalf({ gateway, buy, tables }: SpendScene): Promise<void> {
  for (const sub of ["full", "half"]) await setCap(gateway, person(sub), 100);
  await (await buy("full", 100)).text();
  await (await buy("half", 50)).text();
  await tables.untilSpent("full", 100);
  await tables.untilSpent("half", 50);
}

const untilReady = async ({ url }: GatewayProcess) => {
  for (let waits = 0; waits < 100 && (await fetch(`${url}/readyz`)).status !== 200; waits++)
    await Bun.sleep(100);
};

test(
  "what was last known goes on to hold, and what is spent is written when the database is back",
  () =>
    withOwnPostgres(
      () => undefined,
      async (scene, postgres) => {
        const { gateway, buy, tables } = scene;
        await spendHalf(scene);
        await setCap(gateway, { type: "organization" }, 40, { period: "daily" });
        await setCap(gateway, person("half"), 1_000, { period: "daily" });
        await setCap(gateway, group("team"), 5_000, {
          pooled_budget: { amount: "60", paused: false },
        });
        await (await buy({ sub: "member", groups: ["team"] }, 20)).text();
        // Everybody whose caps are to be known has asked for something since they were set.
        await (await buy("half", 1)).text();
        await tables.until(() => tables.pooled("team"), 20);

        await postgres.crash();
        const blocked = await buy("full", 1, { headers: { "x-client-request-id": "outage-1" } });
        expect(Object.fromEntries(blocked.headers)).toMatchObject({
          "anthropic-ratelimit-unified-status": "rejected",
          "anthropic-ratelimit-unified-overage-utilization": "1",
          "anthropic-ratelimit-unified-overage-period": "monthly",
          "anthropic-ratelimit-unified-overage-disabled-reason": "org_spend_cap_reached",
          "x-should-retry": "false",
        });
        expect(await refusal(blocked)).toEqual([
          429,
          "billing_error",
          expect.stringContaining(used),
        ]);
        await gateway.audited("spend.blocked", { request_id: "outage-1", cause: "over_limit" });

        // Who crosses the limit now is held to it as well.
        const served = await buy("half", 48);
        expect([served.status, headerNames(served)]).toEqual([200, []]);
        await served.text();
        expect((await buy("half", 3)).status).toBe(200);
        expect(await refusal(await buy("half", 3))).toEqual([
          429,
          "billing_error",
          expect.stringContaining(used),
        ]);
        // So is who was never seen before, to the cap on everybody; and a group to its pool.
        expect((await buy("new", 40)).status).toBe(200);
        expect((await buy("new", 1)).status).toBe(429);
        expect((await buy({ sub: "other member", groups: ["team"] }, 40)).status).toBe(200);
        expect(await refusal(await buy({ sub: "member", groups: ["team"] }, 1))).toEqual([
          429,
          "billing_error",
          expect.stringContaining("group's budget"),
        ]);
        const bearer = await scene.bearer({ sub: "half" });
        const usage = await fetch(`${gateway.url}/api/oauth/usage`, {
          headers: { authorization: `Bearer ${bearer}` },
        });
        expect(usage.status).toBe(503);
        await gateway.waitForLog(/warn spend check failed: /);
        await gateway.waitForLog(/warn spend record failed: .* wait in memory/);

        await postgres.restart();
        await untilReady(gateway);
        await tables.untilSpent("half", 102);
        await tables.untilSpent("new", 40);
        await tables.untilSpent("other member", 40);
        await tables.until(() => tables.pooled("team"), 60);
        await gateway.waitForLog(/info spend is recorded again/);
        await setCap(gateway, person("half"), 204);
        const back = await buy("half", 1);
        expect([back.status, utilizationIn(back)]).toEqual([200, "0.5"]);
        await back.text();
        await tables.untilSpent("half", 103);
      },
    ),
  60_000,
);

describe("a kill -9 during the outage", () => {
  test(
    "with a journal loses nothing, and what is in it is written once however often it is started",
    () =>
      withOwnPostgres(
        (config) => (config.store.journal = join(directory, "journal")),
        async (scene, postgres) => {
          const { gateway, buy, tables } = scene;
          await spendHalf(scene);
          await postgres.crash();
          for (const cents of [7, 8, 9]) {
            await (await buy("half", cents)).text();
            // So that some of it is journaled line by line.
            await Bun.sleep(150);
          }
          await gateway.waitForLog(/spend record failed: .* and in the journal/);
          await Bun.sleep(300);
          await gateway.stop("SIGKILL");
          const left = readdirSync(join(directory, "journal")).filter(isLines);
          expect(left).toHaveLength(1);

          await postgres.restart();
          for (let starts = 1; starts <= 2; starts++) {
            const restarted = await startGateway(scene.config);
            try {
              await tables.untilSpent("half", 73 + starts);
              await (await buy("half", 1, { gateway: restarted })).text();
              await tables.untilSpent("half", 74 + starts);
            } finally {
              await restarted.stop("SIGKILL");
            }
          }
          expect(readdirSync(join(directory, "journal"))).not.toContain(left[0]);
        },
      ),
    60_000,
  );

  test(
    "without one loses what was spent since, and nothing from before",
    () =>
      withOwnPostgres(
        () => undefined,
        async (scene, postgres) => {
          const { gateway, buy, tables } = scene;
          await spendHalf(scene);
          await postgres.crash();
          await (await buy("half", 7)).text();
          await gateway.stop("SIGKILL");
          await postgres.restart();
          const restarted = await startGateway(scene.config);
          await (await buy("half", 1, { gateway: restarted })).text();
          await tables.untilSpent("half", 51);
          await restarted.stop("SIGKILL");
        },
      ),
    60_000,
  );
});

test("SIGTERM during the outage says what is lost, and with a journal loses nothing", async () => {
  await withOwnPostgres(
    (config) => (config.store.journal = join(directory, "another")),
    async (scene, postgres) => {
      const { gateway, buy, tables } = scene;
      await spendHalf(scene);
      await postgres.crash();
      await (await buy("half", 7)).text();
      expect(await gateway.stop("SIGTERM")).toBe(0);
      expect(gateway.stderr()).toContain("spend of 7 cents waits in the journal");
      await postgres.restart();
      const restarted = await startGateway(scene.config);
      await tables.untilSpent("half", 57);
      await restarted.waitForLog(/spend of \S+ cents that an earlier process settled is recorded/);
      await restarted.stop("SIGKILL");
    },
  );
  await withOwnPostgres(
    () => undefined,
    async (scene, postgres) => {
      const { gateway, buy } = scene;
      await spendHalf(scene);
      await postgres.crash();
      await (await buy("half", 7)).text();
      expect(await gateway.stop("SIGTERM")).toBe(0);
      expect(gateway.stderr()).toMatch(
        /error spend of 7 cents is lost: it could not be recorded: /,
      );
    },
  );
}, 60_000);

test(
  "enforcement.fail_closed_on_error refuses while nothing can be read, before the body is looked at",
  () =>
    withOwnPostgres(
      (config) => (config.enforcement = { fail_closed_on_error: true }),
      async (scene, postgres) => {
        const { gateway, buy, upstream } = scene;
        await spendHalf(scene);
        await postgres.crash();
        const seenBefore = upstream.seen.length;
        const refused = await buy("half", 1, {
          fields: { model: 5 },
          headers: { "x-client-request-id": "closed-1" },
        });
        expect(headerNames(refused)).toEqual([
          "anthropic-ratelimit-unified-overage-disabled-reason",
        ]);
        expect(Object.fromEntries(refused.headers)).toMatchObject({
          "anthropic-ratelimit-unified-overage-disabled-reason": "fetch_error",
          "x-should-retry": "false",
        });
        expect(await refusal(refused)).toEqual([
          429,
          "billing_error",
          "spend limit unavailable · ask",
        ]);
        await gateway.audited("spend.blocked", { request_id: "closed-1", cause: "store_error" });
        // Who is over the limit is told so, as long as that is known.
        expect((await refusal(await buy("full", 1)))[2]).toContain(used);
        expect(upstream.seen.length).toBe(seenBefore);
        upstream.answer = () => Response.json({ input_tokens: 1 });
        const count = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
          method: "POST",
          headers: { authorization: `Bearer ${await scene.bearer({ sub: "half" })}` },
          body: JSON.stringify({ model: "claude-sonnet-4-6", max_tokens: 1, messages: [] }),
        });
        expect(count.status).toBe(200);
        upstream.answer = answerInFull;

        await postgres.restart();
        await untilReady(gateway);
        let back = await buy("half", 1);
        for (let waits = 0; waits < 100 && back.status === 429; waits++) {
          await Bun.sleep(50);
          back = await buy("half", 1);
        }
        expect([back.status, utilizationIn(back)]).toEqual([200, "0.5"]);
      },
    ),
  60_000,
);

function isLines(name: string): boolean {
  return name.endsWith(".jsonl");
}
