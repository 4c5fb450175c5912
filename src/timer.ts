// Time as a part of the gateway is given it, so that tests can let it pass; and waiting for work no longer than it lasts.

/** Runs something once, some milliseconds from now, unless the function it returns is called before. */
export type Timer = (ms: number, run: () => void) => () => void;

/** Resolves when the work has ended, whichever way, or the time has passed. */
export async function atMost(ms: number, work: Promise<unknown>, after: Timer): Promise<void> {
  let cancel = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = after(ms, resolve);
  });
  await Promise.race([Promise.allSettled([work]), late]);
  cancel();
}

/** What the work comes to, or rejects with the signal's reason as soon as that fires: then the work goes on unattended. */
export async function orAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
