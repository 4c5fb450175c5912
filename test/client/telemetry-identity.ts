// Who the client's own telemetry says that it is from, when it arrives: the person who signed in, whatever else was said.
import { checkAll } from "./checks.ts";
import type { TelemetryJourney } from "./telemetry-journey.ts";
import { metricsAt } from "./telemetry-metrics.ts";
import { has, identityOf } from "./telemetry-told.ts";

/** What a developer sets in a shell to be taken for somebody else. The client itself only drops labels that begin with `user.`. */
export const forgedVariables = { OTEL_RESOURCE_ATTRIBUTES: "enduser.id=mallory,User.Email=m@x" };
const forgedWords = ["mallory", "m@x", "User.Email"];

/** While everybody is who they say. */
export async function checkHonest(journey: TelemetryJourney): Promise<void> {
  const { person, check } = journey;
  const all = sentByClient(journey);
  for (const [kind, sent] of Object.entries(all)) {
    checkAll(
      check,
      `the client's ${kind} have the person's id, e-mail address and groups`,
      sent.flatMap(({ attributes, resource }) => [attributes, resource]),
      (attributes) => has(attributes, identityOf(person)),
    );
  }
  check(
    "they went on as the client had written them: none was corrected, and none unreadable",
    await isCounted(journey, (corrected) => corrected === 0),
    "see claude_gateway_telemetry_identity_total",
  );
}

/** Once somebody has forged. */
export async function checkForged(journey: TelemetryJourney): Promise<void> {
  const { collector, person, check } = journey;
  const own = identityOf(person);
  const forged = Object.values(sentByClient(journey))
    .flat()
    .flatMap(({ attributes, resource }) => [attributes, resource])
    .filter((attributes) => "enduser.id" in attributes);
  checkAll(
    check,
    "what a developer set to be taken for somebody else says who it is from",
    forged,
    (attributes) => has(attributes, { ...own, "enduser.id": own["user.email"] }),
  );
  const text = collector.text();
  const arrived = forgedWords.filter((word) => text.includes(word));
  check("nothing of the forgery arrives", arrived.length === 0, arrived.join(", "));
  check(
    "it is counted as corrected",
    await isCounted(journey, (corrected) => corrected > 0),
    "see claude_gateway_telemetry_identity_total",
  );
}

function sentByClient({ collector }: TelemetryJourney) {
  return {
    events: collector.records("claude-code"),
    metrics: collector.points("claude-code"),
    spans: collector.spans("claude-code"),
  };
}

async function isCounted(
  { metricsUrl }: TelemetryJourney,
  holds: (corrected: number) => boolean,
): Promise<boolean> {
  const { sum } = await metricsAt(metricsUrl);
  const exports = (outcome: string) => sum("claude_gateway_telemetry_identity_total", { outcome });
  return holds(exports("corrected")) && exports("unreadable") === 0;
}
