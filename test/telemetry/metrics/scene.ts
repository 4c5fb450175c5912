// Metrics that are scraped, on a clock that a test moves, and their text read strictly.
import { emptyResource } from "@opentelemetry/resources";
import { createMetrics, type MetricsOptions } from "../../../src/telemetry/metrics/metrics.ts";
import { createHandClock } from "../hand-clock.ts";
import { readExposition } from "./exposition.ts";

export function metricsScene(changes: Partial<MetricsOptions> = {}) {
  const clock = createHandClock();
  let lateMs = 0;
  const metrics = createMetrics({
    config: { metrics: { host: "127.0.0.1", port: 0 }, models: [] },
    resource: emptyResource(),
    scope: { name: "claude-gateway", version: "1.2.3" },
    version: "1.2.3",
    exporters: [],
    after: clock.after,
    now: () => lateMs,
    ...changes,
  });
  return {
    ...metrics,
    clock,
    /** Moves what `now` says, and no timer. */
    be: (ms: number) => void (lateMs += ms),
    read: async () => readExposition(await metrics.text()),
  };
}
