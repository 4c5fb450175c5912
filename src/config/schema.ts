// The shape of gateway.yaml, section by section, and the defaults of absent keys. What a shape cannot say (two keys that
// need each other, a name that must exist elsewhere) is in checks.ts; reading the file is in load.ts.
import { type Static, Type } from "@sinclair/typebox";
import { admin, enforcement } from "./admin-schema.ts";
import { aUrl, closed, list, positive, text, words } from "./pieces.ts";
import { managed, type PolicyConfig } from "./policy-schema.ts";
import { pricing } from "./pricing-schema.ts";
import { metrics, telemetry } from "./telemetry-schema.ts";
import { upstreams } from "./upstream-schema.ts";

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
    client_secret: Type.Optional(text("the client secret registered at the IdP")),
    token_endpoint_auth_method: Type.Optional(
      words("client_secret_basic", "client_secret_post", "private_key_jwt"),
    ),
    client_assertion: Type.Optional(
      Type.Object(
        {
          private_key_pem: text("a private key as PEM text"),
          certificate_pem: text("a certificate as PEM text"),
        },
        closed,
      ),
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
    google_groups: Type.Optional(
      Type.Object(
        {
          service_account_json_path: text("the path of a service account's key file"),
          admin_email: Type.String({
            pattern: "^[^\\s@]+@[^\\s@]+$",
            description: "the e-mail address of an administrator",
          }),
        },
        closed,
      ),
    ),
    entra_groups: Type.Optional(Type.Object({}, closed)),
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
    use_proxy: Type.Optional(Type.Boolean()),
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
    /** Where spend is kept while the database is away, so that it survives the process as well. */
    journal: Type.Optional(text("the path of a directory")),
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

/** What the gateway remembers of its upstreams from one request to the next. Without the block: nothing. */
const failover = Type.Object(
  {
    unhealthy_after: Type.Integer({
      minimum: 1,
      maximum: 1000,
      default: 3,
      description: "a whole number from 1 to 1000",
    }),
    set_aside_seconds: positive(5),
    set_aside_max_seconds: positive(300),
    session_affinity: Type.Boolean({ default: true }),
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
  upstreams,
  failover: Type.Optional(failover),
  admin: Type.Optional(admin),
  enforcement,
  models: list(model),
  auto_include_builtin_models: Type.Boolean({ default: true }),
  managed: Type.Optional(managed),
  pricing: Type.Optional(pricing),
  telemetry: Type.Optional(telemetry),
  metrics: Type.Optional(metrics),
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
  timeouts: Type.Object(
    {
      upstream_ttfb_ms: Type.Optional(
        Type.Number({ exclusiveMinimum: 0, description: "a number greater than 0" }),
      ),
    },
    { ...closed, default: {} },
  ),
  rate_limits: Type.Object(
    { device_authorization: rateLimit(30), device_verify: rateLimit(10) },
    { ...closed, default: {} },
  ),
  login_notice: Type.Optional(
    Type.String({ minLength: 1, maxLength: 500, description: "text of 1 to 500 characters" }),
  ),
} as const;

export const configSchema = Type.Object(sections, closed);

/** A configuration as it is written. */
export type Written = Static<typeof configSchema>;

/** A configuration as the rest of the gateway reads it: upstreams and policies have one spelling of everything. */
export type Config = Omit<Written, "upstreams" | "managed"> & {
  upstreams: UpstreamConfig[];
  policies: PolicyConfig[];
};
export type OidcConfig = Config["oidc"];
export type StoreConfig = Config["store"];
export type FailoverConfig = Config["failover"];
export type TelemetryConfig = Config["telemetry"];
export type MetricsConfig = Config["metrics"];
export type UpstreamConfig = Named<
  Exclude<Written["upstreams"][number], { provider: "google_cloud" }>
>;
export type ProviderName = UpstreamConfig["provider"];
/** The settings of an upstream of one provider. */
export type UpstreamOf<Provider extends ProviderName> = Extract<
  UpstreamConfig,
  { provider: Provider }
>;
export type ModelConfig = Config["models"][number];

type Named<Upstream> = Upstream extends unknown ? Upstream & { name: string } : never;
