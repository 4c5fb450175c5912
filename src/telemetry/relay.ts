// POST /v1/metrics, /v1/logs, /v1/traces: where clients export their telemetry (OTLP/HTTP). Without a configured destination
// an export is accepted and dropped: an error would make every client log one on each flush.
import type { HandlerFor } from "../http/router.ts";
import type { Principal } from "../session.ts";

/** Answers 200 with an empty body, whatever was sent. */
export const acceptExport: HandlerFor<Principal> = () => new Response(null, { status: 200 });
