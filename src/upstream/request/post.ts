// A request on its way out, once, to the host that is configured and no other; and the proof that it comes from us.
import type { Outbound } from "../../http/outbound.ts";
import { decoded } from "../answer/decoded.ts";
import type { Credential } from "../credential.ts";

export type PostRequest = {
  readonly url: URL | string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
};

/**
 * Sends it, once. A redirect is not followed: it would take the prompt and the credential to a host nobody configured.
 * @throws when no answer came, EgressBlockedError when the host may not be reached.
 */
export async function post(
  fetch: Outbound,
  { url, headers, body, signal }: PostRequest,
): Promise<Response> {
  const answer = await fetch(url, {
    method: "POST",
    headers,
    body,
    signal,
    // The wait for the head is bounded by the caller; a stream may be silent for longer than Bun's five minutes.
    timeout: false,
    // Undone below, within bounds.
    decompress: false,
  });
  return decoded(answer);
}

/** Headers that prove to a cloud who we are. */
export type Proof = Readonly<Record<string, string>>;

/** A proof that does not run out, such as an API key. */
export function fixedProof(proof: Proof): Credential<Proof> {
  return { get: async () => proof, refused: () => undefined };
}

/**
 * Sends it as whom the credential proves. One that is answered with 401 is not used again.
 * @throws CredentialError when there is no credential; and as `post`.
 */
export async function postAs(
  fetch: Outbound,
  credential: Credential<Proof>,
  request: PostRequest,
): Promise<Response> {
  const proof = await credential.get();
  for (const [name, value] of Object.entries(proof)) request.headers.set(name, value);
  const answer = await post(fetch, request);
  if (answer.status === 401) credential.refused(proof);
  return answer;
}
