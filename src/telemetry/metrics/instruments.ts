// What is measured: the name, labels, unit, description and buckets of each instrument that the gateway's own code feeds. Names
// are written as Prometheus likes them, and are the same over OTLP; the text adds `_total` to counters. What is asked for only
// when somebody reads is in gauges.ts. No label ever holds a principal, a session or text of a client's choosing.
import type { Histogram, Meter } from "@opentelemetry/api";
import { createTotal, type TotalDescription } from "./total.ts";

/** Upper bounds of the buckets, in seconds. */
const buckets = {
  // From what the gateway costs when idle to what nobody would put up with.
  addedLatency: [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5,
  ],
  // A count of tokens answers within tens of milliseconds, a model that thinks before it speaks within minutes.
  firstByte: [0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60, 120],
  duration: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800],
  store: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  lag: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
};

export type Instruments = ReturnType<typeof createInstruments>;

export function createInstruments(meter: Meter) {
  const total = <const Names extends readonly string[]>(described: TotalDescription<Names>) =>
    createTotal(meter, described);
  const seconds = (
    name: string,
    explicitBucketBoundaries: number[],
    description: string,
  ): Histogram =>
    meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries } });

  return {
    requests: total({
      name: "claude_gateway_requests",
      labels: ["path", "upstream", "model", "status", "ending"],
      unit: "{request}",
      description:
        "Inference requests that are over, by the status that the client got (499: it had hung up) and how the answer ended.",
    }),
    failovers: total({
      name: "claude_gateway_failovers",
      labels: ["upstream", "reason"],
      unit: "{attempt}",
      description:
        "Attempts on an upstream after which the next one was tried, by its status or no_answer.",
    }),
    spend: total({
      name: "claude_gateway_spend_cents",
      labels: ["upstream", "model"],
      unit: "{cent}",
      description: "Cost of answers at the operator's prices, in US cents.",
      isWhole: false,
    }),
    tokens: total({
      name: "claude_gateway_tokens",
      labels: ["model", "type"],
      unit: "{token}",
      description: "Tokens that answers used; each counts in one type only.",
    }),
    signIns: total({
      name: "claude_gateway_sign_ins",
      labels: ["event", "result", "reason"],
      unit: "{sign_in}",
      description: "Sign-ins (mint) and their renewals (refresh), and what they failed at.",
    }),
    refusals: total({
      name: "claude_gateway_refusals",
      labels: ["event", "reason"],
      unit: "{refusal}",
      description: "What was refused, by the audit event that tells of it, and why.",
    }),
    addedLatency: seconds(
      "claude_gateway_added_latency_seconds",
      buckets.addedLatency,
      "Time to the head of an upstream's answer, waits for the client's body and for room under a limit included, less what attempts took.",
    ),
    timeToFirstByte: seconds(
      "claude_gateway_time_to_first_byte_seconds",
      buckets.firstByte,
      "Time to the first byte of a successful answer.",
    ),
    requestDuration: seconds(
      "claude_gateway_request_duration_seconds",
      buckets.duration,
      "Time to the last byte of an upstream's answer, whatever it was.",
    ),
    storeDuration: seconds(
      "claude_gateway_store_duration_seconds",
      buckets.store,
      "Time that an operation on the store took.",
    ),
    eventLoopLag: seconds(
      "claude_gateway_event_loop_lag_seconds",
      buckets.lag,
      "How late a timer ran, four times a second: what everybody else had to wait as well.",
    ),
  };
}
