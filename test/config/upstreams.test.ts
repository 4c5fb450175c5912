// Upstreams of every provider as a configuration may have them, and what the rest of the gateway then reads.
import { describe, expect, test } from "bun:test";
import { edited, load, said } from "./samples.ts";
import { providers, sample } from "./upstream-samples.ts";

const withUpstreams = (...upstreams: unknown[]) =>
  edited((c) => {
    c.upstreams = upstreams;
    c.failover = {};
  });

/** The upstream as the gateway reads it. */
const read = (upstream: unknown) => load(withUpstreams(upstream)).config.upstreams[0];

describe.each(providers)("an upstream of %s", (provider) => {
  const known = provider === "google_cloud" ? "vertex" : provider;

  test("needs little, and goes by its provider's name", () => {
    expect(said(withUpstreams(sample(provider)))).toEqual([]);
    expect(read(sample(provider))).toMatchObject({
      ...sample(provider),
      provider: known,
      name: provider,
      headers: {},
      compatibility: { learn: false },
    });
  });

  test("may have every setting, and is read as it is written", () => {
    const full = sample(provider, "full");
    expect(said(withUpstreams(full))).toEqual([]);
    expect(read(full) as unknown).toEqual({ ...full, provider: known });
  });

  test("may have no setting of another provider", () => {
    const own = Object.keys(sample(provider, "full"));
    const others = providers.flatMap((other) => Object.entries(sample(other, "full")));
    for (const [key, value] of others.filter(([name]) => !own.includes(name))) {
      const [first] = said(withUpstreams({ ...sample(provider), [key]: value }));
      expect(first).toStartWith(`upstreams[0].${key} → unknown key`);
    }
  });
});

test("a base_url may end with slashes, which are not part of it", () => {
  const config = { ...sample("foundry"), base_url: "https://llm.example.com/anthropic//" };
  expect(read(config)).toMatchObject({ base_url: "https://llm.example.com/anthropic" });
});

describe("Google's cloud under its own name", () => {
  test("is the vertex provider, and models name the upstream as it is written", () => {
    const text = edited((c) => {
      c.upstreams = [sample("google_cloud"), sample("vertex")];
      c.models = [{ id: "house", upstream_model: { google_cloud: "a", vertex: "b" } }];
    });
    const { upstreams } = load(text).config;
    expect(upstreams.map(({ name, provider }) => [name, provider])).toEqual([
      ["google_cloud", "vertex"],
      ["vertex", "vertex"],
    ]);
  });
});

describe("credentials", () => {
  test.each([
    "bedrock",
    "mantle",
    "anthropicAws",
    "vertex",
    "google_cloud",
    "anthropicGoogleCloud",
  ])("%s takes the machine's own, by an empty auth or none", (provider) => {
    expect(read({ ...sample(provider), auth: {} })).toEqual(read(sample(provider)));
    expect(read(sample(provider))?.auth).toEqual({});
  });

  const keys = { aws_access_key_id: "a", aws_secret_access_key: "b" };
  test.each([
    ["keys", keys],
    ["a Bedrock API key", { aws_bearer_token: "t" }],
    ["a Bedrock API key beside keys", { ...keys, aws_bearer_token: "t" }],
  ])("bedrock and mantle take %s", (_, auth) => {
    expect(said(withUpstreams({ ...sample("bedrock"), auth }))).toEqual([]);
    expect(said(withUpstreams({ ...sample("mantle"), auth }))).toEqual([]);
  });

  test("federation needs three of its five settings", () => {
    const { federation_rule_id, organization_id, identity_token_file } = sample(
      "anthropic",
      "full",
    ).auth;
    const auth = { federation_rule_id, organization_id, identity_token_file };
    expect(read({ ...sample("anthropic"), auth })?.auth).toEqual(auth);
  });

  test("an API key for Foundry is taken, and so is Entra", () => {
    expect(read({ ...sample("foundry"), auth: { api_key: "k" } })?.auth).toEqual({ api_key: "k" });
    expect(read({ ...sample("foundry"), auth: { use_azure_ad: true } })?.auth).toEqual({
      use_azure_ad: true,
    });
  });
});

