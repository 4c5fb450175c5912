// What an upstream of each provider may not be, by itself: places, ids and credentials.
import { expect, test } from "bun:test";
import { describeRefused, edited, type Edit, type Refused, said } from "./samples.ts";
import { providers, sample } from "./upstream-samples.ts";

/** A configuration with one upstream, a provider's least with some settings changed. */
const only =
  (provider: string, settings: object = {}): Edit =>
  (c) =>
    (c.upstreams = [{ ...sample(provider), ...settings }]);
const without =
  (provider: string, key: string): Edit =>
  (c) => {
    c.upstreams = [sample(provider)];
    delete c.upstreams[0][key];
  };

const region = "must be a region such as us-east-1";
const mantleModels =
  "a list of the models your AWS account has on Mantle, named as clients send them, for example [claude-opus-4-7, claude-haiku-4-5]; only these go to this upstream";
const pair = "aws_access_key_id and aws_secret_access_key";
const roleArn = "must be an IAM role ARN (arn:aws:iam::<account>:role/<name>)";
const guardrailId = "must be the id or ARN of a guardrail";
const keys = { aws_access_key_id: "a", aws_secret_access_key: "b" };
const assumeRole = { role_arn: "arn:aws:iam::123456789012:role/r" };

describeRefused({
  "what is missing": [
    ...["bedrock", "mantle", "anthropicAws", "vertex", "google_cloud"].map((provider): Refused => [
      `the region of ${provider}`,
      without(provider, "region"),
      "upstreams[0].region → upstreams[0].region is required: a region such as us-east-1",
    ]),
    ...["vertex", "google_cloud", "anthropicGoogleCloud"].map((provider): Refused => [
      `the project of ${provider}`,
      without(provider, "project_id"),
      "upstreams[0].project_id → upstreams[0].project_id is required: the id of a Google Cloud project",
    ]),
    ...["anthropicAws", "anthropicGoogleCloud"].map((provider): Refused => [
      `the workspace of ${provider}`,
      without(provider, "workspace_id"),
      "upstreams[0].workspace_id → upstreams[0].workspace_id is required: the id of a workspace",
    ]),
    [
      "the models of mantle",
      without("mantle", "models"),
      `upstreams[0].models → upstreams[0].models is required: ${mantleModels}`,
    ],
    [
      "any model of mantle",
      only("mantle", { models: [] }),
      "upstreams[0].models → a mantle upstream needs at least one entry in models: list the models your AWS account has on Mantle, named as clients send them",
    ],
    [
      "the resource of foundry, also beside a base_url",
      (c) =>
        (c.upstreams = [
          { provider: "foundry", base_url: "https://p.example/anthropic", auth: { api_key: "k" } },
        ]),
      "upstreams[0].resource → upstreams[0].resource is required: 2-64 letters, digits or hyphens, not starting or ending with a hyphen",
    ],
    [
      "the credential of foundry",
      without("foundry", "auth"),
      "upstreams[0].auth → upstreams[0].auth is required: a mapping with one of api_key, use_azure_ad",
    ],
    [
      "what is in the credential of foundry",
      only("foundry", { auth: {} }),
      "upstreams[0].auth → needs one of api_key, use_azure_ad",
    ],
    [
      "half of a federation",
      only("anthropic", { auth: { federation_rule_id: "f", organization_id: "o" } }),
      "upstreams[0].auth.identity_token_file → upstreams[0].auth.identity_token_file is required: the path of the identity token",
    ],
    [
      "half of a guardrail",
      only("bedrock", { guardrail: { id: "g" } }),
      'upstreams[0].guardrail.version → upstreams[0].guardrail.version is required: the version of the guardrail in quotes, such as "1", or DRAFT',
    ],
    [
      "the role that is assumed",
      only("bedrock", { assume_role: { session_name: "sub" } }),
      `upstreams[0].assume_role.role_arn → upstreams[0].assume_role.role_arn is required: ${roleArn.slice("must be ".length)}`,
    ],
  ],
  "places that lead elsewhere": [
    ...["US EAST", "us-east-1.evil.example/", "us@evil.example", "a/b", "-us", "us-", ""].map(
      (name): Refused => [
        `a region ${JSON.stringify(name)}`,
        only("vertex", { region: name }),
        `upstreams[0].region → ${region}, got ${name === "" ? "an empty string" : JSON.stringify(name)}`,
      ],
    ),
    [
      "a location that is a path",
      only("anthropicGoogleCloud", { location: "../x" }),
      'upstreams[0].location → must be a location such as us-east5, or global, got "../x"',
    ],
    ...["../x", "a/b", "a?b", "a%2f", "."].map((id): Refused => [
      `a project ${id}`,
      only("vertex", { project_id: id }),
      `upstreams[0].project_id → must be the id of a Google Cloud project, got "${id}"`,
    ]),
    [
      "a workspace of two words in a path",
      only("anthropicGoogleCloud", { workspace_id: "x y" }),
      'upstreams[0].workspace_id → must be the id of a workspace, got "x y"',
    ],
    [
      "a workspace of two lines in a header",
      only("anthropicAws", { workspace_id: "x\ny: z" }),
      'upstreams[0].workspace_id → must be the id of a workspace, got "x\\ny: z"',
    ],
    ...["-ab", "ab-", "a", "a.b", "a/b", "a_b", "a".repeat(65)].map((resource): Refused => [
      `a resource ${resource}`,
      only("foundry", { resource }),
      `upstreams[0].resource → must be 2-64 letters, digits or hyphens, not starting or ending with a hyphen, got "${resource.slice(0, 60)}${resource.length > 60 ? "…" : ""}"`,
    ]),
  ],
  credentials: [
    ...["bedrock", "mantle", "anthropicAws"].flatMap((provider): Refused[] => [
      [
        `an access key of ${provider} without its secret`,
        only(provider, { auth: { aws_access_key_id: "a", aws_session_token: "s" } }),
        `upstreams[0].auth → ${pair} must be set together`,
      ],
      [
        `a secret of ${provider} without its key`,
        only(provider, { auth: { aws_secret_access_key: "a", aws_session_token: "s" } }),
        `upstreams[0].auth → ${pair} must be set together`,
      ],
      [
        `a session of ${provider} without keys`,
        only(provider, { auth: { aws_session_token: "s" } }),
        `upstreams[0].auth → aws_session_token requires ${pair}`,
      ],
    ]),
    ...["bedrock", "mantle"].map((provider): Refused => [
      `a role of ${provider} taken by an API key`,
      only(provider, { auth: { ...keys, aws_bearer_token: "t" }, assume_role: assumeRole }),
      `upstreams[0].assume_role → upstream '${provider}': assume_role needs SigV4 source credentials (access keys or the ambient AWS chain, auth: {}); aws_bearer_token cannot call sts:AssumeRole`,
    ]),
    [
      "an API key of Bedrock for Claude Platform on AWS",
      only("anthropicAws", { auth: { aws_bearer_token: "t" } }),
      "upstreams[0].auth.aws_bearer_token → unknown key; known here: aws_access_key_id, aws_secret_access_key, aws_session_token, api_key",
    ],
    [
      "a federation beside a key",
      only("anthropic", { auth: { api_key: "k", federation_rule_id: "f" } }),
      "upstreams[0].auth → api_key and federation_rule_id exclude each other: set one of them",
    ],
    [
      "Entra beside a key",
      only("foundry", { auth: { api_key: "k", use_azure_ad: true } }),
      "upstreams[0].auth → api_key and use_azure_ad exclude each other: set one of them",
    ],
    [
      "Entra turned off",
      only("foundry", { auth: { use_azure_ad: false } }),
      "upstreams[0].auth.use_azure_ad → must be true, got false",
    ],
    [
      "no credential where the machine's own would do",
      only("bedrock", { auth: null }),
      "upstreams[0].auth → must be a mapping, got nothing",
    ],
  ],
  "roles and guardrails": [
    ...[
      "arn:aws:iam::12345:role/r",
      "arn:aws:iam::123456789012:user/r",
      "arn:aws-cn:iam::123456789012:role/r",
      "arn:aws:sts::123456789012:role/r",
    ].map((arn): Refused => [
      arn,
      only("bedrock", { assume_role: { role_arn: arn } }),
      `upstreams[0].assume_role.role_arn → ${roleArn}, got "${arn}"`,
    ]),
    [
      "a session by another claim",
      only("mantle", { assume_role: { ...assumeRole, session_name: "name" } }),
      'upstreams[0].assume_role.session_name → must be one of email, sub, got "name"',
    ],
    [
      "an external id of one character",
      only("bedrock", { assume_role: { ...assumeRole, external_id: "x" } }),
      'upstreams[0].assume_role.external_id → must be 2 to 1224 characters of letters, digits and _+=,.@:/-, got "x"',
    ],
    [
      "a guardrail that is two headers",
      only("bedrock", { guardrail: { id: "a\nb", version: "1" } }),
      `upstreams[0].guardrail.id → ${guardrailId}, got "a\\nb"`,
    ],
    [
      "a guardrail's version as a number",
      only("bedrock", { guardrail: { id: "a", version: 1 } }),
      'upstreams[0].guardrail.version → must be the version of the guardrail in quotes, such as "1", or DRAFT, got 1; write it in quotes',
    ],
  ],
});

test("an empty variable fails the setting that it was for, and no other", () => {
  const auth = { aws_access_key_id: "${ID}", aws_secret_access_key: "${SECRET}" };
  const text = edited(only("bedrock", { auth }));
  expect(said(text, { env: { ID: "", SECRET: "s" } })).toEqual([
    "upstreams[0].auth.aws_access_key_id → must be an AWS access key id, got an empty string",
  ]);
});

test.each(providers)("no secret of %s is in a message", (provider) => {
  const canary = 8_675_309;
  const { auth } = sample(provider, "full");
  const all = { ...auth, ...sample(provider).auth, aws_bearer_token: canary };
  for (const key of Object.keys(all).filter((name) => /key|token|secret/.test(name))) {
    const messages = said(edited(only(provider, { auth: { ...all, [key]: canary } })));
    expect(messages).not.toEqual([]);
    expect(messages.filter((message) => message.includes(String(canary)))).toEqual([]);
  }
});
