// Moments and lengths of time as OpenTelemetry has them.
import type { HrTime } from "@opentelemetry/api";

const nanosecondsPerMs = 1_000_000;
const nanosecondsPerSecond = 1_000_000_000;

/**
 * A moment in seconds and nanoseconds since the epoch.
 * @param epochMs milliseconds since the epoch, a whole number
 * @param afterMs milliseconds after that, with fractions. Apart, since a sum of both has no room for nanoseconds.
 */
export function hrTimeOf(epochMs: number, afterMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000);
  return carried(seconds, (epochMs - seconds * 1000 + afterMs) * nanosecondsPerMs);
}

/** So many milliseconds, with fractions, as a length of time. */
export function hrDurationOf(ms: number): HrTime {
  return carried(0, ms * nanosecondsPerMs);
}

/** Milliseconds in seconds, the unit that OpenTelemetry prescribes for attributes of time, to the microsecond. */
export function secondsOf(ms: number): number {
  return Math.round(ms * 1000) / 1_000_000;
}

function carried(seconds: number, nanoseconds: number): HrTime {
  const rounded = Math.round(nanoseconds);
  const whole = Math.floor(rounded / nanosecondsPerSecond);
  return [seconds + whole, rounded - whole * nanosecondsPerSecond];
}
