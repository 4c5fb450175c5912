// One upstream per entry of `upstreams:`, in order. The one place where a provider's name chooses code.
import type { Config } from "../config/schema.ts";
import { createAnthropicUpstream } from "./anthropic.ts";
import type { Upstream } from "./upstream.ts";

/** @throws Error naming the entry when an upstream cannot be built (a credential that cannot be read). */
export function createUpstreams(
  config: Config["upstreams"],
  options: { userAgent: string },
): readonly Upstream[] {
  return config.map((entry) => createAnthropicUpstream(entry, options));
}
