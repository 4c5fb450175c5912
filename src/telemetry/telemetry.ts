// All that the gateway tells of itself and of its developers, put together: the relay of what clients export, which is always
// there, and the gateway's own records, spans and metrics, which are loaded only where the configuration asks for them.
import type { Config } from "../config/schema.ts";
import type { Store } from "../store/store.ts";
import type { Observed } from "./metrics/gauges.ts";
import type { OwnTelemetry } from "./own-telemetry.ts";
import { createRelay, type Relay, type RelayOptions } from "./relay/relay.ts";
import type { RequestTelemetry } from "./requests/request-telemetry.ts";
import { createTraces } from "./requests/trace-context.ts";

export type Telemetry = {
  readonly relay: Pick<Relay, "accept">;
  readonly requests: RequestTelemetry;
  /** Adds somebody who is asked when the metrics are read. */
  observe(observed: Partial<Observed>): void;
  /** The same store, whose operations are measured if anything is. */
  observedStore(store: Store): Store;
  /** Sends what waits, for at most this long, and nothing from then on. */
  close(timeoutMs: number): Promise<void>;
};

export type TelemetryOptions = RelayOptions & {
  /** The gateway's own. */
  version: string;
};

/**
 * Nothing is connected to before there is something to send; `metrics:` is listened on.
 * @throws Error naming metrics.host and metrics.port when the address cannot be bound
 */
export async function openTelemetry(config: Config, options: TelemetryOptions): Promise<Telemetry> {
  const relay = createRelay(config.telemetry, options);
  const own = hasOwn(config)
    ? (await import("./own-telemetry.ts")).openOwnTelemetry(config, options)
    : nothingOwn;
  own.observe({ queues: relay.queues, identity: relay.identity });
  return {
    ...own,
    relay,
    async close(timeoutMs) {
      await Promise.all([relay.close(timeoutMs), own.close(timeoutMs)]);
    },
  };
}

/** Whether the configuration asks for anything but the relay of what clients export. */
function hasOwn({ telemetry, metrics }: Config): boolean {
  const destinations = telemetry?.forward_to ?? [];
  const asks = destinations.some(
    ({ requests, traces, gateway_metrics: ownMetrics }) => requests || traces || ownMetrics,
  );
  return asks || metrics !== undefined;
}

/** A trace that a client is in goes on to upstreams all the same. */
const nothingOwn: OwnTelemetry = {
  requests: {
    isWatching: false,
    ...createTraces({ isRecorded: false }),
    streamOpened: () => () => undefined,
    finished: () => undefined,
  },
  observe: () => undefined,
  observedStore: (store) => store,
  close: async () => undefined,
};
