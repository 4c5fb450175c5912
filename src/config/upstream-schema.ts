// The shape of one entry of `upstreams:`, by provider. What a provider asks for on the wire is upstream/'s; settings that need
// or exclude each other are in upstream-checks.ts.
import { type TSchema, Type } from "@sinclair/typebox";
import { aUrl, closed, text } from "./pieces.ts";

/** A region is part of a host name: nothing in it may turn that into the name of another host. */
const regionPattern = "^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$";
const region = Type.String({
  pattern: regionPattern,
  description: "a region such as us-east-1",
});
/** One step of a URL's path, which cannot lead out of it. */
const pathPart = (description: string) =>
  Type.String({ pattern: "^[A-Za-z0-9][\\w.:-]*$", maxLength: 128, description });
/** Goes into a header as it is. */
const headerValue = (description: string) => Type.String({ pattern: "^[!-~]+$", description });

/** The models an upstream serves. */
const servedModels = (words: { description?: string; whenEmpty: string }) =>
  Type.Array(
    Type.String({
      minLength: 1,
      pattern: "^[^*]*\\*?[^*]*$",
      description: "a model id, with at most one *",
    }),
    { minItems: 1, ...words },
  );

/** What every upstream has, whatever its provider. */
const anyUpstream = {
  name: Type.Optional(text("a name")),
  headers: Type.Record(Type.String(), Type.String(), { default: {} }),
  models: Type.Optional(
    servedModels({
      whenEmpty:
        "models on an upstream needs at least one entry: list the models it serves, or remove the key to serve them all",
    }),
  ),
  groups: Type.Optional(
    Type.Array(text("a group name"), {
      minItems: 1,
      whenEmpty:
        "groups on an upstream must be a list of IdP group names, none empty, for example groups: [team-a]. Only developers in one of them are sent to this upstream. Remove the key to serve everyone.",
    }),
  ),
  compatibility: Type.Object(
    { learn: Type.Boolean({ default: false }) },
    { ...closed, default: {} },
  ),
  priority: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 1000, description: "a whole number from 0 to 1000" }),
  ),
  weight: Type.Optional(
    Type.Number({
      exclusiveMinimum: 0,
      maximum: 1000,
      description: "a number greater than 0, at most 1000",
    }),
  ),
};

const optionalUrl = Type.Optional(Type.String(aUrl));
const provider = <Name extends string>(name: Name) => Type.Literal(name);

/** Keys of AWS's own, or none of them for its default chain; which go together is in upstream-checks.ts. */
const awsKeys = {
  aws_access_key_id: Type.Optional(text("an AWS access key id")),
  aws_secret_access_key: Type.Optional(text("an AWS secret access key")),
  aws_session_token: Type.Optional(text("an AWS session token")),
};
const awsAuth = Type.Object(
  { ...awsKeys, aws_bearer_token: Type.Optional(text("an Amazon Bedrock API key")) },
  { ...closed, default: {} },
);
const googleAuth = Type.Object(
  {
    service_account_json: Type.Optional(text("the path of a service account key file")),
    access_token: Type.Optional(text("an access token")),
  },
  { ...closed, default: {} },
);

const guardrail = Type.Object(
  {
    id: headerValue("the id or ARN of a guardrail"),
    version: headerValue('the version of the guardrail in quotes, such as "1", or DRAFT'),
  },
  closed,
);

const assumeRole = Type.Object(
  {
    role_arn: Type.String({
      pattern: "^arn:aws(-us-gov)?:iam::\\d{12}:role/[!-~]+$",
      description: "an IAM role ARN (arn:aws:iam::<account>:role/<name>)",
    }),
    external_id: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
        description: "2 to 1224 characters of letters, digits and _+=,.@:/-",
      }),
    ),
    session_name: Type.Optional(Type.Union([Type.Literal("email"), Type.Literal("sub")])),
  },
  closed,
);

