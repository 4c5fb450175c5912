// POST /v1/messages and /v1/messages/count_tokens, the path that all money and all waiting goes through. Two functions: one
// owns the outcome (outcome.ts: the audit event is written exactly once, whatever happened), one the steps. What is spent on the way is
// spend/'s: a request is admitted, holds the most that it may cost, and is charged or let go, whatever happened.
import { ApiError } from "../http/errors.ts";
import type { Connections } from "../http/listener.ts";
import type { Incoming } from "../http/request.ts";
import type { HandlerFor } from "../http/router.ts";
import { log } from "../log.ts";
import { shownId } from "../models/names.ts";
import type { ModelDirectory, ModelRoute } from "../models/resolve.ts";
import { everyModel } from "../policy/model-access.ts";
import type { Policies } from "../policy/policy.ts";
import type { Principal } from "../session.ts";
import type { BillingFields, Reservation } from "../spend/reservation.ts";
import type { Spend } from "../spend/spend.ts";
import type { Uncounted } from "../spend/uncounted.ts";
import type { RequestTelemetry } from "../telemetry/requests/request-telemetry.ts";
import type { CallReader, MessagesCall } from "../upstream/request/call.ts";
import { sessionIdOf } from "../upstream/request/client-session.ts";
import { billingGroupOf } from "../upstream/request/tags.ts";
import { unadmittedModel } from "../upstream/request/nested-models.ts";
import { refuseGuardrailFields } from "../upstream/guardrail.ts";
import type { MessagesPath, Upstream } from "../upstream/upstream.ts";
import { sessionKeyOf } from "./affinity.ts";
import type { Route } from "./attempt.ts";
import { firstAnswer } from "./failover.ts";
import { createInputCounts } from "./input-counts.ts";
import { createOutcome, type Outcome } from "./outcome.ts";
import type { Routing } from "./routing.ts";

export type MessagesDeps = {
  upstreams: readonly Upstream[];
  models: ModelDirectory;
  /** Who may use which model. */
  policies: Pick<Policies, "accessOf">;
  /** Caps and charges; undefined where nothing is counted: for counting tokens, and without an `admin:` block. */
  spend: Pick<Spend, "admit"> | undefined;
  /** admin.billing_group_tag */
  billingGroupTag: string | undefined;
  /** What is remembered of upstreams. One for each path: an upstream may fail to count and yet answer. */
  routing: Routing;
  /** What answers used where `spend` is undefined, for telemetry. */
  uncounted: Uncounted;
  telemetry: RequestTelemetry;
  connections: Connections;
  /** @throws ApiError `overloaded_error` at capacity */
  shed: () => void;
  readCall: CallReader;
  /** Whether some upstream applies a guardrail, which no request may then change, wherever it would go. */
  isGuarded: boolean;
};

/**
 * The handler of one Messages path. It throws ApiError for what the client may read of a refusal: `invalid_request_error` for
 * the call, `overloaded_error` at capacity, `api_error` 502 when no upstream answered.
 */
