// What clients are told so that they export their telemetry to this gateway: for Claude Code environment variables, its own
// and OpenTelemetry's, which are part of everyone's managed settings; for Claude Desktop labels, beside which
// desktop-configuration.ts says the rest. Where the exports go from here is telemetry/'s.
import type { Config } from "../config/schema.ts";
import { type Signal, signals } from "../config/telemetry-schema.ts";

type Read = Pick<Config, "listen" | "telemetry">;

/**
 * The variables, in the order in which they are served; undefined when there is no collector to relay to, or no public URL to
 * name as the endpoint. Signals that no collector wants are switched off at the client.
 */
export function telemetryEnvOf(config: Read): Record<string, string> | undefined {
  const relayed = relayedOf(config);
  if (relayed === undefined) return undefined;
  const exporter = (signal: Signal) => (relayed.wanted.has(signal) ? "otlp" : "none");
  // What the configuration accepts as a label reads the same with and without percent-encoding.
  const labels = Object.entries(relayed.labels).map(([name, value]) => `${name}=${value}`);
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: "1",
    OTEL_METRICS_EXPORTER: exporter("metrics"),
    OTEL_LOGS_EXPORTER: exporter("logs"),
    OTEL_TRACES_EXPORTER: exporter("traces"),
    OTEL_EXPORTER_OTLP_ENDPOINT: relayed.endpoint,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
    ...(labels.length > 0 && { OTEL_RESOURCE_ATTRIBUTES: labels.join(",") }),
  };
}

/** The configured labels, which may be none; undefined when clients are not told to export, as above. */
export function telemetryLabelsOf(config: Read): Readonly<Record<string, string>> | undefined {
  return relayedOf(config)?.labels;
}

/** What clients may export and where to; undefined when nothing goes anywhere. */
function relayedOf({ listen, telemetry }: Read) {
  if (telemetry === undefined || telemetry.forward_to.length === 0) return undefined;
  if (listen.public_url === undefined) return undefined;
  return {
    endpoint: listen.public_url.replace(/\/+$/, ""),
    wanted: new Set(
      signals.filter((signal) => telemetry.forward_to.some((destination) => destination[signal])),
    ),
    labels: telemetry.resource_attributes,
  };
}
