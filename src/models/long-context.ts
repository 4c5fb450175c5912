// Which models may be offered with a context of a million tokens.
import { catalog } from "./catalog.ts";
import { claudeNameIn } from "./names.ts";

/** Of each model of the catalog, by its undated name. */
const isLongByName: ReadonlyMap<string, boolean> = new Map(
  catalog.map(({ foundry, long_context }) => [foundry, long_context === true]),
);

/**
 * Whether a model has the long context wherever it may go. An upstream's id decides where it names a model of the catalog,
 * else the model's own id does; where neither does, nothing is known, and that alone is no reason against it.
 * @param upstreamModels the id of each upstream that serves the model
 */
export function offersLongContext(id: string, upstreamModels: readonly string[]): boolean {
  // Offered by hand already.
  if (/\[1m\]$/i.test(id)) return false;
  const known = upstreamModels
    .map((upstreamModel) => isLong(upstreamModel) ?? isLong(id))
    .filter((answer) => answer !== undefined);
  return known.length > 0 && known.every(Boolean);
}

function isLong(id: string): boolean | undefined {
  return isLongByName.get(claudeNameIn(id) ?? "");
}
