// Who we are to Microsoft Foundry without an API key: an access token from Microsoft Entra, which @azure/identity obtains with
// whatever identity the environment has (client secret or certificate, workload identity, managed identity, a developer's own).
// When a token is asked for, and how long it serves, is credential.ts's.
import type { Proof } from "../request/post.ts";
import { createCredential, type Credential, type CredentialOptions } from "../credential.ts";

type AzureCloud = { readonly scope: string; readonly authorityHost?: string };

/** Audience of tokens for AI services; Foundry also takes `https://ai.azure.com`, newer and not known in every cloud. */
const publicCloud: AzureCloud = { scope: "https://cognitiveservices.azure.com/.default" };

/** Clouds apart from the public one, by the end of their host names; each has its own Entra. */
const sovereignClouds: readonly (AzureCloud & { readonly domain: string })[] = [
  {
    domain: ".azure.us",
    scope: "https://cognitiveservices.azure.us/.default",
    authorityHost: "https://login.microsoftonline.us",
  },
  {
    domain: ".azure.cn",
    scope: "https://cognitiveservices.azure.cn/.default",
    authorityHost: "https://login.chinacloudapi.cn",
  },
];

/**
 * Access tokens for the Foundry resource at this URL. `AZURE_AUTHORITY_HOST` in the environment decides before the URL's
 * cloud does. Nothing is asked before the first token.
 */
export function createAzureCredential(
  baseUrl: string,
  options: CredentialOptions,
): Credential<Proof> {
  const { scope, authorityHost } = cloudOf(baseUrl);
  // Takes 180 ms: begun now, and not by the first request.
  const loading = import("@azure/identity");
  loading.catch(() => undefined);

  return createCredential(async (signal) => {
    const { DefaultAzureCredential } = await loading;
    const isOverridden = process.env["AZURE_AUTHORITY_HOST"] !== undefined;
    // A new one each time: one that is kept would hand out a refused token again. (Those of managed identities are kept by the
    // library for the whole process, and by Azure, until five minutes before their end.)
    const identity = new DefaultAzureCredential(
      authorityHost === undefined || isOverridden ? {} : { authorityHost },
    );
    const { token, expiresOnTimestamp } = await identity.getToken(scope, { abortSignal: signal });
    return { value: { authorization: `Bearer ${token}` }, expiresAtMs: expiresOnTimestamp };
  }, options);
}

function cloudOf(baseUrl: string): AzureCloud {
  const { hostname } = new URL(baseUrl);
  return sovereignClouds.find(({ domain }) => hostname.endsWith(domain)) ?? publicCloud;
}
