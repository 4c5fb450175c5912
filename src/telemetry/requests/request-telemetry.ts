// What inference/ is given of telemetry: where a request stands in a trace, and somebody to tell when it is over.
import type { FinishedRequest } from "./finished-request.ts";
import type { RequestTrace } from "./trace-context.ts";

export type RequestTelemetry = {
  /** Whether anybody wants to know what becomes of requests. If nobody does, `finished` and `streamOpened` need not be called. */
  readonly isWatching: boolean;
  traceOf(headers: Headers): RequestTrace;
  /** A streamed answer has begun. To be called when it is over. */
  streamOpened(): () => void;
  /** A request is over. Once for each; never throws. */
  finished(request: FinishedRequest): void;
};
