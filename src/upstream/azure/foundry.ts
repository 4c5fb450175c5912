// Claude in Microsoft Foundry: the Messages API as it is, with an API key or an access token from Microsoft Entra.
import type { UpstreamOf } from "../../config/schema.ts";
import { createAzureCredential } from "./credentials.ts";
import { fixedProof } from "../request/post.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { Dialect } from "../exchange.ts";
import { createMessagesDialect } from "../messages-dialect.ts";

export function createFoundry(config: UpstreamOf<"foundry">, options: UpstreamOptions): Dialect {
  const base = config.base_url ?? `https://${config.resource}.services.ai.azure.com/anthropic`;
  const { auth } = config;
  const credential =
    "api_key" in auth
      ? fixedProof({ "x-api-key": auth.api_key })
      : createAzureCredential(base, { owner: `upstream '${config.name}'`, now: options.now });

  return createMessagesDialect(credential, {
    base,
    fixed: config.headers,
    ...options,
  });
}
