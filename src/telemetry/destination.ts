// What waits for one collector, and when it goes: a queue bounded in count and bytes that gives up its oldest, a few sends at
// once, none for a while after failures in a row. Each collector has its own, so that none waits for another. A send that
// failed is not repeated: whether the collector has it nobody knows, Claude Code's metrics are increments, and a gap is better
// than what is counted twice. What one send is, is delivery.ts's.
import type { log as operationalLog } from "../log.ts";
import type { Delivery, Export, Outcome } from "./delivery.ts";

/** Exports that wait, and bytes of those that wait or are under way. */
const queuedMax = 2_000;
const bytesMax = 32 * 1024 * 1024;

/** Sends at once. Few, because inference has the same cap on outbound requests: a collector that hangs holds no more. */
const sendsMax = 8;

/** Failures in a row after which there is a pause, and how long it lasts. */
const failuresMax = 5;
const pauseMs = 30_000;

/** Of each kind of trouble, the first is logged and then one in so many. */
const loggedEvery = 100;

/** Runs something once, some milliseconds from now, unless the function it returns is called before. */
export type Timer = (ms: number, run: () => void) => () => void;

/** Exports since the start that did not arrive: not taken, failed on the way, or not sent for lack of room or time. */
export type Losses = { refused: number; failed: number; dropped: number };

export type Destination = {
  /** Takes an export and returns at once, whatever becomes of it. */
  enqueue(item: Export): void;
  /** Sends what waits, for at most this long; what then waits still, and all that comes later, is dropped. */
  close(timeoutMs: number): Promise<void>;
  readonly losses: Readonly<Losses>;
};

/** @param name what log lines call it by. */
export function createDestination(
  name: string,
  deliver: Delivery,
  { log, after }: { log: Pick<typeof operationalLog, "info" | "warn">; after: Timer },
): Destination {
  const queue: Export[] = [];
  const closed = new AbortController();
  const losses: Losses = { refused: 0, failed: 0, dropped: 0 };
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

  function lose(kind: keyof Losses, why: string): void {
    losses[kind] += 1;
    const count = losses[kind];
    if (count !== 1 && count % loggedEvery !== 0) return;
    log.warn(
      `telemetry relay: ${name}: export ${kind}: ${why} (${count} so far; logged at the first and every ${loggedEvery}th)`,
    );
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
      const left = queue.length + sends;
      queue.length = 0;
      losses.dropped += left;
      if (left > 0)
        log.warn(`telemetry relay: ${name}: ${left} export(s) not sent before the stop`);
    },
    losses,
  };
}

/** What is kept of it in memory, about. Headers count: they are as long as a client likes. */
function sizeOf({ body, contentType, contentEncoding = "" }: Export): number {
  return body.byteLength + contentType.length + contentEncoding.length;
}