const anthropic = Type.Object(
  {
    provider: provider("anthropic"),
    ...anyUpstream,
    base_url: Type.String({ ...aUrl, default: "https://api.anthropic.com" }),
    auth: Type.Union([
      Type.Object({ api_key: text("an API key") }, closed),
      Type.Object({ oauth_token: text("an OAuth access token") }, closed),
      Type.Object(
        {
          federation_rule_id: text("the id of a federation rule"),
          organization_id: text("the id of the organisation"),
          identity_token_file: text("the path of the identity token"),
          workspace_id: Type.Optional(text("the id of a workspace")),
          service_account_id: Type.Optional(text("the id of a service account")),
        },
        closed,
      ),
    ]),
    forward_user_identity: Type.Boolean({ default: false }),
  },
  closed,
);

const bedrock = Type.Object(
  {
    provider: provider("bedrock"),
    ...anyUpstream,
    base_url: optionalUrl,
    region,
    auth: awsAuth,
    guardrail: Type.Optional(guardrail),
    assume_role: Type.Optional(assumeRole),
  },
  closed,
);

const mantle = Type.Object(
  {
    provider: provider("mantle"),
    ...anyUpstream,
    // Mantle has some of the built-in models only, and each account its own choice of them.
    models: servedModels({
      description:
        "a list of the models your AWS account has on Mantle, named as clients send them, for example [claude-opus-4-7, claude-haiku-4-5]; only these go to this upstream",
      whenEmpty:
        "a mantle upstream needs at least one entry in models: list the models your AWS account has on Mantle, named as clients send them",
    }),
    base_url: optionalUrl,
    region,
    auth: awsAuth,
    assume_role: Type.Optional(assumeRole),
  },
  closed,
);

const anthropicAws = Type.Object(
  {
    provider: provider("anthropicAws"),
    ...anyUpstream,
    base_url: optionalUrl,
    region,
    workspace_id: headerValue("the id of a workspace"),
    auth: Type.Object(
      { ...awsKeys, api_key: Type.Optional(text("an API key")) },
      { ...closed, default: {} },
    ),
  },
  closed,
);

/** The same upstream under two names: the first is the reference's, the second what Google calls its cloud. */
const vertexAs = <Name extends string>(name: Name) =>
  Type.Object(
    {
      provider: provider(name),
      ...anyUpstream,
      base_url: optionalUrl,
      region,
      project_id: pathPart("the id of a Google Cloud project"),
      auth: googleAuth,
    },
    closed,
  );

const anthropicGoogleCloud = Type.Object(
  {
    provider: provider("anthropicGoogleCloud"),
    ...anyUpstream,
    base_url: optionalUrl,
    project_id: pathPart("the id of a Google Cloud project"),
    workspace_id: pathPart("the id of a workspace"),
    location: Type.String({
      pattern: regionPattern,
      default: "global",
      description: "a location such as us-east5, or global",
    }),
    auth: googleAuth,
  },
  closed,
);

const foundry = Type.Object(
  {
    provider: provider("foundry"),
    ...anyUpstream,
    base_url: optionalUrl,
    resource: Type.String({
      pattern: "^[A-Za-z0-9][A-Za-z0-9-]{0,62}[A-Za-z0-9]$",
      description: "2-64 letters, digits or hyphens, not starting or ending with a hyphen",
    }),
    auth: Type.Union([
      Type.Object({ api_key: text("an API key") }, closed),
      Type.Object({ use_azure_ad: Type.Literal(true, { description: "true" }) }, closed),
    ]),
  },
  closed,
);

const arms = [
  anthropic,
  bedrock,
  mantle,
  anthropicAws,
  vertexAs("vertex"),
  vertexAs("google_cloud"),
  anthropicGoogleCloud,
  foundry,
] satisfies readonly TSchema[];

/** `upstreams:`, in order of preference. */
export const upstreams = Type.Array(Type.Union(arms, { discriminator: "provider" }), {
  minItems: 1,
  whenEmpty: "needs at least one upstream",
});
