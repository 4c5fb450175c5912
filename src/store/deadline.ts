// A bound on waiting. The work itself goes on; whoever must stop it does so in `onLate`.

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
    timer = setTimeout(() => {
      onLate();
      reject(new Error(message));
    }, timeoutMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
