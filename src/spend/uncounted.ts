// Answers where nothing is counted against a cap, when somebody is to be told what they used and cost all the same.
import type { ModelRoute } from "../models/resolve.ts";
import type { MessagesCall } from "../upstream/request/call.ts";
import { meterAnswer } from "./answer-meter.ts";
import type { AnswerWatch } from "./answer-watch.ts";
import { inputTokensOf } from "./estimate.ts";
import type { Prices } from "./price.ts";

export type Uncounted = {
  /** The response to send in place of a successful answer. Never rejects. */
  watched(
    response: Response,
    call: MessagesCall,
    route: ModelRoute,
    watch: AnswerWatch,
  ): Promise<Response>;
};

export function createUncounted(prices: Pick<Prices, "costOfAll">): Uncounted {
  return {
    watched(response, call, route, watch) {
      // A call is not kept for as long as its answer streams.
      const { model } = call;
      return meterAnswer(response, {
        inputTokensEstimate: inputTokensOf(call),
        onFirstByte: watch.begun,
        onEnd(used, over) {
          watch.over(over);
          watch.charged(used && { ...used, cost: prices.costOfAll(route, model, used) });
        },
      });
    },
  };
}
