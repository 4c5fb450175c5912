// What is known of one inference request when it is over: what its log record, its spans and the metrics are made from. Found
// out by inference/. Nothing of a prompt or of an answer's text is in it.
import type { Principal } from "../../session.ts";
import type { Charged } from "../../spend/answer-watch.ts";
import type { ToldAnswer } from "../../spend/told-answer.ts";
import type { MessagesPath } from "../../upstream/upstream.ts";
import type { RequestTrace } from "./trace-context.ts";

export type FinishedRequest = {
  readonly requestId: string;
  readonly path: MessagesPath;
  readonly principal: Principal;
  /** As the client names them; undefined when it does not, or not with an id (plain-names.ts). */
  readonly sessionId: string | undefined;
  readonly agentId: string | undefined;
  readonly trace: RequestTrace | undefined;
  /** Milliseconds since the epoch. All other times are milliseconds since this one, with fractions. */
  readonly receivedAt: number;
  /** As the client wrote it; undefined when the body could not be read so far, or it is no name of a model. */
  readonly model: string | undefined;
  /** Whether the answer came as server-sent events. */
  readonly isStreamed: boolean;
  /** In their order. */
  readonly attempts: readonly FinishedAttempt[];
  /** The one of them whose answer went to the client. */
  readonly answeredBy: AnsweringUpstream | undefined;
  /** As the client got it; 499 when it had hung up before. */
  readonly status: number;
  /** When the head of the answer was ready to go. */
  readonly headMs: number;
  /** When the first bytes of a successful answer were; undefined where there were none, or nobody looked. */
  readonly firstByteMs: number | undefined;
  readonly durationMs: number;
  readonly ending: Ending;
  /** What a successful answer says of itself; undefined where there was none, or nobody looked. */
  readonly answer: ToldAnswer | undefined;
  /** What it used, and what that costs; undefined where nothing was used, or nobody looked. */
  readonly charged: Charged | undefined;
};

/**
 * `complete`: the answer, or a refusal, was there to its end. `broken`: the upstream's answer broke off. `abandoned`: the client
 * hung up.
 */
export type Ending = "complete" | "broken" | "abandoned";

export type FinishedAttempt = {
  /** The upstream's name in the configuration, and what kind of API it is. */
  readonly upstream: string;
  readonly provider: string;
  readonly upstreamModel: string;
  /** The span that its request named as its parent; undefined when none is made. */
  readonly spanId: string | undefined;
  readonly beganMs: number;
  /** When the head of its answer was there, or it was given up. */
  readonly endedMs: number;
  readonly outcome: "answered" | "refused" | "no answer" | "client gone";
  /** Of its answer; undefined when there was none. */
  readonly status: number | undefined;
};

export type AnsweringUpstream = {
  readonly upstream: string;
  readonly provider: string;
  readonly upstreamModel: string;
  /** The upstream's own ids of the request, and of its cloud. */
  readonly requestId: string | null;
  readonly cloudRequestId: string | null;
};
