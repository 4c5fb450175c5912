// Where a list begins and how long it is: query parameters that the lists of the admin API share. Of a repeated parameter the
// first counts; unknown ones are ignored.
import { ApiError } from "../../http/errors.ts";

const limitMax = 1_000;

/**
 * How many entries are asked for, 1 to 1,000. Numbers as JavaScript reads them, so that `+2` and blanks around it do.
 * @throws ApiError `invalid_request_error`
 */
export function limitIn(search: URLSearchParams, limitDefault: number): number {
  const text = search.get("limit");
  if (text === null) return limitDefault;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= limitMax) return limit;
  throw new ApiError("invalid_request_error", `limit: must be between 1 and ${limitMax}`);
}

/** A page out of the rows found, one more of which was asked for than are shown. */
export function pageOf<Row>(rows: readonly Row[], limit: number, keep: "first" | "last") {
  const has_more = rows.length > limit;
  return { rows: keep === "first" ? rows.slice(0, limit) : rows.slice(-limit), has_more };
}
