// The parameters of GET …/spend_limits/effective, and the tokens that lead from one page to the next. What is done with them is
// effective.ts's.
import { ApiError } from "../../http/errors.ts";
import { storable } from "../../store/stored-text.ts";
import { type PeriodName, periodNames } from "../periods.ts";
import { limitIn } from "./page.ts";

export type EffectiveQuery = {
  /** In the order asked for, each once; all of them when none is asked for. */
  readonly periods: readonly [PeriodName, ...PeriodName[]];
  readonly people:
    | { readonly by: "id"; readonly principals: readonly string[] }
    | ({ readonly by: "principal"; readonly after: string } & Page)
    | ({ readonly by: "spend"; readonly after: SpendCursor | undefined } & Page);
};

type Page = {
  /** Part of a principal, name or e-mail address. */
  readonly search: string | null;
  /** People on the page, however many rows each of them has. */
  readonly limit: number;
};

/** Where a page ended that is sorted by spend; the sum in cents as decimal text. */
export type SpendCursor = { readonly cents: string; readonly principal: string };

const limitDefault = 20;
const principalsMax = 100;
const searchLengthMax = 256;

/** Far above any token that is handed out: a principal is a key of an index, and those end at 2.7 kB. */
const tokenLengthMax = 8_192;

/**
 * Reads the parameters. `user_ids[]` asks for exactly those people, and what would select or order others is then not used.
 * @throws ApiError invalid_request_error for the first that is wrong
 */
export function readEffectiveQuery(query: URLSearchParams): EffectiveQuery {
  const limit = limitIn(query, limitDefault);
  const asked = [...new Set(query.getAll("period[]"))].map(readPeriod);
  const [first = periodNames[0], ...others] = asked.length === 0 ? periodNames : asked;
  const principals = query.getAll("user_ids[]").map(storable);
  if (principals.length > principalsMax) {
    throw invalid(`user_ids[]: at most ${principalsMax} entries per request`);
  }
  const search = storable(query.get("q") ?? "");
  if (search.length > searchLengthMax) throw invalid("q: too long");
  const isSorted = readSort(query.get("sort"), asked);
  const periods = [first, ...others] as const;
  if (principals.length > 0) return { periods, people: { by: "id", principals } };
  const page = { search: search === "" ? null : search, limit };
  const token = query.get("page");
  return {
    periods,
    people: isSorted
      ? { by: "spend", after: token === null ? undefined : readSpendToken(token), ...page }
      : { by: "principal", after: token === null ? "" : readPrincipalToken(token), ...page },
  };
}

/** The token of the page after a principal. */
export function principalToken(principal: string): string {
  return tokenOf({ p: principal });
}

/** The token of the page after a sum. */
export function spendToken({ principal, cents }: SpendCursor): string {
  return tokenOf({ p: principal, c: cents });
}

function readPeriod(text: string): PeriodName {
  const period = periodNames.find((name) => name === text);
  if (period !== undefined) return period;
  throw invalid(`period[]: must be one of ${periodNames.join(", ")}`);
}

function readSort(sort: string | null, asked: readonly PeriodName[]): boolean {
  if (sort === null) return false;
  if (sort !== "spend_desc") throw invalid("sort: must be spend_desc");
  if (asked.length !== 1) throw invalid("sort=spend_desc requires exactly one period[]");
  return true;
}

function tokenOf(cursor: { p: string; c?: string }): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function readPrincipalToken(token: string): string {
  const { p, c } = readToken(token);
  if (typeof p === "string" && c === undefined) return storable(p);
  throw invalidToken();
}

function readSpendToken(token: string): SpendCursor {
  const { p, c } = readToken(token);
  if (typeof p === "string" && typeof c === "string" && /^-?\d+(\.\d+)?$/.test(c)) {
    return { principal: storable(p), cents: c };
  }
  throw invalidToken();
}

function readToken(token: string): { p?: unknown; c?: unknown } {
  if (token.length > tokenLengthMax) throw invalidToken();
  try {
    const cursor: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (typeof cursor === "object" && cursor !== null) return cursor;
  } catch {
    // Not JSON, so not one of ours.
  }
  throw invalidToken();
}

const invalid = (message: string) => new ApiError("invalid_request_error", message);
const invalidToken = () => invalid("page: invalid page token");
