import { describeRefused, type Refused } from "./samples.ts";

const reserved =
  "must not override protocol parameters the gateway manages (redirect_uri, state, nonce, code_challenge*, scope, response_type, response_mode, client_id)";
const url = "must be an http(s) URL without credentials in it";

describeRefused({
  "unknown keys": [
    ["at the top", (c) => (c.modles = []), 'modles → unknown key; did you mean "models"?'],
    [
      "with letters swapped",
      (c) => (c.session.ttl_huors = 1),
      'session.ttl_huors → unknown key; did you mean "ttl_hours"?',
    ],
    [
      "in a section",
      (c) => (c.oidc.isuer = "x"),
      'oidc.isuer → unknown key; did you mean "issuer"?',
    ],
    [
      "like nothing known",
      (c) => (c.session.idle = 1),
      "session.idle → unknown key; known here: jwt_secret, ttl_hours",
    ],
    [
      "in a list",
      (c) => (c.models = [{ id: "m", upstream_model: {}, lable: "M" }]),
      'models[0].lable → unknown key; did you mean "label"?',
    ],
    [
      "in a credential",
      (c) => (c.upstreams[0].auth = { apikey: "x" }),
      'upstreams[0].auth.apikey → unknown key; did you mean "api_key"?',
    ],
    [
      "named like what every object has",
      (c) => (c.listen.constructor = 1),
      "listen.constructor → unknown key; known here: host, port, public_url, tls, trusted_proxies",
    ],
  ],
  "missing settings": [
    ["listen", (c) => delete c.listen, "listen → listen is required: a mapping"],
    ["oidc", (c) => delete c.oidc, "oidc → oidc is required: a mapping with issuer, client_id"],
    [
      "session",
      (c) => delete c.session,
      "session → session is required: a mapping with jwt_secret",
    ],
    ["store", (c) => delete c.store, "store → store is required: a mapping"],
    ["upstreams", (c) => delete c.upstreams, "upstreams → upstreams is required: a list (array)"],
    ["any upstream", (c) => (c.upstreams = []), "upstreams → needs at least one upstream"],
    [
      "a provider",
      (c) => delete c.upstreams[0].provider,
      "upstreams[0].provider → upstreams[0].provider is required: one of anthropic, bedrock, mantle, anthropicAws, vertex, google_cloud, anthropicGoogleCloud, foundry",
    ],
    [
      "a credential",
      (c) => delete c.upstreams[0].auth,
      "upstreams[0].auth → upstreams[0].auth is required: a mapping with one of api_key, oauth_token, federation_rule_id",
    ],
    [
      "what is in a credential",
      (c) => (c.upstreams[0].auth = {}),
      "upstreams[0].auth → needs one of api_key, oauth_token, federation_rule_id",
    ],
    [
      "the key beside a certificate",
      (c) => (c.listen.tls = { cert: "/c" }),
      "listen.tls.key → listen.tls.key is required: the path of a PEM file",
    ],
    [
      "the certificate beside a key",
      (c) => (c.listen.tls = { key: "/k" }),
      "listen.tls.cert → listen.tls.cert is required: the path of a PEM file",
    ],
    [
      "upstream_model",
      (c) => (c.models = [{ id: "m" }]),
      "models[0].upstream_model → models[0].upstream_model is required: a mapping",
    ],
    [
      "the value of a section",
      (c) => (c.session = null),
      "session → must be a mapping with jwt_secret, got nothing",
    ],
  ],
  listen: [
    [
      "no public_url off loopback",
      (c) => delete c.listen.public_url,
      "listen.public_url → listen.public_url is required when listen.host is not a loopback address — set it to the externally-visible origin (e.g. https://claude-gateway.corp.example.com). Without it the IdP redirect_uri and token issuer would be derived from the client-controlled Host header.",
    ],
    [
      "a public_url that is none",
      (c) => (c.listen.public_url = "nope"),
      `listen.public_url → ${url}, got "nope"`,
    ],
    [
      "a public_url that runs code",
      (c) => (c.listen.public_url = "javascript:alert(1)"),
      `listen.public_url → ${url}, got "javascript:alert(1)"`,
    ],
    [
      "a port that does not exist",
      (c) => (c.listen.port = 70000),
      "listen.port → must be a whole number from 0 to 65535, got 70000",
    ],
    [
      "a proxy that is no address",
      (c) => (c.listen.trusted_proxies = ["10.0.0.1", "x"]),
      'listen.trusted_proxies[1] → must be a valid IP or CIDR, got "x"',
    ],
    [
      "one proxy outside a list",
      (c) => (c.listen.trusted_proxies = "10.0.0.1"),
      'listen.trusted_proxies → must be a list (array), got "10.0.0.1"',
    ],
  ],
  oidc: [
    [
      "scopes without openid",
      (c) => (c.oidc.scopes = ["email"]),
      "oidc.scopes → oidc.scopes must include 'openid' — without it the IdP returns no id_token",
    ],
    ...[
      "redirect_uri",
      "state",
      "nonce",
      "code_challenge",
      "code_challenge_method",
      "scope",
      "response_type",
      "response_mode",
      "client_id",
    ].map((name): Refused => [
      `an extra ${name}`,
      (c) => (c.oidc.extra_auth_params = { [name]: "x" }),
      `oidc.extra_auth_params.${name} → ${reserved}`,
    ]),
    [
      "a discovery_url that is the issuer",
      (c) => (c.oidc.discovery_url = "https://idp.example/x?/.well-known/"),
      "oidc.discovery_url → must point at the discovery document itself (path containing /.well-known/), not at the issuer",
    ],
    [
      "form_action_origins that is no URL",
      (c) => (c.oidc.form_action_origins = ["idp.example"]),
      `oidc.form_action_origins[0] → ${url}, got "idp.example"`,
    ],
    [
      "form_action_origins at a metadata endpoint",
      (c) => (c.oidc.form_action_origins = ["https://a.example", "http://0xA9FEA9FE"]),
      "oidc.form_action_origins[1] → each form_action_origin must be an http(s) URL and not target a cloud metadata endpoint",
    ],
    [
      "a path where PEM text belongs",
      (c) => (c.oidc.ca_cert_pem = "/etc/ca.pem"),
      "oidc.ca_cert_pem → must be PEM text with a BEGIN CERTIFICATE line; to read it from a file write ${file:/path}",
    ],
    [
      "an unknown authentication method",
      (c) => (c.oidc.token_endpoint_auth_method = "none"),
      'oidc.token_endpoint_auth_method → must be one of client_secret_basic, client_secret_post, private_key_jwt, got "none"',
    ],
    [
      "a symmetric signature",
      (c) => (c.oidc.id_token_signed_response_alg = "HS256"),
      'oidc.id_token_signed_response_alg → must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, got "HS256"',
    ],
    [
      "a skew into the past",
      (c) => (c.oidc.clock_skew_seconds = -1),
      "oidc.clock_skew_seconds → must be a number of seconds, 0 or more, got -1",
    ],
    [
      "a number for a client_id",
      (c) => (c.oidc.client_id = 12),
      "oidc.client_id → must be the client id registered at the IdP, got 12; write it in quotes",
    ],
    [
      "no e-mail claim",
      (c) => (c.oidc.email_claim = []),
      "oidc.email_claim → needs at least one entry",
    ],
    [
      "an e-mail claim of another kind",
      (c) => (c.oidc.email_claim = 1),
      "oidc.email_claim → must be a claim name or JSON Pointer, or a list (array), got 1",
    ],
  ],
  session: [
    [
      "a short secret",
      (c) => (c.session.jwt_secret = "hunter2"),
      "session.jwt_secret → must be a secret of at least 32 characters, got text of 7 characters",
    ],
    [
      "a short secret among others",
      (c) => (c.session.jwt_secret = [c.session.jwt_secret, "hunter2"]),
      "session.jwt_secret[1] → must be a secret of at least 32 characters, got text of 7 characters",
    ],
    [
      "no secrets",
      (c) => (c.session.jwt_secret = []),
      "session.jwt_secret → needs at least one entry",
    ],
    [
      "a time that is none",
      (c) => (c.session.ttl_hours = "x"),
      'session.ttl_hours → must be a number of hours, got "x"',
    ],
  ],
  store: [
    [
      "neither of the two",
      (c) => (c.store = {}),
      "store.postgres_url → store.postgres_url is required; for a single machine without a database server set store.embedded, a directory, instead",
    ],
    [
      "both",
      (c) => (c.store.embedded = "/d"),
      "store.embedded → only one of store.postgres_url and store.embedded can be set",
    ],
    [
      "another database",
      (c) => (c.store.postgres_url = "mysql://x"),
      "store.postgres_url → must be postgres:// or postgresql://, got text of 9 characters",
    ],
    [
      "a role for the embedded one",
      (c) => (c.store = { embedded: "/d", username: "u", password: "p" }),
      "store.username → belongs to store.postgres_url; the embedded store has no roles",
      "store.password → belongs to store.postgres_url; the embedded store has no roles",
    ],
    [
      "too long a wait",
      (c) => (c.store.connect_timeout_seconds = 61),
      "store.connect_timeout_seconds → must be a whole number from 1 to 60, got 61",
    ],
  ],
});
