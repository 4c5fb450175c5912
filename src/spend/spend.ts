// Spend limits on the request path: a request is let through while nothing that bears on it is used up, and while those under
// way leave room for it. What is read for that is check.ts's, what counts standings.ts's, what the client is told told.ts's;
// what becomes of a request that is let through is reservation.ts's.
import { audit } from "../audit.ts";
import type { Principal } from "../session.ts";
import { storable, storableKey } from "../store/stored-text.ts";
import type { Person } from "./caps.ts";
import type { Check } from "./check.ts";
import type { Identity, Ledger } from "./ledger.ts";
import type { Periods } from "./periods.ts";
import type { Asking, MeteredCall, Reservation, Reservations } from "./reservation.ts";
import { centsText } from "./money.ts";
import { spokenFor, type WaitForRoom } from "./room.ts";
import { isUsedUp, lastToReset, type Standing, toTell } from "./standing.ts";
import type { createStandings, Standings } from "./standings.ts";
import { limitReached, limitSpokenFor, limitUnavailable } from "./told.ts";

export type Spend = {
  /**
   * Lets a request through whose limits are not used up.
   * @throws ApiError `billing_error` when one is, or cannot be read and the gateway is to refuse then
   */
  admit(asking: Asking): Promise<Admission>;
  /** The limits on a person's own spend, as the database has them now; undefined while it is away. */
  standingOf(principal: Principal): Promise<Pick<Standings, "account" | "own"> | undefined>;
};

export type Admission = {
  /**
   * Holds the most that the call may cost until it has been answered. While those under way could use up a limit, it waits for
   * them, at most two seconds.
   * @throws ApiError `rate_limit_error` when they still could, `billing_error` when they have; the signal's reason when it aborts
   */
  reserve(metered: MeteredCall, signal: AbortSignal): Promise<Reservation>;
};

export type SpendDeps = {
  check: Check;
  ledger: Pick<Ledger, "add">;
  standingsOf: ReturnType<typeof createStandings>;
  reservation: Reservations["make"];
  waitForRoom: WaitForRoom;
  /** enforcement.* */
  failClosed: boolean;
  reserves: boolean;
  blockedMessage: string | undefined;
  periods: () => Periods;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** What was read longer ago, in milliseconds, is read again before anything is sent. */
const seenMsMax = 1_000;

export function createSpend(deps: SpendDeps): Spend {
  const { check, ledger, reservation, blockedMessage, periods, now } = deps;
  /** By bearer, which has one principal object: what of it goes into the database. */
  const people = new WeakMap<Principal, Person>();
  /** The day on which a bearer's person was last written down. */
  const identifiedOn = new WeakMap<Person, string>();

  function personOf(principal: Principal): Person {
    const known = people.get(principal);
    if (known !== undefined) return known;
    const groups = [...new Set(principal.groups.map(storable))];
    const person = { sub: storableKey(principal.sub), groups };
    people.set(principal, person);
    return person;
  }

  /** Once a day for each bearer: who spends, and who is refused, is to be found by name. */
  function identify(principal: Principal, person: Person): void {
    const day = periods().daily.key;
    if (identifiedOn.get(person) === day) return;
    identifiedOn.set(person, day);
    ledger.add({ rows: [], cost: 0n, identity: identityOf(principal, person), day });
  }

  return {
    async admit(asking) {
      const person = personOf(asking.principal);
      identify(asking.principal, person);
      const sessionId = asking.sessionId === undefined ? undefined : storable(asking.sessionId);
      const limits = () => deps.standingsOf(person, sessionId, periods());
      const look = async () => {
        const isFresh = await check({ person, sessionId });
        refuseUsedUp(limits(), asking);
        if (!isFresh && deps.failClosed) refuseUnread(asking);
        return { isFresh, at: now() };
      };
      let seen = await look();
      return {
        async reserve(metered, signal) {
          // The body comes after the first look, and takes as long as its sender likes.
          if (Math.abs(now() - seen.at) > seenMsMax) seen = await look();
          return reserve(asking, limits, signal, (standings) =>
            reservation(
              asking,
              metered,
              standings,
              seen.isFresh ? toTell(standings.own) : undefined,
            ),
          );
        },
      };
    },

    async standingOf(principal) {
      const person = personOf(principal);
      if (!(await check({ person, sessionId: undefined }))) return undefined;
      return deps.standingsOf(person, undefined, periods());
    },
  };

  /** The person's own caps speak first, then the session's, then the pools, of which one that is not empty is enough. */
  function refuseUsedUp({ own, ofSession, pools }: Standings, asking: Asking): void {
    const emptyPools = pools.filter(isUsedUp);
    const told =
      lastToReset(own.filter(isUsedUp)) ??
      lastToReset(ofSession.filter(isUsedUp)) ??
      (emptyPools.length === pools.length ? emptyPools[0] : undefined);
    if (told === undefined) return;
    blocked(asking, "over_limit", told, emptyPools);
    throw limitReached(told, { blockedMessage, now: now() });
  }

  function refuseUnread({ principal, requestId }: Asking): never {
    audit({
      evt: "spend.blocked",
      request_id: requestId,
      sub: principal.sub,
      cause: "store_error",
    });
    throw limitUnavailable(blockedMessage);
  }

  /** @param take makes the reservation: in the same breath that finds room for it, or two requests could find the same room. */
  async function reserve(
    asking: Asking,
    limits: () => Standings,
    signal: AbortSignal,
    take: (standings: Standings) => Reservation,
  ): Promise<Reservation> {
    let found = limits();
    if (!deps.reserves) return take(found);
    const attempt = () => {
      refuseUsedUp(found, asking);
      return spokenFor(found).length === 0 ? take(found) : undefined;
    };
    const tryAgain = () => {
      // By the sums found last it is quickly seen that there is no room yet: as a rule they only grow.
      if (spokenFor(found).length > 0) return undefined;
      found = limits();
      return attempt();
    };
    const reserved = attempt() ?? (await deps.waitForRoom(found, tryAgain, signal));
    if (reserved !== undefined) return reserved;
    found = limits();
    const last = attempt();
    if (last !== undefined) return last;
    const full = spokenFor(found);
    const [first] = full;
    if (first !== undefined) blocked(asking, "reserved", first, full);
    throw limitSpokenFor(blockedMessage);
  }

  function blocked(
    { principal, requestId }: Asking,
    cause: "over_limit" | "reserved",
    { amount, source, period }: Standing,
    full: readonly Standing[],
  ): void {
    audit({
      evt: "spend.blocked",
      request_id: requestId,
      sub: principal.sub,
      cause,
      cap_cents: centsText(amount),
      source,
      period,
      ...(source === "group_pool" && {
        groups: full.flatMap(({ group }) => (group === undefined ? [] : [group])),
      }),
    });
  }
}

function identityOf({ email, name }: Principal, { sub, groups }: Person): Identity {
  return {
    principal: sub,
    email: email === undefined ? undefined : storable(email),
    name: name === undefined ? undefined : storable(name),
    groups,
  };
}
