// The gateway's own metrics, as Prometheus reads them and as the collector is sent them, held against the records of the same
// requests and against what the client counts for itself.
import { type Exposition, readExposition } from "../telemetry/metrics/exposition.ts";
import type { Check } from "./checks.ts";
import type { Collector } from "./collector.ts";
import type { Scene } from "./scene.ts";
import type { TelemetryJourney } from "./telemetry-journey.ts";
import { told } from "./telemetry-told.ts";
import { usage } from "./upstream.ts";

const arrivalSecondsMax = 10;

type Metrics = { text: string } & Pick<Exposition, "series"> & {
    /** Of all series of a name that have these labels, and may have others. */
    sum: (name: string, labels?: Record<string, string>) => number;
  };

/** The gateway's metrics now. @throws Error where Prometheus could not read them */
export async function metricsAt(url: string): Promise<Metrics> {
  const text = await (await fetch(url)).text();
  const { series, value } = readExposition(text);
  return {
    text,
    series,
    sum: (name, labels = {}) =>
      series(name)
        .filter((own) => Object.entries(labels).every(([label, wanted]) => own[label] === wanted))
        .reduce((total, own) => total + (value(name, own) ?? 0), 0),
  };
}

export async function checkMetrics(
  { upstream }: Scene,
  { collector, metricsUrl, check }: TelemetryJourney,
): Promise<void> {
  const { text, series, sum } = await metricsAt(metricsUrl);
  const calls = upstream.calls.length;
  const counted = (name: string, wanted: number, found: number) =>
    check(name, Math.abs(found - wanted) < 1e-6, `${found}, not ${wanted}\n${text}`);

  const answered = { path: "/v1/messages", status: "200" };
  counted("/metrics has every request", calls, sum("claude_gateway_requests_total", answered));
  counted(
    "/metrics has the time to the first byte of every answer",
    calls,
    sum("claude_gateway_time_to_first_byte_seconds_count", { path: "/v1/messages" }),
  );
  counted(
    "/metrics has the one sign-in",
    1,
    sum("claude_gateway_sign_ins_total", { event: "mint", result: "success" }),
  );
  const cents = told(collector).records.map(({ attributes }) =>
    Number(attributes["claude_gateway.cost.cents"]),
  );
  counted(
    "/metrics has as many cents spent as the records",
    cents.reduce((total, each) => total + each, 0),
    sum("claude_gateway_spend_cents_total"),
  );
  const lost = series("claude_gateway_telemetry_lost_total");
  check(
    "/metrics has each way to the collector, and nothing lost on any",
    ["relay", "requests", "traces", "metrics"].every((kind) =>
      lost.some((labels) => labels["kind"] === kind),
    ) && sum("claude_gateway_telemetry_lost_total") === 0,
    text,
  );

  const tokens = (type: string) =>
    collector
      .points("claude-code", "claude_code.token.usage")
      .filter(({ attributes }) => attributes["type"] === type)
      .reduce((total, { value }) => total + value, 0);
  await collector.until(() => tokens("output") >= calls * usage.output_tokens, arrivalSecondsMax);
  for (const type of ["input", "output"] as const) {
    counted(
      `/metrics has as many ${type} tokens as the client's own metric`,
      tokens(type),
      sum("claude_gateway_tokens_total", { type }),
    );
  }
}

/** What the collector was sent last, when the gateway has ended. @param calls how many requests there were */
export async function checkLastMetrics(
  collector: Collector,
  calls: number,
  check: Check,
): Promise<void> {
  const last = () =>
    collector
      .points("claude-gateway", "claude_gateway_requests")
      .findLast(({ attributes }) => attributes["path"] === "/v1/messages")?.value;
  await collector.until(() => last() === calls, arrivalSecondsMax);
  check(
    "the collector is sent the gateway's metrics, at the latest when it ends",
    last() === calls,
    `${last()} of ${calls} requests`,
  );
}
