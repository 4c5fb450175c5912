// AWS Signature Version 4 over a request that is ready to go, or an Amazon Bedrock API key as a bearer. Whose keys sign is
// credentials.ts's and assume-role.ts's.
import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Outbound } from "../../http/outbound.ts";
import type { Principal } from "../../session.ts";
import { type AssumeRole, createRoleSessions } from "./assume-role.ts";
import { type AwsAuth, type AwsKeys, createAwsCredential } from "./credentials.ts";
import type { Credential } from "../credential.ts";

export type AwsRequest = {
  readonly method: "POST";
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
};

export type Signed = {
  /** To be sent in place of the request's own, which stay as they are. Nothing of the request may change any more. */
  readonly headers: Headers;
  /** To be called when AWS refuses the keys: the next request is signed with fresh ones. */
  readonly refused: () => void;
};

export type AwsSigner = (request: AwsRequest, principal: Principal) => Promise<Signed>;

export type SignerOptions = {
  /** In messages: `upstream 'bedrock'`. */
  readonly owner: string;
  readonly region: string;
  readonly service: "bedrock" | "bedrock-mantle" | "aws-external-anthropic";
  readonly assumeRole?: AssumeRole | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The way to AWS. */
  readonly fetch: Outbound;
};

/** What only the signer may say. A body's hash that came with a request would be signed as if it were true. */
const signersOwn = [
  "authorization",
  "x-amz-content-sha256",
  "x-amz-date",
  "x-amz-security-token",
] as const;

/** What a proxy of the house that takes part in a trace writes anew (W3C Trace Context §3.2), beside the SDK's list of such. */
const unsignableHeaders = new Set(["traceparent", "tracestate"]);

/**
 * Every header is signed but those that proxies may change on the way (`user-agent`, `connection` and the like).
 * The signer throws CredentialError when there are no keys, and PrincipalUnfitError for a principal that cannot have a session.
 *
 * @param auth the bearer counts before keys, as in the reference; with `assumeRole` there is none.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export function createAwsSigner(
  auth: AwsAuth & { readonly aws_bearer_token?: string },
  options: SignerOptions,
): AwsSigner {
  const { assumeRole, region, service, now } = options;
  const { aws_bearer_token: bearerToken } = auth;
  if (bearerToken !== undefined && assumeRole === undefined)
    return createSecretSigner("authorization", `Bearer ${bearerToken}`);

  const own = createAwsCredential(auth, options);
  const credentialOf: (principal: Principal) => Credential<AwsKeys> =
    assumeRole === undefined ? () => own : createRoleSessions(assumeRole, own, options);

  return async ({ method, url, headers, body }, principal) => {
    const credential = credentialOf(principal);
    const credentials = await credential.get();
    // The path's escapes are escaped once more in what is signed, as every service but S3 wants it: the library's default.
    const signature = new SignatureV4({ credentials, region, service, sha256: Sha256 });
    const signed = await signature.sign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        path: url.pathname,
        query: queryOf(url),
        headers: { ...Object.fromEntries(withoutAuthorization(headers)), host: url.host },
        body,
      },
      { signingDate: new Date(now()), unsignableHeaders },
    );
    // `host` is the connection's to send: it is the same one.
    const { host: _host, ...sent } = signed.headers;
    return { headers: new Headers(sent), refused: () => credential.refused(credentials) };
  };
}

/** A secret that is sent as it is, in a header of this name, and signs nothing. */
export function createSecretSigner(name: "authorization" | "x-api-key", value: string): AwsSigner {
  return ({ headers }) => {
    const sent = withoutAuthorization(headers);
    sent.set(name, value);
    return Promise.resolve({ headers: sent, refused: () => undefined });
  };
}

function withoutAuthorization(headers: Headers): Headers {
  const sent = new Headers(headers);
  for (const name of signersOwn) sent.delete(name);
  return sent;
}

function queryOf({ searchParams }: URL): Record<string, string[]> {
  return Object.fromEntries(
    [...searchParams.keys()].map((name) => [name, searchParams.getAll(name)]),
  );
}

/** SHA-256, or with a secret HMAC-SHA-256, as the library constructs it: the runtime's own, many times as fast as the SDK's. */
class Sha256 {
  private readonly hash: ReturnType<typeof createHash> | ReturnType<typeof createHmac>;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    // The library's secrets are texts and its own digests.
    const given = secret as string | Uint8Array | undefined;
    this.hash = given === undefined ? createHash("sha256") : createHmac("sha256", given);
  }
  update(data: Uint8Array): void {
    this.hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.hash.digest());
  }
}
