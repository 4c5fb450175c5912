// The IdP's public keys: fetched when first needed, kept for ten minutes, and fetched again at once when an id_token names a
// key that is not among them, within an allowance: a flood of invented key ids is a handful of fetches a minute, and since each
// of them brings all keys, a true rotation under it waits for seconds. What a key may sign is decided in id-token.ts.
import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from "jose";
import type { Egress } from "../http/egress.ts";
import { messageOf } from "../log.ts";
import { readAnswer } from "./answer.ts";
import { IdpError } from "./identity.ts";

/** How long fetched keys serve without asking again, in milliseconds. */
const freshForMs = 10 * 60_000;
/** Fetches in a row; a rotation needs one. */
const fetchesMax = 5;
/** After them, one more each time this has passed, in milliseconds. */
const anotherFetchMs = 12_000;

/**
 * Makes the key look-up for jose. It throws IdpError of kind `unavailable` when the keys cannot be fetched or have been
 * fetched too often, and jose's JWKSNoMatchingKey when the IdP has no such key.
 *
 * @param now milliseconds since the epoch
 */
export function createKeySet(
  jwksUri: string,
  deps: { egress: Egress; now: () => number },
): JWTVerifyGetKey {
  let fetchesLeft = fetchesMax;
  let countedAtMs = deps.now();

  /** Fetches that are left by now. */
  function allowance(): number {
    const more = Math.max(0, Math.floor((deps.now() - countedAtMs) / anotherFetchMs));
    fetchesLeft = Math.min(fetchesMax, fetchesLeft + more);
    countedAtMs = fetchesLeft === fetchesMax ? deps.now() : countedAtMs + more * anotherFetchMs;
    return fetchesLeft;
  }

  return createRemoteJWKSet(new URL(jwksUri), {
    cacheMaxAge: freshForMs,
    // jose would refuse unknown keys for a while after each fetch, and with them a rotation; the window below does not.
    cooldownDuration: 0,
    [customFetch]: async (url, init) => {
      if (allowance() === 0) throw unavailable("jwks_uri was asked too often for unknown keys");
      const keys = await fetchKeys(url, init.headers, deps.egress);
      // A failed fetch does not count: when the IdP is back, its keys are wanted at once.
      fetchesLeft--;
      return keys;
    },
  });
}

async function fetchKeys(url: string, headers: Headers, egress: Egress): Promise<Response> {
  try {
    const answer = await readAnswer(await egress.fetch(url, { headers }));
    if (answer.status !== 200) throw new Error(`${url}: ${answer.failure}`);
    if (!Array.isArray(answer.body?.keys)) throw new Error(`${url} did not answer with a JWK set`);
    return Response.json(answer.body);
  } catch (error) {
    throw unavailable(`could not fetch the IdP's keys: ${messageOf(error)}`, error);
  }
}

function unavailable(message: string, cause?: unknown): IdpError {
  return new IdpError(message, { step: "id_token", kind: "unavailable", cause });
}
