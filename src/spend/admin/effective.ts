// GET …/spend_limits/effective: for each person the cap that applies in each period, where it comes from, and how much is spent.
// The parameters are effective-query.ts's, which cap applies is caps.ts's, and how the answer is sent the admin API's.
import type { EffectiveStore, Identity } from "../../store/effective.ts";
import type { StandingsStore } from "../../store/standings.ts";
import { type Cap, effectiveCap, type GroupLimitMode } from "../caps.ts";
import { createKnownCaps } from "../known-caps.ts";
import { centsText, moneyOrZero } from "../money.ts";
import { type PeriodName, periodsAt } from "../periods.ts";
import {
  type EffectiveQuery,
  principalToken,
  readEffectiveQuery,
  spendToken,
} from "./effective-query.ts";
import { scopeObject, type ScopeObject } from "./scope.ts";

/**
 * Answers with the body `{ data, next_page }`.
 * @throws ApiError invalid_request_error for parameters that are wrong; what the database throws
 */
export type Effective = (query: URLSearchParams) => Promise<EffectivePage>;

export type EffectivePage = { data: readonly EffectiveRow[]; next_page: string | null };

/** One person in one period. */
export type EffectiveRow = {
  scope: { type: "user"; user_id: string };
  groups: readonly string[];
  actor: {
    type: "user_actor";
    user_id: string;
    name: string | null;
    email_address: string | null;
    deleted: false;
  };
  /** Whole cents; null when nothing limits the person. */
  amount: string | null;
  currency: "USD";
  period: PeriodName;
  /** Whom the cap was set for; null when there is none. */
  source: ScopeObject | null;
  spend_limit_id: string | null;
  /** Cents, exactly; 0 where the table has no amount. */
  period_to_date_spend: string;
};

export type EffectiveDeps = {
  store: EffectiveStore;
  standings: StandingsStore;
  groupLimitMode: GroupLimitMode;
  /** Milliseconds since the epoch. */
  now: () => number;
};

export function createEffective({
  store,
  standings,
  groupLimitMode,
  now,
}: EffectiveDeps): Effective {
  return async (query) => {
    const { periods, people } = readEffectiveQuery(query);
    const current = periodsAt(now());
    const { listed, nextPage } = await list(people, current[periods[0]].key);
    const principals = [...new Set(listed.map(({ principal }) => principal))];
    const groups = [...new Set(listed.flatMap((person) => person.groups))];
    const read = await standings.read({
      principals,
      groups,
      sessions: [],
      periods: periods.map((name) => current[name].key),
      month: current.monthly.key,
      writer: "",
    });
    const caps = createKnownCaps();
    caps.read({ principals, groups }, read.caps);
    const spent = new Map(
      read.principals.map(({ principal, period, cents }) => [sumKey(principal, period), cents]),
    );
    const data = listed.flatMap((identity) => {
      const person = { sub: identity.principal, groups: identity.groups };
      const known = caps.of(person);
      return periods.map((name) =>
        rowOf(identity, name, {
          cap: effectiveCap(known, person, name, groupLimitMode),
          cents: spent.get(sumKey(person.sub, current[name].key)) ?? "0",
        }),
      );
    });
    return { data, next_page: nextPage };
  };

  /** The people of a page. One more is asked for than the page has, to know whether there is another page. */
  async function list(
    people: EffectiveQuery["people"],
    periodKey: string,
  ): Promise<{ listed: readonly Identity[]; nextPage: string | null }> {
    if (people.by === "id") {
      const known = await store.identities([...new Set(people.principals)]);
      const byPrincipal = new Map(known.map((identity) => [identity.principal, identity]));
      const listed = people.principals.flatMap((principal) => byPrincipal.get(principal) ?? []);
      return { listed, nextPage: null };
    }
    const { limit } = people;
    const search = { text: people.search, count: limit + 1 };
    if (people.by === "principal") {
      const found = await store.spenders(people.after, search);
      return pageOf(found, limit, ({ principal }) => principalToken(principal));
    }
    const found = await store.topSpenders(periodKey, people.after, search);
    return pageOf(found, limit, spendToken);
  }
}

function pageOf<Person extends Identity>(
  found: readonly Person[],
  limit: number,
  tokenAfter: (person: Person) => string,
) {
  const listed = found.slice(0, limit);
  const last = listed.at(-1);
  const isLast = found.length <= limit || last === undefined;
  return { listed, nextPage: isLast ? null : tokenAfter(last) };
}

function sumKey(principal: string, periodKey: string): string {
  return `${periodKey}\0${principal}`;
}

function rowOf(
  { principal, name, email, groups }: Identity,
  period: PeriodName,
  { cap, cents }: { cap: Cap | undefined; cents: string },
): EffectiveRow {
  return {
    scope: { type: "user", user_id: principal },
    groups,
    actor: {
      type: "user_actor",
      user_id: principal,
      name,
      email_address: email,
      deleted: false,
    },
    amount: cap?.amount?.toString() ?? null,
    currency: "USD",
    period,
    source: cap === undefined ? null : scopeObject(cap.scopeType, cap.scopeId),
    spend_limit_id: cap?.id ?? null,
    period_to_date_spend: centsText(moneyOrZero(cents)),
  };
}
