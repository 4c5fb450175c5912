// Where tests keep what is large and does not change: the real client, the conformance suite with its dependencies.
import { homedir } from "node:os";
import { join } from "node:path";

/** A directory outside of the checkout, by the XDG base directory rules. It may not exist yet; deleting it is always safe. */
export function cacheDirectory(): string {
  const base = process.env["XDG_CACHE_HOME"];
  return join(
    base === undefined || base === "" ? join(homedir(), ".cache") : base,
    "claude-gateway-tests",
  );
}
