// The Anthropic API, or anything that speaks it (a proxy of your own): pass-through with our credential in place of the
// developer's bearer. Bytes go both ways unchanged, but for the model id where the operator maps it. Where a federated access
// token comes from is in federation.ts.
import type { UpstreamOf } from "../../config/schema.ts";
import { log } from "../../log.ts";
import { betasOf, setBetas } from "../request/betas.ts";
import { isLooseStream, withModel } from "../request/call.ts";
import { isSdkHeader } from "../request/sdk-headers.ts";
import { post } from "../request/post.ts";
import { createInputCount } from "../count-input.ts";
import { createSender } from "../learning/compatibility.ts";
import type { Credential } from "../credential.ts";
import { editedBody, membersNamed } from "../request/edit.ts";
import { type Exchange, nothingOmitted, type Omissions } from "../exchange.ts";
import { createFederatedCredential } from "./federation.ts";
import type { StreamWatch } from "../answer/accepted.ts";
import { passedOn } from "../answer/pass-through.ts";
import { requestIdsOf } from "../answer/request-ids.ts";
import { createSseReader } from "../answer/sse.ts";
import { retryAfterMs } from "../answer/retry-after.ts";
import type { OutboundCall, TtfbMs, Upstream, UpstreamOptions } from "../upstream.ts";

/** Client headers that go on, beside `x-stainless-*`. Everything else is between the client and us. */
const passedHeaders = new Set([
  "accept",
  "accept-encoding",
  "anthropic-beta",
  "anthropic-version",
  "content-type",
]);

/** Lists of codings that are undone here (RFC 9110 §12.5.3). */
const decodableCodings =
  /^ *(?:gzip|deflate|br|zstd|identity)(?:;q=[\d.]+)?(?: *, *(?:gzip|deflate|br|zstd|identity)(?:;q=[\d.]+)?)* *$/i;

/** The beta that lets the Messages API take an OAuth access token. */
const oauthBeta = "oauth-2025-04-20";

type Config = UpstreamOf<"anthropic">;

type Options = UpstreamOptions & { ttfbMs: TtfbMs };

/** @param options.ttfbMs as in `Upstream`. Our own product token is appended to the client's. */
export function createAnthropicUpstream(config: Config, options: Options): Upstream {
  const { name, provider, compatibility } = config;
  const exchange = createExchange(config, options);
  const reading = {
    provider,
    name,
    eventReader: () => createSseReader({ passesErrors: true }),
    hasPings: false,
  };
  const send = createSender(exchange, { compatibility, owner: name, now: options.now });

  return {
    name,
    provider,
    ttfbMs: options.ttfbMs,
    countInput: createInputCount(send, { owner: name }),
    async send(outbound: OutboundCall & StreamWatch, signal) {
      const answer = await send(outbound, signal);
      const { response, cause } = await passedOn(answer, reading, outbound, signal);
      // The proxy was told who asks, and has answered for that person: their limit is not to be had elsewhere.
      const isOwnLimit =
        response.status === 429 &&
        config.forward_user_identity &&
        outbound.principal.email !== undefined;
      return {
        response,
        cause,
        ...requestIdsOf(answer.headers),
        retryAfterMs: retryAfterMs(answer.headers, options.now()),
        ...(isOwnLimit && { final: true }),
      };
    },
  };
}

/** Puts a call on the wire with the credential that `auth` stands for. */
function createExchange(config: Config, options: Options): Exchange {
  const { auth, name } = config;
  const baseUrl = config.base_url;

  function sendWith(
    authenticate: (headers: Headers) => void,
    outbound: OutboundCall,
    omit: Omissions,
    signal: AbortSignal,
  ): Promise<Response> {
    const headers = headersFor(outbound, omit, config, options.userAgent);
    authenticate(headers);
    const url = `${baseUrl}${outbound.path}${outbound.search}`;
    return post(options.fetch, { url, headers, body: bodyFor(outbound, omit), signal });
  }

  if ("api_key" in auth) {
    return (...request) =>
      sendWith((headers) => headers.set("x-api-key", auth.api_key), ...request);
  }
  if ("oauth_token" in auth) return (...request) => sendWith(bearer(auth.oauth_token), ...request);

  const credential = createFederatedCredential(auth, {
    ...options,
    baseUrl,
    owner: `upstream '${name}'`,
  });
  return federated(credential, sendWith, name);
}

