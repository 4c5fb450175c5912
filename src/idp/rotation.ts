// Refresh tokens that the IdP has replaced while the client still holds the old one: because what came after the exchange failed,
// or it took longer than anybody waited. An IdP that rotates refuses the old one, and would sign the person out for its own
// outage; so the new one is kept here for the next try. Once it has left for the client, a second use of the old one is again for
// the IdP to judge. In memory: another replica, or this one started anew, does not know of it.
import type { TokenAnswer } from "./token-endpoint.ts";

export type Rotation = {
  /**
   * Asks the IdP with the newest token that follows this one. Those who come with the same token meanwhile share the answer.
   * Its `refreshToken` is the newest one there is, rotated or not. Throws what `ask` throws.
   */
  exchange(
    refreshToken: string,
    ask: (newest: string) => Promise<TokenAnswer>,
  ): Promise<TokenAnswer & { refreshToken: string }>;
  /** The newest token leaves for the client: what led to it from this one is forgotten. */
  delivered(refreshToken: string): void;
};

/** For how long a successor is kept, in milliseconds: an outage is longer than its first retry. */
const keptMs = 30 * 60_000;
/** Successors kept, of all people; the oldest go first. */
const successorsMax = 10_000;

/** @param deps.now milliseconds since the epoch */
export function createRotation({ now }: { now: () => number }): Rotation {
  const successors = new Map<string, { refreshToken: string; untilMs: number }>();
  const underWay = new Map<string, Promise<TokenAnswer & { refreshToken: string }>>();

  function successorOf(refreshToken: string) {
    const known = successors.get(refreshToken);
    if (known === undefined || known.untilMs > now()) return known;
    successors.delete(refreshToken);
    return undefined;
  }

  function newestOf(refreshToken: string): string {
    const next = successorOf(refreshToken);
    return next === undefined ? refreshToken : newestOf(next.refreshToken);
  }

  function remember(old: string, refreshToken: string): void {
    // The newest has no successor, whatever it was before: chains have an end.
    successors.delete(refreshToken);
    const [oldest] = successors.keys();
    if (oldest !== undefined && successors.size >= successorsMax) successors.delete(oldest);
    successors.set(old, { refreshToken, untilMs: now() + keptMs });
  }

  async function exchange(
    newest: string,
    ask: (newest: string) => Promise<TokenAnswer>,
  ): Promise<TokenAnswer & { refreshToken: string }> {
    const answer = await ask(newest);
    const { refreshToken = newest } = answer;
    if (refreshToken !== newest) remember(newest, refreshToken);
    return { ...answer, refreshToken };
  }

  return {
    exchange(refreshToken, ask) {
      const newest = newestOf(refreshToken);
      const pending = underWay.get(newest);
      if (pending !== undefined) return pending;
      const started = exchange(newest, ask).finally(() => underWay.delete(newest));
      underWay.set(newest, started);
      return started;
    },

    delivered(refreshToken) {
      let old = refreshToken;
      for (let next = successorOf(old); next; next = successorOf(old)) {
        successors.delete(old);
        old = next.refreshToken;
      }
    },
  };
}
