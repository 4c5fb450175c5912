// Claude Platform on AWS: Anthropic's own API behind AWS's front door. Nothing in a call changes; the workspace and the
// credential, an API key or AWS's signature, come as headers.
import type { UpstreamOf } from "../../config/schema.ts";
import { sendSigned } from "./post.ts";
import { createAwsSigner, createSecretSigner } from "./signing.ts";
import { messagesRequest } from "../request/cloud-request.ts";
import type { UpstreamOptions } from "../upstream.ts";
import type { Dialect } from "../exchange.ts";
import { createSseReader } from "../answer/sse.ts";

export function createAnthropicAws(
  config: UpstreamOf<"anthropicAws">,
  options: UpstreamOptions,
): Dialect {
  const { auth, name, region } = config;
  const base = config.base_url ?? `https://aws-external-anthropic.${region}.api.aws`;
  const fixed = { ...config.headers, "anthropic-workspace-id": config.workspace_id };
  const sign =
    auth.api_key === undefined
      ? createAwsSigner(auth, {
          owner: `upstream '${name}'`,
          region,
          service: "aws-external-anthropic",
          now: options.now,
          fetch: options.fetch,
        })
      : createSecretSigner("x-api-key", auth.api_key);

  return {
    async exchange(outbound, omit, signal) {
      const request = messagesRequest(outbound, omit, { userAgent: options.userAgent, fixed });
      const url = new URL(base + outbound.path);
      return sendSigned(options.fetch, sign, { url, ...request }, outbound, signal);
    },
    eventReader: createSseReader,
  };
}
