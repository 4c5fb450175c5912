// What every cloud provider has in common around its dialect: refusals are read, logged and put in words that a developer may
// see. What an answer must be to count as one is in answer/accepted.ts.
import type { UpstreamConfig } from "../config/schema.ts";
import { errorEnvelope } from "../http/errors.ts";
import { log } from "../log.ts";
import {
  type AcceptedBody,
  acceptedBody,
  requireStatus,
  type StreamWatch,
} from "./answer/accepted.ts";
import { readAtMost } from "./answer/body.ts";
import { relayResponse } from "./answer/event-relay.ts";
import { createInputCount } from "./count-input.ts";
import { createSender } from "./learning/compatibility.ts";
import { type Dialect, UnsupportedCallError } from "./exchange.ts";
import { withoutCredentials } from "./answer/redaction.ts";
import { errorClassesIn, namesIn } from "./answer/refusal-facts.ts";
import { type Rejection, rejectionOf } from "./answer/rejection.ts";
import { requestIdsOf } from "./answer/request-ids.ts";
import { retryAfterMs } from "./answer/retry-after.ts";
import type { OutboundCall, TtfbMs, Upstream, UpstreamAnswer } from "./upstream.ts";

/** As much of a refusal's body as is read. */
const refusalBytesMax = 64 * 1024;

/** As much of a refusal's text as is logged, in characters. */
const loggedTextMax = 1_000;

const utf8 = new TextDecoder();

/**
 * @param options.ttfbMs as in `Upstream`.
 * @param options.now milliseconds since the epoch.
 */
export function createCloudUpstream(
  config: UpstreamConfig,
  dialect: Dialect,
  options: { ttfbMs: TtfbMs; now: () => number },
): Upstream {
  const { name, provider } = config;
  const { compatibility } = config;
  const exchange = createSender(dialect.exchange, { compatibility, owner: name, now: options.now });
  const reading = { provider, name, ...dialect, hasPings: true };

  async function send(
    outbound: OutboundCall & StreamWatch,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    try {
      return await answerOf(await exchange(outbound, signal), outbound, signal);
    } catch (error) {
      if (error instanceof UnsupportedCallError) return unsupported(error, outbound);
      throw error;
    }
  }

  async function answerOf(
    answer: Response,
    outbound: OutboundCall & StreamWatch,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    const { status, headers } = answer;
    requireStatus(answer);
    if (status >= 300 && status < 400) {
      answer.body?.cancel().catch(() => undefined);
      throw new Error(`answered ${status}, a redirect, which is not followed`);
    }
    const about = {
      ...requestIdsOf(headers),
      retryAfterMs: retryAfterMs(headers, options.now()),
    };
    if (!answer.ok)
      return {
        response: refused(answer, await textOf(answer), outbound),
        cause: String(status),
        ...about,
      };
    const accepted = await acceptedBody(answer, reading, outbound, signal);
    if ("body" in accepted)
      return { response: responseOf(accepted), cause: String(status), ...about };
    const { refusal, cause } = accepted;
    const stood = { status: refusal.status, headers };
    return { response: refused(stood, refusal.text, outbound), cause, ...about };
  }

  /** @param answer its status, or the one that it would have had. */
  function refused(
    { status, headers }: Pick<Response, "status" | "headers">,
    text: string,
    { requestId, call }: OutboundCall,
  ): Response {
    const rejection = rejectionOf(status, text, { model: call.model, provider });
    const where = `${provider} upstream ${status} request_id=${requestId}: ${name}: ${status}`;
    log.warn(`${where} ${factsOf(rejection, text, headers)}`);
    // It may quote the request, and prompts are nobody's to read in a log. Cut last: half a name would not be recognised.
    log.debug(`${where} ${withoutCredentials(text).slice(0, loggedTextMax)}`);
    return rejected(rejection, requestId);
  }

  return {
    name,
    provider,
    ttfbMs: options.ttfbMs,
    send,
    countInput: createInputCount(exchange, { owner: name, readJson: dialect.readJson }),
    ...(dialect.billsGivenUp && { billsGivenUp: true }),
  };
}

/** The body of a refusal, as far as it is there: the status says enough by itself. */
async function textOf(answer: Response): Promise<string> {
  const read = await readAtMost(answer, refusalBytesMax).catch(() => undefined);
  return utf8.decode(read?.bytes);
}

function responseOf({ body }: Extract<AcceptedBody, { body: unknown }>): Response {
  return body instanceof Uint8Array
    ? new Response(body, { headers: { "content-type": "application/json;charset=utf-8" } })
    : relayResponse(body, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
      });
}

/** What the log says of a refusal at its default level: our words for it, its class, its ids, and whom and what it names. */
function factsOf(rejection: Rejection, text: string, headers: Headers): string {
  const { requestId, cloudRequestId } = requestIdsOf(headers);
  return [
    rejection.isRelayed === true ? rejection.type : rejection.message,
    errorClassesIn(text, headers.get("x-amzn-errortype")),
    ...new Set([requestId, cloudRequestId]),
    // What a 400 names may be the conversation's.
    rejection.status === 400 ? "" : namesIn(withoutCredentials(text)),
    "the provider's text is logged at debug level",
  ]
    .filter((fact) => fact !== null && fact !== "")
    .join("; ");
}

function unsupported(error: UnsupportedCallError, { requestId }: OutboundCall): UpstreamAnswer {
  const { message } = error;
  return {
    response: rejected({ status: 501, type: "not_supported", message }, requestId),
    requestId: null,
    cloudRequestId: null,
    cause: `501 ${message}`,
    retryAfterMs: null,
  };
}

function rejected({ status, type, message }: Rejection, requestId: string): Response {
  return new Response(errorEnvelope(type, message, requestId), {
    status,
    headers: {
      "content-type": "application/json",
      // What does not exist does not come into being by asking again.
      ...(status === 501 && { "x-should-retry": "false" }),
    },
  });
}
