// What an error body says, wherever its author has put the message. What of it a developer may read is rejection.ts's.
import { valueIn } from "../json.ts";

/**
 * The message in an error body: `{"message"}` (AWS), `{"error":{"message"}}` (Anthropic, Azure, Google, whose streams put it in
 * a list), or one of them as text inside another. Undefined where there is none.
 */
export function messageIn(body: string): string | undefined {
  let found: unknown = body;
  for (let depth = 0; depth < 8; depth++) {
    if (typeof found === "string") {
      const inner = objectIn(found);
      if (inner === undefined) return depth === 0 ? undefined : found;
      found = inner;
    } else if (Array.isArray(found)) found = found[0];
    else if (typeof found !== "object" || found === null) return undefined;
    else if ("error" in found) found = found.error;
    else found = "message" in found ? found.message : undefined;
  }
  return undefined;
}

/** The object or list that a text is; undefined for any other text. */
function objectIn(text: string): unknown {
  return /^\s*[[{]/.test(text) ? valueIn(text) : undefined;
}
