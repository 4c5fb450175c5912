// What the boot log says of policies that are as they should be: what the catch-all adds to each, and where they reach.
// What they hardly mean is in warnings.ts.
import type { Config } from "../config/schema.ts";
import { changedKeys } from "./merge.ts";
import type { Policies, Policy } from "./policy.ts";

/** Lines for the boot log. */
export function describePolicies({ all }: Policies, { listen }: Pick<Config, "listen">): string[] {
  if (all.length === 0) return ["managed settings: not configured"];
  const optedIn = all.filter(({ desktop }) => desktop !== undefined).length;
  const count = `${all.length} ${all.length === 1 ? "policy" : "policies"}`;
  return [
    ...all.flatMap(mergeLines),
    `managed settings: configured (${count}, ${optedIn} with Claude Desktop)`,
    ...(all.some(({ isForEverySession }) => isForEverySession)
      ? [codeTabLine(listen.public_url)]
      : []),
  ];
}

function mergeLines({ index, baseIndex, written, settings, desktop = {} }: Policy): string[] {
  if (baseIndex === undefined) return [];
  const line = (what: string, keys: readonly string[]) =>
    keys.length === 0
      ? []
      : [
          `managed.policies[${index}]${what} after merge with catch-all base — changed keys: ${keys.join(", ")}`,
        ];
  return [
    ...line("", changedKeys(written.settings ?? {}, settings)),
    ...line(" desktop overlay", changedKeys(written.desktop ?? {}, desktop)),
  ];
}

/** Settings under `code` are not to be missing anywhere, which a Code tab that does not take them notices by not starting. */
function codeTabLine(publicUrl = "<public_url>"): string {
  const needed = { forceLoginGatewayUrl: publicUrl, parentSettingsBehavior: "merge" };
  return (
    "settings in a code: block reach Claude Desktop's Code tab only on machines whose own Claude Code managed settings name this " +
    "gateway and that reach it over HTTPS on a private network; on any other machine the Code tab does not start (Claude Code " +
    `before v2.1.296: starts without them). Each machine's Claude Code managed settings need: ${JSON.stringify(needed)}`
  );
}
