// How many input tokens a call had, for one whose answer did not tell: the provider is asked to count what it has been sent
// already. Counting is free of charge everywhere; how it is asked for is each provider's own file.
import { memberOf } from "../config/mapping.ts";
import { log, messageOf } from "../log.ts";
import { readAtMost } from "./answer/body.ts";
import { withoutCredentials } from "./answer/redaction.ts";
import type { Dialect } from "./exchange.ts";
import type { Sender } from "./learning/compatibility.ts";
import { valueIn } from "./json.ts";
import { withOnly } from "./request/edit.ts";
import type { Upstream } from "./upstream.ts";

/** Members of a call that a count takes. https://platform.claude.com/docs/en/api/messages-count-tokens */
const countedFields = ["model", "system", "messages", "tools", "tool_choice", "thinking"];

/** How long it may take, in milliseconds: nobody waits for it, but a request is charged for when it is there. */
const timeoutMs = 10_000;

/** As much of an answer as is read, in bytes. */
const answerBytesMax = 64 * 1024;

/**
 * What an upstream has as `countInput`.
 * @param send a call on its way to the upstream, once.
 * @param options.owner the upstream's name, for the log.
 * @param options.readJson as the upstream's dialect has it.
 */
export function createInputCount(
  send: Sender,
  options: { owner: string; readJson?: Dialect["readJson"] | undefined },
): NonNullable<Upstream["countInput"]> {
  const { owner, readJson = (body: Uint8Array) => body } = options;
  return async (outbound, signal) => {
    try {
      const counting = {
        ...outbound,
        path: "/v1/messages/count_tokens",
        call: withOnly(outbound.call, countedFields),
      } as const;
      const answer = await send(
        counting,
        AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      );
      const { bytes } = await readAtMost(answer, answerBytesMax);
      if (!answer.ok) throw new Error(`answered ${answer.status}`);
      return inputTokensIn(readJson(bytes, counting));
    } catch (error) {
      const why = withoutCredentials(messageOf(error));
      log.debug(`input not counted request_id=${outbound.requestId}: ${owner}: ${why}`);
      return undefined;
    }
  };
}

/** The number in `{"input_tokens":17}`. @throws when there is none. */
function inputTokensIn(body: Uint8Array): number {
  const count = memberOf(valueIn(Buffer.from(body).toString()), "input_tokens");
  if (typeof count === "number" && Number.isSafeInteger(count) && count >= 0) return count;
  throw new Error("its answer tells no number of tokens");
}
