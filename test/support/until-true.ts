// Waiting for what happens elsewhere, in a server or in another process.
import { expect } from "bun:test";

/** Waits until it holds, two seconds at most unless told otherwise. */
export async function untilTrue(holds: () => boolean, waitMsMax = 2_000): Promise<void> {
  const deadline = Date.now() + waitMsMax;
  while (!holds() && Date.now() < deadline) await Bun.sleep(5);
  expect(holds()).toBe(true);
}
