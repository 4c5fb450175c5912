// Which upstream served a client's session last. Prompt caches are the upstream's own: a session that moves pays for its whole
// conversation again, so it moves when it has to, and not because an upstream it once had is back. In memory, per replica.
import type { Principal } from "../session.ts";
import { sessionIdOf } from "../upstream/request/client-session.ts";

/** Sessions remembered, of one model each; those unused for longest go first. */
const sessionsMax = 20_000;

/** Milliseconds without a call after which a session is forgotten. No prompt cache lives longer. */
const unusedMsMax = 60 * 60_000;

export type Affinity = {
  /** Name of the upstream that served the session last. Asking counts as use. */
  upstreamOf(sessionKey: string): string | undefined;
  /** Remembers that this upstream has served the session. */
  bind(sessionKey: string, upstream: string): void;
};

/**
 * What tells a person's session with one model from all others; null when the client names none.
 * @param model as the client wrote it: a prompt cache belongs to a model.
 */
export function sessionKeyOf(
  headers: Headers,
  { sub }: Pick<Principal, "sub">,
  model: string,
): string | null {
  const id = sessionIdOf(headers);
  return id === undefined ? null : JSON.stringify([sub, id, model]);
}

/** @param options.now milliseconds. */
export function createAffinity({ now }: { now: () => number }): Affinity {
  /** In the order of last use. */
  const sessions = new Map<string, { upstream: string; usedAtMs: number }>();

  function bind(sessionKey: string, upstream: string): void {
    sessions.delete(sessionKey);
    const [oldest] = sessions.keys();
    if (oldest !== undefined && sessions.size >= sessionsMax) sessions.delete(oldest);
    sessions.set(sessionKey, { upstream, usedAtMs: now() });
  }

  return {
    bind,
    upstreamOf(sessionKey) {
      const session = sessions.get(sessionKey);
      if (session === undefined) return undefined;
      if (now() - session.usedAtMs >= unusedMsMax) {
        sessions.delete(sessionKey);
        return undefined;
      }
      bind(sessionKey, session.upstream);
      return session.upstream;
    },
  };
}
