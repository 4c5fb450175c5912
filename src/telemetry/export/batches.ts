// What waits of the gateway's own telemetry for one collector, and when it goes: together, a batch at a time, from a queue that
// is bounded and gives up its oldest. Handing something in costs no more than a place in a list. A batch that was not taken is
// not kept: whoever sends it has tried again already where that helps. What a send is, is collector-export.ts's.
import { messageOf } from "../../log.ts";
import type { Timer } from "../../timer.ts";
import type { Outcome } from "../collector.ts";
import { createLossCounter, type Losses, type LossLog } from "../losses.ts";

/** Items that wait; those of the batch under way are not counted. */
const waitingMax = 2_048;

/** Items that go at once. They are written as JSON in one go, about 2 ms for so many records. */
const batchMax = 256;

/** How long the first of a batch waits for others. */
const gatherMs = 1_000;

export type Batches<Item> = {
  /** Takes an item and returns at once, whatever becomes of it. */
  add(item: Item): void;
  /** Sends what waits, for at most this long; what then waits still, and all that comes later, is dropped. */
  close(timeoutMs: number): Promise<void>;
  /** Of items. */
  readonly losses: Readonly<Losses>;
  /** Items that wait or are under way. */
  readonly depth: () => number;
};

/**
 * @param options.name of the collector, for log lines.
 * @param options.kind what one item is called there, such as `record`.
 * @param options.send sends a batch. One that throws costs that batch.
 */
export function createBatches<Item>({
  name,
  kind,
  send,
  log,
  after,
}: {
  name: string;
  kind: string;
  send: (items: Item[]) => Promise<Outcome>;
  log: LossLog;
  after: Timer;
}): Batches<Item> {
  const { losses, lose, leave } = createLossCounter(
    { subject: `telemetry export: ${name}`, item: kind },
    log,
  );
  const waiting: Item[] = [];
  let sending = 0;
  let isDue = false;
  let cancelGathering: (() => void) | undefined;
  let isClosed = false;
  let onIdle: (() => void) | undefined;

  function add(item: Item): void {
    if (isClosed) return lose("dropped", "the gateway stops");
    if (waiting.length >= waitingMax) {
      waiting.shift();
      lose("dropped", "later ones need its place in the queue");
    }
    waiting.push(item);
    if (waiting.length >= batchMax) sendNext();
    else cancelGathering ??= after(gatherMs, sendDue);
  }

  function sendDue(): void {
    isDue = true;
    sendNext();
  }

  function sendNext(): void {
    if (sending > 0) return;
    if (waiting.length > 0 && (isDue || waiting.length >= batchMax)) return void sendBatch();
    if (waiting.length === 0) onIdle?.();
  }

  async function sendBatch(): Promise<void> {
    const batch = waiting.splice(0, batchMax);
    sending = batch.length;
    gatherAnew();
    const outcome = await sent(batch);
    if (isClosed) return; // Counted when it was given up.
    sending = 0;
    if (outcome.kind !== "taken") lose(outcome.kind, outcome.why, batch.length);
    sendNext();
  }

  async function sent(batch: Item[]): Promise<Outcome> {
    try {
      return await send(batch);
    } catch (error) {
      return { kind: "failed", why: `it could not be written: ${messageOf(error)}` };
    }
  }

  /** For what is left behind a batch: the wait begins again. When the gateway stops there is none. */
  function gatherAnew(): void {
    cancelGathering?.();
    cancelGathering = undefined;
    if (onIdle !== undefined) return;
    isDue = false;
    if (waiting.length > 0) cancelGathering = after(gatherMs, sendDue);
  }

  return {
    add,
    async close(timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const cancel = after(timeoutMs, resolve);
      onIdle = resolve;
      sendDue();
      await promise;
      cancel();
      cancelGathering?.();
      isClosed = true;
      leave(waiting.length + sending);
      waiting.length = 0;
      sending = 0;
    },
    losses,
    depth: () => waiting.length + sending,
  };
}
