// What a client is told of its standing: the headers on an answer, and the refusals. Shapes as in protocol.md, "Usage-limit
// headers"; the client composes its own words from them, and prints the message of a refusal as it is.
import { ApiError } from "../http/errors.ts";
import { isAbove, type Standing, utilization } from "./standing.ts";

const prefix = "anthropic-ratelimit-unified-";

/** Hundredths of the limit that an answer may show: a request that was let through has not used it up. */
const allowedHundredthsMax = 99n;

/** Percent of a limit above which clients show a notice, the highest first. */
const thresholds = [
  [95n, "0.95"],
  [75n, "0.75"],
] as const;

/** Seconds after which a client that was refused only because of others' requests asks again. */
const spokenForRetrySeconds = 5;

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const fullMonths =
  "January February March April May June July August September October November December".split(
    " ",
  );

/** The headers of a successful answer, which tell of the fullest limit. */
export function standingHeaders(standing: Standing): readonly (readonly [string, string])[] {
  const surpassed = thresholds.find(([percent]) => isAbove(standing, percent))?.[1];
  const status = surpassed === undefined ? "allowed" : "allowed_warning";
  const reset = resetSeconds(standing);
  const hundredths = utilization(standing, 100n);
  const shown = hundredths > allowedHundredthsMax ? allowedHundredthsMax : hundredths;
  const headers = [
    ["status", status],
    ["representative-claim", "overage"],
    ["overage-status", status],
    ["overage-utilization", fraction(shown)],
    ...(surpassed === undefined ? [] : [["overage-surpassed-threshold", surpassed] as const]),
    ["reset", reset],
    ["overage-reset", reset],
  ] as const;
  return headers.map(([name, value]) => [prefix + name, value] as const);
}

/**
 * The refusal of a request whose limit is used up.
 * @param options.blockedMessage whom to ask, as the operator wrote it
 * @param options.now milliseconds since the epoch
 */
export function limitReached(
  standing: Standing,
  { blockedMessage, now }: { blockedMessage: string | undefined; now: number },
): ApiError {
  const reset = resetSeconds(standing);
  // The one that is whole sentences.
  const end = standing.source === "group_pool" ? "." : "";
  return new ApiError("billing_error", ended(reachedText(standing), blockedMessage, end), {
    headers: {
      [`${prefix}status`]: "rejected",
      [`${prefix}reset`]: reset,
      [`${prefix}overage-reset`]: reset,
      [`${prefix}overage-utilization`]: fraction(utilization(standing, 100n)),
      [`${prefix}overage-surpassed-threshold`]: "1",
      [`${prefix}overage-period`]: standing.period,
      ...(standing.source === "group_pool" && { [`${prefix}overage-scope`]: "group_pool" }),
      [`${prefix}overage-disabled-reason`]: "org_spend_cap_reached",
      "retry-after": String(Math.max(0, Math.ceil((standing.resetsAt - now) / 1000))),
      "x-should-retry": "false",
    },
  });
}

/** The refusal while caps cannot be read, of a gateway that is told to refuse then. */
export function limitUnavailable(blockedMessage: string | undefined): ApiError {
  return new ApiError("billing_error", ended("spend limit unavailable", blockedMessage), {
    headers: {
      [`${prefix}overage-disabled-reason`]: "fetch_error",
      "x-should-retry": "false",
    },
  });
}

/** The refusal of a request that could go over the limit together with those under way. It may be sent again soon. */
export function limitSpokenFor(blockedMessage: string | undefined): ApiError {
  const why =
    "requests under way may use up the rest of the spend limit · try again when they have finished";
  return new ApiError("rate_limit_error", ended(why, blockedMessage), {
    headers: { "retry-after": String(spokenForRetrySeconds), "x-should-retry": "true" },
  });
}

function reachedText({ source, amount, resetsAt }: Standing): string {
  const date = new Date(resetsAt);
  const day = date.getUTCDate();
  const month = date.getUTCMonth();
  if (source === "group_pool") {
    return (
      "This request exceeds your group's budget. Ask your organization's admins to raise it, or try again after it resets " +
      `on ${fullMonths[month]} ${day} at 00:00 UTC`
    );
  }
  if (source === "session")
    return "this session's spend limit is reached · start a new session to go on";
  // Nothing comes back of a limit of zero.
  return amount === 0n
    ? "spend limit reached"
    : `spend limit reached · resets ${months[month]} ${day}`;
}

/** @param end what the text ends with when nothing follows it */
function ended(text: string, blockedMessage = "", end = ""): string {
  return blockedMessage === "" ? text + end : `${text} · ${blockedMessage}`;
}

function resetSeconds({ resetsAt }: Standing): string {
  return String(resetsAt / 1000);
}

/** Of hundredths, without zeros at the end. */
function fraction(hundredths: bigint): string {
  return String(Number(hundredths) / 100);
}
