// What becomes of spend when the process ends. Killed, it loses at most what it settled in the last 100 ms, and nothing is ever
// charged twice; told to stop, it charges everything that it sent on. What the database's absence adds is in spend-outage.test.ts.
import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startGateway } from "../support/gateway.ts";
import {
  answerInFull,
  fedStream,
  readerOf,
  started,
  stopped,
  used,
  wrote,
} from "../support/metered-answers.ts";
import { openSpendScene, type SpendScene } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

const directory = mkdtempSync(join(tmpdir(), "gateway-spend-crash-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Milliseconds of settlements that a killed process may lose, and on a machine that is busy with something else. */
const lostMs = 100;
const lostMsMax = 2_000;

const rounds = 3;
const clients = 8;
/** Requests after which a round ends. */
const settledMin = 200;

describe.each([
  ["without a journal", undefined],
  ["with one", join(directory, "journal")],
])("kill -9 while requests settle, %s", (_, journal) => {
  test("loses at most what was settled in the last 100 ms, and charges nothing twice", async () => {
    const scene = await openSpendScene((config) => {
      if (journal !== undefined) config.store.journal = journal;
    });
    const { upstream, tables } = scene;
    let { gateway } = scene;
    try {
      upstream.answer = answerInFull;
      /** How old the oldest settlement was that was lost in each round, in milliseconds. */
      const lost: number[] = [];
      for (let round = 1; round <= rounds; round++) {
        const sub = `round ${round}`;
        upstream.seen.length = 0;
        const { settledAt, killedAt } = await runUntilKilled(scene, gateway, sub);
        const begun = upstream.seen.length;
        gateway = await startGateway(scene.config);
        await (await scene.buy(`${sub}, afterwards`, 1, { gateway })).text();
        await tables.untilSpent(`${sub}, afterwards`, 1);
        // What the killed process left is in the database, and gone.
        if (journal !== undefined)
          await untilTrue(() => !readdirSync(journal).some((name) => name.endsWith(".jsonl")));

        const spent = Number(await tables.spent(sub));
        expect(spent).toBeLessThanOrEqual(begun);
        const oldest = settledAt[spent];
        lost.push(oldest === undefined ? 0 : killedAt - oldest);
      }
      expect(Math.max(...lost)).toBeLessThan(lostMsMax);
      expect(Math.min(...lost)).toBeLessThan(lostMs);
    } finally {
      await gateway.stop("SIGKILL");
      await scene.stop();
    }
  });
});

/** Clients that spend cent by cent, until the gateway is killed under them; when each of their requests was settled. */
async function runUntilKilled(
  { buy }: SpendScene,
  gateway: SpendScene["gateway"],
  sub: string,
): Promise<{ settledAt: number[]; killedAt: number }> {
  const settledAt: number[] = [];
  const running = Array.from({ length: clients }, async () => {
    for (;;) {
      const response = await buy(sub, 1, { gateway }).catch(() => undefined);
      const text = await response?.text().catch(() => undefined);
      if (text === undefined) return;
      settledAt.push(performance.now());
    }
  });
  await untilTrue(() => settledAt.length >= settledMin, 15_000);
  const killedAt = performance.now();
  await gateway.stop("SIGKILL");
  await Promise.all(running);
  return { settledAt: settledAt.filter((at) => at <= killedAt), killedAt };
}

describe("SIGTERM while answers stream", () => {
  test("charges what is finished in time in full, and what is cut at the floor", async () => {
    const scene = await openSpendScene(undefined, { CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS: "400" });
    try {
      const { gateway, buy, upstream, tables } = scene;
      const [finishing, cut] = [fedStream(), fedStream()];
      upstream.answer = ({ headers }) =>
        (headers.get("anthropic-beta") === "cut" ? cut : finishing).response;
      const stream = { fields: { stream: true } };
      for (const fed of [finishing, cut]) fed.send(started(200), wrote("x".repeat(28)));
      const finished = readerOf(await buy("ada", 100, stream));
      const broken = readerOf(
        await buy("bob", 100, { ...stream, headers: { "anthropic-beta": "cut" } }),
      );
      await Promise.all([finished, broken].map((reader) => reader.until("xxx")));

      const exited = gateway.stop("SIGTERM");
      await gateway.waitForLog(/SIGTERM received/);
      finishing.send(used(30), stopped);
      finishing.end();
      await finished.until("message_stop");
      const cutOff = broken.until("message_stop").catch(() => "cut");
      expect(await exited).toBe(0);
      expect(await cutOff).toBe("cut");

      expect(gateway.stderr()).not.toContain("lost");
      // 200 tokens read are 2 cents, 28 characters written some 7 tokens, a cent each.
      expect(await tables.spent("ada")).toBe("32");
      expect(await tables.spent("bob")).toBe("9");
    } finally {
      await scene.stop();
    }
  });

  test("charges what was answered a moment before", async () => {
    const scene = await openSpendScene();
    try {
      const { gateway, buy, upstream, tables } = scene;
      upstream.answer = answerInFull;
      const all = Array.from({ length: 20 }, async () => (await buy("ada", 3)).text());
      await Promise.all(all);
      expect(await gateway.stop("SIGTERM")).toBe(0);
      expect(gateway.stderr()).not.toContain("lost");
      expect(await tables.spent("ada")).toBe("60");
    } finally {
      await scene.stop();
    }
  });
});
