// Who did what, one JSON object a line on stderr. Never silenced by the log level, never holding a secret, a prompt or a
// completion. One variant per `evt`; the field names are the wire names that log pipelines already search for. Whoever counts
// events is told of them here as well.
import { log, messageOf, writeLine } from "./log.ts";

type Request = { request_id: string; client_ip: string };
type Person = { sub: string; email?: string | undefined };
/** A change of a cap: who, which one, for whom and when it is. The organisation and sessions have no `scope_id`. */
type LimitChange = {
  request_id: string;
  actor: string;
  target: string;
  scope_type: string;
  scope_id: string;
  period: string;
};
type AuditedPool = { amount: string; paused: boolean } | null;

export type AuditEvent =
  | { evt: "config.load"; path: string; sha256: string }
  | { evt: "access.denied"; request_id: string; reason: string; client_ip: string }
  | { evt: "access.public_client"; request_id: string; client_ip: string }
  | ({
      evt: "auth.denied";
      reason: "missing_token" | "invalid_token" | "ended_session";
      path: string;
    } & Request)
  | ({
      evt: "device.authorize";
      result: "success" | "rate_limited";
      surface?: string | undefined;
    } & Request)
  | ({
      evt: "device.verify";
      result: "redirect" | "unknown_code" | "csrf_rejected" | "rate_limited";
    } & Request)
  | ({
      evt: "device.deny";
      result: "denied";
      requested_from: string;
      requested_at: string;
    } & Request)
  | ({ evt: "device.callback"; result: "browser_mismatch" } & Request)
  | ({ evt: "session.mint"; result: "success"; ttl_hours: number } & Person & Request)
  | ({ evt: "session.mint"; result: "fail"; err: string; step: string } & Request)
  | ({ evt: "session.refresh"; result: "success"; ttl_hours: number } & Person & Request)
  | ({
      evt: "session.refresh";
      result: "fail";
      err: string;
      step: string;
      answer: string;
    } & Request)
  | ({
      evt: "session.revoke";
      /** `unrecorded`: it has ended where it was asked for, and elsewhere once the database is back. */
      result: "success" | "unrecorded";
      token: "bearer" | "refresh_token";
      sub: string;
    } & Request)
  | ({
      evt: "managed.serve";
      request_id: string;
      policy_index: number | null;
      checksum: string;
    } & Person)
  | ({ evt: "desktop_bootstrap.serve"; request_id: string; policy_index: number } & Person)
  | ({
      evt: "desktop_bootstrap.denied";
      request_id: string;
      reason: "not_configured" | "no_policy_matched" | "policy_not_opted_in";
    } & Person)
  | {
      evt: "admin.denied";
      request_id: string;
      reason: "no_credentials" | "invalid_key" | "bearer_rejected";
      method: string;
      path: string;
      client_ip: string;
    }
  | ({
      evt: "admin.limit.upsert";
      before_amount?: string | null;
      amount: string | null;
      before_pooled_budget?: AuditedPool;
      pooled_budget?: AuditedPool;
    } & LimitChange)
  | ({ evt: "admin.limit.delete" } & LimitChange)
  | {
      evt: "admin.sign_out";
      result: "success" | "unrecorded";
      request_id: string;
      actor: string;
      /** The `sub` of who was signed out everywhere. */
      target: string;
    }
  | ({
      evt: "inference";
      request_id: string;
      path: string;
      model: string | null;
      upstream: string | null;
      upstream_request_id: string | null;
      upstream_cloud_request_id: string | null;
      billing_group?: string;
      billing_group_ignored?: true;
      /** W3C Trace Context: the gateway's own span, or else what the client sent. */
      traceparent?: string | undefined;
      status: number;
      ms: number;
    } & Person)
  | {
      evt: "spend.blocked";
      request_id: string;
      sub: string;
      cause: "over_limit" | "reserved" | "store_error";
      cap_cents?: string;
      source?: string;
      period?: string;
      groups?: readonly string[];
    }
  | {
      evt: "spend.metered";
      request_id: string;
      sub: string;
      billing_group?: string;
      billing_group_ignored?: true;
      model: string;
      input_tokens: number;
      output_tokens: number;
      cache_read_input_tokens?: number;
      cache_creation_input_tokens?: number;
      cents: number;
    };

type AuditObserver = (event: AuditEvent) => void;

/** Who is told of each event beside the log, in the order in which they came. */
const observers = new Set<AuditObserver>();

/** Writes one audit event with its time. Fields that are undefined are left out. */
export function audit(event: AuditEvent): void {
  writeLine(JSON.stringify({ ts: new Date().toISOString(), ...event }));
  for (const observer of observers) tell(observer, event);
}

/**
 * Tells somebody of every event from now on, once its line is queued, until the function that is returned is called. What
 * the observer throws is logged and goes no further.
 */
export function observeAudit(observer: AuditObserver): () => void {
  // A function of its own for each call, so that one observer twice is two.
  const observing: AuditObserver = (event) => observer(event);
  observers.add(observing);
  return () => void observers.delete(observing);
}

/** Counting must not keep anybody from what is being audited. */
function tell(observer: AuditObserver, event: AuditEvent): void {
  try {
    observer(event);
  } catch (error) {
    log.error(`an observer of audit events failed at ${event.evt}: ${messageOf(error)}`);
  }
}
