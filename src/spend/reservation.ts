// A call on its way, as far as money goes: the most that it may cost is held on every account that will pay for it, and given
// back when it is known what it did cost, which is then charged, once. Whether a call may go on its way is spend.ts's.
import { audit } from "../audit.ts";
import { log } from "../log.ts";
import type { ModelRoute } from "../models/resolve.ts";
import type { Principal } from "../session.ts";
import type { MessagesCall } from "../upstream/request/call.ts";
import type { Account, Accounts } from "./accounts.ts";
import { isStreamed, meterAnswer } from "./answer-meter.ts";
import type { AnswerWatch } from "./answer-watch.ts";
import { inputTokensOf, mostOf } from "./estimate.ts";
import type { Ledger, SpendRow } from "./ledger.ts";
import { centsNumber, type Money } from "./money.ts";
import { periodNames, type Periods } from "./periods.ts";
import type { Prices } from "./price.ts";
import { isSpokenFor, type Standing } from "./standing.ts";
import type { Standings } from "./standings.ts";
import { standingHeaders } from "./told.ts";
import { atMost, type Timer } from "../timer.ts";
import { type Metered, noUsage, type Usage } from "./usage.ts";

/** Who asks, in which session, under which request id. */
export type Asking = {
  readonly principal: Principal;
  readonly sessionId: string | undefined;
  readonly requestId: string;
};

/** What the audit says of the group that a call is billed to. */
export type BillingFields = { billing_group?: string; billing_group_ignored?: true };

/** A call whose cost counts. */
export type MeteredCall = {
  readonly call: MessagesCall;
  /** Where it may be sent. */
  readonly routes: readonly ModelRoute[];
  /** Fields of the audit event on what it cost. */
  readonly audited: BillingFields;
  /** Told of an answer that is a success, and of what a call cost that was given up. */
  readonly watch?: AnswerWatch | undefined;
};

export type Reservation = {
  /**
   * The response to send in place of an upstream's answer, with headers that tell of the fullest limit. It is charged, at the
   * price of the route that answered, as soon as it is known what it used; what is no success costs nothing.
   * @param countInput what the call had the model read, in tokens, as the provider counts it: for an answer in one piece that does
   *   not say. Undefined when it cannot tell. Must not reject.
   */
  answered(
    response: Response,
    route: ModelRoute,
    countInput: () => Promise<number | undefined>,
  ): Promise<Response>;
  /**
   * The client gave up the call, and the provider bills what it had read until then: as much as it will have counted, or what the
   * body is estimated at where it cannot tell.
   */
  givenUp(inputTokens: Promise<number | undefined>, route: ModelRoute): void;
  /** It came to nothing. Without effect on a call that was answered or given up. */
  release(): void;
};

/** Decimals of a cent in an audit event. */
const auditedDecimals = 6;

export type ReservationDeps = {
  accounts: Accounts;
  ledger: Pick<Ledger, "add">;
  prices: Prices;
  /** enforcement.reserve */
  reserves: boolean;
  /** Whether each charge is audited, for the groups that calls are billed to. */
  auditsCharges: boolean;
  periods: () => Periods;
  after: Timer;
};

export type Reservations = {
  /**
   * @param standings where the cost is added up
   * @param told the standing to tell the client of
   */
  readonly make: (
    asking: Asking,
    metered: MeteredCall,
    standings: Standings,
    told: Standing | undefined,
  ) => Reservation;
  /** Waits for counts that charges wait for, so many milliseconds at most; then charges what the bodies are estimated at. */
  close(timeoutMs: number): Promise<void>;
};

