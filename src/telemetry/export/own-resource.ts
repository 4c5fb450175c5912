// Whose telemetry it is: what the gateway says of itself in its own records, spans and metrics. What clients export says whose
// it is by itself, and goes on as it is.
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ATTR_SERVICE_INSTANCE_ID,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from "@opentelemetry/semantic-conventions";
import type { Origin } from "../requests/origin.ts";

const name = "claude-gateway";

/**
 * @param options.version the gateway's own.
 * @param options.instanceId of this process and no other, such as a random UUID.
 * @param options.labels `telemetry.resource_attributes`.
 * @see https://opentelemetry.io/docs/specs/semconv/resource/#service
 */
export function createOwnOrigin(options: {
  version: string;
  instanceId: string;
  labels: Readonly<Record<string, string>>;
}): Origin {
  const { version, instanceId, labels } = options;
  return {
    resource: resourceFromAttributes({
      ...labels,
      [ATTR_SERVICE_NAME]: name,
      [ATTR_SERVICE_VERSION]: version,
      [ATTR_SERVICE_INSTANCE_ID]: instanceId,
    }),
    scope: { name, version },
  };
}
