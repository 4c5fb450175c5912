// GET /user/bootstrap: the configuration of Claude Desktop for the person who asks, or why there is none. What is in it is
// put together in desktop-configuration.ts.
import { audit } from "../audit.ts";
import { ApiError } from "../http/errors.ts";
import { notStored } from "../http/refusal.ts";
import type { HandlerFor } from "../http/router.ts";
import type { ModelDirectory } from "../models/resolve.ts";
import type { Principal } from "../session.ts";
import { desktopConfiguration } from "./desktop-configuration.ts";
import type { Policies, Policy } from "./policy.ts";

export type BootstrapDeps = {
  policies: Policies;
  models: ModelDirectory;
  /** The gateway's address as clients know it, without a slash at its end. */
  baseOf: (request: Request) => string;
  /** Labels of the telemetry that clients send here; undefined when none is relayed. */
  telemetryLabels: Readonly<Record<string, string>> | undefined;
  ttlSeconds: number;
  /** admin.admin_groups: Claude Desktop shows their members where caps are set. */
  spendAdminGroups?: readonly string[] | undefined;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** What the client reads of a refusal. */
const refusals = {
  not_configured:
    'Claude Desktop is not configured on this gateway — add a "desktop:" block to a managed policy',
  no_policy_matched: "no policy matched",
  policy_not_opted_in:
    'the policy matching this user does not opt into desktop — add a "desktop:" block to it',
} as const;

/** Why somebody is given no configuration of Claude Desktop, as the audit names it. */
export type NotConfigured = keyof typeof refusals;

/** @param policy of the person, which is not opted in */
export function whyNotConfigured({ all }: Policies, policy: Policy | undefined): NotConfigured {
  if (all.every(({ desktop }) => desktop === undefined)) return "not_configured";
  return policy === undefined ? "no_policy_matched" : "policy_not_opted_in";
}

/** The handler of GET /user/bootstrap. Throws ApiError `not_found_error` to people who are given no configuration. */
export function createBootstrap(deps: BootstrapDeps): HandlerFor<Principal> {
  const { policies } = deps;
  const adminGroups = new Set(deps.spendAdminGroups);

  return ({ request, requestId }, principal) => {
    const { sub, email } = principal;
    const policy = policies.of(principal);
    if (policy?.desktop === undefined) {
      const reason = whyNotConfigured(policies, policy);
      audit({ evt: "desktop_bootstrap.denied", request_id: requestId, reason, sub, email });
      throw new ApiError("not_found_error", refusals[reason], { headers: notStored });
    }
    audit({
      evt: "desktop_bootstrap.serve",
      request_id: requestId,
      sub,
      email,
      policy_index: policy.index,
    });
    const configuration = desktopConfiguration(policy, policy.desktop, {
      principal,
      base: deps.baseOf(request),
      models: deps.models,
      telemetryLabels: deps.telemetryLabels,
      expiresAt: Math.floor(deps.now() / 1000) + deps.ttlSeconds,
    });
    const isSpendAdmin = principal.groups.some((group) => adminGroups.has(group));
    return Response.json(configuration, {
      headers: { ...notStored, "x-gateway-spend-admin": String(isSpendAdmin) },
    });
  };
}
