// Who we are to Google: application default credentials (workload identity federation, the metadata server, a key file) or a
// key file named in gateway.yaml, which google-auth-library turns into an OAuth access token; or such a token itself. When a token is asked for, and
// how long it serves, is credential.ts's.
import type { AuthClient } from "google-auth-library";
import { fixedProof, type Proof } from "../request/post.ts";
import { createCredential, type Credential, type CredentialOptions } from "../credential.ts";
import { valueIn } from "../json.ts";

type Sdk = typeof import("google-auth-library");

const scopes = ["https://www.googleapis.com/auth/cloud-platform"];

/** Far longer than any key file: what is longer is none. */
const keyFileBytesMax = 64 * 1024;

/** How long a token serves whose end the library does not tell. Google's last an hour. */
const assumedLifeMs = 30 * 60_000;

/**
 * Access tokens for Google's APIs, with the header that names the project to bill where the credential comes with one.
 * Nothing is read or asked before the first token: a key file that is missing fails requests, not the start.
 *
 * @param source.accessToken one that somebody else renews, by restarting the gateway; it counts before a key file.
 * @param source.keyFile path of a key of type `service_account` or `external_account`; undefined for the default chain.
 * @param source.projectId so that the library does not search for one, which runs `gcloud` and calls further APIs.
 */
export function createGoogleCredential(
  source: { accessToken?: string | undefined; keyFile: string | undefined; projectId: string },
  options: CredentialOptions,
): Credential<Proof> {
  const { accessToken } = source;
  if (accessToken !== undefined) return fixedProof({ authorization: `Bearer ${accessToken}` });

  // Takes 60 ms: begun now, and not by the first request.
  const loading = import("google-auth-library");
  loading.catch(() => undefined);

  return createCredential(async () => {
    const sdk = await loading;
    // A new client each time: one that is kept would hand out a refused token again, and never see a rotated key file.
    const client =
      source.keyFile === undefined
        ? await defaultClient(sdk, source.projectId)
        : clientFor(sdk, await readKeyFile(source.keyFile), source.keyFile);
    const value = Object.fromEntries(await client.getRequestHeaders());
    if (value["authorization"] === undefined) throw new Error("Google gave no access token");
    return { value, expiresAtMs: endOf(client, options.now()) };
  }, options);
}

function defaultClient(sdk: Sdk, projectId: string): Promise<AuthClient> {
  // The library remembers for good that there is no metadata server, also when that was merely not up yet.
  sdk.gcpMetadata.resetIsAvailableCache();
  return new sdk.GoogleAuth({ scopes, projectId }).getClient();
}

/**
 * A service account's key is sent to Google's own token endpoint and no other: `token_uri` of the file is not looked at, so
 * that a file cannot direct an assertion elsewhere. Federation names its token endpoint by design.
 */
function clientFor(sdk: Sdk, key: Record<string, unknown>, path: string): AuthClient {
  switch (key["type"]) {
    case "service_account": {
      const client = new sdk.JWT({ scopes });
      client.fromJSON(key);
      return client;
    }
    case "external_account": {
      const federation = { ...key, scopes };
      return isAwsIdentity(key["credential_source"])
        ? new sdk.AwsClient(federation as unknown as ConstructorParameters<Sdk["AwsClient"]>[0])
        : new sdk.IdentityPoolClient(
            federation as unknown as ConstructorParameters<Sdk["IdentityPoolClient"]>[0],
          );
    }
    default:
      throw new Error(
        `the key in ${path} is neither a service_account nor an external_account: name it in GOOGLE_APPLICATION_CREDENTIALS`,
      );
  }
}

function isAwsIdentity(source: unknown): boolean {
  return typeof source === "object" && source !== null && "environment_id" in source;
}

/** @throws when there is no such file, or no JSON object in it. The message does not quote it. */
async function readKeyFile(path: string): Promise<Record<string, unknown>> {
  const key = valueIn(await Bun.file(path).slice(0, keyFileBytesMax).text());
  if (typeof key !== "object" || key === null) throw new Error(`${path} holds no JSON object`);
  return key as Record<string, unknown>;
}

function endOf(client: AuthClient, nowMs: number): number {
  const told = client.credentials.expiry_date ?? 0;
  return told > nowMs ? told : nowMs + assumedLifeMs;
}
