// Who we are to Google's directory: a service account that acts for an administrator (domain-wide delegation), by a signed
// assertion (RFC 7523) that Google's token endpoint trades for an access token. What is asked with it is in google-groups.ts.
//
// Signed with jose and sent over our egress, not by google-auth-library: one POST, which then has the egress's bounds on time
// and size and follows no redirect, and whose refusal is ours to put into words.
import { importPKCS8, SignJWT } from "jose";
import type { OidcConfig } from "../config/schema.ts";
import type { Egress } from "../http/egress.ts";
import { messageOf } from "../log.ts";
import { described, isText, jsonObject, readAnswer } from "./answer.ts";
import { IdpError } from "./identity.ts";

export type Delegation = {
  /** An access token, exchanged for once however many ask. Throws IdpError that says how Google refused, or the egress's. */
  accessToken(): Promise<string>;
  /** The directory refused this access token: the next one is new. */
  refused(accessToken: string): void;
  /** What an operator has to check when Google refuses us. */
  advice: string;
};

type GoogleGroups = NonNullable<OidcConfig["google_groups"]>;

/** Google's own: `token_uri` of the key file is not looked at, so that a file cannot send an assertion elsewhere. */
const tokenUrl = "https://oauth2.googleapis.com/token";
const scope = "https://www.googleapis.com/auth/admin.directory.group.readonly";
const setting = "oidc.google_groups.service_account_json_path";

/** Far longer than any key file: what is longer is none. */
const keyFileBytesMax = 64 * 1024;
/** Lifetime of an assertion in seconds, the longest that Google takes: a clock that is late does not matter. */
const assertionTtlSeconds = 3600;
/** An access token is not used in its last minute: it has to last for all pages of a look-up. */
const renewBeforeMs = 60_000;

/**
 * Reads the key file. Throws an Error that names the setting and never quotes the file.
 *
 * @param deps.now milliseconds since the epoch
 */
export async function openDelegation(
  { service_account_json_path: path, admin_email: admin }: GoogleGroups,
  { egress, now }: { egress: Egress; now: () => number },
): Promise<Delegation> {
  const account = await readServiceAccount(path).catch((error: unknown) => {
    throw new Error(`${setting}: ${messageOf(error)}`, { cause: error });
  });
  const advice = `is domain-wide delegation set up for client id ${account.clientId} with scope ${scope}, and is ${admin} an administrator?`;
  let current: { accessToken: string; expiresAtMs: number } | undefined;
  let pending: Promise<string> | undefined;

  async function assertion(): Promise<string> {
    const issuedAtSeconds = Math.floor(now() / 1000);
    return new SignJWT({ scope })
      .setProtectedHeader({ alg: "RS256", typ: "JWT", ...account.header })
      .setIssuer(account.email)
      .setSubject(admin)
      .setAudience(tokenUrl)
      .setIssuedAt(issuedAtSeconds)
      .setExpirationTime(issuedAtSeconds + assertionTtlSeconds)
      .sign(account.key);
  }

  async function exchange(): Promise<string> {
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: await assertion(),
    });
    const answer = await readAnswer(await egress.fetch(tokenUrl, { method: "POST", body }));
    const { status, error, errorDescription } = answer;
    if (status !== 200) {
      const said = error && described(error, errorDescription);
      const refusesUs = status >= 400 && status < 500 && status !== 429;
      const parts = [`google token endpoint ${status}`, said, refusesUs && advice];
      const kind = refusesUs ? "failed" : "unavailable";
      throw new IdpError(parts.filter(isText).join(": "), { step: "directory", kind });
    }
    const { access_token: accessToken, expires_in: expiresInSeconds } = answer.body ?? {};
    if (!isText(accessToken)) throw new Error("google token endpoint returned no access_token");
    // Without an end it serves this once.
    const lifeMs = typeof expiresInSeconds === "number" ? expiresInSeconds * 1000 : 0;
    current = { accessToken, expiresAtMs: now() + lifeMs };
    return accessToken;
  }

  return {
    advice,
    async accessToken() {
      if (current && now() < current.expiresAtMs - renewBeforeMs) return current.accessToken;
      pending ??= exchange().finally(() => (pending = undefined));
      return pending;
    },
    refused(accessToken) {
      if (current?.accessToken === accessToken) current = undefined;
    },
  };
}

async function readServiceAccount(path: string) {
  const file = jsonObject(await Bun.file(path).slice(0, keyFileBytesMax).text());
  if (!file) throw new Error(`${path} holds no JSON object`);
  const { client_email: email, private_key: pem, private_key_id: kid, client_id: clientId } = file;
  const { type = "service_account" } = file;
  if (type !== "service_account" || !isText(email) || !isText(pem)) {
    const what =
      type === "service_account" ? "missing client_email or private_key" : "another type";
    throw new Error(`${path} is not a Google service-account key (${what})`);
  }
  const key = await importPKCS8(pem, "RS256").catch((cause: unknown) => {
    throw new Error(`private_key in ${path} is not an RSA key in PKCS #8`, { cause });
  });
  const header = isText(kid) ? { kid } : {};
  return { email, key, header, clientId: isText(clientId) ? clientId : `of ${email}` };
}
