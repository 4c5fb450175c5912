// About how many tokens a text is, where nobody has counted them. How many a request may come to before it is sent is
// estimate.ts's.

/** Characters that are taken for one token, as the reference takes them. */
const tokenCharacters = 4;

/** @param characters in UTF-16 code units */
export function tokensOf(characters: number): number {
  return Math.ceil(characters / tokenCharacters);
}

/**
 * The characters of a UTF-8 text from `start` to `end`, in UTF-16 code units. Each is counted at its first byte, so that the
 * parts of a text that is cut anywhere count as many as the whole.
 */
export function charactersIn(bytes: Uint8Array, start: number, end: number): number {
  let characters = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if ((byte & 0xc0) !== 0x80) characters += byte < 0xf0 ? 1 : 2;
  }
  return characters;
}
