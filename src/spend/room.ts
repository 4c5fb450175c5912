// Room under the limits for one more request beside those under way, and waiting for it. Who is refused for want of it is
// spend.ts's, what a request holds reservation.ts's.
import type { Accounts } from "./accounts.ts";
import { isSpokenFor, type Standing } from "./standing.ts";
import type { Standings } from "./standings.ts";
import type { Timer } from "../timer.ts";

/**
 * Has a request try again each time that another one gives back what it held under the limits, for two seconds at most. Resolves
 * with what came of it; with undefined when there was no room for as long.
 * @throws what `tryAgain` throws; the signal's reason when it aborts
 */
export type WaitForRoom = <Result>(
  standings: Standings,
  tryAgain: () => Result | undefined,
  signal: AbortSignal,
) => Promise<Result | undefined>;

/** How long a request waits for others under way, in milliseconds. */
const waitMs = 2_000;

/** The limits that requests under way could use up, so that a further one has to wait for them. Of pools, one with room is enough. */
export function spokenFor({ own, ofSession, pools }: Standings): readonly Standing[] {
  const spoken = [...own, ...ofSession].filter(isSpokenFor);
  const emptied = pools.filter(isSpokenFor);
  return emptied.length < pools.length ? spoken : [...spoken, ...emptied];
}

export function createWaitForRoom({
  accounts,
  after,
}: {
  accounts: Accounts;
  after: Timer;
}): WaitForRoom {
  return async ({ account, pools }, tryAgain, signal) => {
    signal.throwIfAborted();
    // What is held on a session is held on its person's account as well.
    const waitedFor = [account, ...pools.map((pool) => pool.account)];
    const { result, giveUp } = accounts.wait(waitedFor, tryAgain);
    const cancel = after(waitMs, giveUp);
    signal.addEventListener("abort", giveUp);
    try {
      const reached = await result;
      if (reached === undefined) signal.throwIfAborted();
      return reached;
    } finally {
      cancel();
      signal.removeEventListener("abort", giveUp);
    }
  };
}