export function createReservations(deps: ReservationDeps): Reservations {
  const { accounts, ledger, prices } = deps;
  /** Charges that wait for a count, and how each is made without. */
  const counting = new Map<Promise<void>, () => void>();
  let isWarned = false;

  function whenCounted(
    counted: Promise<number | undefined>,
    charge: (inputTokens?: number) => void,
  ): void {
    const charged = counted.then(
      (inputTokens) => finish(inputTokens),
      () => finish(),
    );
    const finish = (inputTokens?: number) => {
      if (counting.delete(charged)) charge(inputTokens);
    };
    counting.set(charged, finish);
  }

  function warnOnce({ upstream }: ModelRoute): void {
    if (isWarned) return;
    isWarned = true;
    log.warn(
      `usage metering: upstream '${upstream}' sent a usage object that does not match the API's shape; what such answers cost ` +
        "may be under-counted. Logged once per process",
    );
  }

  async function close(timeoutMs: number): Promise<void> {
    await atMost(timeoutMs, Promise.allSettled(counting.keys()), deps.after);
    for (const finish of counting.values()) finish();
  }

  const make: Reservations["make"] = (asking, metered, standings, told) => {
    const { call, routes, audited, watch } = metered;
    const { account, session, ofSession, pools } = standings;
    const pool = pools.find((standing) => !isSpokenFor(standing)) ?? pools[0];
    const held = [account, session, pool?.account].filter((entry) => entry !== undefined);
    const hold = accounts.hold(held, deps.reserves ? mostOf(call, routes, prices) : 0n);
    const { model, stream } = call;
    const inputTokensEstimate = inputTokensOf(call);
    /** Whether an answer is to be charged, however long it streams. */
    let isTaken = false;

    function charge(used: Metered, route: ModelRoute): void {
      try {
        const cost = prices.costOfAll(route, model, used);
        settle(cost, used.usage);
        watch?.charged({ ...used, cost });
      } finally {
        // Last: who waits for it finds what was spent.
        hold.release();
      }
    }

    /** Adds a cost to the periods of this moment, whenever the call began. */
    function settle(cost: Money, usage: Usage): void {
      const today = deps.periods();
      const rows: SpendRow[] = [];
      const add = (on: Account, periodKey: string) => {
        on.settle(periodKey, cost);
        rows.push(on.rowOf(periodKey));
      };
      for (const name of periodNames) add(account, today[name].key);
      if (pool !== undefined) add(pool.account, today.monthly.key);
      for (const { period } of ofSession)
        if (session !== undefined) add(session, today[period].key);
      ledger.add({ rows, cost, day: today.daily.key });
      if (deps.auditsCharges) audit(chargeEvent(asking, audited, model, usage, cost));
    }

    return {
      givenUp(counted, route) {
        isTaken = true;
        whenCounted(counted, (inputTokens = inputTokensEstimate) =>
          charge({ ...unanswered, usage: { ...noUsage, inputTokens } }, route),
        );
      },
      release() {
        if (!isTaken) hold.release();
        isTaken = true;
      },
      async answered(response, route, countInput) {
        if (response.status >= 400) return response;
        isTaken = true;
        // Of a stream its first event tells, or nothing does; and its call is not kept for as long as it takes.
        const count = stream || isStreamed(response) ? undefined : countInput;
        const observed = await meterAnswer(response, {
          inputTokensEstimate,
          onFirstByte: watch?.begun,
          onEnd(used, over) {
            watch?.over(over);
            if (used === undefined) {
              watch?.charged(undefined);
              return hold.release();
            }
            const { usage, isEstimate, isUnreadable } = used;
            if (isUnreadable) warnOnce(route);
            if (!isEstimate || count === undefined) return charge(used, route);
            whenCounted(count(), (inputTokens = usage.inputTokens) =>
              charge({ ...used, usage: { ...usage, inputTokens } }, route),
            );
          },
        });
        if (response.ok && told !== undefined) {
          for (const [name, value] of standingHeaders(told)) observed.headers.set(name, value);
        }
        return observed;
      },
    };
  };

  return { make, close };
}

/** What a call used that was given up before it was answered, beside what was read of it. */
const unanswered: Metered = { usage: noUsage, others: [], isEstimate: true, isUnreadable: false };

function chargeEvent(
  { requestId, principal }: Asking,
  billing: BillingFields,
  model: string,
  usage: Usage,
  cost: Money,
) {
  const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = usage;
  const cacheWriteTokens = cacheWrite5mTokens + cacheWrite1hTokens;
  return {
    evt: "spend.metered",
    request_id: requestId,
    sub: principal.sub,
    ...billing,
    model,
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    ...(cacheReadTokens > 0 && { cache_read_input_tokens: cacheReadTokens }),
    ...(cacheWriteTokens > 0 && { cache_creation_input_tokens: cacheWriteTokens }),
    // For reading: the ledger has all decimals. Of calls to other models within this one only the cost is in here.
    cents: Number(centsNumber(cost).toFixed(auditedDecimals)),
  } as const;
}
