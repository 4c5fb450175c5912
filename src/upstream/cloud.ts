// What every cloud provider has in common around its dialect: refusals are read, logged and put in words that a developer may
// see; a JSON answer is whole before it counts; a streamed one ends well, whatever happens to it.
import type { UpstreamConfig } from "../config/schema.ts";
import { errorEnvelope } from "../http/errors.ts";
import { log } from "../log.ts";
import { readAtMost } from "./answer/body.ts";
import { createInputCount } from "./count-input.ts";
import { createSender } from "./learning/compatibility.ts";
import { relayEvents } from "./answer/event-relay.ts";
import { type Dialect, UnsupportedCallError } from "./exchange.ts";
import { withoutCredentials } from "./answer/redaction.ts";
import { type Rejection, rejectionOf } from "./answer/rejection.ts";
import { requestIdsOf } from "./answer/request-ids.ts";
import { retryAfterMs } from "./answer/retry-after.ts";
import { topLevelFinder } from "./request/top-level.ts";
import type { OutboundCall, TtfbMs, Upstream, UpstreamAnswer } from "./upstream.ts";

/** Longest JSON answer. A Messages answer has at most some hundred thousand tokens, and images of other kinds are links. */
const answerBytesMax = 64 * 1024 * 1024;

/** As much of a refusal's body as is read. */
const refusalBytesMax = 64 * 1024;

/** As much of a refusal's text as is logged, in characters. */
const loggedTextMax = 1_000;

const readObject = topLevelFinder(["type"]);
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

  async function send(outbound: OutboundCall, signal: AbortSignal): Promise<UpstreamAnswer> {
    try {
      return await answerOf(await exchange(outbound, signal), outbound, signal);
    } catch (error) {
      if (error instanceof UnsupportedCallError) return unsupported(error, outbound);
      throw error;
    }
  }

  async function answerOf(
    answer: Response,
    outbound: OutboundCall,
    signal: AbortSignal,
  ): Promise<UpstreamAnswer> {
    const { status, statusText, headers } = answer;
    if (status >= 300 && status < 400) {
      answer.body?.cancel().catch(() => undefined);
      throw new Error(`answered ${status}, a redirect, which is not followed`);
    }
    return {
      response: answer.ok
        ? await accepted(answer, outbound, signal)
        : await refused(answer, outbound),
      ...requestIdsOf(headers),
      cause: `${status} ${statusText}`.trim(),
      retryAfterMs: retryAfterMs(headers, options.now()),
    };
  }

  async function accepted(
    answer: Response,
    outbound: OutboundCall,
    signal: AbortSignal,
  ): Promise<Response> {
    const { requestId } = outbound;
    if (answer.body !== null && isEventStream(answer.headers)) {
      const events = relayEvents(answer.body, dialect.eventReader(), {
        requestId,
        signal,
        onBreak: (why) =>
          log.warn(
            `${provider} upstream broke off request_id=${requestId}: ${name}: ${withoutCredentials(why)}`,
          ),
      });
      return new Response(events, {
        headers: { "content-type": "text/event-stream", "cache-control": "no-cache" },
      });
    }
    const { bytes, cut } = await readAtMost(answer, answerBytesMax);
    if (cut) throw new Error(`its answer is longer than ${answerBytesMax} bytes`);
    if (readObject(bytes).kind !== "object") throw new Error("its answer is not a JSON object");
    return new Response(dialect.readJson?.(bytes, outbound) ?? bytes, {
      status: answer.status,
      headers: { "content-type": "application/json;charset=utf-8" },
    });
  }

  async function refused(answer: Response, outbound: OutboundCall): Promise<Response> {
    const { status } = answer;
    const { requestId, call } = outbound;
    const text = utf8.decode((await readAtMost(answer, refusalBytesMax)).bytes);
    const rejection = rejectionOf(status, text, { model: call.model, provider });
    const where = `${provider} upstream ${status} request_id=${requestId}: ${name}: ${status}`;
    // Cut last: half a name would not be recognised.
    const said = withoutCredentials(text).slice(0, loggedTextMax);
    // A provider that refuses the request itself may quote it, and prompts are nobody's to read in a log.
    if (status === 400) {
      log.warn(`${where} ${rejection.message} (the provider's text is logged at debug level)`);
      log.debug(`${where} ${said}`);
    } else {
      log.warn(`${where} ${said}`);
    }
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

function isEventStream(headers: Headers): boolean {
  const type = headers.get("content-type") ?? "";
  return (
    type.startsWith("text/event-stream") || type.startsWith("application/vnd.amazon.eventstream")
  );
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
