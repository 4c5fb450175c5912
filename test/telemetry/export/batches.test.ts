// What waits of the gateway's own telemetry, and when it goes. Sends are played: each is answered when and how the test says.
import { describe, expect, test } from "bun:test";
import type { Outcome } from "../../../src/telemetry/collector.ts";
import { createBatches } from "../../../src/telemetry/export/batches.ts";
import { createHandClock } from "../hand-clock.ts";

const taken: Outcome = { kind: "taken" };
const failed: Outcome = { kind: "failed", why: "answered 503" };
const refused: Outcome = { kind: "refused", why: "answered 413" };

function open() {
  const sends: { items: number[]; answer: (outcome: Outcome) => Promise<void> }[] = [];
  const logged: string[] = [];
  const clock = createHandClock();
  const batches = createBatches<number>({
    name: "https://otel.example",
    kind: "record",
    send: (items) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const answer = async (outcome: Outcome) => {
        resolve(outcome);
        await settled();
      };
      sends.push({ items, answer });
      return promise;
    },
    log: { warn: (message) => logged.push(message) },
    after: clock.after,
  });
  let made = 0;
  return {
    ...batches,
    clock,
    sends,
    logged,
    /** Hands in this many, numbered through. */
    fill(count: number) {
      for (let i = 0; i < count; i++) batches.add(made++);
    },
    /** First and last number of each batch that was sent. */
    sent: () => sends.map(({ items }) => [items[0], items.at(-1)]),
  };
}

