// What waits for one collector, and when it goes: a queue bounded in count and bytes that gives up its oldest, a few sends at
// once, none for a while after failures in a row. Each collector has its own, so that none waits for another. A send that
// failed is not repeated: whether the collector has it nobody knows, Claude Code's metrics are increments, and a gap is better
// than what is counted twice. What one send is, is delivery.ts's.
import type { log as operationalLog } from "../../log.ts";
import type { Timer } from "../../timer.ts";
import type { Outcome } from "../collector.ts";
import { createLossCounter, type Losses } from "../losses.ts";
import type { Delivery, Export } from "./delivery.ts";

/** Exports that wait, and bytes of those that wait or are under way. */
const queuedMax = 2_000;
const bytesMax = 32 * 1024 * 1024;

/** Sends at once. Few, because inference has the same cap on outbound requests: a collector that hangs holds no more. */
const sendsMax = 8;

/** Failures in a row after which there is a pause, and how long it lasts. */
const failuresMax = 5;
const pauseMs = 30_000;

export type Destination = {
  /** Takes an export and returns at once, whatever becomes of it. */
  enqueue(item: Export): void;
  /** Sends what waits, for at most this long; what then waits still, and all that comes later, is dropped. */
  close(timeoutMs: number): Promise<void>;
  /** Of exports. */
  readonly losses: Readonly<Losses>;
  /** Exports that wait or are under way. */
  readonly depth: () => number;
};

/** @param name what log lines call it by. */
export function createDestination(
  name: string,
  deliver: Delivery,
  { log, after }: { log: Pick<typeof operationalLog, "info" | "warn">; after: Timer },
): Destination {
  const queue: Export[] = [];
  const closed = new AbortController();
  const { losses, lose, leave } = createLossCounter(
    { subject: `telemetry relay: ${name}`, item: "export" },
    log,
  );
  let queuedBytes = 0;
  let sends = 0;
  let sendingBytes = 0;
  let failuresInARow = 0;
  let cancelPause: (() => void) | undefined;
  let onIdle: (() => void) | undefined;

  function enqueue(item: Export): void {
    if (closed.signal.aborted) return lose("dropped", "the gateway stops");
    const size = sizeOf(item);
    const room = bytesMax - sendingBytes - size;
    // The others would go, and it would still not fit.
    if (room < 0) return lose("dropped", `no room for ${size} bytes`);
    while (queue.length >= queuedMax || queuedBytes > room) dropOldest();
    queue.push(item);
    queuedBytes += size;
    sendNext();
  }

  function dropOldest(): void {
    const oldest = queue.shift();
    if (oldest === undefined) return;
    queuedBytes -= sizeOf(oldest);
    lose("dropped", "later ones need its place in the queue");
  }

  function sendNext(): void {
    while (canSend()) {
      const next = queue.shift();
      if (next === undefined) break;
      void send(next);
    }
    if (isIdle()) onIdle?.();
  }

  /** After a pause one goes ahead, and the others when it was answered. */
  function canSend(): boolean {
    return cancelPause === undefined && sends < (failuresInARow < failuresMax ? sendsMax : 1);
  }

  async function send(item: Export): Promise<void> {
    const size = sizeOf(item);
    queuedBytes -= size;
    sendingBytes += size;
    sends += 1;
    const outcome = await deliver(item, closed.signal);
    sends -= 1;
    sendingBytes -= size;
    if (closed.signal.aborted) return; // Counted when it was given up.
    learn(outcome);
    sendNext();
  }

  function learn(outcome: Outcome): void {
    if (outcome.kind !== "taken") lose(outcome.kind, outcome.why);
    if (outcome.kind === "failed") {
      failuresInARow += 1;
      if (failuresInARow >= failuresMax) pause();
      return;
    }
    if (failuresInARow >= failuresMax) log.info(`telemetry relay: ${name} answers again`);
    failuresInARow = 0;
    resume();
  }

  function pause(): void {
    if (cancelPause !== undefined) return;
    if (failuresInARow === failuresMax) {
      log.warn(
        `telemetry relay: ${name} failed ${failuresMax} times in a row: exports wait, and one is tried every ${pauseMs / 1000} s until it answers`,
      );
    }
    cancelPause = after(pauseMs, () => {
      resume();
      sendNext();
    });
  }

  function resume(): void {
    cancelPause?.();
    cancelPause = undefined;
  }

  function isIdle(): boolean {
    return sends === 0 && (queue.length === 0 || cancelPause !== undefined);
  }

  return {
    enqueue,
    async close(timeoutMs) {
      if (!isIdle()) {
        const { promise, resolve } = Promise.withResolvers<void>();
        onIdle = resolve;
        const cancel = after(timeoutMs, resolve);
        await promise;
        cancel();
      }
      cancelPause?.();
      closed.abort();
      leave(queue.length + sends);
      queue.length = 0;
    },
    losses,
    depth: () => queue.length + sends,
  };
}

/** What is kept of it in memory, about. Headers count: they are as long as a client likes. */
function sizeOf({ body, contentType, contentEncoding = "" }: Export): number {
  return body.byteLength + contentType.length + contentEncoding.length;
}
