// The shape of gateway.yaml, section by section, and the defaults of absent keys. What a shape cannot say (two keys that
// need each other, a name that must exist elsewhere) is in checks.ts; reading the file is in load.ts.
import { FormatRegistry, type Static, type TSchema, Type } from "@sinclair/typebox";
import { isHttpUrl, isIpOrCidr } from "./addresses.ts";

FormatRegistry.Set("url", isHttpUrl);
FormatRegistry.Set("cidr", isIpOrCidr);

// `description` completes the sentence "must be …" for a person who got it wrong.

const closed = { additionalProperties: false } as const;
const text = (description: string) => Type.String({ minLength: 1, description });
const positive = (value: number) =>
  Type.Number({ exclusiveMinimum: 0, default: value, description: "a number greater than 0" });
const list = <T extends TSchema>(item: T) => Type.Array(item, { default: [] });

/** `http:` or `https:` URL, one that may be logged. */
const aUrl = {
  minLength: 1,
  format: "url",
  description: "an http(s) URL without credentials in it",
};
const url = Type.String(aUrl);
/** One IP address or CIDR block, IPv4 or IPv6. */
const cidr = Type.String({ format: "cidr", description: "a valid IP or CIDR" });

const listen = Type.Object(
  {
    host: Type.String({ minLength: 1, default: "0.0.0.0", description: "a host name or address" }),
    port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 8080,
      description: "a whole number from 0 to 65535",
    }),
    public_url: Type.Optional(url),
    tls: Type.Optional(
      Type.Object(
        { cert: text("the path of a PEM file"), key: text("the path of a PEM file") },
        closed,
      ),
    ),
    trusted_proxies: list(cidr),
  },
  closed,
);

/** Signature algorithms an IdP may be told to use for id_tokens; symmetric ones and `none` are left out on purpose. */
const idTokenAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
] as const;

const oidc = Type.Object(
  {
    issuer: url,
    client_id: text("the client id registered at the IdP"),
    client_secret: text("the client secret registered at the IdP"),
    token_endpoint_auth_method: Type.Optional(
      Type.Union([Type.Literal("client_secret_basic"), Type.Literal("client_secret_post")]),
    ),
    allowed_email_domains: list(text("an e-mail domain")),
    allowed_groups: list(text("a group name")),
    groups_claim: Type.String({
      minLength: 1,
      default: "groups",
      description: "a claim name or JSON Pointer",
    }),
    email_claim: Type.Union(
      [
        text("a claim name or JSON Pointer"),
        Type.Array(text("a claim name or JSON Pointer"), { minItems: 1 }),
      ],
      { default: "email" },
    ),
    scopes: Type.Array(text("a scope"), {
      default: ["openid", "profile", "email", "offline_access"],
    }),
    scope_on_refresh: Type.Boolean({ default: false }),
    extra_auth_params: Type.Record(Type.String(), Type.String(), { default: {} }),
    userinfo_fallback: Type.Boolean({ default: false }),
    use_pkce: Type.Boolean({ default: true }),
    clock_skew_seconds: Type.Number({
      minimum: 0,
      default: 0,
      description: "a number of seconds, 0 or more",
    }),
    id_token_signed_response_alg: Type.Union(
      idTokenAlgorithms.map((name) => Type.Literal(name)),
      { default: "RS256" },
    ),
    additional_authorized_parties: list(text("a client id")),
    discovery_url: Type.Optional(url),
    form_action_origins: list(url),
    ca_cert_pem: Type.Optional(text("PEM certificates")),
  },
  closed,
);

const secret = Type.String({ minLength: 32, description: "a secret of at least 32 characters" });
const session = Type.Object(
  {
    jwt_secret: Type.Union([secret, Type.Array(secret, { minItems: 1 })]),
    ttl_hours: Type.Number({ minimum: 0, default: 1, description: "a number of hours" }),
  },
  closed,
);

const store = Type.Object(
  {
    postgres_url: Type.Optional(
      Type.String({ pattern: "^postgres(ql)?://", description: "postgres:// or postgresql://" }),
    ),
    embedded: Type.Optional(text("the path of a directory")),
    username: Type.Optional(text("a role name")),
    password: Type.Optional(text("a password")),
    max_connections: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 5,
      description: "a whole number from 1 to 1000",
    }),
    connect_timeout_seconds: Type.Integer({
      minimum: 1,
      maximum: 60,
      default: 5,
      description: "a whole number from 1 to 60",
    }),
    readiness_grace_seconds: Type.Integer({
      minimum: 0,
      maximum: 3600,
      default: 0,
      description: "a whole number from 0 to 3600",
    }),
  },
  closed,
);

/** What every upstream has, whatever its provider. */
const anyUpstream = {
  name: Type.Optional(text("a name")),
  headers: Type.Record(Type.String(), Type.String(), { default: {} }),
  models: Type.Optional(
    Type.Array(
      Type.String({
        minLength: 1,
        pattern: "^[^*]*\\*?[^*]*$",
        description: "a model id, with at most one *",
      }),
      {
        minItems: 1,
        whenEmpty:
          "models on an upstream needs at least one entry: list the models it serves, or remove the key to serve them all",
      },
    ),
  ),
};

const anthropic = Type.Object(
  {
    provider: Type.Literal("anthropic"),
    ...anyUpstream,
    base_url: Type.String({ ...aUrl, default: "https://api.anthropic.com" }),
    auth: Type.Union([
      Type.Object({ api_key: text("an API key") }, closed),
      Type.Object({ oauth_token: text("an OAuth access token") }, closed),
    ]),
    forward_user_identity: Type.Boolean({ default: false }),
  },
  closed,
);

const model = Type.Object(
  {
    id: text("the model id that clients send"),
    label: Type.Optional(text("a display name")),
    description: Type.Optional(text("a description")),
    upstream_model: Type.Record(Type.String(), text("the model id that the upstream knows")),
  },
  closed,
);

const rateLimit = (max: number) =>
  Type.Object({ max: positive(max), window_seconds: positive(600) }, { ...closed, default: {} });

/** Every top-level section of gateway.yaml. */
export const sections = {
  listen,
  oidc,
  session,
  store,
  upstreams: Type.Array(Type.Union([anthropic], { discriminator: "provider" }), {
    minItems: 1,
    whenEmpty: "needs at least one upstream",
  }),
  models: list(model),
  auto_include_builtin_models: Type.Boolean({ default: true }),
  access_control: Type.Object(
    { allow_cidrs: list(cidr), deny_cidrs: list(cidr) },
    { ...closed, default: {} },
  ),
  limits: Type.Object(
    {
      max_request_bytes: positive(32 * 1024 * 1024),
      max_request_header_bytes: Type.Optional(
        Type.Number({ exclusiveMinimum: 0, description: "a number greater than 0" }),
      ),
      max_url_length: Type.Optional(
        Type.Number({ exclusiveMinimum: 0, description: "a number greater than 0" }),
      ),
    },
    { ...closed, default: {} },
  ),
  timeouts: Type.Object({ upstream_ttfb_ms: positive(120_000) }, { ...closed, default: {} }),
  rate_limits: Type.Object(
    { device_authorization: rateLimit(30), device_verify: rateLimit(10) },
    { ...closed, default: {} },
  ),
  login_notice: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, description: "text of 1 to 500 characters" }),
  ),
} as const;

export const configSchema = Type.Object(sections, closed);

export type Config = Static<typeof configSchema>;
export type OidcConfig = Config["oidc"];
export type StoreConfig = Config["store"];
export type UpstreamConfig = Config["upstreams"][number];
export type ModelConfig = Config["models"][number];
