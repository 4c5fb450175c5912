// The dialect of a cloud that serves the Messages API as it is, below a URL of its own.
import { messagesRequest } from "./request/cloud-request.ts";
import type { Credential } from "./credential.ts";
import type { UpstreamOptions } from "./upstream.ts";
import type { Dialect } from "./exchange.ts";
import { postAs, type Proof } from "./request/post.ts";
import { createSseReader } from "./answer/sse.ts";

/**
 * @param cloud.base what stands before `/v1/messages`.
 * @param cloud.fixed `headers:` of the upstream.
 */
export function createMessagesDialect(
  credential: Credential<Proof>,
  cloud: { base: string; fixed: Readonly<Record<string, string>> } & UpstreamOptions,
): Dialect {
  return {
    exchange: async (outbound, omit, signal) =>
      postAs(cloud.fetch, credential, {
        url: `${cloud.base}${outbound.path}`,
        ...messagesRequest(outbound, omit, cloud),
        signal,
      }),
    eventReader: createSseReader,
  };
}
