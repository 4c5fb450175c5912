// One trace from the client through the gateway to the upstream: each span the parent of the next.
import { checkAll } from "./checks.ts";
import type { Scene } from "./scene.ts";
import type { TelemetryJourney } from "./telemetry-journey.ts";
import { told } from "./telemetry-told.ts";

export function checkSpans({ upstream }: Scene, { collector, check }: TelemetryJourney): void {
  const { records, requestSpans } = told(collector);
  const own = collector.spans("claude-gateway");
  const traces = requestSpans.map((clients) => {
    const request = own.find(
      ({ kind, attributes }) =>
        kind === "SPAN_KIND_SERVER" &&
        attributes["request_id"] === clients.attributes["request_id"],
    );
    const attempt = own.find(
      ({ kind, parentSpanId }) => kind === "SPAN_KIND_CLIENT" && parentSpanId === request?.spanId,
    );
    return { clients, request, attempt };
  });
  const all = (name: string, holds: (trace: (typeof traces)[number]) => boolean) =>
    checkAll(check, name, traces, holds);

  all(
    "the client's span of a request is the parent of the gateway's, in one trace",
    ({ clients, request }) =>
      request?.parentSpanId === clients.spanId && request.traceId === clients.traceId,
  );
  all(
    "the gateway's span of a request is the parent of its attempt's, in the same trace",
    ({ request, attempt }) => attempt !== undefined && attempt.traceId === request?.traceId,
  );
  const seen = upstream.seen.map(({ headers }) => headers.get("traceparent"));
  all(
    "the upstream was told the same trace, and the attempt as the span to be below",
    ({ attempt }) => seen.includes(`00-${attempt?.traceId}-${attempt?.spanId}-01`),
  );
  all("the gateway's record is in the trace, too", ({ request }) =>
    records.some(
      ({ traceId, spanId, attributes }) =>
        traceId === request?.traceId &&
        spanId === request?.spanId &&
        attributes["request_id"] === request?.attributes["request_id"],
    ),
  );
  check(
    "there is a span for every call of the upstream",
    traces.length === upstream.calls.length,
    `${traces.length} of ${upstream.calls.length}`,
  );
}
