// Sign-ins and refusals, counted from the audit events that tell of them: there is one place that says what happened. Reasons are
// the fixed words of the events; free text, such as what an identity provider answers, becomes `other`.
import type { AuditEvent } from "../../audit.ts";
import type { AccessRefusal } from "../../http/client-address.ts";
import type { IdpStep } from "../../idp/identity.ts";
import type { Instruments } from "./instruments.ts";

/** What a sign-in or a renewal may fail at. */
const steps = {
  authorization: true,
  token_endpoint: true,
  id_token: true,
  userinfo: true,
  directory: true,
  admission: true,
  refresh_token: true,
  session: true,
} as const satisfies Record<IdpStep | "refresh_token" | "session", true>;

const accessRefusals = {
  ip_denylist: true,
  ip_not_allowlisted: true,
  xff_unparseable: true,
  client_ip_unknown: true,
} as const satisfies Record<AccessRefusal, true>;

type SignIn = Extract<AuditEvent, { evt: "session.mint" | "session.refresh" }>;

/** To be told of every audit event. */
export function createAuditCounts({
  signIns,
  refusals,
}: Pick<Instruments, "signIns" | "refusals">): (event: AuditEvent) => void {
  const refused = (event: AuditEvent["evt"], reason: string) => refusals.add(1, event, reason);

  function signedIn(event: "mint" | "refresh", told: SignIn): void {
    if (told.result === "success") return signIns.add(1, event, told.result, undefined);
    const reason = "step" in told ? known(steps, told.step) : "other";
    signIns.add(1, event, told.result, reason);
  }

  return (event) => {
    const { evt } = event;
    switch (evt) {
      case "session.mint":
        return signedIn("mint", event);
      case "session.refresh":
        return signedIn("refresh", event);
      case "access.denied":
        return refused(evt, known(accessRefusals, event.reason));
      case "auth.denied":
      case "admin.denied":
      case "desktop_bootstrap.denied":
        return refused(evt, event.reason);
      case "spend.blocked":
        return refused(evt, event.cause);
      case "device.authorize":
        return event.result === "success" ? undefined : refused(evt, event.result);
      case "device.verify":
        return event.result === "redirect" ? undefined : refused(evt, event.result);
      case "device.deny":
      case "device.callback":
        return refused(evt, event.result);
      // Nothing is refused; what there is to count of it is counted elsewhere.
      case "config.load":
      case "access.public_client":
      case "session.revoke":
      case "managed.serve":
      case "desktop_bootstrap.serve":
      case "admin.limit.upsert":
      case "admin.limit.delete":
      case "admin.sign_out":
      case "inference":
      case "spend.metered":
        return undefined;
      default:
        return event satisfies never;
    }
  };
}

function known(words: Readonly<Record<string, true>>, word: string): string {
  return Object.hasOwn(words, word) ? word : "other";
}
