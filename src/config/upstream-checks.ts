// What the shape of `upstreams:` and `failover:` cannot say: settings that need or exclude each other, and places that no
// request may go to. Two tables: what one upstream says, and what they say together. A rule passes over what does not have
// its shape.
import { hostOf, isLocalUrl, isMetadataUrl } from "./addresses.ts";
import { type Finding, when } from "./problems.ts";
import type { Partly } from "./pieces.ts";
import type { Written } from "./schema.ts";
import { headerFindings, headersOfUpstreams } from "./static-headers.ts";

type Settings = Pick<Partly<Written>, "upstreams" | "failover">;
type Upstream = NonNullable<NonNullable<Settings["upstreams"]>[number]>;

type Surroundings = { allowLoopback: boolean; hasFailover: boolean };

/** Paths of the findings are within the upstream. */
const rulesOfOne: readonly ((upstream: Upstream, around: Surroundings) => readonly Finding[])[] = [
  (upstream) => {
    const { aws_access_key_id: id, aws_secret_access_key: secret } = awsKeysOf(upstream);
    return when(
      (id === undefined) !== (secret === undefined),
      ["auth"],
      "aws_access_key_id and aws_secret_access_key must be set together",
    );
  },
  (upstream) => {
    const { aws_access_key_id, aws_secret_access_key, aws_session_token } = awsKeysOf(upstream);
    return when(
      aws_session_token !== undefined && (aws_access_key_id ?? aws_secret_access_key) === undefined,
      ["auth"],
      "aws_session_token requires aws_access_key_id and aws_secret_access_key",
    );
  },
  (upstream) =>
    when(
      "assume_role" in upstream && upstream.auth?.aws_bearer_token !== undefined,
      ["assume_role"],
      `upstream '${nameOf(upstream)}': assume_role needs SigV4 source credentials (access keys or the ambient AWS chain, auth: {}); aws_bearer_token cannot call sts:AssumeRole`,
    ),

  (upstream) =>
    when(
      upstream.provider === "anthropic" &&
        upstream.forward_user_identity === true &&
        upstream.base_url !== undefined &&
        isAnthropicUrl(upstream.base_url),
      ["forward_user_identity"],
      `upstream '${nameOf(upstream)}': forward_user_identity is for identifying users to a proxy you run at base_url; it is refused for api.anthropic.com so user emails are never sent to Anthropic`,
    ),
  ({ base_url: baseUrl }) =>
    when(
      baseUrl !== undefined && isMetadataUrl(baseUrl),
      ["base_url"],
      "base_url targets a metadata endpoint",
    ),
  ({ base_url: baseUrl }, { allowLoopback }) =>
    when(
      baseUrl !== undefined && isLocalUrl(baseUrl) && !allowLoopback,
      ["base_url"],
      "base_url is a loopback or unspecified address, which the gateway blocks by default; set CLAUDE_GATEWAY_ALLOW_LOOPBACK=1 in the gateway environment to allow it",
    ),
  ({ base_url: baseUrl }) =>
    when(
      baseUrl !== undefined && /[?#]/.test(baseUrl),
      ["base_url"],
      "base_url must end with its path: the gateway appends paths such as /v1/messages, which would become part of a query (?) or fragment (#)",
    ),
  ({ headers }) => headerFindings(headers ?? {}, ["headers"], headersOfUpstreams),

  (upstream) =>
    when(
      "weight" in upstream && !("priority" in upstream),
      ["weight"],
      "weight needs priority: it divides the requests among the upstreams of one priority",
    ),
  (upstream, { hasFailover }) =>
    (["priority", "weight"] as const).flatMap((key) =>
      when(
        key in upstream && !hasFailover,
        [key],
        `${key} needs a top-level failover: block; add one (failover: {} is enough), or remove ${key} and order upstreams by preference`,
      ),
    ),
];

type Placed = { readonly upstream: Upstream; readonly index: number };

/** Of the upstreams that could be read. */
const rulesOfAll: readonly ((
  placed: readonly Placed[],
  settings: Settings,
) => readonly Finding[])[] = [
  (placed) => {
    const names = placed.map(({ upstream }) => nameOf(upstream));
    return placed.flatMap(({ index }, at) =>
      when(
        names.indexOf(names[at]) < at,
        ["upstreams", index, "name"],
        `duplicate upstream name '${names[at]}' — set distinct 'name:' on each`,
      ),
    );
  },
  (placed) =>
    lacking("guardrail", placed.filter(isBedrock)).map(({ index }) => ({
      path: ["upstreams", index, "guardrail"],
      message:
        "set guardrail: on all bedrock upstreams or none — failover could otherwise send requests to a bedrock upstream without the guardrail",
    })),
  (placed) => {
    const isGuarded = placed.some(({ upstream }) => "guardrail" in upstream);
    return placed.flatMap(({ upstream, index }) =>
      when(
        isGuarded && upstream.provider === "mantle",
        ["upstreams", index, "provider"],
        "a mantle upstream cannot be used beside a bedrock upstream that has a guardrail, because the gateway applies no guardrail to requests it sends to Mantle. Remove every mantle upstream, or remove the guardrail from every bedrock upstream.",
      ),
    );
  },
  (placed) =>
    lacking("priority", placed).map(({ index }) => ({
      path: ["upstreams", index, "priority"],
      message:
        "set priority: on all upstreams or none — without it an upstream has no place among those that have one",
    })),
  (_, { failover }) => {
    const { set_aside_seconds: first, set_aside_max_seconds: longest } = failover ?? {};
    return when(
      first !== undefined && longest !== undefined && longest < first,
      ["failover", "set_aside_max_seconds"],
      `must be at least set_aside_seconds, which is ${first}, got ${longest}`,
    );
  },
];

/**
 * Every broken rule.
 * @param options.allowLoopback whether a `base_url` may be an address of this machine.
 */
export function checkUpstreams(settings: Settings, options: { allowLoopback: boolean }): Finding[] {
  const around = { ...options, hasFailover: "failover" in settings };
  const placed = (settings.upstreams ?? []).flatMap((upstream, index) =>
    upstream === undefined ? [] : [{ upstream, index }],
  );
  const ofOne = placed.flatMap(({ upstream, index }) =>
    rulesOfOne
      .flatMap((rule) => rule(upstream, around))
      .map(({ path, message }) => ({ path: ["upstreams", index, ...path], message })),
  );
  return [...ofOne, ...rulesOfAll.flatMap((rule) => rule(placed, settings))];
}

/** The name that `models:` and the log call an upstream by; none when it could not be read. */
export function nameOf(upstream: Upstream | undefined): string | undefined {
  return upstream?.name ?? upstream?.provider;
}

type AwsKeys = Partial<
  Record<"aws_access_key_id" | "aws_secret_access_key" | "aws_session_token", string | undefined>
>;

function awsKeysOf(upstream: Upstream): AwsKeys {
  const { provider, auth } = upstream;
  const isAws = provider === "bedrock" || provider === "mantle" || provider === "anthropicAws";
  return isAws ? (auth ?? {}) : {};
}

function isBedrock({ upstream }: Placed): boolean {
  return upstream.provider === "bedrock";
}

/** Those without a key, if others have it: to be there is enough, its value may have been refused already. */
function lacking(key: "guardrail" | "priority", placed: readonly Placed[]): readonly Placed[] {
  const without = placed.filter(({ upstream }) => !(key in upstream));
  return without.length === placed.length ? [] : without;
}

function isAnthropicUrl(url: string): boolean {
  return /(^|\.)anthropic\.com$/.test(hostOf(url));
}
