// The shape of `telemetry:`, the collectors that clients' exports and the gateway's own are sent to, and the labels that are put
// on what is exported; and of `metrics:`, where the gateway's own metrics can be read. What a shape cannot say is in
// telemetry-checks.ts; the sending is telemetry/'s, what clients are told policy/'s.
import { Type } from "@sinclair/typebox";
import { aUrl, closed } from "./pieces.ts";

/** The signals of OpenTelemetry, in the order in which they are listed and as they stand in a path: `/v1/metrics`. */
export const signals = ["metrics", "logs", "traces"] as const;
export type Signal = (typeof signals)[number];

/** Each collector has a queue of its own, as large as telemetry/relay/destination.ts says. */
const destinationsMax = 16;

/** One collector, which takes OTLP over HTTP below its `url`. */
const destination = Type.Object(
  {
    url: Type.String(aUrl),
    headers: Type.Record(Type.String(), Type.String(), { default: {} }),
    metrics: Type.Boolean({ default: true }),
    logs: Type.Boolean({ default: false }),
    traces: Type.Boolean({ default: false }),
    /** The gateway's own log record of each inference request. */
    requests: Type.Boolean({ default: false }),
    /** The gateway's own metrics, every minute. */
    gateway_metrics: Type.Boolean({ default: false }),
    /** The gateway's own Google identity, for Google's collector. */
    auth: Type.Optional(Type.Object({ google: Type.Object({}, closed) }, closed)),
  },
  closed,
);

export const telemetry = Type.Object(
  {
    forward_to: Type.Array(destination, {
      default: [],
      maxItems: destinationsMax,
      whenFull: `may name at most ${destinationsMax} collectors, as the gateway holds a queue for each: send to one that passes exports on`,
    }),
    resource_attributes: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** Whether what an export says of its sender is made to agree with the bearer that it came with. */
    verify_identity: Type.Boolean({ default: false }),
  },
  closed,
);

/** The listener of `GET /metrics`, which asks nobody who they are. */
export const metrics = Type.Object(
  {
    host: Type.String({
      minLength: 1,
      default: "127.0.0.1",
      description: "a host name or address",
    }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      description: "a whole number from 0 to 65535",
    }),
  },
  closed,
);
