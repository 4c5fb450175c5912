// Which exports may go on: those that say of their sender what the bearer says, or could be made to. What becomes of the others is
// counted, and said in the log without flooding it. Whose an export says that it is, is identity-check.ts's to find out.
import type { log as operationalLog } from "../../log.ts";
import type { Principal } from "../../session.ts";
import type { IdentityCounts } from "../metrics/gauges.ts";
import type { Export } from "../relay/delivery.ts";
import { createIdentityCheck } from "./identity-check.ts";

export type Vouch = {
  /** The export as it may go on; undefined when it may not. */
  readonly vouchFor: (item: Export, principal: Principal) => Export | undefined;
  readonly counts: IdentityCounts;
};

/** Of each outcome the first is logged, and then one in so many. */
const loggedEvery = 100;

export function createVouch(log: Pick<typeof operationalLog, "warn">): Vouch {
  const check = createIdentityCheck();
  const counts = { corrected: 0, unreadable: 0 };

  function count(outcome: keyof typeof counts, what: string): void {
    counts[outcome] += 1;
    if (counts[outcome] !== 1 && counts[outcome] % loggedEvery !== 0) return;
    log.warn(
      `telemetry identity: ${what} (${counts[outcome]} so far; logged at the first and every ${loggedEvery}th)`,
    );
  }

  return {
    counts,
    vouchFor(item, principal) {
      const checked = check(item, principal);
      const subject = `an export of ${item.signal} by sub=${principal.sub}`;
      switch (checked.outcome) {
        case "agrees":
          return item;
        case "corrected":
          count("corrected", `${subject} said of its sender what its bearer does not: corrected`);
          return checked.item;
        case "unreadable":
          count("unreadable", `${subject} could not be read, and does not go on: ${checked.why}`);
          return undefined;
      }
    },
  };
}

/** Without `telemetry.verify_identity`: whatever a client says goes on. */
export const unverified: Vouch = {
  counts: { corrected: 0, unreadable: 0 },
  vouchFor: (item) => item,
};
