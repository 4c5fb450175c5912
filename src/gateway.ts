// The one route list: what is answered to anybody, what to a signed-in developer, and which domain answers it. Each domain
// is handed exactly what it needs.
import { audit } from "./audit.ts";
import { groupListsOf } from "./config/group-checks.ts";
import type { Config } from "./config/schema.ts";
import type { Endings } from "./endings/endings.ts";
import { ApiError } from "./http/errors.ts";
import type { Connections } from "./http/listener.ts";
import type { Incoming } from "./http/request.ts";
import { createRouter, type Handler, type Router } from "./http/router.ts";
import type { IdentityProvider } from "./idp/provider.ts";
import { createCapacity } from "./inference/capacity.ts";
import { createMessages } from "./inference/messages.ts";
import { createRouting } from "./inference/routing.ts";
import { log } from "./log.ts";
import { createModelDirectory } from "./models/resolve.ts";
import { createCallback } from "./oauth/callback.ts";
import { withCarriedGroups } from "./oauth/carried-groups.ts";
import { createDeviceAuthorization } from "./oauth/device-authorization.ts";
import { createDeviceGrants, type DeviceGrant } from "./oauth/device.ts";
import { createMetadata } from "./oauth/metadata.ts";
import { createPublicBase } from "./oauth/origin.ts";
import { landingPage } from "./oauth/pages.ts";
import { createRateLimit } from "./oauth/rate-limit.ts";
import { createRefreshTokens, type RefreshTokenContent } from "./oauth/refresh-token.ts";
import { createRevocation } from "./oauth/revocation.ts";
import { createTokenEndpoint } from "./oauth/token.ts";
import { createVerification, pageResponse } from "./oauth/verification.ts";
import type { AuthorizationState } from "./oauth/browser.ts";
import { createBootstrap } from "./policy/bootstrap.ts";
import { createManagedSettings } from "./policy/managed-settings.ts";
import { createModelList } from "./policy/model-list.ts";
import type { Policies } from "./policy/policy.ts";
import { createServedSettings } from "./policy/served-settings.ts";
import { telemetryLabelsOf } from "./policy/telemetry-env.ts";
import protocol from "./protocol.md" with { type: "text" };
import { createSealed } from "./sealed.ts";
import { createSessions, type Principal } from "./session.ts";
import { createReadiness } from "./store/readiness.ts";
import { adminPath } from "./spend/admin/admin-api.ts";
import { createSignOuts, signOutsPath } from "./spend/admin/sign-outs.ts";
import type { Spending } from "./spend/spending.ts";
import type { Store } from "./store/store.ts";
import { createPrices } from "./spend/price.ts";
import { createUncounted } from "./spend/uncounted.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";
import type { Timer } from "./timer.ts";
import { createCallReader } from "./upstream/request/call.ts";
import type { MessagesPath, Upstream } from "./upstream/upstream.ts";

/** Longest path in an audit event, in characters: whoever has no bearer should not fill the log. */
const auditedPathLengthMax = 512;

export type GatewayParts = {
  config: Config;
  store: Store;
  endings: Endings;
  identityProvider: IdentityProvider;
  upstreams: readonly Upstream[];
  telemetry: Telemetry;
  /** Undefined without an `admin:` block. */
  spending: Spending | undefined;
  /** Of the same configuration. */
  policies: Policies;
  version: string;
  openRequestsMax: number;
  openRequests: () => number;
  /** Milliseconds since the epoch. */
  now: () => number;
  after: Timer;
};

