// POST /v1/messages and /v1/messages/count_tokens, the path that all money and all waiting goes through. Two functions: one
// owns the outcome (the audit event is written exactly once, whatever happened), one the steps.
import { audit } from "../audit.ts";
import { ApiError } from "../http/errors.ts";
import type { Connections } from "../http/listener.ts";
import type { Incoming } from "../http/request.ts";
import type { HandlerFor } from "../http/router.ts";
import { log } from "../log.ts";
import { shownId } from "../models/names.ts";
import type { ModelDirectory } from "../models/resolve.ts";
import { everyModel } from "../policy/model-access.ts";
import type { Policies } from "../policy/policy.ts";
import type { Principal } from "../session.ts";
import { type MessagesCall, readMessagesCall } from "../upstream/request/call.ts";
import { unadmittedModel } from "../upstream/request/nested-models.ts";
import { refuseGuardrailFields } from "../upstream/guardrail.ts";
import type { MessagesPath, Upstream } from "../upstream/upstream.ts";
import { sessionKeyOf } from "./affinity.ts";
import type { Route } from "./attempt.ts";
import { firstAnswer } from "./failover.ts";
import type { Routing } from "./routing.ts";

/** Status in the audit event of a request whose client hung up before an answer (nginx's number; never sent). */
const clientGoneStatus = 499;

/** Milliseconds between two log lines about the open-request bound. */
const fullHouseLogIntervalMs = 60_000;

/** What the audit event tells of a request, filled in as it gets that far. */
type Outcome = {
  model: string | null;
  upstream: string | null;
  upstreamRequestId: string | null;
  upstreamCloudRequestId: string | null;
  status: number;
};

export type MessagesDeps = {
  upstreams: readonly Upstream[];
  models: ModelDirectory;
  /** Who may use which model. */
  policies: Pick<Policies, "accessOf">;
  /** What is remembered of upstreams. One for each path: an upstream may fail to count and yet answer. */
  routing: Routing;
  connections: Connections;
  /** Open requests above which further ones are answered 529, so that a flood waits at the clients and not in memory. */
  openRequestsMax: number;
  openRequests: () => number;
  /** Whether some upstream applies a guardrail, which no request may then change, wherever it would go. */
  isGuarded: boolean;
};

/**
 * The handler of one Messages path. It throws ApiError for what the client may read of a refusal: `invalid_request_error` for
 * the call, `overloaded_error` at capacity, `api_error` 502 when no upstream answered.
 */
