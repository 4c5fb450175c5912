// Time as a part of the gateway is given it, so that tests can let it pass.

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
