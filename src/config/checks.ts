// What the shape of a section cannot say: settings that need each other, exclude each other, or name one another. One table;
// a rule looks at settings that have their shape already, and passes over those that do not.
import { hostOf, isLoopbackHost, isMetadataUrl } from "./addresses.ts";
import type { Finding, Path } from "./problems.ts";
import type { Config } from "./schema.ts";
import { headerFindings } from "./static-headers.ts";

/** A configuration of which any part may be missing: it was not there, or did not have its shape. */
export type Partly<T> = T extends readonly (infer Item)[]
  ? readonly (Partly<Item> | undefined)[]
  : T extends object
    ? { readonly [Key in keyof T]?: Partly<T[Key]> | undefined }
    : T;

type Settings = Partly<Config>;
type Upstream = NonNullable<NonNullable<Settings["upstreams"]>[number]>;

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

  ({ upstreams }) => {
    const names = (upstreams ?? []).map(nameOf);
    return names.flatMap((name, index) =>
      when(
        name !== undefined && names.indexOf(name) < index,
        ["upstreams", index, "name"],
        `duplicate upstream name '${name}' — set distinct 'name:' on each`,
      ),
    );
  },
  ({ upstreams }) =>
    (upstreams ?? []).flatMap((upstream, index) =>
      when(
        upstream?.forward_user_identity === true &&
          upstream.base_url !== undefined &&
          isAnthropicUrl(upstream.base_url),
        ["upstreams", index, "forward_user_identity"],
        `upstream '${nameOf(upstream)}': forward_user_identity is for identifying users to a proxy you run at base_url; it is refused for api.anthropic.com so user emails are never sent to Anthropic`,
      ),
    ),
  ({ upstreams }) =>
    (upstreams ?? []).flatMap((upstream, index) =>
      when(
        upstream?.base_url !== undefined && isMetadataUrl(upstream.base_url),
        ["upstreams", index, "base_url"],
        "base_url targets a metadata endpoint",
      ),
    ),
  ({ upstreams }) =>
    (upstreams ?? []).flatMap((upstream, index) =>
      headerFindings(upstream?.headers ?? {}, ["upstreams", index, "headers"]),
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

/** Every broken rule. */
export function checkSettings(settings: Settings): Finding[] {
  return rules.flatMap((rule) => rule(settings));
}

/** What is allowed and yet hardly meant. */
export function warningsOf({ models }: Pick<Config, "models">): string[] {
  const ids = models.map(({ id }) => id);
  const repeated = new Set(ids.filter((id, index) => ids.indexOf(id) < index));
  return [...repeated].map((id) => `models: the id '${id}' is listed more than once`);
}

/** Parameters of the authorization request that are the gateway's own (RFC 6749 §4.1.1, RFC 7636 §4.3, OIDC Core §3.1.2.1). */
const managedAuthParam =
  /^(redirect_uri|state|nonce|code_challenge.*|scope|response_type|response_mode|client_id)$/;

function when(broken: boolean, path: Path, message: string): Finding[] {
  return broken ? [{ path, message }] : [];
}

function nameOf(upstream: Upstream | undefined): string | undefined {
  return upstream?.name ?? upstream?.provider;
}

function isAnthropicUrl(url: string): boolean {
  return /(^|\.)anthropic\.com$/.test(hostOf(url));
}
