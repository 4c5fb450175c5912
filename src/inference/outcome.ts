// What becomes of one request: what its audit event says when the head of its answer is there, and what telemetry is told when
// all of it is over. Each exactly once, whatever happened. The steps of the request are messages.ts's.
import { audit } from "../audit.ts";
import type { Incoming } from "../http/request.ts";
import type { Principal } from "../session.ts";
import { isStreamed, type OverAnswer } from "../spend/answer-meter.ts";
import type { AnswerWatch, Charged } from "../spend/answer-watch.ts";
import type { BillingFields } from "../spend/reservation.ts";
import type { Ending, FinishedAttempt } from "../telemetry/requests/finished-request.ts";
import { plainId, plainModel } from "../telemetry/requests/plain-names.ts";
import type { RequestTelemetry } from "../telemetry/requests/request-telemetry.ts";
import { attemptTrace, auditedTraceparent } from "../telemetry/requests/trace-context.ts";
import { agentIdOf, sessionIdOf } from "../upstream/request/client-session.ts";
import type { MessagesPath, UpstreamAnswer } from "../upstream/upstream.ts";
import type { Route } from "./attempt.ts";
import type { Routing } from "./routing.ts";

/** Status in the audit event of a request whose client hung up before an answer (nginx's number; never sent). */
const clientGoneStatus = 499;

export type Outcome = {
  /** As the client wrote it. */
  model: string | null;
  billing: BillingFields;
  /** Of the answer, or the refusal, whose head goes to the client. */
  status: number;
  /** Nobody reads the answer: the client hung up, also while it was sending its body. */
  clientGone(): Response;
  /** The same routing, whose attempts are noted. */
  noting(routing: Routing): Routing;
  /** Headers of the attempt under way that tell its upstream of the trace. */
  attemptHeaders(): Readonly<Record<string, string>>;
  answeredBy(route: Route, answer: UpstreamAnswer): void;
  /** Told how the answer's body goes, and what it comes to; undefined when nobody wants to know. */
  readonly watch: AnswerWatch | undefined;
  /** From here on the watch will be told what the call comes to, which is waited for. */
  expectCharge(): void;
  /** The head of the answer is there, or will never be. */
  end(): void;
};

export function createOutcome(
  incoming: Incoming,
  {
    principal,
    path,
    telemetry,
  }: { principal: Principal; path: MessagesPath; telemetry: RequestTelemetry },
): Outcome {
  const { request, requestId, receivedAt, startedMs } = incoming;
  const { isWatching } = telemetry;
  const trace = telemetry.traceOf(request.headers);
  const attempts: FinishedAttempt[] = [];
  let sent: ReturnType<typeof attemptTrace> | undefined;
  let answered: { route: Route; answer: UpstreamAnswer } | undefined;
  let closeStream: (() => void) | undefined;
  /** Of a charge that is waited for. */
  let isCharged = true;
  let hasHead = false;
  let headMs = 0;
  let firstByteMs: number | undefined;
  let durationMs: number | undefined;
  let ending: Ending = "complete";
  let over: OverAnswer | undefined;
  let charged: Charged | undefined;

  const sinceMs = () => performance.now() - startedMs;

  const watch: AnswerWatch | undefined = isWatching
    ? {
        begun() {
          firstByteMs = sinceMs();
        },
        over(answer) {
          durationMs = sinceMs();
          over = answer;
          closeStream?.();
        },
        charged(found) {
          charged = found;
          isCharged = true;
          if (hasHead) finish();
        },
      }
    : undefined;

  const outcome: Outcome = {
    model: null,
    billing: {},
    status: 500,
    watch,
    clientGone() {
      outcome.status = clientGoneStatus;
      ending = "abandoned";
      return new Response(null, { status: clientGoneStatus });
    },
    noting: (routing) => ({
      ...routing,
      begin(route, sessionKey) {
        const report = routing.begin(route, sessionKey);
        sent = attemptTrace(trace);
        if (!isWatching) return report;
        const { spanId } = sent;
        const beganMs = sinceMs();
        return (attempt) => {
          report(attempt);
          attempts.push({
            ...upstreamOf(route),
            spanId,
            beganMs,
            endedMs: sinceMs(),
            outcome: attempt.outcome,
            status: "answer" in attempt ? attempt.answer.response.status : undefined,
          });
        };
      },
    }),
    attemptHeaders: () => sent?.headers ?? {},
    answeredBy(route, answer) {
      answered = { route, answer };
    },
    expectCharge() {
      if (!isWatching) return;
      isCharged = false;
      if (answered !== undefined && isStreamed(answered.answer.response))
        closeStream = telemetry.streamOpened();
    },
    end() {
      hasHead = true;
      headMs = sinceMs();
      audit({
        evt: "inference",
        request_id: requestId,
        sub: principal.sub,
        email: principal.email,
        path,
        model: outcome.model,
        upstream: answered?.route.upstream.name ?? null,
        upstream_request_id: answered?.answer.requestId ?? null,
        upstream_cloud_request_id: answered?.answer.cloudRequestId ?? null,
        ...outcome.billing,
        traceparent: auditedTraceparent(trace),
        status: outcome.status,
        ms: Date.now() - receivedAt,
      });
      if (isWatching && isCharged) finish();
    },
  };
  return outcome;

  function finish(): void {
    telemetry.finished({
      requestId,
      path,
      principal,
      sessionId: plainId(sessionIdOf(request.headers)),
      agentId: plainId(agentIdOf(request.headers)),
      trace,
      receivedAt,
      model: plainModel(outcome.model),
      isStreamed: answered !== undefined && isStreamed(answered.answer.response),
      attempts,
      answeredBy: answered && {
        ...upstreamOf(answered.route),
        requestId: answered.answer.requestId,
        cloudRequestId: answered.answer.cloudRequestId,
      },
      status: outcome.status,
      headMs,
      firstByteMs,
      durationMs: durationMs ?? headMs,
      ...ended(),
      charged,
    });
  }

  function ended() {
    if (over === undefined) return { ending, answer: undefined };
    const answer = over.told();
    if (over.isAbandoned) return { ending: "abandoned", answer } as const;
    // A redirect is no answer of a model, and is as whole as it ever will be.
    const isWhole = answer.isWhole || outcome.status >= 300;
    return { ending: isWhole ? "complete" : "broken", answer } as const;
  }
}

function upstreamOf({ upstream, upstreamModel }: Route) {
  return { upstream: upstream.name, provider: upstream.provider, upstreamModel };
}
