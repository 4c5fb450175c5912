// What a request's check asks of the database: the caps that may hold people up, what they have spent, and how far the asking
// process has written what it settled, all in one statement and therefore of one moment. What the statement does is in
// sql/005_spend_standings.sql, what is made of it spend/'s.
import type { Query } from "./database.ts";

/** For whom and for when. Sessions only of the people asked for. Text as `storable` has it (stored-text.ts). */
export type StandingsQuestion = {
  principals: readonly string[];
  groups: readonly string[];
  sessions: readonly (readonly [principal: string, sessionId: string])[];
  /** Keys of the periods, as the tables name them: one of each kind, three at most. */
  periods: readonly string[];
  /** Key of the month, the only period of pools. */
  month: string;
  /** The ledger that asks. */
  writer: string;
};

/** A row of `spend_limits`; amounts in whole cents. */
export type CapRow = {
  id: string;
  scope_type: string;
  scope_id: string;
  period: string;
  amount: string | null;
  pooled_limit_enabled: boolean;
  pooled_monthly_credit_limit: string | null;
};

/** Sums are cents as decimal text, and `0` where nothing is written. */
export type Standings = {
  /** Of the people and groups, of everybody and of sessions. */
  caps: readonly CapRow[];
  /** Of each person in each period. */
  principals: readonly { principal: string; period: string; cents: string }[];
  /** Of each group that has a pool. */
  pools: readonly { group: string; cents: string }[];
  /** Of each session in each period, while there is a cap on sessions. */
  sessions: readonly { principal: string; session: string; period: string; cents: string }[];
  /** The number of the last batch that `writer` has written; 0 before the first. */
  seq: number;
};

export type StandingsStore = {
  /** @throws what the database or the connection throws. */
  read(question: StandingsQuestion): Promise<Standings>;
};

export function createStandingsStore(query: Query): StandingsStore {
  return {
    async read(asked) {
      // One row of JSON: the client reads it in less time than rows of columns.
      const [row] = await query<Answer>`
        select * from spend_standings_1(${JSON.stringify(asked)}::text::jsonb)`;
      return {
        caps: row?.caps ?? [],
        principals: row?.principals ?? [],
        pools: row?.pools ?? [],
        sessions: row?.sessions ?? [],
        seq: Number(row?.seq ?? 0),
      };
    },
  };
}

/** A list without elements is null. */
type Answer = { [Part in Exclude<keyof Standings, "seq">]: Standings[Part] | null } & {
  seq: string | null;
};