/** Lets what waits for a promise run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

describe("a batch goes", () => {
  test("a second after its first item came, with all that came since", () => {
    const opened = open();
    opened.fill(1);
    opened.clock.pass(999);
    opened.fill(2);
    expect(opened.sent()).toEqual([]);
    opened.clock.pass(1);
    expect(opened.sent()).toEqual([[0, 2]]);
  });

  test("at once when 256 wait", () => {
    const opened = open();
    opened.fill(255);
    expect(opened.sent()).toEqual([]);
    opened.fill(1);
    expect(opened.sent()).toEqual([[0, 255]]);
  });

  test("when there is something to send, and not else", () => {
    const opened = open();
    opened.clock.pass(10_000);
    opened.fill(256);
    opened.clock.pass(10_000);
    expect(opened.sent()).toEqual([[0, 255]]);
  });

  test("alone: the next one waits until it is answered", async () => {
    const opened = open();
    opened.fill(600);
    opened.clock.pass(5_000);
    expect(opened.sent()).toEqual([[0, 255]]);
    await opened.sends[0]?.answer(taken);
    expect(opened.sent().slice(1)).toEqual([[256, 511]]);
  });

  test("whether the one before was taken or not", async () => {
    const opened = open();
    opened.fill(768);
    await opened.sends[0]?.answer(refused);
    await opened.sends[1]?.answer(failed);
    expect(opened.sent()).toEqual([
      [0, 255],
      [256, 511],
      [512, 767],
    ]);
  });

  test("at once when its second passed while another was under way", async () => {
    const opened = open();
    opened.fill(256);
    opened.fill(10);
    opened.clock.pass(1_000);
    await opened.sends[0]?.answer(taken);
    expect(opened.sent()).toEqual([
      [0, 255],
      [256, 265],
    ]);
  });

  test("not before its second because one before it was due", async () => {
    const opened = open();
    opened.fill(1);
    opened.clock.pass(1_000);
    opened.fill(1);
    await opened.sends[0]?.answer(taken);
    expect(opened.sent()).toEqual([[0, 0]]);
    opened.clock.pass(1_000);
    expect(opened.sent()).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test("in time also when it waited behind one that was full", async () => {
    const opened = open();
    opened.fill(256 + 300);
    await opened.sends[0]?.answer(taken);
    await opened.sends[1]?.answer(taken);
    opened.clock.pass(1_000);
    expect(opened.sent().slice(1)).toEqual([
      [256, 511],
      [512, 555],
    ]);
  });

  test("with a second of its own when it is what another left over", async () => {
    const opened = open();
    opened.fill(200);
    opened.clock.pass(900);
    opened.fill(60);
    await opened.sends[0]?.answer(taken);
    opened.clock.pass(999);
    expect(opened.sent()).toEqual([[0, 255]]);
    opened.clock.pass(1);
    expect(opened.sent()).toEqual([
      [0, 255],
      [256, 259],
    ]);
  });
});

describe("what is lost", () => {
  test("is the oldest when more wait than 2048, one for each that is too many", async () => {
    const opened = open();
    opened.fill(256 + 2_048);
    expect(opened.losses.dropped).toBe(0);
    expect(opened.depth()).toBe(256 + 2_048);
    opened.fill(3);
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 3 });
    expect(opened.depth()).toBe(256 + 2_048);
    await opened.sends[0]?.answer(taken);
    expect(opened.sent()[1]).toEqual([256 + 3, 511 + 3]);
    expect(opened.depth()).toBe(2_048);
  });

  test("is counted by the item, whole batches at a time", async () => {
    const opened = open();
    opened.fill(512);
    await opened.sends[0]?.answer(refused);
    await opened.sends[1]?.answer(failed);
    expect(opened.losses).toEqual({ refused: 256, failed: 256, dropped: 0 });
    expect(opened.depth()).toBe(0);
    expect(opened.logged).toEqual([
      "telemetry export: https://otel.example: 256 records refused: answered 413 (256 so far; logged at the first and every 100th)",
      "telemetry export: https://otel.example: 256 records failed: answered 503 (256 so far; logged at the first and every 100th)",
    ]);
  });

  test.each([1, 50])(
    "is said the first time and then every hundredth, %d at a time",
    async (size) => {
      const opened = open();
      for (let round = 0; round < 201; round++) {
        opened.fill(size);
        opened.clock.pass(1_000);
        await opened.sends[round]?.answer(failed);
      }
      expect(opened.losses.failed).toBe(201 * size);
      const counts = opened.logged.map((line) => /records? failed.*\((\d+) so far/.exec(line)?.[1]);
      expect(counts).toEqual([1, 100, 200].map((times) => String(times * size)));
    },
  );

  test("is a batch whose send throws, and not those behind it", async () => {
    const logged: string[] = [];
    const clock = createHandClock();
    const sent: number[][] = [];
    const batches = createBatches<number>({
      name: "https://otel.example",
      kind: "record",
      send(items) {
        sent.push(items);
        if (items[0] === 0) throw new Error("it broke");
        return Promise.resolve(taken);
      },
      log: { warn: (message) => logged.push(message) },
      after: clock.after,
    });
    for (const item of [0, 1]) {
      batches.add(item);
      clock.pass(1_000);
      await settled();
    }
    expect(sent).toEqual([[0], [1]]);
    expect(batches.losses).toEqual({ refused: 0, failed: 1, dropped: 0 });
    expect(logged).toEqual([
      expect.stringContaining("record failed: it could not be written: it broke"),
    ]);
  });

  test("is nothing when all is taken", async () => {
    const opened = open();
    opened.fill(256);
    await opened.sends[0]?.answer(taken);
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 0 });
    expect(opened.logged).toEqual([]);
  });
});

describe("at the stop", () => {
  /** Closes, and tells whether that is over. */
  function closing(opened: ReturnType<typeof open>, timeoutMs: number) {
    const state = { isOver: false, closed: Promise.resolve() };
    state.closed = opened.close(timeoutMs).then(() => void (state.isOver = true));
    return state;
  }

  test("what waits is sent at once, batch by batch, and waited for", async () => {
    const opened = open();
    opened.fill(300);
    opened.fill(256);
    const state = closing(opened, 5_000);
    for (let round = 0; round < 3; round++) {
      expect(state.isOver).toBe(false);
      await opened.sends[round]?.answer(taken);
    }
    await state.closed;
    expect(opened.sent()).toEqual([
      [0, 255],
      [256, 511],
      [512, 555],
    ]);
    expect(opened.losses.dropped).toBe(0);
    expect(opened.logged).toEqual([]);
  });

  test("nobody waits when nothing does", async () => {
    const opened = open();
    await opened.close(5_000);
    expect(opened.sent()).toEqual([]);
  });

  test("a batch that is under way is waited for when nothing is behind it", async () => {
    const opened = open();
    opened.fill(256);
    const state = closing(opened, 5_000);
    await settled();
    expect(state.isOver).toBe(false);
    await opened.sends[0]?.answer(failed);
    await state.closed;
    expect(opened.losses).toEqual({ refused: 0, failed: 256, dropped: 0 });
  });

  test("what is not answered in time is counted as dropped, once, and said", async () => {
    const opened = open();
    opened.fill(300);
    const state = closing(opened, 2_000);
    opened.clock.pass(1_999);
    await settled();
    expect(state.isOver).toBe(false);
    opened.clock.pass(1);
    await state.closed;
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 300 });
    expect(opened.logged).toEqual([
      "telemetry export: https://otel.example: 300 record(s) not sent before the stop",
    ]);
    await opened.sends[0]?.answer(failed);
    expect(opened.losses).toEqual({ refused: 0, failed: 0, dropped: 300 });
    expect(opened.depth()).toBe(0);
    expect(opened.sent()).toEqual([[0, 255]]);
  });

  test("what comes later is dropped, and sends nothing", async () => {
    const opened = open();
    await opened.close(5_000);
    opened.fill(256);
    opened.clock.pass(10_000);
    expect(opened.sent()).toEqual([]);
    expect(opened.losses.dropped).toBe(256);
    expect(opened.depth()).toBe(0);
  });
});