export function createMessages(deps: MessagesDeps, path: MessagesPath): HandlerFor<Principal> {
  const upstreams = new Map(deps.upstreams.map((upstream) => [upstream.name, upstream]));
  let fullHouseLoggedAt = -Infinity;

  return async (incoming, principal) => {
    const outcome: Outcome = {
      model: null,
      upstream: null,
      upstreamRequestId: null,
      upstreamCloudRequestId: null,
      status: 500,
    };
    try {
      const response = await answer(incoming, principal, outcome);
      outcome.status = response.status;
      return response;
    } catch (error) {
      if (incoming.request.signal.aborted) return clientGone(outcome);
      if (error instanceof ApiError) outcome.status = error.status;
      throw error;
    } finally {
      audit({
        evt: "inference",
        request_id: incoming.requestId,
        sub: principal.sub,
        email: principal.email,
        path,
        model: outcome.model,
        upstream: outcome.upstream,
        upstream_request_id: outcome.upstreamRequestId,
        upstream_cloud_request_id: outcome.upstreamCloudRequestId,
        status: outcome.status,
        ms: Date.now() - incoming.receivedAt,
      });
    }
  };

  async function answer(
    incoming: Incoming,
    principal: Principal,
    outcome: Outcome,
  ): Promise<Response> {
    const { request, requestId, search } = incoming;
    shed();
    const call = readMessagesCall(await request.bytes());
    if (deps.isGuarded && path === "/v1/messages") refuseGuardrailFields(call);
    outcome.model = call.model;
    requireModels(call, principal);
    const { routes, considered } = routesFor(call, principal, requestId);
    deps.connections.holdOpen(request);
    const answered = await firstAnswer(
      routes,
      ({ upstream, upstreamModel }, signal) =>
        upstream.send(
          { call, path, search, headers: request.headers, upstreamModel, principal, requestId },
          signal,
        ),
      {
        clientGone: request.signal,
        configured: considered,
        requestId,
        routing: deps.routing,
        // A count must not move a session away from its prompt cache.
        sessionKey:
          path === "/v1/messages" ? sessionKeyOf(request.headers, principal, call.model) : null,
      },
    );
    deps.connections.release(request);
    switch (answered.outcome) {
      case "client gone":
        return clientGone(outcome);
      case "all failed":
        throw new ApiError("api_error", `all upstreams failed (${considered} attempted)`, {
          status: 502,
        });
      case "answered": {
        const { response, requestId: upstreamRequestId, cloudRequestId } = answered.answer;
        outcome.upstream = answered.upstream;
        outcome.upstreamRequestId = upstreamRequestId;
        outcome.upstreamCloudRequestId = cloudRequestId;
        response.headers.set("request-id", requestId);
        return response;
      }
    }
  }

  /** A role's models come first: who may not use one is not told whether there is such a model. */
  function requireModels({ model, body }: MessagesCall, principal: Principal): void {
    const access = deps.policies.accessOf(principal);
    if (access === everyModel) return;
    const refuse = (why: string) => {
      throw new ApiError("invalid_request_error", why);
    };
    const refusal = access.refusalOf(model);
    if (refusal !== undefined) refuse(refusal);
    const nested = unadmittedModel(body, (named) => access.refusalOf(named) === undefined);
    if (nested === undefined) return;
    const why = typeof nested.model === "string" ? access.refusalOf(nested.model) : undefined;
    refuse(
      `${shownId(nested.path)}: ${why ?? "refused by this gateway: `model` must be a string"}`,
    );
  }

  function routesFor(
    { model, stream }: MessagesCall,
    { groups }: Principal,
    requestId: string,
  ): { routes: Route[]; considered: number } {
    const { routes, refusals, considered } = deps.models.resolve(model, groups);
    if (routes.length === 0) {
      const why = refusals
        .map(({ upstream, message }) =>
          upstream === undefined ? message : `${upstream}: ${message}`,
        )
        .join("; ");
      log.warn(`inference: model resolution failed request_id=${requestId}: ${why}`);
      throw new ApiError(
        "invalid_request_error",
        refusals.map(({ message }) => message).join("; "),
      );
    }
    const kind = stream || path === "/v1/messages/count_tokens" ? "streamed" : "whole";
    const open = routes.flatMap(({ upstream: name, upstreamModel }) => {
      const upstream = upstreams.get(name);
      if (upstream === undefined) return [];
      return [{ upstream, upstreamModel, ttfbMs: upstream.ttfbMs[kind] }];
    });
    return { routes: open, considered };
  }

  function shed(): void {
    const open = deps.openRequests();
    if (open <= deps.openRequestsMax) return;
    if (Date.now() - fullHouseLoggedAt >= fullHouseLogIntervalMs) {
      fullHouseLoggedAt = Date.now();
      log.warn(
        `${open} client requests are open, over the bound of ${deps.openRequestsMax} (BUN_CONFIG_MAX_HTTP_REQUESTS): further ones ` +
          "are answered 529 until some finish. Add replicas, or raise the bound. Logged at most once a minute.",
      );
    }
    throw new ApiError("overloaded_error", "the gateway is at capacity", {
      headers: { "retry-after": "1" },
    });
  }
}

/** Nobody reads this answer: the client hung up, also while it was sending its body. */
function clientGone(outcome: Outcome): Response {
  outcome.status = clientGoneStatus;
  return new Response(null, { status: clientGoneStatus });
}
