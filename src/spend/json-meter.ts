// What a call used, from an answer that is not streamed: one JSON object with a `usage`, or else whatever arrived.
import { memberOf } from "../config/mapping.ts";
import { valueIn } from "../upstream/json.ts";
import { type TopLevel, topLevelFinder } from "../upstream/request/top-level.ts";
import { type AnswerMeter, isUnreadable, noUsage, readUsage, toldWord } from "./usage.ts";
import { charactersIn, tokensOf } from "./usage-estimate.ts";
import { othersIn } from "./usage-iterations.ts";

/** Longest answer that is held until its end to be read. Of a longer one only the characters are counted. */
const heldBytesMax = 64 * 1024 * 1024;

const wanted = ["usage", "id", "model", "stop_reason"] as const;
type Wanted = (typeof wanted)[number];
const find = topLevelFinder(wanted);
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
  /** Reads a member of the whole answer. */
  let memberIn: (name: Wanted) => unknown = nothing;

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
      if (isHolding) memberIn = readerOf(joined(held));
      const told = memberIn("usage");
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
    told: () => ({
      id: toldWord(memberIn("id")),
      model: toldWord(memberIn("model")),
      stopReason: toldWord(memberIn("stop_reason")),
      errorType: undefined,
      isWhole: memberIn !== nothing,
    }),
  };
}

/** Found without building the answer's tree, but where a byte order mark stands before it or one of them is given twice. */
function readerOf(answer: Uint8Array): (name: Wanted) => unknown {
  const found: TopLevel<Wanted> = find(answer);
  if (found.kind !== "object") {
    const value = valueIn(utf8.decode(answer));
    return value === undefined ? nothing : (name) => memberOf(value, name);
  }
  return (name) => {
    const member = found.members[name];
    return member && valueIn(utf8.decode(answer.subarray(member.valueStart, member.valueEnd)));
  };
}

/** Of an answer that is no JSON. */
function nothing(): undefined {
  return undefined;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first] = parts;
  return first !== undefined && parts.length === 1 ? first : Buffer.concat(parts);
}
