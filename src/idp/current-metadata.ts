// The IdP's discovery document while the gateway runs: what it last said, and when it is read again. It is in the background,
// so that nobody waits for it, and a document that cannot be read or may not be followed leaves the one before in place.
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { type log, messageOf } from "../log.ts";
import { metadataWarnings, type ProviderMetadata, readDiscovery } from "./discovery.ts";

export type CurrentMetadata = {
  /** The same object for as long as the document says the same. */
  now(): ProviderMetadata;
  /** An exchange with the IdP came to nothing: its endpoints may have moved, and the document is read again soon. */
  doubt(): void;
};

/** How long a document serves before it is read again, in milliseconds. */
const freshForMs = 60 * 60_000;
/** The same for one that is in doubt or could not be read: an outage causes one attempt a minute. */
const doubtedForMs = 60_000;

/**
 * Reads the document for the first time, and warns of what looks odd in it. Throws as `readDiscovery` does.
 *
 * @param deps.now milliseconds since the epoch
 */
export async function openMetadata(
  config: OidcConfig,
  deps: { egress: Egress; log: Pick<typeof log, "warn">; now: () => number },
): Promise<CurrentMetadata> {
  const { egress, log, now } = deps;
  let known = await readDiscovery(config, egress);
  for (const warning of metadataWarnings(config, known)) log.warn(warning);
  let triedAtMs = now();
  let dueAtMs = triedAtMs + freshForMs;

  async function readAgain(): Promise<void> {
    triedAtMs = now();
    // Whatever becomes of this attempt, the next one has its time: two are never under way.
    dueAtMs = triedAtMs + freshForMs;
    try {
      const next = await readDiscovery(config, egress);
      const changes = changesBetween(known, next);
      if (changes.length === 0) return;
      requireSuccessor(known, next);
      known = next;
      log.warn(`oidc: the discovery document has changed: ${changes.join(", ")}`);
    } catch (error) {
      dueAtMs = now() + doubtedForMs;
      log.warn(`${messageOf(error)}; going on with the discovery document of before`);
    }
  }

  return {
    now() {
      if (now() >= dueAtMs) void readAgain();
      return known;
    },
    doubt() {
      dueAtMs = Math.min(dueAtMs, triedAtMs + doubtedForMs);
    },
  };
}

const endpoints = [
  "authorization_endpoint",
  "token_endpoint",
  "jwks_uri",
  "userinfo_endpoint",
] as const satisfies readonly (keyof ProviderMetadata)[];
const fields = [
  "issuer",
  ...endpoints,
  "authorization_response_iss_parameter_supported",
  "token_endpoint_auth_methods_supported",
] as const satisfies readonly (keyof ProviderMetadata)[];

/** `token_endpoint is now "https://…"`, for each field that differs. */
function changesBetween(before: ProviderMetadata, after: ProviderMetadata): string[] {
  return fields
    .filter((field) => !Bun.deepEquals(before[field], after[field]))
    .map((field) => `${field} is now ${JSON.stringify(after[field]) ?? "left out"}`);
}

/** What a running gateway does not follow: another issuer is another IdP, and nothing goes from https to http by itself. */
function requireSuccessor(before: ProviderMetadata, after: ProviderMetadata): void {
  if (after.issuer !== before.issuer) {
    throw new Error(
      `oidc: the discovery document names another issuer now, ${after.issuer} in place of ${before.issuer}: restart the gateway if that is right`,
    );
  }
  for (const field of endpoints) {
    const was = before[field];
    if (was !== undefined && isHttps(was) && !isHttps(after[field]))
      throw new Error(`oidc: ${field} of the discovery document was https and is no more`);
  }
}

/** Also of an endpoint that there is not. */
function isHttps(url: string | undefined): boolean {
  return url === undefined || new URL(url).protocol === "https:";
}