/** The handler of every request. Builds only: opens no connection and starts no timer. */
export function createGateway(parts: GatewayParts, connections: Connections): Router {
  const { config, store, endings, upstreams, telemetry, spending, policies, now } = parts;
  const { oidc, session, rate_limits: rateLimits, login_notice: loginNotice } = config;

  const secrets =
    typeof session.jwt_secret === "string" ? [session.jwt_secret] : session.jwt_secret;
  const base = createPublicBase(config.listen.public_url, { tls: config.listen.tls !== undefined });
  const ttlSeconds = Math.round(session.ttl_hours * 3600);
  const sessions = createSessions({
    secrets,
    issuer: base.fixed,
    billingGroupTag: config.admin?.billing_group_tag,
    ttlSeconds,
    endings,
    now,
  });
  const refreshTokens = createRefreshTokens(
    createSealed<RefreshTokenContent>("refresh token", { secrets, now }),
  );
  const identityProvider = withCarriedGroups(parts.identityProvider, {
    isNamed: isGroupNamedIn(config),
    standings: spending && store.standings,
    log,
  });
  const grants = createDeviceGrants(
    store.kv,
    createSealed<DeviceGrant>("device grant", { secrets, now }),
    endings,
  );
  const authorizationState = createSealed<AuthorizationState>("authorization state", {
    secrets,
    now,
  });
  const verifyLimit = {
    max: rateLimits.device_verify.max,
    windowSeconds: rateLimits.device_verify.window_seconds,
    now,
  };

  const verification = createVerification({
    grants,
    rateLimit: createRateLimit(store.kv, {
      ...verifyLimit,
      setting: "device_verify",
      prefix: "rate:verify:",
    }),
    lookupLimit: createRateLimit(store.kv, { ...verifyLimit, prefix: "rate:lookup:" }),
    sealed: authorizationState,
    identityProvider,
    base,
    formActionOrigins: oidc.form_action_origins,
    loginNotice,
  });
  const { callback, refusePost } = createCallback({
    grants,
    sealed: authorizationState,
    identityProvider,
    base,
    ttlHours: session.ttl_hours,
  });

  const models = createModelDirectory(config, config.upstreams);
  const inference = {
    upstreams,
    models,
    policies,
    billingGroupTag: config.admin?.billing_group_tag,
    connections,
    uncounted: createUncounted(createPrices(config)),
    telemetry: telemetry.requests,
    shed: createCapacity(parts),
    readCall: createCallReader({ now: () => performance.now(), after: parts.after }),
    isGuarded: config.upstreams.some(
      (entry) => "guardrail" in entry && entry.guardrail !== undefined,
    ),
  };
  const messagesAt = (path: MessagesPath) => {
    const routing = createRouting(config.failover, config.upstreams, {
      path,
      now,
      random: Math.random,
    });
    telemetry.observe({ setAside: () => routing.setAside().map((each) => ({ ...each, path })) });
    // Counting is free of charge.
    const spend = path === "/v1/messages" ? spending?.spend : undefined;
    return createMessages({ ...inference, spend, routing }, path);
  };
  const metadata = createMetadata(base);
  const isReady = createReadiness(store, {
    graceSeconds: config.store.readiness_grace_seconds,
    // A clock that is set must not end or stretch the grace.
    now: () => performance.now(),
  });

  const open: Record<string, Handler> = {
    "GET /": ({ request }) => pageResponse(landing(base.of(request))),
    "GET /healthz": () => new Response("ok"),
    "GET /readyz": async () =>
      (await isReady())
        ? new Response("ready")
        : new Response("store unavailable", { status: 503 }),
    "GET /protocol": () =>
      new Response(protocol, { headers: { "content-type": "text/markdown; charset=utf-8" } }),
    "GET /.well-known/oauth-authorization-server": metadata,
    "POST /.well-known/oauth-authorization-server": metadata,
    "POST /oauth/device_authorization": createDeviceAuthorization({
      grants,
      rateLimit: createRateLimit(store.kv, {
        setting: "device_authorization",
        prefix: "rate:device:",
        max: rateLimits.device_authorization.max,
        windowSeconds: rateLimits.device_authorization.window_seconds,
        now,
      }),
      base,
      loginNotice,
    }),
    "GET /device": verification.show,
    "POST /device": verification.confirm,
    "POST /device/deny": verification.deny,
    "GET /oauth/callback": callback,
    "POST /oauth/callback": refusePost,
    "POST /oauth/token": createTokenEndpoint({
      grants,
      sessions,
      refreshTokens,
      endings,
      identityProvider,
      ttlHours: session.ttl_hours,
      decisive: decisiveIn(config),
    }),
    "POST /oauth/revoke": createRevocation({ sessions, refreshTokens, endings }),
  };
  const signedIn = {
    "POST /v1/messages": messagesAt("/v1/messages"),
    "POST /v1/messages/count_tokens": messagesAt("/v1/messages/count_tokens"),
    "GET /v1/models": createModelList(policies, models),
    "GET /managed/settings": createManagedSettings(
      policies,
      createServedSettings(config, policies, models),
    ),
    "GET /user/bootstrap": createBootstrap({
      policies,
      models,
      baseOf: (request) => base.of(request),
      telemetryLabels: telemetryLabelsOf(config),
      ttlSeconds,
      spendAdminGroups: config.admin?.admin_groups,
      now,
    }),
    ...(spending !== undefined && { "GET /api/oauth/usage": spending.usage }),
    "POST /v1/metrics": telemetry.relay.accept("metrics"),
    "POST /v1/logs": telemetry.relay.accept("logs"),
    "POST /v1/traces": telemetry.relay.accept("traces"),
  };

  const below: Record<string, Handler> =
    spending === undefined ? {} : { [adminPath]: spending.adminApi(sessions) };
  if (config.admin !== undefined) {
    const signOuts = { admin: config.admin, sessions, endings, store: store.endings };
    below[signOutsPath] = createSignOuts(signOuts);
  }

  const landing = (publicUrl: string) =>
    landingPage({
      publicUrl,
      identityProviderHost: new URL(oidc.issuer).host,
      version: parts.version,
    });

  async function authenticate(incoming: Incoming): Promise<Principal> {
    const principal = await sessions.authenticate(incoming.request.headers.get("authorization"));
    if (typeof principal !== "string") return principal;
    audit({
      evt: "auth.denied",
      request_id: incoming.requestId,
      reason: principal,
      path: incoming.path.slice(0, auditedPathLengthMax),
      client_ip: incoming.clientIp,
    });
    // The same answer for every cause. A retry with the same bearer cannot help, and clients prompt for sign-in at once.
    throw new ApiError("authentication_error", "invalid token", {
      headers: { "www-authenticate": "Bearer", "x-should-retry": "false" },
    });
  }

  return createRouter({ open, below, signedIn }, authenticate);
}

/** Whether the configuration says something about a group: who may sign in, which policy, which upstream, who administers. */
function isGroupNamedIn(config: Config) {
  const policyGroups = config.policies.map(({ groups }) => groups);
  const named = new Set(groupListsOf({ ...config, policyGroups }).flatMap(({ groups }) => groups));
  return (group: string) => named.has(group);
}

/** What of a person something depends on. Who may sign in at all is asked anew at each refresh. */
function decisiveIn({ oidc, policies, upstreams, admin }: Config) {
  return {
    groups:
      oidc.allowed_groups.length > 0 ||
      // A group may be given a cap at any time.
      admin !== undefined ||
      [...policies, ...upstreams].some(({ groups }) => groups !== undefined),
    email: policies.some(({ emailDomain }) => emailDomain !== undefined),
  };
}
