// What a call used, from an answer that is not streamed: one JSON object with a `usage`, or else whatever arrived.
import { memberOf } from "../config/mapping.ts";
import { valueIn } from "../upstream/json.ts";
import { type TopLevel, topLevelFinder } from "../upstream/request/top-level.ts";
import { toldWord } from "./told-answer.ts";
import { type AnswerMeter, isUnreadable, noUsage, readUsage } from "./usage.ts";
import { charactersIn, tokensOf } from "./usage-estimate.ts";
import { othersIn } from "./usage-iterations.ts";

/** Longest answer that is held until its end to be read. Of a longer one only the characters are counted. */
const heldBytesMax = 64 * 1024 * 1024;

const findUsage = topLevelFinder(["usage"]);
/** Apart, because what is given twice is found in another way, and that must not bear on what is charged. */
const findTold = topLevelFinder(["id", "model", "stop_reason"]);
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
  /** All of it; undefined when that was too long to be held. */
  let answer: Uint8Array | undefined;

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
      if (isHolding) answer = joined(held);
      const told = answer && readerOf(findUsage(answer), answer)?.("usage");
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
    told() {
      const memberOfIt = answer && readerOf(findTold(answer), answer);
      return {
        id: toldWord(memberOfIt?.("id")),
        model: toldWord(memberOfIt?.("model")),
        stopReason: toldWord(memberOfIt?.("stop_reason")),
        errorType: undefined,
        isWhole: answer === undefined || memberOfIt !== undefined,
      };
    },
  };
}

/**
 * Reads members of an answer, found without building its tree, but where a byte order mark stands before it or one of them is
 * given twice. Undefined when it is no JSON.
 */
function readerOf<Name extends string>(
  found: TopLevel<Name>,
  answer: Uint8Array,
): ((name: Name) => unknown) | undefined {
  if (found.kind !== "object") {
    const value = valueIn(utf8.decode(answer));
    return value === undefined ? undefined : (name) => memberOf(value, name);
  }
  return (name) => {
    const member = found.members[name];
    return member && valueIn(utf8.decode(answer.subarray(member.valueStart, member.valueEnd)));
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
}