/**
 * With an access token that may have been revoked before its time: after a 401 the call is sent once more with a new one, since
 * the developer's client would take the 401 for the end of its own session.
 */
function federated(
  credential: Credential<string>,
  sendWith: (
    authenticate: (headers: Headers) => void,
    ...request: Parameters<Exchange>
  ) => Promise<Response>,
  name: string,
): Exchange {
  return async (...request) => {
    const accessToken = await credential.get();
    const answer = await sendWith(bearer(accessToken), ...request);
    if (answer.status !== 401) return answer;
    credential.refused(accessToken);
    const letGo = () => void answer.body?.cancel().catch(() => undefined);
    const fresh = await credential.get().catch((error) => {
      letGo();
      throw error;
    });
    if (fresh === accessToken) return answer;
    letGo();
    const [{ requestId }] = request;
    log.warn(`upstream '${name}' answered 401, trying a new access token request_id=${requestId}`);
    return sendWith(bearer(fresh), ...request);
  };
}

function bearer(accessToken: string): (headers: Headers) => void {
  return (headers) => {
    headers.set("authorization", `Bearer ${accessToken}`);
    const betas = betasOf(headers, nothingOmitted.betas);
    if (!betas.includes(oauthBeta)) setBetas(headers, [...betas, oauthBeta]);
  };
}

function headersFor(
  { headers, principal, trace }: OutboundCall,
  omit: Omissions,
  config: Config,
  userAgent: string,
): Headers {
  const outbound = new Headers(trace);
  for (const [name, value] of Object.entries(config.headers)) outbound.set(name, value);
  for (const [header, value] of headers) {
    if (passedHeaders.has(header) || isSdkHeader(header, value)) outbound.set(header, value);
  }
  // An answer in any other coding would reach the client as it is, and nobody could read what it used.
  const codings = outbound.get("accept-encoding");
  if (codings !== null && !decodableCodings.test(codings)) outbound.delete("accept-encoding");
  const clients = headers.get("user-agent");
  outbound.set("user-agent", clients === null ? userAgent : `${clients} ${userAgent}`);
  if (omit.betas.size > 0) setBetas(outbound, betasOf(headers, omit.betas));
  if (config.forward_user_identity) {
    outbound.set("x-claude-gateway-user-id", headerSafe(principal.sub));
    if (principal.email !== undefined) {
      outbound.set("x-claude-gateway-user-email", headerSafe(principal.email));
      outbound.set("x-litellm-end-user-id", headerSafe(principal.email));
    }
  }
  return outbound;
}

/** The client's own bytes wherever nothing has to change in them. */
function bodyFor({ call, upstreamModel }: OutboundCall, omit: Omissions): Uint8Array {
  const dropped = membersNamed(call, omit.fields);
  if (dropped.length === 0) return withModel(call, upstreamModel);
  const model = ["model", JSON.stringify(upstreamModel)] as const;
  const { stream } = call.fields;
  if (stream === undefined || !isLooseStream(call)) {
    return editedBody(call.body, { drop: [call.fields.model, ...dropped], set: [model] });
  }
  const drop = [call.fields.model, stream, ...dropped.filter((member) => member !== stream)];
  return editedBody(call.body, { drop, set: [model, ["stream", "true"]] });
}

/** A claim as a header value: what a header cannot carry is percent-encoded, so that a name never fails a request. */
function headerSafe(value: string): string {
  return value.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, encodeURIComponent);
}
