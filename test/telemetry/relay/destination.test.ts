// What waits for a collector, and when it goes. Sends are played: each is answered when and how the test says.
import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../../src/telemetry/collector.ts";
import type { Export } from "../../../src/telemetry/relay/delivery.ts";
import { createDestination } from "../../../src/telemetry/relay/destination.ts";
import { createHandClock } from "../hand-clock.ts";

const MiB = 1024 * 1024;
const failed: Outcome = { kind: "failed", why: "answered 503" };
const refused: Outcome = { kind: "refused", why: "answered 413" };
const taken: Outcome = { kind: "taken" };

type Send = { item: Export; signal: AbortSignal; answer: (outcome: Outcome) => Promise<void> };

function open() {
  const sends: Send[] = [];
  const logged: string[] = [];
  const clock = createHandClock();
  const destination = createDestination(
    "https://otel.example",
    (item, signal) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const answer = async (outcome: Outcome) => {
        resolve(outcome);
        await settled();
      };
      sends.push({ item, signal, answer });
      return promise;
    },
    {
      log: {
        info: (message) => logged.push(`info ${message}`),
        warn: (message) => logged.push(`warn ${message}`),
      },
      after: clock.after,
    },
  );
  let made = 0;
  return {
    ...destination,
    clock,
    sends,
    logged,
    /** Hands in this many, numbered through by their content type. */
    add(count: number, size = 10) {
      const body = new Uint8Array(size);
      for (let i = 0; i < count; i++) {
        const contentType = `n/${made++}`;
        destination.enqueue({ signal: "metrics", body, contentType, contentEncoding: undefined });
      }
    },
    /** Numbers of those that were sent, in order. */
    sent: () => sends.map(({ item }) => Number(item.contentType.slice(2))),
    /** Answers the sends that nobody has answered, until there are none. */
    async answerAll(outcome: Outcome, from = 0) {
      for (let next = from; next < sends.length; next++) await sends[next]?.answer(outcome);
    },
  };
}

