// The Anthropic API, or anything that speaks it (a proxy of your own): pass-through with our credential in place of the
// developer's bearer. Bytes go both ways unchanged, but for the model id where the operator maps it.
import type { UpstreamConfig } from "../config/schema.ts";
import { withModel } from "./call.ts";
import type { OutboundCall, Upstream } from "./upstream.ts";

/** Client headers that go on, beside `x-stainless-*`. Everything else is between the client and us. */
const passedHeaders = new Set([
  "accept",
  "accept-encoding",
  "anthropic-beta",
  "anthropic-version",
  "content-type",
]);

/** The beta that lets the Messages API take an OAuth access token. */
const oauthBeta = "oauth-2025-04-20";

/** @param options.userAgent our own product token, appended to the client's. */
export function createAnthropicUpstream(
  config: UpstreamConfig,
  options: { userAgent: string },
): Upstream {
  const base = config.base_url.replace(/\/+$/, "");
  const { auth } = config;
  const fixed: [string, string][] = Object.entries(config.headers);

  function headersFor({ headers, principal }: OutboundCall): Headers {
    const outbound = new Headers(fixed);
    for (const [name, value] of headers) {
      if (passedHeaders.has(name) || name.startsWith("x-stainless-")) outbound.set(name, value);
    }
    const userAgent = headers.get("user-agent");
    outbound.set(
      "user-agent",
      userAgent === null ? options.userAgent : `${userAgent} ${options.userAgent}`,
    );
    if ("api_key" in auth) {
      outbound.set("x-api-key", auth.api_key);
    } else {
      outbound.set("authorization", `Bearer ${auth.oauth_token}`);
      const betas = headers.get("anthropic-beta");
      outbound.set("anthropic-beta", betas === null ? oauthBeta : `${betas},${oauthBeta}`);
    }
    if (config.forward_user_identity) {
      outbound.set("x-claude-gateway-user-id", headerSafe(principal.sub));
      if (principal.email !== undefined) {
        outbound.set("x-claude-gateway-user-email", headerSafe(principal.email));
        outbound.set("x-litellm-end-user-id", headerSafe(principal.email));
      }
    }
    return outbound;
  }

  return {
    name: config.name ?? config.provider,
    provider: config.provider,
    send: (outbound, signal) =>
      fetch(`${base}${outbound.path}${outbound.search}`, {
        method: "POST",
        headers: headersFor(outbound),
        body: withModel(outbound.call, outbound.upstreamModel),
        redirect: "manual",
        signal,
        // The wait for the head is bounded by the caller; a stream may be silent for longer than Bun's five minutes.
        timeout: false,
      }),
  };
}

/** A claim as a header value: what a header cannot carry is percent-encoded, so that a name never fails a request. */
function headerSafe(value: string): string {
  return value.replaceAll(/[^\x21-\x7e]/g, (character) => encodeURIComponent(character));
}
