// One upstream per entry of `upstreams:`, in order. The one place where a provider's name chooses code; an SDK is loaded when
// an entry needs it.
import type { Outbound } from "../http/outbound.ts";
import type { Config, UpstreamConfig } from "../config/schema.ts";
import { createAnthropicGoogleCloud } from "./google/anthropic-google-cloud.ts";
import { createAnthropicUpstream } from "./anthropic/anthropic.ts";
import { createCloudUpstream } from "./cloud.ts";
import type { Dialect } from "./exchange.ts";
import { createFoundry } from "./azure/foundry.ts";
import { withoutTags } from "./request/tags.ts";
import type { Upstream, UpstreamOptions } from "./upstream.ts";
import { createVertex } from "./google/vertex.ts";

type CloudConfig = Exclude<UpstreamConfig, { provider: "anthropic" }>;

/** Without `timeouts.upstream_ttfb_ms`, in milliseconds. */
const usualTtfbMs = 120_000;

/** For clouds, which may think for long and are not hurried unless somebody says so; an answer as a whole is never hurried. */
const patientTtfbMs = 60 * 60_000;

/**
 * @param options.providerFetch the way to a cloud's own host, whose name a proxy may look up: it is none of the configuration's.
 * @throws Error naming the entry when an upstream cannot be built (a credential that cannot be read).
 */
export async function createUpstreams(
  config: Pick<Config, "upstreams" | "timeouts" | "failover" | "admin">,
  { providerFetch, ...options }: UpstreamOptions & { providerFetch: Outbound },
): Promise<readonly Upstream[]> {
  const configured = config.timeouts.upstream_ttfb_ms;
  const hurried = configured ?? usualTtfbMs;
  // With `failover:` a cloud that hangs is to be noticed; without it clients would sooner give up than be sent elsewhere.
  const cloudStreamed = config.failover === undefined ? (configured ?? patientTtfbMs) : hurried;
  const waysOf = ({ base_url: baseUrl }: CloudConfig) =>
    baseUrl === undefined ? { ...options, fetch: providerFetch } : options;
  const upstreams = await Promise.all(
    config.upstreams.map(async (entry) =>
      entry.provider === "anthropic"
        ? createAnthropicUpstream(entry, {
            ...options,
            ttfbMs: { streamed: hurried, whole: hurried },
          })
        : createCloudUpstream(entry, await dialectOf(entry, waysOf(entry)), {
            ...options,
            ttfbMs: { streamed: cloudStreamed, whole: patientTtfbMs },
          }),
    ),
  );
  return upstreams.map((upstream) => withoutTags(upstream, config.admin?.billing_group_tag));
}

/** AWS's files load its SDK with them; the others do so themselves, when a credential of theirs needs it. */
async function dialectOf(entry: CloudConfig, options: UpstreamOptions): Promise<Dialect> {
  switch (entry.provider) {
    case "bedrock":
      return (await import("./aws/bedrock.ts")).createBedrock(entry, options);
    case "mantle":
      return (await import("./aws/mantle.ts")).createMantle(entry, options);
    case "anthropicAws":
      return (await import("./aws/anthropic-aws.ts")).createAnthropicAws(entry, options);
    case "anthropicGoogleCloud":
      return createAnthropicGoogleCloud(entry, options);
    case "vertex":
      return createVertex(entry, options);
    case "foundry":
      return createFoundry(entry, options);
  }
}
