// How long an upstream asks to be left alone.

/** How every form of HTTP's dates begins. `Date.parse` alone would take `-5` for a day in 2001. */
const dayFirst = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;

/**
 * The `retry-after` of an answer in milliseconds, as seconds or as a date (RFC 9110 §10.2.3); null when there is none that
 * can be read.
 * @param nowMs milliseconds since the epoch.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return null;
  if (/^\d{1,15}(\.\d{1,9})?$/.test(value)) return Number(value) * 1000;
  if (!dayFirst.test(value)) return null;
  // The oldest of the three forms says no zone; it is GMT like the others.
  const at = Date.parse(value.endsWith("GMT") ? value : `${value} GMT`);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
