// A bound on waiting. The work itself goes on; whoever must stop it does so in `onLate`.

/**
 * A wait is this many shorter ones, one after another. The time in which this process itself stands still, so that it reads no
 * answer, counts as one of them at most.
 */
const waits = 10;

/**
 * Waits for `work` at most `timeoutMs` milliseconds. A result that comes later, or a late failure, is dropped.
 * @throws Error with `message` when time is up.
 */
export async function within<T>(
  timeoutMs: number,
  work: Promise<T>,
  message: string,
  onLate: () => void = () => undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const wait = (left: number) => {
      if (left > 0) {
        timer = setTimeout(wait, timeoutMs / waits, left - 1);
        return;
      }
      onLate();
      reject(new Error(message));
    };
    wait(waits);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
