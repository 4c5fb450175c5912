import { expect, test } from "bun:test";
import { describeRefused, edited, type Refused, said } from "./samples.ts";

const list =
  "models on an upstream needs at least one entry: list the models it serves, or remove the key to serve them all";
const url = "must be an http(s) URL without credentials in it";
const later = "not supported by this version yet";

describeRefused({
  upstreams: [
    [
      "an unknown provider",
      (c) => (c.upstreams[0].provider = "openai"),
      'upstreams[0].provider → must be one of anthropic, bedrock, mantle, anthropicAws, vertex, google_cloud, anthropicGoogleCloud, foundry, got "openai"',
    ],
    [
      "two credentials",
      (c) => (c.upstreams[0].auth.oauth_token = "x"),
      "upstreams[0].auth → api_key and oauth_token exclude each other: set one of them",
    ],
    [
      "one default name twice",
      (c) => c.upstreams.push(c.upstreams[0]),
      "upstreams[1].name → duplicate upstream name 'anthropic' — set distinct 'name:' on each",
    ],
    [
      "a name that is another's default",
      (c) => c.upstreams.unshift({ ...c.upstreams[0], name: "anthropic" }),
      "upstreams[1].name → duplicate upstream name 'anthropic' — set distinct 'name:' on each",
    ],
    [
      "identities for Anthropic",
      (c) => (c.upstreams[0].forward_user_identity = true),
      "upstreams[0].forward_user_identity → upstream 'anthropic': forward_user_identity is for identifying users to a proxy you run at base_url; it is refused for api.anthropic.com so user emails are never sent to Anthropic",
    ],
    [
      "a base_url at a metadata endpoint",
      (c) => (c.upstreams[0].base_url = "http://metadata.google.internal./x"),
      "upstreams[0].base_url → base_url targets a metadata endpoint",
    ],
    [
      "a base_url with a blank",
      (c) => (c.upstreams[0].base_url = "https://a.example "),
      `upstreams[0].base_url → ${url}, got "https://a.example "`,
    ],
    ["no models", (c) => (c.upstreams[0].models = []), `upstreams[0].models → ${list}`],
    [
      "two wildcards in one",
      (c) => (c.upstreams[0].models = ["*", "a*b*"]),
      'upstreams[0].models[1] → must be a model id, with at most one *, got "a*b*"',
    ],
    [
      "no mapping",
      (c) => (c.upstreams = ["anthropic"]),
      "upstreams[0] → must be a mapping with provider, got text of 9 characters",
    ],
  ],
  "models, networks and bounds": [
    [
      "a model at an unknown upstream",
      (c) => (c.models = [{ id: "m", upstream_model: { nope: "x" } }]),
      "models[0].upstream_model.nope → references unknown upstream 'nope'",
    ],
    [
      "a model by the provider of a named upstream",
      (c) => {
        c.upstreams[0].name = "main";
        c.models = [{ id: "m", upstream_model: { anthropic: "x" } }];
      },
      "models[0].upstream_model.anthropic → references unknown upstream 'anthropic'",
    ],
    [
      "a block too narrow",
      (c) => (c.access_control = { allow_cidrs: ["10.0.0.0/33"] }),
      'access_control.allow_cidrs[0] → must be a valid IP or CIDR, got "10.0.0.0/33"',
    ],
    [
      "a denied block that is none",
      (c) => (c.access_control = { deny_cidrs: ["abc"] }),
      'access_control.deny_cidrs[0] → must be a valid IP or CIDR, got "abc"',
    ],
    [
      "bodies of no size",
      (c) => (c.limits = { max_request_bytes: -1 }),
      "limits.max_request_bytes → must be a number greater than 0, got -1",
    ],
    [
      "no time for an upstream",
      (c) => (c.timeouts = { upstream_ttfb_ms: 0 }),
      "timeouts.upstream_ttfb_ms → must be a number greater than 0, got 0",
    ],
    [
      "no sign-in at all",
      (c) => (c.rate_limits = { device_verify: { max: 0 } }),
      "rate_limits.device_verify.max → must be a number greater than 0, got 0",
    ],
    [
      "a notice of 501 characters",
      (c) => (c.login_notice = "x".repeat(501)),
      `login_notice → must be text of 1 to 500 characters, got "${"x".repeat(60)}…"`,
    ],
  ],
  "headers of an upstream": [
    ...[
      "Authorization",
      "x-api-key",
      "HOST",
      "content-type",
      "User-Agent",
      "anthropic-beta",
      "X-Goog-User-Project",
      "x-amz-date",
      "X-Amzn-Trace-Id",
      "content-length",
      "Transfer-Encoding",
      "content-encoding",
      "accept",
      "Accept-Encoding",
      "api-key",
      "connection",
      "expect",
      "keep-alive",
      "proxy-authorization",
      "proxy-connection",
      "te",
      "trailer",
      "upgrade",
      "X-Stainless-Retry-Count",
      "x-claude-gateway-user-id",
      "x-litellm-end-user-id",
    ].map((name): Refused => [
      name,
      (c) => (c.upstreams[0].headers = { [name]: "x" }),
      `upstreams[0].headers.${name} → is reserved: the gateway or the provider's protocol sets it; remove it from this upstream's headers`,
    ]),
    [
      "one name in two spellings",
      (c) => (c.upstreams[0].headers = { "X-Team": "a", "x-team": "b" }),
      "upstreams[0].headers.x-team → is the same header as one above: names do not differ by case",
    ],
    [
      "a name that is none",
      (c) => (c.upstreams[0].headers = { "x team": "a" }),
      'upstreams[0].headers["x team"] → is not a header name',
    ],
    [
      "an empty value",
      (c) => (c.upstreams[0].headers = { "x-team": "" }),
      "upstreams[0].headers.x-team → must not be empty; if it comes from a ${VAR}, set that variable",
    ],
    ...[" a", "a ", "a\r\nx-b: c", "é", "\u007f"].map((value): Refused => [
      JSON.stringify(value),
      (c) => (c.upstreams[0].headers = { "x-team": value }),
      "upstreams[0].headers.x-team → must be printable ASCII without blanks at the ends",
    ]),
    [
      "a number as value",
      (c) => (c.upstreams[0].headers = { "x-team": 5 }),
      "upstreams[0].headers.x-team → must be text, got a number; write it in quotes",
    ],
  ],
  "what later versions have": ["load_test_mode", "cri"].map((key): Refused => [
    key,
    (c) => (c[key] = {}),
    `${key} → ${later}`,
  ]),
});

