// Text that a client, an upstream or an identity provider has chosen, as it may stand in what is exported.
import { printable } from "../../log.ts";

/** Longest text of an attribute, in characters. */
const lengthMax = 256;

/**
 * The text, cut when it is too long, with nothing in it that a terminal would obey and nothing that is no character, as
 * `printable` has it. Collectors and the stores behind them refuse whole batches for less.
 */
export function boundedText(text: string): string {
  if (text.length <= lengthMax && /^[ -~]*$/.test(text)) return text;
  // What is spelled out is longer, and a cut may go through a character.
  return printable(text.slice(0, lengthMax)).slice(0, lengthMax).toWellFormed();
}
