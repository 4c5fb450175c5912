// What a configuration may say and hardly means, in sentences for the boot log. What needs the catalog of models to be
// noticed is in models/warnings.ts.
import type { Config } from "./schema.ts";

type Read = Pick<Config, "listen" | "models" | "policies" | "pricing" | "telemetry" | "upstreams">;

const rules: readonly ((config: Read) => readonly string[])[] = [
  ({ models }) => {
    const ids = models.map(({ id }) => id);
    const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) < index));
    return [...repeated].map((id) => `models: the id '${id}' is listed more than once`);
  },
  ({ upstreams }) =>
    upstreams.flatMap(({ name, provider, base_url: baseUrl }) =>
      belowAnthropic.has(provider) && baseUrl !== undefined && !hasAnthropicStep(baseUrl)
        ? [
            `upstream '${name}': base_url has no /anthropic in its path, and requests go to base_url + /v1/messages. ` +
              `The provider serves the Messages API below /anthropic: add it, unless a proxy at base_url does`,
          ]
        : [],
    ),
  ({ listen, telemetry }) =>
    telemetry !== undefined && telemetry.forward_to.length > 0 && listen.public_url === undefined
      ? [
          "telemetry.forward_to is configured but listen.public_url is not — clients will not be told to export OTLP. " +
            "Set listen.public_url so that /managed/settings can push OTEL_EXPORTER_OTLP_ENDPOINT.",
        ]
      : [],
  ({ telemetry }) =>
    telemetry?.forward_to.length === 0 && Object.keys(telemetry.resource_attributes).length > 0
      ? [
          "telemetry.resource_attributes is set but telemetry.forward_to is empty, so the labels are not applied",
        ]
      : [],
  ({ policies, pricing }) =>
    pricing !== undefined && pricing.multiplier > 1 && policies.length > 0
      ? [
          `pricing.multiplier is ${pricing.multiplier}, a markup. Claude Code clients older than v2.1.270 ignore a multiplier above 1 and show costs without the markup.`,
        ]
      : [],
];

/** Everything that is worth a warning. */
export function warningsOf(config: Read): string[] {
  return rules.flatMap((rule) => rule(config));
}

/** Providers that serve the Messages API below a path, which a `base_url` has to repeat. */
const belowAnthropic: ReadonlySet<string> = new Set(["mantle", "foundry"]);

function hasAnthropicStep(baseUrl: string): boolean {
  return URL.parse(baseUrl)?.pathname.split("/").includes("anthropic") ?? false;
}
