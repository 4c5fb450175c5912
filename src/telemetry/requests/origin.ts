// Who sends what is exported: on every record and span the very same two objects, by which exporters group them.
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";

export type Origin = {
  /** The process: its service name, version and so on. */
  readonly resource: Resource;
  /** The part of it that has made the record. */
  readonly scope: ReadableSpan["instrumentationScope"];
};
