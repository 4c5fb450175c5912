// An answer of the IdP, read whole: status, JSON object and, when it is an error, what it says of itself. The egress has
// bounded its size and time; what the fields must be is for the reader of each endpoint.
import { messageOf } from "../log.ts";
import { IdpError, type IdpErrorKind, type IdpStep } from "./identity.ts";

export type IdpAnswer = {
  status: number;
  /** Undefined when the body is not one JSON object. */
  body: Record<string, unknown> | undefined;
  /** The error of the body (RFC 6749 §5.2), whatever the status, and its description. */
  error: string | undefined;
  errorDescription: string | undefined;
  /** In words: `invalid_grant (user disabled)`, or `expected 200 OK, got: 502 Bad Gateway` where the body says nothing. */
  failure: string;
};

/**
 * Reads the answer to its end. Throws what the egress throws when the answer breaks off, is too slow or too long.
 * @param secrets what was sent and no log may hold: an IdP that explains a refusal may quote it.
 */
export async function readAnswer(
  response: Response,
  secrets: readonly (string | null | undefined)[] = [],
): Promise<IdpAnswer> {
  const body = jsonObject(await response.text());
  const error = withoutSecrets(nonEmpty(body?.error), secrets);
  const errorDescription = withoutSecrets(nonEmpty(body?.error_description), secrets);
  const statusLine = `${response.status} ${response.statusText}`.trim();
  return {
    status: response.status,
    body,
    error,
    errorDescription,
    failure: error ? described(error, errorDescription) : `expected 200 OK, got: ${statusLine}`,
  };
}

/** Shorter values stand in words by chance, and hide nothing. */
const secretLengthMin = 8;

/** What is as long as a token and has no blank in it. Ids by which an IdP's own log is searched are shorter. */
const tokenLike = /[\w.~+/=-]{40,}/g;

function withoutSecrets<Text extends string | undefined>(
  text: Text,
  secrets: readonly (string | null | undefined)[],
): Text {
  let told: string | undefined = text?.replaceAll(tokenLike, "…");
  for (const secret of secrets) {
    if (secret && secret.length >= secretLengthMin) told = told?.replaceAll(secret, "…");
  }
  return told as Text;
}

/**
 * The answer again, for oauth4webapi to check its fields. Only for a 200 with a JSON object. Headers stay behind: a
 * WWW-Authenticate or a content type beside a readable body would only change which error we report.
 */
export function asResponse(body: Record<string, unknown>): Response {
  return Response.json(body);
}

/** Statuses by which whoever is in front of the IdP, or it itself, says: not now (RFC 9110 §15.6, RFC 6585 §4). */
const notNow = new Set([429, 502, 503, 504]);

/** What an answer other than 200 means when it is no refusal. Without a code of OAuth in it, it need not be the IdP's at all. */
export function failureKind({ status, error }: IdpAnswer): Exclude<IdpErrorKind, "refused"> {
  const isOutage = notNow.has(status) || error === undefined || error === "temporarily_unavailable";
  return isOutage ? "unavailable" : "failed";
}

/** `access_denied (no such group)`, or only the code. */
export function described(error: string, description: string | undefined): string {
  return description ? `${error} (${description})` : error;
}

/** Runs one exchange with the IdP. Whatever it throws that is not an IdpError yet is one of kind `unavailable` afterwards. */
export async function unavailableUnlessSaid<T>(
  step: IdpStep,
  exchange: () => Promise<T>,
): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    if (error instanceof IdpError) throw error;
    throw new IdpError(messageOf(error), { step, kind: "unavailable", cause: error });
  }
}

/** True for a string with something in it. */
export function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** True for what has members: a mapping, or a list. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** What the text holds, when it is one JSON object. */
export function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function nonEmpty(value: unknown): string | undefined {
  return isText(value) ? value : undefined;
}
