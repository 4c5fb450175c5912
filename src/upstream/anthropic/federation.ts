// Workload identity federation for the Anthropic API: the identity token that a platform writes for this workload (a Kubernetes
// service account's, say) is exchanged for a short-lived access token, so that no key is kept anywhere (RFC 7523 §2.1). When
// an access token is renewed is in credential.ts; how it goes on a request in anthropic.ts.
import type { UpstreamOf } from "../../config/schema.ts";
import { messageOf } from "../../log.ts";
import { readAtMost } from "../answer/body.ts";
import type { UpstreamOptions } from "../upstream.ts";
import { post } from "../request/post.ts";
import { createCredential, type Credential, type Renewable } from "../credential.ts";
import { valueIn } from "../json.ts";

/** The `auth` of an upstream that federates. */
export type FederationConfig = Extract<
  UpstreamOf<"anthropic">["auth"],
  { identity_token_file: string }
>;

const grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const exchangeBetas = "oauth-2025-04-20,oidc-federation-2026-04-01";

/** Longest identity token, and longest answer. Real ones take one or two KiB. */
const identityTokenBytesMax = 64 * 1024;
const answerBytesMax = 64 * 1024;

const utf8 = new TextDecoder();

/**
 * The access token for an upstream. Errors name the file, a status and an OAuth error code, never what either token holds.
 *
 * @param options.baseUrl of the API, without a slash at the end. The operator's `headers:` are not sent to it here.
 * @param options.owner whom it is for, in log lines.
 */
export function createFederatedCredential(
  config: FederationConfig,
  options: UpstreamOptions & { baseUrl: string; owner: string },
): Credential<string> {
  const { baseUrl, userAgent, owner, now, fetch } = options;
  const headers = new Headers({
    accept: "application/json",
    "anthropic-beta": exchangeBetas,
    "content-type": "application/json",
    "user-agent": userAgent,
  });

  async function obtain(signal: AbortSignal): Promise<Renewable<string>> {
    const body = Buffer.from(JSON.stringify(await exchangeRequest(config)));
    const askedAtMs = now();
    const url = `${baseUrl}/v1/oauth/token`;
    const answer = await post(fetch, { url, headers, body, signal });
    const { accessToken, expiresInSeconds } = await readExchangeAnswer(answer);
    return { value: accessToken, expiresAtMs: askedAtMs + expiresInSeconds * 1000 };
  }

  return createCredential(obtain, { owner, now });
}

/** The file is read for every exchange: the platform replaces it before the token in it expires. */
async function exchangeRequest(config: FederationConfig): Promise<Record<string, unknown>> {
  return {
    grant_type: grantType,
    assertion: await readIdentityToken(config.identity_token_file),
    federation_rule_id: config.federation_rule_id,
    organization_id: config.organization_id,
    service_account_id: config.service_account_id,
    workspace_id: config.workspace_id,
  };
}

async function readIdentityToken(path: string): Promise<string> {
  const bytes = await readFile(path);
  if (bytes.length > identityTokenBytesMax)
    throw new Error(
      `the identity_token_file ${path} is longer than ${identityTokenBytesMax} bytes: it is no identity token`,
    );
  const identityToken = utf8.decode(bytes).trim();
  if (identityToken === "") throw new Error(`the identity_token_file ${path} is empty`);
  return identityToken;
}

/** One byte more than allowed at most, however long the file is. */
async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await Bun.file(path)
      .slice(0, identityTokenBytesMax + 1)
      .bytes();
  } catch (error) {
    throw new Error(`the identity_token_file ${path} cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function readExchangeAnswer(
  answer: Response,
): Promise<{ accessToken: string; expiresInSeconds: number }> {
  const { status } = answer;
  const { bytes, cut } = await readAtMost(answer, answerBytesMax);
  if (status >= 300 && status < 400)
    throw new Error(`the token exchange answered ${status}, a redirect, which is not followed`);
  const fields = cut ? undefined : objectIn(utf8.decode(bytes));
  if (!answer.ok) {
    const said = [`${status}`, errorCode(fields?.error)].filter(Boolean).join(" ");
    throw new Error(
      `the token exchange answered ${said}: does the federation rule match the identity token?`,
    );
  }
  if (cut) throw new Error(`the token exchange's answer is longer than ${answerBytesMax} bytes`);
  if (fields === undefined) throw new Error("the token exchange's answer is not a JSON object");
  const { access_token: accessToken, expires_in: expiresIn } = fields;
  // As a header carries it: what cannot go into one is no access token (RFC 6750 §2.1).
  if (typeof accessToken !== "string" || !/^[\x21-\x7e]+$/.test(accessToken))
    throw new Error("the token exchange's answer has no usable access_token");
  const expiresInSeconds = seconds(expiresIn);
  if (expiresInSeconds === undefined)
    throw new Error("the token exchange's answer has no usable expires_in");
  return { accessToken, expiresInSeconds };
}

/** A number greater than 0, also as digits in a string, as some write it. */
function seconds(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isFinite(number) && number > 0 ? number : undefined;
}

/** RFC 6749 §5.2, or the type in an Anthropic envelope. Of a form in which nobody quotes a token. */
function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "type" in error ? error.type : error;
  return typeof code === "string" && /^[a-z_]{1,64}$/.test(code) ? code : "";
}

function objectIn(text: string): Record<string, unknown> | undefined {
  const value = valueIn(text);
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}
