// What of Google gives out access tokens: the token endpoint for service accounts, the one for federated identities (STS), and
// the metadata server of a machine in Google Cloud. Each refuses what the real one would.
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { jwtVerify } from "jose";

const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform";
export const tokenHost = "oauth2.googleapis.com";
export const federatedIdentity = "eyJ.federated.identity";
export const serviceAccount = "gateway@example-prod.iam.gserviceaccount.com";
export const serviceAccountClientId = "104729001";

export const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });

export type Google = {
  /** Where STS and the metadata server are, over plain HTTP. */
  url: string;
  /** Paths asked, in order, with the host where it is not the one of `url`. */
  asked: string[];
  lifeSeconds: number;
  /** Answers with this instead of a token. */
  refusal: { status: number; body: unknown } | undefined;
  /** Plays `oauth2.googleapis.com` (internet.ts). */
  answer: (request: Request) => Promise<Response>;
  stop(): Promise<void>;
};

export function startGoogle(): Google {
  const web = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => answer(request) });
  const google: Google = {
    url: `http://127.0.0.1:${web.port}`,
    asked: [],
    lifeSeconds: 3600,
    refusal: undefined,
    answer,
    stop: () => web.stop(true),
  };
  let given = 0;

  async function answer(request: Request): Promise<Response> {
    const { host, hostname, pathname, searchParams } = new URL(request.url);
    google.asked.push(host === `127.0.0.1:${web.port}` ? pathname : `${host}${pathname}`);
    if (pathname.startsWith("/computeMetadata/v1/"))
      return metadata(request, pathname, searchParams);
    const form = new URLSearchParams(await request.text());
    const isAsked =
      hostname === tokenHost
        ? pathname === "/token" && (await isServiceAccount(form))
        : pathname === "/v1/token" && isFederated(form);
    if (!isAsked)
      return Response.json({ error: "invalid_grant", error_description: "no" }, { status: 400 });
    return token();
  }

  function metadata(request: Request, path: string, search: URLSearchParams): Response {
    const headers = { "metadata-flavor": "Google" };
    if (request.headers.get("metadata-flavor") !== "Google")
      return new Response("Missing Metadata-Flavor:Google header.", { status: 403 });
    if (path === "/computeMetadata/v1/instance") return new Response("", { headers });
    const isToken = path === "/computeMetadata/v1/instance/service-accounts/default/token";
    if (isToken && search.get("scopes") === cloudPlatform) return token(headers);
    return new Response("not found", { status: 404, headers });
  }

  function token(headers: Record<string, string> = {}): Response {
    const { refusal, lifeSeconds } = google;
    if (refusal !== undefined) return Response.json(refusal.body, { status: refusal.status });
    given++;
    return Response.json(
      {
        access_token: `ya29.${given}`,
        issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
        token_type: "Bearer",
        expires_in: lifeSeconds,
      },
      { headers },
    );
  }

  return google;
}

/** A service account's key, its `token_uri` as given. */
export function writeServiceAccountKey(directory: string, tokenUri: string): string {
  return write(directory, "service-account.json", {
    type: "service_account",
    project_id: "example-prod",
    private_key_id: "key1",
    private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    client_email: serviceAccount,
    client_id: serviceAccountClientId,
    token_uri: tokenUri,
  });
}

/** Workload identity federation whose token endpoint is this Google's. */
export function writeFederation(directory: string, google: Google): string {
  const identity = join(directory, "identity.jwt");
  writeFileSync(identity, federatedIdentity);
  return write(directory, "federation.json", {
    type: "external_account",
    audience:
      "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${google.url}/v1/token`,
    credential_source: { file: identity },
  });
}

function write(directory: string, name: string, content: unknown): string {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

async function isServiceAccount(form: URLSearchParams): Promise<boolean> {
  if (form.get("grant_type") !== "urn:ietf:params:oauth:grant-type:jwt-bearer") return false;
  const expected = { issuer: serviceAccount, audience: `https://${tokenHost}/token` };
  const { payload } = await jwtVerify(form.get("assertion") ?? "", publicKey, expected);
  return payload["scope"] === cloudPlatform;
}

function isFederated(form: URLSearchParams): boolean {
  return (
    form.get("grant_type") === "urn:ietf:params:oauth:grant-type:token-exchange" &&
    form.get("subject_token") === federatedIdentity &&
    form.get("scope") === cloudPlatform
  );
}
