// The areas of the conformance suite that this gateway is held to, in the order of a run. An issue that finishes more of
// them adds them here; what an area still holds for later is in ../conformance-pending.json.
export const areas: readonly string[] = (
  "boot boot-log discovery device rate-limits oidc token jwt pages " +
  "messages failover models providers managed bootstrap admin-api enforcement pricing group-pool billing-group outage " +
  "telemetry access limits tls shutdown audit interop misc claude-code"
).split(" ");
