// Every kind of credential that an upstream can be configured with, each marked so that it is known again wherever it turns up;
// and what gives out credentials, at paths of a test's own server.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Marks by what they mark. Neither a client nor a log line may show a secret; a client no id of the operator's either. */
export const secrets: Record<string, string> = {};
export const ids: Record<string, string> = {};
const mark = (marks: Record<string, string>, name: string, prefix = "") =>
  (marks[name] ??= `${prefix}${name.replaceAll(/[^a-z]/gi, "")}${crypto.randomUUID().slice(0, 8)}`);
export const secret = (name: string, prefix?: string) => mark(secrets, name, prefix);
const id = (name: string, prefix?: string) => mark(ids, name, prefix);

export const account = "111122223333";
ids["account"] = account;

const awsKeys = (owner: string) => ({
  aws_access_key_id: secret(`${owner} key id`, "AKIA"),
  aws_secret_access_key: secret(`${owner} signing key`),
  aws_session_token: secret(`${owner} session`),
});

/**
 * Upstreams by name, without `base_url`.
 * @param directory for the files that credentials are read from.
 * @param cloudUrl where `tokenEndpoints` are.
 */
export function markedUpstreams(
  directory: string,
  cloudUrl: string,
): Record<string, Record<string, unknown>> {
  const file = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  const googleKey = file(
    "google.json",
    JSON.stringify({
      type: "external_account",
      audience: "//iam.googleapis.com/pool",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      token_url: `${cloudUrl}/google/token`,
      credential_source: { file: file("google-subject", secret("google subject")) },
    }),
  );

  return {
    "anthropic-key": { provider: "anthropic", auth: { api_key: secret("api key", "sk-ant-") } },
    "anthropic-oauth": { provider: "anthropic", auth: { oauth_token: secret("oauth token") } },
    "anthropic-federated": {
      provider: "anthropic",
      auth: {
        federation_rule_id: id("rule", "fdrl_"),
        organization_id: id("organization"),
        identity_token_file: file("identity", secret("identity token")),
      },
    },
    "bedrock-keys": { provider: "bedrock", region: "us-east-1", auth: awsKeys("bedrock") },
    "bedrock-chain": { provider: "bedrock", region: "us-east-1", auth: {} },
    "bedrock-bearer": {
      provider: "bedrock",
      region: "us-east-1",
      auth: { aws_bearer_token: secret("bedrock bearer") },
    },
    "bedrock-role": {
      provider: "bedrock",
      region: "us-east-1",
      auth: awsKeys("role source"),
      assume_role: {
        role_arn: `arn:aws:iam::${account}:role/${id("role")}`,
        external_id: secret("external id"),
        session_name: "email",
      },
    },
    mantle: { provider: "mantle", region: "us-east-1", models: ["*"], auth: awsKeys("mantle") },
    "aws-key": {
      provider: "anthropicAws",
      region: "us-east-1",
      workspace_id: id("aws workspace", "wrkspc_"),
      auth: { api_key: secret("aws platform key") },
    },
    "aws-keys": {
      provider: "anthropicAws",
      region: "us-east-1",
      workspace_id: id("aws workspace", "wrkspc_"),
      auth: awsKeys("aws platform"),
    },
    "vertex-federated": {
      provider: "vertex",
      region: "us-east5",
      project_id: id("vertex project"),
      auth: { service_account_json: googleKey },
    },
    "google-token": {
      provider: "google_cloud",
      region: "us-east5",
      project_id: id("google project"),
      auth: { access_token: secret("google token") },
    },
    "google-platform": {
      provider: "anthropicGoogleCloud",
      project_id: id("platform project"),
      workspace_id: id("google workspace", "wrkspc_"),
      auth: { access_token: secret("platform token") },
    },
    "foundry-key": {
      provider: "foundry",
      resource: id("resource"),
      auth: { api_key: secret("foundry key") },
    },
    "foundry-entra": {
      provider: "foundry",
      resource: id("resource"),
      auth: { use_azure_ad: true },
    },
  };
}

/** What the gateway finds in its environment. */
export const markedEnvironment = (cloudUrl: string) => ({
  AWS_ACCESS_KEY_ID: secret("environment key id", "AKIA"),
  AWS_SECRET_ACCESS_KEY: secret("environment signing key"),
  AWS_SESSION_TOKEN: secret("environment session"),
  AWS_ENDPOINT_URL_STS: `${cloudUrl}/sts`,
  IDENTITY_ENDPOINT: `${cloudUrl}/azure/token`,
  IDENTITY_HEADER: secret("azure identity header"),
});

/** What gives out credentials by its path, each in its own form. */
export const tokenEndpoints: Record<string, () => Response> = {
  "/google/token": () =>
    Response.json({
      access_token: secret("google access token", "ya29."),
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 3600,
    }),
  "/azure/token": () =>
    Response.json({
      access_token: secret("azure access token"),
      expires_on: String(Math.floor(Date.now() / 1000) + 3600),
      resource: "r",
      token_type: "Bearer",
    }),
  "/anthropic-federated/v1/oauth/token": () =>
    Response.json({ access_token: secret("federated access token"), expires_in: 3600 }),
  "/sts/": () =>
    new Response(
      `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
      <AccessKeyId>${secret("role key id", "ASIA")}</AccessKeyId><SecretAccessKey>${secret("role signing key")}</SecretAccessKey>
      <SessionToken>${secret("role session")}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
      </Credentials></AssumeRoleResult></AssumeRoleResponse>`,
      { headers: { "content-type": "text/xml" } },
    ),
};
