// What a call used, from an answer that is not streamed: one JSON object with a `usage`, or else whatever arrived.
import { memberOf } from "../config/mapping.ts";
import { valueIn } from "../upstream/json.ts";
import { topLevelFinder } from "../upstream/request/top-level.ts";
import { type AnswerMeter, isUnreadable, noUsage, readUsage } from "./usage.ts";
import { charactersIn, tokensOf } from "./usage-estimate.ts";
import { othersIn } from "./usage-iterations.ts";

/** Longest answer that is held until its end to be read. Of a longer one only the characters are counted. */
const heldBytesMax = 64 * 1024 * 1024;

const findUsage = topLevelFinder(["usage"]);
const utf8 = new TextDecoder();

/**
 * A meter of one answer. An answer that does not say what it used, or not in JSON that is whole, is estimated by its length. An
 * empty one used nothing.
 * @param inputTokensEstimate what the call had the model read, should the answer not say
 */
export function createJsonMeter(inputTokensEstimate: number): AnswerMeter {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let isHolding = true;
  /** Of what is held no more. */
  let characters = 0;

  function letGo(): void {
    for (const part of held) characters += charactersIn(part, 0, part.length);
    held = [];
  }

  return {
    read(chunk) {
      held.push(chunk);
      heldBytes += chunk.length;
      isHolding &&= heldBytes <= heldBytesMax;
      if (!isHolding) letGo();
      return false;
    },
    end() {
      if (heldBytes === 0) return undefined;
      const told = isHolding ? usageIn(joined(held)) : undefined;
      const usage = readUsage(told);
      if (usage !== undefined)
        return { usage, others: othersIn(told) ?? [], isEstimate: false, isUnreadable: false };
      letGo();
      const outputTokens = tokensOf(characters);
      return {
        usage: { ...noUsage, inputTokens: inputTokensEstimate, outputTokens },
        others: [],
        isEstimate: true,
        isUnreadable: isUnreadable(told, usage),
      };
    },
  };
}

/** Found without building the answer's tree, but where a byte order mark stands before it or a `usage` is given twice. */
function usageIn(answer: Uint8Array): unknown {
  const found = findUsage(answer);
  if (found.kind !== "object") return memberOf(valueIn(utf8.decode(answer)), "usage");
  const { usage } = found.members;
  if (usage === undefined) return undefined;
  return valueIn(utf8.decode(answer.subarray(usage.valueStart, usage.valueEnd)));
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
}
