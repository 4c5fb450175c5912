// Claude in Microsoft Foundry: the Messages API as it is, with an API key or an access token from Microsoft Entra.
import type { UpstreamOf } from "../config/schema.ts";
import { createAzureCredential } from "./azure-credentials.ts";
import { fixedProof, messagesRequest, postAs } from "./cloud-request.ts";
import type { Dialect } from "./exchange.ts";
import { createSseReader } from "./sse.ts";

/**
 * @param options.userAgent our own product token.
 * @param options.now milliseconds since the epoch.
 */
export function createFoundry(
  config: UpstreamOf<"foundry">,
  options: { userAgent: string; now: () => number },
): Dialect {
  const base = (
    config.base_url ?? `https://${config.resource}.services.ai.azure.com/anthropic`
  ).replace(/\/+$/, "");
  const { auth } = config;
  const credential =
    "api_key" in auth
      ? fixedProof({ "x-api-key": auth.api_key })
      : createAzureCredential(base, { owner: `upstream '${config.name}'`, now: options.now });

  return {
    exchange: async (outbound, omit, signal) =>
      postAs(credential, {
        url: `${base}${outbound.path}`,
        ...messagesRequest(outbound, omit, { userAgent: options.userAgent, fixed: config.headers }),
        signal,
      }),
    eventReader: createSseReader,
  };
}