/** Lets what waits for a promise run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

describe("a queue", () => {
  test("sends in order, eight at once, and the next as soon as one is answered", async () => {
    const opened = open();
    opened.add(10);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await opened.sends[3]?.answer(taken);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    await opened.answerAll(taken);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 0 });
    expect(opened.logged).toEqual([]);
  });

  test("gives up its oldest when too many wait, and says so once and then at every hundredth", async () => {
    const opened = open();
    opened.add(8 + 2_000);
    expect(opened.losses.dropped).toBe(0);
    opened.add(250);
    expect(opened.losses.dropped).toBe(250);
    expect(opened.logged.map((line) => /\((\d+) so far/.exec(line)?.[1])).toEqual([
      "1",
      "100",
      "200",
    ]);
    expect(opened.logged[0]).toBe(
      "warn telemetry relay: https://otel.example: export dropped: later ones need its place in the queue (1 so far; logged at the first and every 100th)",
    );
    await opened.sends[0]?.answer(taken);
    expect(opened.sent().at(-1)).toBe(8 + 250);
  });

  test("gives up its oldest when what waits and is under way has too many bytes", async () => {
    const opened = open();
    opened.add(8, 1 * MiB - 10);
    opened.add(6, 4 * MiB - 10); // 8 and 24 MiB: just fits.
    expect(opened.losses.dropped).toBe(0);
    opened.add(1, 100);
    expect(opened.losses.dropped).toBe(1);
    await opened.answerAll(taken);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]);
  });

  test("has room again for what was answered", async () => {
    const opened = open();
    for (let round = 0; round < 5; round++) {
      opened.add(8, 4 * MiB - 10);
      await opened.answerAll(taken, round * 8);
    }
    expect(opened.losses.dropped).toBe(0);
    expect(opened.sends).toHaveLength(40);
  });

  test("drops an export that cannot fit, and none that waits", async () => {
    const opened = open();
    opened.add(10);
    opened.add(1, 32 * MiB);
    expect(opened.losses.dropped).toBe(1);
    await opened.answerAll(taken);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("counts what a client says of its export, which may be long", () => {
    const opened = open();
    const body = new Uint8Array(0);
    const contentType = "x".repeat(8 * MiB);
    for (let i = 0; i < 5; i++) {
      opened.enqueue({ signal: "logs", body, contentType, contentEncoding: undefined });
    }
    expect(opened.losses.dropped).toBe(1);
  });
});

describe("a collector that fails", () => {
  test("five times in a row is left alone for 30 s, and what comes waits", async () => {
    const opened = open();
    opened.add(4);
    await opened.answerAll(failed);
    opened.add(1);
    await opened.sends[4]?.answer(failed);
    opened.add(3);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4]);
    opened.clock.pass(29_999);
    expect(opened.sends).toHaveLength(5);
    opened.clock.pass(1);
    expect(opened.sent()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("is tried with one export after the pause, and with all that wait once it answers", async () => {
    const opened = open();
    opened.add(5);
    await opened.answerAll(failed);
    opened.add(20);
    opened.clock.pass(30_000);
    expect(opened.sends).toHaveLength(6);
    await opened.sends[5]?.answer(taken);
    expect(opened.sends).toHaveLength(6 + 8);
  });

  test("is left alone for another 30 s when that one fails", async () => {
    const opened = open();
    opened.add(5);
    await opened.answerAll(failed);
    opened.add(20);
    for (const tried of [6, 7, 8]) {
      opened.clock.pass(30_000);
      expect(opened.sends).toHaveLength(tried);
      await opened.sends[tried - 1]?.answer(failed);
      expect(opened.sends).toHaveLength(tried);
    }
  });

  test("is left alone once, however many sends under way fail later", async () => {
    const opened = open();
    opened.add(30);
    for (const { answer } of opened.sends.slice(0, 5)) await answer(failed);
    opened.clock.pass(10_000);
    await opened.answerAll(failed, 5);
    const before = opened.sends.length;
    opened.clock.pass(20_000);
    expect(opened.sends).toHaveLength(before + 1);
    await opened.sends[before]?.answer(failed);
    opened.clock.pass(29_999);
    expect(opened.sends).toHaveLength(before + 1);
    opened.clock.pass(1);
    expect(opened.sends).toHaveLength(before + 2);
  });

  test("is not left alone when it answers in between", async () => {
    const opened = open();
    for (let at = 0; at < 20; at++) {
      opened.add(1);
      await opened.sends[at]?.answer(at % 5 === 4 ? taken : failed);
    }
    expect(opened.sends).toHaveLength(20);
  });

  test("is not left alone for exports that it does not want", async () => {
    const opened = open();
    for (let at = 0; at < 20; at++) {
      opened.add(1);
      await opened.sends[at]?.answer(refused);
    }
    expect(opened.sends).toHaveLength(20);
    expect(opened.losses).toEqual({ refused: 20, failed: 0, dropped: 0 });
  });

  test("is there again at once when a late answer says so", async () => {
    const opened = open();
    opened.add(20);
    for (const { answer } of opened.sends.slice(0, 5)) await answer(failed);
    const before = opened.sends.length;
    await opened.sends[7]?.answer(taken);
    expect(opened.sends.length).toBeGreaterThan(before);
  });

  test("is spoken of at the first failure and each hundredth, when it is left alone, and when it is back", async () => {
    const opened = open();
    opened.add(5);
    await opened.answerAll(failed);
    opened.add(200);
    for (let at = 5; at < 100; at++) {
      opened.clock.pass(30_000);
      await opened.sends[at]?.answer(failed);
    }
    opened.clock.pass(30_000);
    await opened.sends[100]?.answer(refused);
    expect(opened.losses).toEqual({ refused: 1, failed: 100, dropped: 0 });
    expect(opened.logged).toEqual([
      "warn telemetry relay: https://otel.example: export failed: answered 503 (1 so far; logged at the first and every 100th)",
      "warn telemetry relay: https://otel.example failed 5 times in a row: exports wait, and one is tried every 30 s until it answers",
      "warn telemetry relay: https://otel.example: export failed: answered 503 (100 so far; logged at the first and every 100th)",
      "warn telemetry relay: https://otel.example: export refused: answered 413 (1 so far; logged at the first and every 100th)",
      "info telemetry relay: https://otel.example answers again",
    ]);
  });
});

describe("closing", () => {
  test("waits until everything that waits was answered", async () => {
    const opened = open();
    opened.add(20);
    const closing = opened.close(3_000);
    let isClosed = false;
    void closing.then(() => (isClosed = true));
    for (let at = 0; at < 19; at++) await opened.sends[at]?.answer(taken);
    expect(isClosed).toBe(false);
    await opened.sends[19]?.answer(taken);
    await closing;
    expect(opened.losses.dropped).toBe(0);
    expect(opened.logged).toEqual([]);
  });

  test("waits no longer than it is told, cuts what is under way, and counts it with what waits", async () => {
    const opened = open();
    opened.add(20);
    const closing = opened.close(3_000);
    opened.clock.pass(3_000);
    await closing;
    expect(opened.sends.map(({ signal }) => signal.aborted)).toEqual(Array(8).fill(true));
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 20 });
    expect(opened.logged).toEqual([
      "warn telemetry relay: https://otel.example: 20 export(s) not sent before the stop",
    ]);
    await opened.answerAll(failed);
    expect(opened.sends).toHaveLength(8);
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 20 });
  });

  test("does not wait for a collector that is left alone, and starts nothing afterwards", async () => {
    const opened = open();
    opened.add(5);
    await opened.answerAll(failed);
    opened.add(3);
    await opened.close(3_000);
    expect(opened.losses.dropped).toBe(3);
    opened.clock.pass(60_000);
    expect(opened.sends).toHaveLength(5);
  });

  test("gives up when the collector fails meanwhile", async () => {
    const opened = open();
    opened.add(20);
    const closing = opened.close(3_000);
    for (let at = 0; at < 12; at++) await opened.sends[at]?.answer(failed);
    await closing;
    expect(opened.losses.failed + opened.losses.dropped).toBe(20);
  });

  test("is at once when there is nothing to send, and drops what comes later", async () => {
    const opened = open();
    await opened.close(3_000);
    opened.add(1);
    expect(opened.sends).toEqual([]);
    expect(opened.losses.dropped).toBe(1);
  });
});
