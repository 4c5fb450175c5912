// What the shape of a section cannot say: settings that need each other, exclude each other, or name one another. One table;
// a rule looks at settings that have their shape already, and passes over those that do not. Sections with many rules have
// files of their own: client-assertion.ts, upstream-checks.ts, group-checks.ts, policy-checks.ts, admin-checks.ts,
// pricing-checks.ts, telemetry-checks.ts.
import { isLoopbackHost, isMetadataUrl } from "./addresses.ts";
import { checkAdmin } from "./admin-checks.ts";
import { checkClientAssertion } from "./client-assertion.ts";
import { checkGroups } from "./group-checks.ts";
import { checkPolicies } from "./policy-checks.ts";
import { checkPricing } from "./pricing-checks.ts";
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";
import { checkTelemetry } from "./telemetry-checks.ts";
import { checkUpstreams, nameOf } from "./upstream-checks.ts";

type Settings = Partly<Written>;

const rules: readonly ((settings: Settings) => readonly Finding[])[] = [
  ({ listen }) =>
    when(
      listen?.host !== undefined && listen.public_url === undefined && !isLoopbackHost(listen.host),
      ["listen", "public_url"],
      "listen.public_url is required when listen.host is not a loopback address — set it to the externally-visible origin (e.g. https://claude-gateway.corp.example.com). Without it the IdP redirect_uri and token issuer would be derived from the client-controlled Host header.",
    ),

  ({ oidc }) =>
    when(
      oidc?.scopes !== undefined && !oidc.scopes.includes("openid"),
      ["oidc", "scopes"],
      "oidc.scopes must include 'openid' — without it the IdP returns no id_token",
    ),
  ({ oidc }) =>
    Object.keys(oidc?.extra_auth_params ?? {})
      .filter((name) => managedAuthParam.test(name))
      .map((name) => ({
        path: ["oidc", "extra_auth_params", name],
        message:
          "must not override protocol parameters the gateway manages (redirect_uri, state, nonce, code_challenge*, scope, response_type, response_mode, client_id)",
      })),
  ({ oidc }) =>
    when(
      oidc?.discovery_url !== undefined &&
        !URL.parse(oidc.discovery_url)?.pathname.includes("/.well-known/"),
      ["oidc", "discovery_url"],
      "must point at the discovery document itself (path containing /.well-known/), not at the issuer",
    ),
  ({ oidc }) =>
    (oidc?.form_action_origins ?? []).flatMap((origin, index) =>
      when(
        origin !== undefined && isMetadataUrl(origin),
        ["oidc", "form_action_origins", index],
        "each form_action_origin must be an http(s) URL and not target a cloud metadata endpoint",
      ),
    ),
  ({ oidc }) =>
    when(
      oidc?.ca_cert_pem !== undefined && !oidc.ca_cert_pem.includes("-----BEGIN CERTIFICATE-----"),
      ["oidc", "ca_cert_pem"],
      "must be PEM text with a BEGIN CERTIFICATE line; to read it from a file write ${file:/path}",
    ),
  ({ oidc }) =>
    when(
      oidc?.google_groups !== undefined && oidc.entra_groups !== undefined,
      ["oidc", "entra_groups"],
      "only one of oidc.google_groups and oidc.entra_groups can be set: one directory knows a person's groups",
    ),

  ({ store }) =>
    when(
      store !== undefined && store.postgres_url === undefined && store.embedded === undefined,
      ["store", "postgres_url"],
      "store.postgres_url is required; for a single machine without a database server set store.embedded, a directory, instead",
    ),
  ({ store }) =>
    when(
      store?.postgres_url !== undefined && store.embedded !== undefined,
      ["store", "embedded"],
      "only one of store.postgres_url and store.embedded can be set",
    ),
  ({ store }) =>
    (["username", "password"] as const).flatMap((key) =>
      when(
        store?.[key] !== undefined &&
          store.embedded !== undefined &&
          store.postgres_url === undefined,
        ["store", key],
        "belongs to store.postgres_url; the embedded store has no roles",
      ),
    ),

  ({ models, upstreams }) => {
    const names = upstreams?.map(nameOf);
    // An upstream that could not be read may be the one that is meant.
    if (names === undefined || names.includes(undefined)) return [];
    return (models ?? []).flatMap((model, index) =>
      Object.keys(model?.upstream_model ?? {})
        .filter((name) => !names.includes(name))
        .map((name) => ({
          path: ["models", index, "upstream_model", name],
          message: `references unknown upstream '${name}'`,
        })),
    );
  },
];

/**
 * Every broken rule.
 * @param options.allowLoopback whether the gateway may ask itself, as `allowsLoopback` says.
 * @param options.modelKeyOf what all spellings of one model have in common.
 */
export function checkSettings(
  settings: Settings,
  options: {
    allowLoopback: boolean;
    modelKeyOf: (spelling: string) => string;
    isOn: (variable: string) => boolean;
  },
): Finding[] {
  return [
    ...rules.flatMap((rule) => rule(settings)),
    ...checkClientAssertion(settings),
    ...checkUpstreams(settings, options),
    ...checkGroups(settings),
    ...checkPolicies(settings, options),
    ...checkAdmin(settings),
    ...checkPricing(settings, options),
    ...checkTelemetry(settings, options),
  ];
}

/** Parameters of the authorization request that are the gateway's own (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1). */
const managedAuthParam =
  /^(redirect_uri|state|nonce|code_challenge.*|scope|response_type|response_mode|client_id)$/;
