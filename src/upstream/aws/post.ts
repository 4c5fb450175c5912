// A request to AWS on its way out: signed last, when nothing changes any more. Keys that AWS has no use for are not used again.
import { areStaleKeys } from "./credentials.ts";
import type { AwsSigner } from "./signing.ts";
import type { Outbound } from "../../http/outbound.ts";
import { post } from "../request/post.ts";
import type { OutboundCall } from "../upstream.ts";

/** @throws when there is no credential, or no answer came. */
export async function sendSigned(
  fetch: Outbound,
  sign: AwsSigner,
  request: { url: URL; headers: Headers; body: Uint8Array },
  { principal }: Pick<OutboundCall, "principal">,
  signal: AbortSignal,
): Promise<Response> {
  const { headers, refused } = await sign({ method: "POST", ...request }, principal);
  const answer = await post(fetch, { ...request, headers, signal });
  if (refusesKeys(answer)) refused();
  return answer;
}

/** Whether it is the keys that are refused, and not what was asked with them: it would be another answer with fresh ones. */
export function refusesKeys({ status, headers }: Response): boolean {
  return status === 401 || (status === 403 && areStaleKeys(headers.get("x-amzn-errortype") ?? ""));
}