test("a model is not said to name an unknown upstream while an upstream cannot be read", () => {
  const text = edited((c) => {
    c.upstreams.push({ provider: "openai", name: "aws" });
    c.models = [{ id: "m", upstream_model: { aws: "x" } }];
  });
  expect(said(text)).toHaveLength(1);
  expect(said(text)[0]).toStartWith("upstreams[1].provider → must be one of ");
});

test("identities stay away from Anthropic in every spelling of its host", () => {
  for (const base_url of [
    "https://API.anthropic.com./",
    "https://api.anthropic.com:443/v1",
    "http://eu.api.anthropic.com",
  ]) {
    expect(
      said(edited((c) => Object.assign(c.upstreams[0], { base_url, forward_user_identity: true }))),
    ).toHaveLength(1);
  }
  const proxy = { base_url: "https://notanthropic.com", forward_user_identity: true };
  expect(said(edited((c) => Object.assign(c.upstreams[0], proxy)))).toEqual([]);
});

test("headers that are a proxy's or the operator's own business are theirs to set", () => {
  const names = ["cookie", "x-request-id", "x-forwarded-for", "ocp-apim-subscription-key", "via"];
  const headers = Object.fromEntries(names.map((name) => [name, "x"]));
  expect(said(edited((c) => (c.upstreams[0].headers = headers)))).toEqual([]);
});
