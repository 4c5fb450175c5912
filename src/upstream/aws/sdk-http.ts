// How the AWS SDK's own clients (STS, single sign-on) reach AWS: the way every other request to an upstream
// goes, with its rules and its proxy, where the SDK's own choice, `node:https`, does not.
import type { Outbound } from "../../http/outbound.ts";
import { readAtMost } from "../answer/body.ts";

/** Longest answer. One with credentials in it takes some 2 KiB. */
const answerBytesMax = 256 * 1024;

/** What the SDK asks of the network (`HttpRequest` of @smithy/types). */
type SdkRequest = {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
};

/**
 * For `requestHandler` of a client's configuration. Redirects are refused: credentials go where the SDK sent them and nowhere
 * else.
 * @param signal ends every request, retries included.
 */
export function createSdkRequestHandler(fetch: Outbound, signal: AbortSignal) {
  return {
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request: SdkRequest) {
      const { method, headers, body } = request;
      const answer = await fetch(urlOf(request), {
        method,
        headers,
        ...(body !== undefined && { body }),
        signal,
      });
      const { status } = answer;
      const { bytes, cut } = await readAtMost(answer, answerBytesMax);
      if (status >= 300 && status < 400)
        throw new Error(`answered ${status}, a redirect, which is not followed`);
      if (cut) throw new Error(`its answer is longer than ${answerBytesMax} bytes`);
      return {
        response: { statusCode: status, headers: Object.fromEntries(answer.headers), body: bytes },
      };
    },
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const url = new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? ""].flat()) url.searchParams.append(name, each);
  }
  return url;
}
