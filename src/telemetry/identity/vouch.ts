// Which exports may go on: those that say of their sender what the bearer says, or could be made to. What becomes of the others is
// counted, and said in the log without flooding it. Whose an export says that it is, is identity-check.ts's to find out; when it
// has the time for that turns.ts's.
import { type log as operationalLog, messageOf } from "../../log.ts";
import type { Principal } from "../../session.ts";
import type { Timer } from "../../timer.ts";
import { isLogged, soFar } from "../losses.ts";
import type { Export } from "../relay/delivery.ts";
import { createIdentityCheck } from "./identity-check.ts";
import { createTurns } from "./turns.ts";

/** Exports that were to be looked into for who sent them: corrected, not readable, or not looked at for want of time. */
export type IdentityCounts = {
  readonly corrected: number;
  readonly unreadable: number;
  readonly dropped: number;
};

export type Vouch = {
  /** Hands the export on as it may go on, at once or soon; or not at all. */
  readonly pass: (item: Export, principal: Principal, onward: (item: Export) => void) => void;
  readonly counts: IdentityCounts;
  /** Hands on what waits, for at most this long; the rest is dropped. Undefined when nothing waits. */
  readonly close: (timeoutMs: number) => Promise<void> | undefined;
};

export function createVouch({
  log,
  after,
}: {
  log: Pick<typeof operationalLog, "warn" | "error">;
  after: Timer;
}): Vouch {
  const check = createIdentityCheck();
  const turns = createTurns({ now: () => performance.now(), after });
  const counts = { corrected: 0, unreadable: 0, dropped: 0 };

  function count(outcome: keyof typeof counts, what: string): void {
    counts[outcome] += 1;
    if (isLogged(counts[outcome]))
      log.warn(`telemetry identity: ${what} ${soFar(counts[outcome])}`);
  }

  return {
    counts,
    pass(item, principal, onward) {
      const subject = `an export of ${item.signal} by sub=${principal.sub}`;
      const drop = (why: string) =>
        count("dropped", `${subject} was not looked at, and does not go on: ${why}`);
      const run = () => {
        try {
          const checked = check(item, principal);
          if (checked.outcome === "unreadable")
            return count(
              "unreadable",
              `${subject} could not be read, and does not go on: ${checked.why}`,
            );
          if (checked.outcome === "corrected")
            count("corrected", `${subject} said of its sender what its bearer does not: corrected`);
          onward(checked.item);
        } catch (error) {
          // A mistake of ours: there is nobody to answer to.
          log.error(`telemetry identity: ${subject} could not be checked: ${messageOf(error)}`);
          count("dropped", `${subject} could not be checked, and does not go on`);
        }
      };
      turns.offer({ owner: principal.sub, bytes: item.body.length, run, drop });
    },
    close: turns.close,
  };
}

/** Without `telemetry.verify_identity`: whatever a client says goes on. */
export const unverified: Vouch = {
  counts: { corrected: 0, unreadable: 0, dropped: 0 },
  pass: (item, _principal, onward) => onward(item),
  close: () => undefined,
};
