// One collector of `telemetry.forward_to`: where it is, who we are to it, and what its answers mean. What is sent there, and
// how, is relay/delivery.ts's for the exports of clients and export/collector-export.ts's for the gateway's own.
import type { TelemetryConfig } from "../config/schema.ts";
import type { Signal } from "../config/telemetry-schema.ts";
import type { Credential } from "../upstream/credential.ts";
import { createGoogleCredential } from "../upstream/google/credentials.ts";
import type { Proof } from "../upstream/request/post.ts";

export type CollectorConfig = NonNullable<TelemetryConfig>["forward_to"][number];

export type Collector = {
  /** What log lines call it by: its path may hold a key. */
  readonly origin: string;
  /** As they are configured. */
  readonly headers: Readonly<Record<string, string>>;
  /** The gateway's own identity at Google; undefined when a configured header says who we are, or nothing does. */
  readonly credential: Credential<Proof> | undefined;
  /** Where exports of a signal go. */
  readonly urlOf: (signal: Signal) => string;
};

/**
 * `refused`: the collector is there and does not want this export. `failed`: it is not there, or wants nothing. `why` is for
 * the log: it holds no header, nothing of a body and no path.
 */
export type Outcome = { kind: "taken" } | { kind: "refused" | "failed"; why: string };

/** What a collector says of one export that is malformed or too large, and that others need not share. */
const refusals = new Set([400, 413, 415, 422, 431]);

/** Google's library searches for a project, `gcloud` included, unless it is given one. Telemetry is not addressed by project. */
const anyProject = "telemetry";

/** @param options.now milliseconds since the epoch. */
export function createCollector(
  config: CollectorConfig,
  { now }: { now: () => number },
): Collector {
  // As requests are made with it and errors name it: a host in lower case, a path without detours.
  const { href, origin } = new URL(config.url);
  const base = href.replace(/\/+$/, "");
  return {
    origin,
    headers: config.headers,
    credential:
      config.auth === undefined
        ? undefined
        : createGoogleCredential(
            { keyFile: undefined, projectId: anyProject },
            { owner: `telemetry to ${origin}`, now },
          ),
    urlOf: (signal) => `${base}/v1/${signal}`,
  };
}

/** What the status of an answer means. */
export function outcomeOf(status: number): Outcome {
  if (status >= 200 && status < 300) return { kind: "taken" };
  return { kind: refusals.has(status) ? "refused" : "failed", why: `answered ${status}` };
}