export function createMessages(deps: MessagesDeps, path: MessagesPath): HandlerFor<Principal> {
  const upstreams = new Map(deps.upstreams.map((upstream) => [upstream.name, upstream]));
  const countInput = createInputCounts();

  return async (incoming, principal) => {
    const outcome = createOutcome(incoming, { principal, path, telemetry: deps.telemetry });
    try {
      const response = await answer(incoming, principal, outcome);
      outcome.status = response.status;
      return response;
    } catch (error) {
      if (incoming.request.signal.aborted) return outcome.clientGone();
      if (error instanceof ApiError) outcome.status = error.status;
      throw error;
    } finally {
      outcome.end();
    }
  };

  async function answer(
    incoming: Incoming,
    principal: Principal,
    outcome: Outcome,
  ): Promise<Response> {
    const { request, requestId } = incoming;
    deps.shed();
    // Before a byte of the body is read: who has nothing left need not send it.
    const admission = await deps.spend?.admit({
      principal,
      sessionId: sessionIdOf(request.headers),
      requestId,
    });
    const call = await request.bytes().then(deps.readCall);
    if (deps.isGuarded && path === "/v1/messages") refuseGuardrailFields(call);
    outcome.model = call.model;
    if (path === "/v1/messages") outcome.billing = billingFieldsOf(call, principal);
    requireModels(call, principal);
    const { routes, considered } = routesFor(call, principal, requestId);
    const reservation = await admission?.reserve(
      {
        call,
        routes: routes.map(modelRouteOf),
        audited: outcome.billing,
        watch: outcome.watch,
      },
      request.signal,
    );
    deps.connections.holdOpen(request);
    try {
      return await sent(incoming, principal, outcome, call, { routes, considered, reservation });
    } finally {
      // What an answer has taken over is not touched by this.
      reservation?.release();
      deps.connections.release(request);
    }
  }

  async function sent(
    { request, requestId, search }: Incoming,
    principal: Principal,
    outcome: Outcome,
    call: MessagesCall,
    { routes, considered, reservation }: Plan,
  ): Promise<Response> {
    const outboundTo = (route: Route, onHead?: () => void) => ({
      call,
      path,
      search,
      headers: request.headers,
      upstreamModel: route.upstreamModel,
      principal,
      requestId,
      trace: outcome.attemptHeaders(),
      onStreamOver: (isWhole: boolean) => deps.routing.streamOver(route, isWhole),
      ...(onHead && { onHead }),
    });
    const inputTokensOn = (route: Route) => countInput(route.upstream, outboundTo(route));
    const answered = await firstAnswer(
      routes,
      (route, signal, onHead) => route.upstream.send(outboundTo(route, onHead), signal),
      {
        clientGone: request.signal,
        configured: considered,
        requestId,
        routing: outcome.noting(deps.routing),
        // A count must not move a session away from its prompt cache.
        sessionKey:
          path === "/v1/messages" ? sessionKeyOf(request.headers, principal, call.model) : null,
      },
    );
    switch (answered.outcome) {
      case "client gone": {
        const { route } = answered;
        // What it has read of the call by then is billed.
        if (route?.upstream.billsGivenUp && reservation !== undefined) {
          outcome.expectCharge();
          reservation.givenUp(inputTokensOn(route), modelRouteOf(route));
        }
        return outcome.clientGone();
      }
      case "all failed":
        throw new ApiError("api_error", `all upstreams failed (${considered} attempted)`, {
          status: 502,
        });
      case "answered": {
        const { answer: given, route } = answered;
        outcome.answeredBy(route, given);
        const response = await watched(given.response, modelRouteOf(route), {
          call,
          outcome,
          reservation,
          inputTokens: () => inputTokensOn(route),
        });
        response.headers.set("request-id", requestId);
        return response;
      }
    }
  }

  /** The response to send in place of an answer: of a successful one it is found out, as it passes, what it used. */
  async function watched(
    given: Response,
    route: ModelRoute,
    { call, outcome, reservation, inputTokens }: Watched,
  ): Promise<Response> {
    const { watch } = outcome;
    if (given.status >= 400 || path !== "/v1/messages") return given;
    outcome.expectCharge();
    if (reservation !== undefined) return reservation.answered(given, route, inputTokens);
    return watch === undefined ? given : deps.uncounted.watched(given, call, route, watch);
  }

  function billingFieldsOf(call: MessagesCall, principal: Principal): BillingFields {
    const billed = billingGroupOf(call, deps.billingGroupTag, principal);
    if (billed === undefined) return {};
    return billed === "foreign" ? { billing_group_ignored: true } : { billing_group: billed.group };
  }

  /** A role's models come first: who may not use one is not told whether there is such a model. */
  function requireModels({ model, nestedModels }: MessagesCall, principal: Principal): void {
    const access = deps.policies.accessOf(principal);
    if (access === everyModel) return;
    const refuse = (why: string) => {
      throw new ApiError("invalid_request_error", why);
    };
    const refusal = access.refusalOf(model);
    if (refusal !== undefined) refuse(refusal);
    const nested = unadmittedModel(nestedModels, (named) => access.refusalOf(named) === undefined);
    if (nested === undefined) return;
    const why = nested.model === undefined ? undefined : access.refusalOf(nested.model);
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
}

/** Where a call may go, of how many upstreams, and what is held for its cost. */
type Plan = {
  routes: readonly Route[];
  considered: number;
  reservation: Reservation | undefined;
};

/** What bears on an answer as it passes. */
type Watched = {
  call: MessagesCall;
  outcome: Outcome;
  reservation: Reservation | undefined;
  /** As the provider counts them. */
  inputTokens: () => Promise<number | undefined>;
};

function modelRouteOf({ upstream, upstreamModel }: Route): ModelRoute {
  return { upstream: upstream.name, upstreamModel };
}
