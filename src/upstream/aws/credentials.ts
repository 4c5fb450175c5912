// Who the gateway is to AWS: the keys of gateway.yaml, or those of AWS's default chain (environment, shared files, web identity,
// container and instance metadata, single sign-on). Roles that it assumes with them are assume-role.ts's; when keys are
// renewed is credential.ts's.
import { log, messageOf } from "../../log.ts";
import type { Outbound } from "../../http/outbound.ts";
import { createSdkRequestHandler } from "./sdk-http.ts";
import {
  createCredential,
  type Credential,
  type CredentialOptions,
  type Renewable,
} from "../credential.ts";

/** As the SDK has them. */
export type AwsKeys = {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
};

/** AWS keys in `auth:`. Which go together is checked in config/. */
export type AwsAuth = Partial<
  Record<"aws_access_key_id" | "aws_secret_access_key" | "aws_session_token", string>
>;

/** What the SDK resolves with. */
type SdkKeys = AwsKeys & { readonly expiration?: Date };

/**
 * How long keys serve whose end the chain does not tell (the environment, a credentials file) before they are looked up again:
 * a file that was replaced is noticed without a restart.
 */
const assumedLifeMs = 15 * 60_000;

/** Longest text of AWS's that is quoted in an error, in characters. */
const quotedMax = 500;

/**
 * The configured keys, or those of the default chain, of which nothing is asked before the first `get`.
 * `AWS_BEARER_TOKEN_BEDROCK` is not part of it: an API key is used where the configuration says so.
 */
export function createAwsCredential(
  auth: AwsAuth,
  options: CredentialOptions & { readonly fetch: Outbound },
): Credential<AwsKeys> {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey } = auth;
  if (accessKeyId === undefined || secretAccessKey === undefined) return createChain(options);
  const keys = keysOf({ accessKeyId, secretAccessKey, sessionToken: auth.aws_session_token });
  return { get: () => Promise.resolve(keys), refused: () => undefined };
}

/** Takes 40 ms: begun when the gateway starts, and not by the first request. */
export function loadSdk(): Promise<typeof import("@aws-sdk/credential-providers")> {
  const loading = import("@aws-sdk/credential-providers");
  loading.catch(() => undefined);
  return loading;
}

/** Keys as the SDK gave them. @param endMs when they run out, in milliseconds since the epoch, where they do not say. */
export function renewableKeys(keys: SdkKeys, endMs: number | null): Renewable<AwsKeys> {
  return { value: keysOf(keys), expiresAtMs: keys.expiration?.getTime() ?? endMs };
}

/**
 * What AWS said, for an error's message: `403 AccessDenied: …`. The first line and no more: to a wrong signature it answers with
 * the whole request that should have been signed, session token included.
 */
export function causeOf(error: unknown): string {
  const [firstLine = ""] = messageOf(error).split(/[\r\n]/, 1);
  const said = firstLine.slice(0, quotedMax);
  if (!(error instanceof Error)) return said;
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  const name = error.name === "Error" ? "" : `${error.name}: `;
  return `${$metadata?.httpStatusCode ?? ""} ${name}${said}`.trim();
}

/** @param errorType of AWS's, such as `ExpiredTokenException:http://…`. */
export function areStaleKeys(errorType: string): boolean {
  return /^(ExpiredToken|InvalidClientTokenId|UnrecognizedClient)/.test(errorType);
}

function createChain(
  options: CredentialOptions & { readonly fetch: Outbound },
): Credential<AwsKeys> {
  const loading = loadSdk();
  return createCredential(async (signal) => {
    const { fromNodeProviderChain } = await loading;
    // A new chain each time: the SDK's own memory would hand out the same keys again, also from a file that has changed.
    const chain = fromNodeProviderChain({
      ignoreCache: true,
      logger: sdkLogger,
      clientConfig: { requestHandler: createSdkRequestHandler(options.fetch, signal) },
    });
    const keys = await chain().catch((error) => {
      throw new Error(`AWS's default credential chain: ${causeOf(error)}`, { cause: error });
    });
    return renewableKeys(keys, options.now() + assumedLifeMs);
  }, options);
}

/** Keys and nothing else: the SDK adds to them how they were come by. */
function keysOf(keys: {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | undefined;
}): AwsKeys {
  const { accessKeyId, secretAccessKey, sessionToken } = keys;
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/** Without one the SDK's warnings go to the console, in a form of their own. */
const sdkLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: unknown) => log.warn(`AWS SDK: ${String(message)}`),
  error: (message: unknown) => log.warn(`AWS SDK: ${String(message)}`),
};
