// A request as the listener hands it to a handler, for tests that call one without a listener.
import type { Incoming } from "../../src/http/request.ts";

/** What a test does not say is of no consequence to it. */
export function incomingOf(request: Request, said: Partial<Incoming> = {}): Incoming {
  return {
    request,
    requestId: "r",
    clientIp: "127.0.0.1",
    path: "",
    search: "",
    receivedAt: 0,
    startedMs: 0,
    ...said,
  };
}
