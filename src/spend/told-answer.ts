// What an answer says of itself besides what it used, for those who watch answers without counting them. Found by the readers of
// answers, json-meter.ts and stream-meter.ts, on their way to the `usage`.

/** What an answer says of itself, as `toldWord` has it; undefined where it does not. */
export type ToldAnswer = {
  /** The provider's id of the message. */
  readonly id: string | undefined;
  /** The model as the provider names it. */
  readonly model: string | undefined;
  /** Why the model stopped, such as `end_turn`. */
  readonly stopReason: string | undefined;
  /** The type of an error that came in a stream, such as `overloaded_error`; `other` for one that is no word. */
  readonly errorType: string | undefined;
  /** Whether it came to its end: a stream with its last event, any other answer as JSON. */
  readonly isWhole: boolean;
};

/** An id, the name of a model or a word such as `end_turn`. There is no blank in any, and no room for a sentence. */
const word = /^[\w.:@/+-]{1,128}$/;

/** A text as it is told of an answer: undefined when it is none, or could be something that somebody has written. */
export function toldWord(value: unknown): string | undefined {
  return typeof value === "string" && word.test(value) ? value : undefined;
}

/** Of an answer that says nothing, and was whole for all that can be said. */
export const nothingTold: ToldAnswer = {
  id: undefined,
  model: undefined,
  stopReason: undefined,
  errorType: undefined,
  isWhole: true,
};
