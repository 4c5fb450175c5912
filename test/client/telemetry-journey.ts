// A short conversation whose telemetry reaches the organisation's collector, and then one of somebody who says to be somebody
// else. What must have arrived is in telemetry-records.ts, telemetry-identity.ts, telemetry-spans.ts and telemetry-metrics.ts.
import type { Check } from "./checks.ts";
import type { Collector } from "./collector.ts";
import type { Scene } from "./scene.ts";
import { enterLine, untilShown } from "./screen.ts";
import { signIn } from "./sign-in.ts";
import { checkForged, checkHonest, forgedVariables } from "./telemetry-identity.ts";
import { checkMetrics } from "./telemetry-metrics.ts";
import { checkRecords } from "./telemetry-records.ts";
import { checkSpans } from "./telemetry-spans.ts";
import { told } from "./telemetry-told.ts";
import { tellToUse } from "./upstream.ts";

const answerSecondsMax = 60;
const arrivalSecondsMax = 15;

/** Long enough to be told from what the gateway itself takes. */
const upstreamPauseMs = 150;

export type TelemetryJourney = {
  collector: Collector;
  /** Where the gateway's own metrics are. */
  metricsUrl: string;
  person: string;
  prompt: string;
  check: Check;
};

/** Each thing that an operator would notice is one check. */
export async function telemetryJourney(scene: Scene, journey: TelemetryJourney): Promise<void> {
  const { collector, person, prompt, check } = journey;
  const { client, upstream } = scene;
  upstream.pauseMs = upstreamPauseMs;
  const workplace = await scene.openWorkplace();
  const terminal = workplace.openTerminal([client]);
  await signIn(terminal, { base: scene.base, person, check });
  await enterLine(terminal, prompt);
  await untilShown(terminal, new RegExp(scene.answer), answerSecondsMax);

  const use = tellToUse({ name: "Bash", input: { command: "true", description: "do nothing" } });
  const usingTool = [client, "-p", `${prompt}\n${use}`, "--allowedTools", "Bash"];
  await workplace.run(usingTool, answerSecondsMax);
  await collector.until(() => hasArrived(scene, collector), arrivalSecondsMax);

  checkRecords(scene, journey);
  await checkHonest(journey);
  checkSpans(scene, journey);
  await checkMetrics(scene, journey);

  await workplace.run([client, "-p", prompt], answerSecondsMax, forgedVariables);
  await collector.until(() => hasArrived(scene, collector), arrivalSecondsMax);
  await checkForged(journey);
}

/** Whether every call has been told of by gateway and client, in records and in spans. */
function hasArrived({ upstream }: Scene, collector: Collector): boolean {
  const { records, events, requestSpans } = told(collector);
  return [records, events, requestSpans].every(({ length }) => length >= upstream.calls.length);
}
