// The answer of a provider whose words are the developer's, on its way to the client: the bytes of its body as they came, its
// headers less those that speak of another connection, another origin or another customer. What is broken is not passed on.
import { errorEnvelope } from "../../http/errors.ts";
import { isMapping } from "../../config/mapping.ts";
import { valueIn } from "../json.ts";
import type { OutboundCall } from "../upstream.ts";
import { acceptedBody, type AnswerReading, requireStatus, type StreamWatch } from "./accepted.ts";
import { readAtMost } from "./body.ts";
import { relayResponse } from "./event-relay.ts";
import { rejectionOf } from "./rejection.ts";

/**
 * Headers that stay behind. Hop by hop (RFC 9110 §7.6.1) and coding, since the body is decoded here; the provider's edge
 * (date, via, cf-ray, alt-svc) and its transport policy, which are not ours to announce; its cookies, which would make the
 * gateway a way to set cookies on the company's domain; its request id, which is kept in the audit event.
 */
const withheld = new Set([
  "alt-svc",
  "cf-ray",
  "connection",
  "content-encoding",
  "content-length",
  "date",
  "keep-alive",
  "proxy-authenticate",
  "request-id",
  "set-cookie",
  "strict-transport-security",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-request-id",
]);

/** The provider's quota is the organisation's; read as the developer's own it would be wrong. */
const withheldPrefix = "anthropic-ratelimit-";

/**
 * Longest head that is passed on, in bytes: what clients take at most (Node's default, for all headers together). A longer one
 * would be the client's error to find.
 */
const headBytesMax = 16 * 1024;

/** Longest body of an answer other than 2xx, in bytes. */
const refusalBytesMax = 1024 * 1024;

/**
 * The response for the client, and its cause as in `UpstreamAnswer`.
 * @throws when it cannot be passed on: as `acceptedBody`, and when its status or its headers are none that clients take.
 */
export async function passedOn(
  answer: Response,
  reading: AnswerReading,
  outbound: OutboundCall & StreamWatch,
  signal: AbortSignal,
): Promise<{ response: Response; cause: string }> {
  const { status } = answer;
  const cause = String(status);
  requireStatus(answer);
  const headers = passedHeaders(answer.headers);
  if (headers === undefined) {
    answer.body?.cancel().catch(() => undefined);
    throw new Error(`${status}, but its headers are longer than ${headBytesMax} bytes`);
  }
  if (!answer.ok) return { response: await refused(answer, headers, reading, outbound), cause };
  const accepted = await acceptedBody(answer, reading, outbound, signal);
  if ("body" in accepted) {
    const { body } = accepted;
    const init = { status, headers };
    const response =
      body instanceof Uint8Array ? new Response(body, init) : relayResponse(body, init);
    return { response, cause };
  }
  const { refusal } = accepted;
  const isReadable = isMapping(valueIn(refusal.text));
  headers.set("content-type", "application/json");
  return {
    response: new Response(
      isReadable ? refusal.text : ownEnvelope(refusal.status, reading, outbound),
      { status: refusal.status, headers },
    ),
    cause: accepted.cause,
  };
}

/** An answer other than 2xx as it is; one whose body does not come whole, in our own words. */
async function refused(
  answer: Response,
  headers: Headers,
  reading: AnswerReading,
  outbound: OutboundCall,
): Promise<Response> {
  const { status } = answer;
  const body = await readAtMost(answer, refusalBytesMax).catch(() => undefined);
  if (body !== undefined && !body.cut)
    return new Response(body.bytes.length === 0 ? null : body.bytes, { status, headers });
  if (status < 400) return new Response(null, { status, headers });
  headers.set("content-type", "application/json");
  return new Response(ownEnvelope(status, reading, outbound), { status, headers });
}

function ownEnvelope(
  status: number,
  { provider }: AnswerReading,
  { call, requestId }: OutboundCall,
): string {
  const { type, message } = rejectionOf(status, "", { model: call.model, provider });
  return errorEnvelope(type, message, requestId);
}

/** The headers that are passed on; undefined when they are longer than clients take. */
function passedHeaders(headers: Headers): Headers | undefined {
  const passed = new Headers();
  let bytes = 0;
  for (const [name, value] of headers) {
    if (withheld.has(name) || name.startsWith(withheldPrefix)) continue;
    bytes += name.length + value.length + 4;
    passed.append(name, value);
  }
  return bytes > headBytesMax ? undefined : passed;
}
