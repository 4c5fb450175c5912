// What of Azure gives out access tokens: Microsoft Entra's token endpoint for an application with a secret or a federated
// identity, and the endpoint of a managed identity inside App Service. Each refuses what the real one would.

export const tenant = "11111111-2222-3333-4444-555555555555";
export const application = "66666666-7777-8888-9999-000000000000";
export const clientSecret = "azure-client-secret";
export const federatedIdentity = "eyJ.kubernetes.identity";
export const identityHeader = "app-service-identity";

export type Azure = {
  /** What App Service puts into the environment of an app with a managed identity. */
  env: Record<string, string>;
  /** Every token asked for: where, and for which audience. */
  asked: { host: string; audience: string }[];
  lifeSeconds: number;
  /** Entra's error instead of a token. */
  refusal: { error: string; error_description: string } | undefined;
  /** Plays Entra's hosts (internet.ts). */
  answer: (request: Request) => Promise<Response>;
  stop(): Promise<void>;
};

export function startAzure(): Azure {
  const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => identity(request) });
  const azure: Azure = {
    env: {
      IDENTITY_ENDPOINT: `http://127.0.0.1:${web.port}/msi/token`,
      IDENTITY_HEADER: identityHeader,
    },
    asked: [],
    lifeSeconds: 3600,
    refusal: undefined,
    answer: entra,
    stop: () => web.stop(true),
  };
  let given = 0;

  /** https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference */
  function identity(request: Request): Response {
    const { searchParams } = new URL(request.url);
    const audience = searchParams.get("resource") ?? "";
    azure.asked.push({ host: "app service", audience });
    const isAsked =
      request.headers.get("x-identity-header") === identityHeader &&
      searchParams.get("api-version") === "2019-08-01";
    if (!isAsked) return Response.json({ statusCode: 403, message: "no" }, { status: 403 });
    if (azure.refusal !== undefined)
      return Response.json({ statusCode: 400, message: azure.refusal.error }, { status: 400 });
    const expiresOn = Math.floor(Date.now() / 1000) + azure.lifeSeconds;
    return Response.json({
      access_token: `identity-${++given}`,
      expires_on: String(expiresOn),
      resource: audience,
      token_type: "Bearer",
      client_id: application,
    });
  }

  /** https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow */
  async function entra(request: Request): Promise<Response> {
    const { hostname, pathname } = new URL(request.url);
    if (pathname !== `/${tenant}/oauth2/v2.0/token`) return new Response("", { status: 404 });
    const form = new URLSearchParams(await request.text());
    const isAsked =
      form.get("grant_type") === "client_credentials" &&
      form.get("client_id") === application &&
      (form.get("client_secret") === clientSecret ||
        form.get("client_assertion") === federatedIdentity);
    azure.asked.push({ host: hostname, audience: form.get("scope") ?? "" });
    const refusal = isAsked ? azure.refusal : { error: "invalid_client", error_description: "no" };
    if (refusal !== undefined) return Response.json(refusal, { status: 401 });
    return Response.json({
      token_type: "Bearer",
      expires_in: azure.lifeSeconds,
      ext_expires_in: azure.lifeSeconds,
      access_token: `entra-${++given}`,
    });
  }

  return azure;
}
