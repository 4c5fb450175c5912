// Sums that are asked for when somebody reads begin, for the SDK, when they are first asked for: what was counted until then would
// have been counted in no time at all, and collectors tell no rate of it. They begin with the process.
import type { HrTime } from "@opentelemetry/api";
import {
  DataPointType,
  type PushMetricExporter,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";

/** The same exporter, to which every sum begins at this moment. */
export function sinceStart(exporter: PushMetricExporter, startTime: HrTime): PushMetricExporter {
  return {
    export: (metrics, done) => exporter.export(begunAt(metrics, startTime), done),
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

function begunAt(metrics: ResourceMetrics, startTime: HrTime): ResourceMetrics {
  return {
    ...metrics,
    scopeMetrics: metrics.scopeMetrics.map((ofScope) => ({
      ...ofScope,
      metrics: ofScope.metrics.map((metric) =>
        metric.dataPointType === DataPointType.SUM
          ? { ...metric, dataPoints: metric.dataPoints.map((point) => ({ ...point, startTime })) }
          : metric,
      ),
    })),
  };
}
