// Text that others wrote, and that is JSON or is not.

/** The value that a JSON text stands for; undefined for any other text. */
export function valueIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
