// One credential that runs out and renews itself: asked for once however many requests wait for it, renewed before it expires,
// and never asked for in a storm when whoever gives it out is down. How each kind is obtained is its own file's.
import { log, messageOf } from "../log.ts";
import { withoutCredentials } from "./answer/redaction.ts";

export type Renewable<T> = {
  readonly value: T;
  /** Milliseconds since the epoch; null for one that does not run out. */
  readonly expiresAtMs: number | null;
};

export type Credential<T> = {
  /** @throws CredentialError when there is none. */
  get(): Promise<T>;
  /**
   * Makes the next `get` obtain a new one: the upstream refused this. Does nothing when it has been replaced since, nor more
   * than once a second.
   */
  refused(value: T): void;
};

/** No credential could be had. The message ends with the cause, for the log. */
export class CredentialError extends Error {
  override readonly name = "CredentialError";
}

export type CredentialOptions = {
  /** What it is for, in log lines: `upstream 'bedrock'`. */
  readonly owner: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

/** Renewed this long before it expires, or after three quarters of its life when that is shorter than four times this. */
const renewBeforeMs = 5 * 60_000;

/** A credential this close to its end is not used any more: it has to last for the journey. */
const travelTimeMs = 5_000;

/** How long obtaining one may take. */
const obtainTimeoutMs = 15_000;

/** After a failure: how long everyone is told of it before it is tried again. */
const failureKeptMs = 1_000;

/** Least time between two refusals that are believed. */
const refusalsEveryMs = 1_000;

/** @param obtain asks for a new one; it is told when to give up. */
export function createCredential<T>(
  obtain: (signal: AbortSignal) => Promise<Renewable<T>>,
  { owner, now }: CredentialOptions,
): Credential<T> {
  let current: (Renewable<T> & { renewAtMs: number }) | undefined;
  let pending: Promise<T> | undefined;
  let refusedAtMs = -Infinity;
  let failed: { error: CredentialError; untilMs: number } | undefined;

  function renew(): Promise<T> {
    if (failed !== undefined && now() < failed.untilMs) return Promise.reject(failed.error);
    pending ??= obtainOne().finally(() => (pending = undefined));
    return pending;
  }

  async function obtainOne(): Promise<T> {
    const signal = AbortSignal.timeout(obtainTimeoutMs);
    try {
      const obtained = await orTimeout(signal, obtain(signal));
      current = { ...obtained, renewAtMs: renewAt(obtained.expiresAtMs, now()) };
      return obtained.value;
    } catch (error) {
      // A library's message quotes whoever refused, and that one may quote what it was sent.
      const cause = withoutCredentials(messageOf(error));
      const told = new CredentialError(`no credential for ${owner}: ${cause}`, { cause: error });
      failed = { error: told, untilMs: now() + failureKeptMs };
      throw told;
    }
  }

  return {
    async get() {
      if (current === undefined) return renew();
      const at = now();
      if (at < current.renewAtMs) return current.value;
      if (at >= (current.expiresAtMs ?? Infinity) - travelTimeMs) return renew();
      // Still good: nobody waits for the next one.
      if (pending === undefined && (failed === undefined || at >= failed.untilMs)) {
        renew().catch((error) =>
          log.warn(`renewing early failed, trying again: ${messageOf(error)}`),
        );
      }
      return current.value;
    },
    refused(value) {
      // An upstream that refuses whatever it is shown must not make every request ask for another.
      if (current?.value !== value || now() < refusedAtMs + refusalsEveryMs) return;
      refusedAtMs = now();
      current = undefined;
    },
  };
}

function renewAt(expiresAtMs: number | null, obtainedAtMs: number): number {
  if (expiresAtMs === null) return Infinity;
  const lifeMs = expiresAtMs - obtainedAtMs;
  return expiresAtMs - Math.max(travelTimeMs, Math.min(renewBeforeMs, lifeMs / 4));
}

/** Libraries do not all take a signal: then their answer is waited for no longer. */
function orTimeout<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new Error(`no answer within ${obtainTimeoutMs / 1000} s`));
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
