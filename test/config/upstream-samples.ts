// One upstream of each provider, with the least it takes and with everything it may have.

/** Settings that every upstream may have. */
const common = {
  name: "one",
  base_url: "https://proxy.example/anthropic",
  headers: { "x-team": "platform" },
  models: ["claude-opus-4-8", "claude-haiku-*"],
  groups: ["eng"],
  compatibility: { learn: true },
  priority: 0,
  weight: 2.5,
};
const awsKeys = {
  aws_access_key_id: "AKIA",
  aws_secret_access_key: "s3cret",
  aws_session_token: "session",
};
const assumeRole = {
  role_arn: "arn:aws:iam::123456789012:role/path/gateway",
  external_id: "ext-1",
  session_name: "email",
};
const google = { service_account_json: "/run/key.json", access_token: "ya29" };

// oxlint-disable-next-line typescript/no-explicit-any -- the tests write nonsense into them
type Sample = Record<string, any>;

/** By provider as it is written. */
export const samples: Readonly<Record<string, { readonly least: Sample; readonly full: Sample }>> =
  {
    anthropic: {
      least: { provider: "anthropic", auth: { api_key: "k" } },
      full: {
        provider: "anthropic",
        ...common,
        forward_user_identity: true,
        auth: {
          federation_rule_id: "fdrl_1",
          organization_id: "00000000-0000-0000-0000-000000000000",
          identity_token_file: "/run/token",
          workspace_id: "wrkspc_1",
          service_account_id: "svac_1",
        },
      },
    },
    bedrock: {
      least: { provider: "bedrock", region: "us-east-1" },
      full: {
        provider: "bedrock",
        ...common,
        region: "us-gov-west-1",
        auth: awsKeys,
        guardrail: { id: "gr-1", version: "DRAFT" },
        assume_role: assumeRole,
      },
    },
    mantle: {
      least: { provider: "mantle", region: "us-east-1", models: ["claude-opus-4-8"] },
      full: {
        provider: "mantle",
        ...common,
        region: "eu-west-1",
        auth: awsKeys,
        assume_role: assumeRole,
      },
    },
    anthropicAws: {
      least: { provider: "anthropicAws", region: "us-east-1", workspace_id: "wrkspc_01" },
      full: {
        provider: "anthropicAws",
        ...common,
        region: "us-east-1",
        workspace_id: "wrkspc_01",
        auth: { ...awsKeys, api_key: "k" },
      },
    },
    vertex: {
      least: { provider: "vertex", region: "global", project_id: "p" },
      full: {
        provider: "vertex",
        ...common,
        region: "us-east5",
        project_id: "example.com:project-1",
        auth: google,
      },
    },
    google_cloud: {
      least: { provider: "google_cloud", region: "global", project_id: "p" },
      full: {
        provider: "google_cloud",
        ...common,
        region: "us-east5",
        project_id: "project-1",
        auth: google,
      },
    },
    anthropicGoogleCloud: {
      least: { provider: "anthropicGoogleCloud", project_id: "p", workspace_id: "wrkspc_01" },
      full: {
        provider: "anthropicGoogleCloud",
        ...common,
        project_id: "project-1",
        workspace_id: "wrkspc_01",
        location: "us-east5",
        auth: google,
      },
    },
    foundry: {
      least: { provider: "foundry", resource: "ex", auth: { api_key: "k" } },
      full: {
        provider: "foundry",
        ...common,
        resource: "example-1",
        auth: { use_azure_ad: true },
      },
    },
  };

export const providers: readonly string[] = Object.keys(samples);

/** A fresh copy of a provider's sample. */
export function sample(provider: string, size: "least" | "full" = "least"): Sample {
  return structuredClone(samples[provider]?.[size] ?? {});
}
