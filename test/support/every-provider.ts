// One upstream of each provider, for a server that plays them all (clouds.ts, cloud-api.ts), and a model that only it has.
import { sourceKeys } from "./sts.ts";

const keys = {
  aws_access_key_id: sourceKeys.accessKeyId,
  aws_secret_access_key: sourceKeys.secretAccessKey,
};
const google = { access_token: "ya29.token" };

/** The settings of each, by provider as it is written, but for `base_url`. */
const settings: Readonly<Record<string, object>> = {
  anthropic: { auth: { api_key: "k" } },
  bedrock: { region: "us-east-1", auth: keys },
  mantle: { region: "us-east-1", auth: keys, models: ["*"] },
  anthropicAws: { region: "us-west-2", workspace_id: "wrkspc_1", auth: keys },
  vertex: { region: "us-east5", project_id: "p", auth: google },
  google_cloud: { region: "us-east5", project_id: "p", auth: google },
  anthropicGoogleCloud: { project_id: "p", workspace_id: "wrkspc_2", auth: google },
  foundry: { resource: "example", auth: { api_key: "k" } },
};

export const providers: readonly string[] = Object.keys(settings);

/** Those whose requests are signed, with the region and the service that they are signed for. */
export const signedFor: Readonly<Record<string, { region: string; service: string }>> = {
  bedrock: { region: "us-east-1", service: "bedrock" },
  mantle: { region: "us-east-1", service: "bedrock-mantle" },
  anthropicAws: { region: "us-west-2", service: "aws-external-anthropic" },
};

/** For `upstreams:`. Each is called what its provider is called. */
export function everyProvider(baseUrl: string, more: object = {}): object[] {
  return Object.entries(settings).map(([provider, own]) => ({
    provider,
    name: provider,
    base_url: baseUrl,
    ...own,
    ...more,
  }));
}

/** For `models:`, one for each, and the id that a client asks for it by. */
export const modelsOfEach = providers.map((provider) => ({
  id: modelOn(provider),
  upstream_model: { [provider]: "anthropic.claude-opus-4-8" },
}));

export function modelOn(provider: string): string {
  return `on-${provider}`;
}