describe("places", () => {
  test.each(["global", "us", "eu", "us-east5", "us-gov-west-1", "cn-north-1", "a"])(
    "%s may be a region",
    (region) => {
      for (const provider of ["bedrock", "mantle", "vertex", "anthropicAws"]) {
        expect(said(withUpstreams({ ...sample(provider), region }))).toEqual([]);
      }
    },
  );

  test("a location is global unless it is given", () => {
    expect(read(sample("anthropicGoogleCloud"))).toMatchObject({ location: "global" });
  });

  test.each([
    "http://10.0.0.1:8080",
    "https://proxy.example/a/b/",
    "http://localhost:4000",
    "https://metadata.example",
    "https://[2001:db8::1]/v1",
  ])("%s may be a base_url", (base_url) => {
    for (const provider of providers) {
      expect(said(withUpstreams({ ...sample(provider), base_url }))).toEqual([]);
    }
  });

  test("an address of this machine may be a base_url when the operator says so", () => {
    for (const base_url of ["http://127.0.0.1:1", "http://[::1]", "http://0.0.0.0"]) {
      const text = withUpstreams({ ...sample("bedrock"), base_url });
      expect(said(text, { env: { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" } })).toEqual([]);
    }
  });
});

describe("failover", () => {
  test("is not configured unless its block is there, and then has every default", () => {
    expect(load(edited(() => {})).config.failover).toBeUndefined();
    expect(load(edited((c) => (c.failover = {}))).config.failover).toEqual({
      unhealthy_after: 3,
      set_aside_seconds: 5,
      set_aside_max_seconds: 300,
      session_affinity: true,
    });
  });

  test("may set an upstream aside for one time only", () => {
    const failover = { set_aside_seconds: 60, set_aside_max_seconds: 60 };
    expect(said(edited((c) => (c.failover = failover)))).toEqual([]);
  });

  test("takes priorities without weights", () => {
    const two = [
      { ...sample("anthropic"), priority: 0 },
      { ...sample("bedrock"), priority: 1000 },
    ];
    expect(said(withUpstreams(...two))).toEqual([]);
  });
});

describe("a whole file", () => {
  const around = (upstreams: string) => `
listen: { host: 0.0.0.0, port: 8080, public_url: https://gw.example.com }
oidc: { issuer: https://idp.example.com, client_id: x, client_secret: y, userinfo_fallback: true, allowed_email_domains: [example.com] }
session: { jwt_secret: \${GATEWAY_JWT_SECRET}, ttl_hours: 1 }
store: { postgres_url: \${GATEWAY_POSTGRES_URL} }
upstreams: ${upstreams}
auto_include_builtin_models: true
`;
  const env = {
    GATEWAY_JWT_SECRET: "j".repeat(32),
    GATEWAY_POSTGRES_URL: "postgres://gateway@db.example/gateway",
  };

  test.each([
    [
      "[{ provider: bedrock, region: us-east-1, auth: {} }]",
      { provider: "bedrock", name: "bedrock", region: "us-east-1", auth: {} },
    ],
    [
      "[{ provider: google_cloud, region: us-east5, project_id: my-project, auth: {} }]",
      { provider: "vertex", name: "google_cloud", region: "us-east5", project_id: "my-project" },
    ],
    [
      "[{ provider: foundry, resource: my-resource, auth: {use_azure_ad: true} }]",
      { provider: "foundry", resource: "my-resource", auth: { use_azure_ad: true } },
    ],
  ])("with upstreams %s loads without a warning", (upstreams, expected) => {
    const { config, warnings } = load(around(upstreams), { env });
    expect(config.upstreams).toHaveLength(1);
    expect(config.upstreams[0]).toMatchObject(expected);
    expect(config.auto_include_builtin_models).toBe(true);
    expect(config.session.jwt_secret).toBe(env.GATEWAY_JWT_SECRET);
    expect(warnings).toEqual([]);
  });
});
