// A gateway that tells a collector all that there is to tell, and a person who talks to the real client behind it. What the
// person does is in telemetry-journey.ts, the collector in collector.ts.
import { freePort } from "../support/gateway.ts";
import type { Check } from "./checks.ts";
import { startCollector } from "./collector.ts";
import { openScene } from "./scene.ts";
import { telemetryJourney } from "./telemetry-journey.ts";
import { checkLastMetrics } from "./telemetry-metrics.ts";
import { checkTraces, leaksIn } from "./traces.ts";

/** Another collector, which is sent the same: by CLIENT_COLLECTOR, as a URL for `telemetry.forward_to`. */
const otherCollector = process.env["CLIENT_COLLECTOR"];

/** What the policy has the client do besides, so that there is a trace to be part of and nobody waits for a minute. */
const clientVariables = {
  CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: "1",
  CLAUDE_CODE_PROPAGATE_TRACEPARENT: "1",
  OTEL_METRIC_EXPORT_INTERVAL: "1000",
  OTEL_LOGS_EXPORT_INTERVAL: "500",
  OTEL_TRACES_EXPORT_INTERVAL: "500",
};

/** @param command the gateway's, as scene.ts has it */
export async function telemetryArrives(
  command: string,
  { prompt, check }: { prompt: string; check: Check },
): Promise<void> {
  await using collector = await startCollector();
  const port = await freePort();
  await using scene = await openScene(command, {
    telemetry: {
      verify_identity: true,
      forward_to: [collector.url, ...(otherCollector === undefined ? [] : [otherCollector])].map(
        everythingTo,
      ),
    },
    metrics: { port },
    managed: { policies: [{ match: {}, cli: { env: clientVariables } }] },
  });
  const person = "ada";
  const metricsUrl = `http://127.0.0.1:${port}/metrics`;
  await telemetryJourney(scene, { collector, metricsUrl, person, prompt, check });

  await checkTraces(scene, { person, said: prompt, check });
  await checkLastMetrics(collector, scene.upstream.calls.length, check);
  const leaks = leaksIn(collector.text(), scene.secrets, [prompt, scene.answer]);
  check(
    "the collector holds no secret, bearer, prompt or answer",
    leaks.length === 0,
    leaks.join(", "),
  );
  const complaints = collector.complaints();
  check("the collector could read everything", complaints === "", complaints);
}

function everythingTo(url: string) {
  const signals = { metrics: true, logs: true, traces: true };
  return { url, ...signals, requests: true, gateway_metrics: true };
}
