// What a client's SDK says of itself, `x-stainless-*`: it goes on to every provider, at a length that none refuses.

/** Longest value that goes on. Real ones are versions, names and numbers. */
const valueLengthMax = 256;

/** @param name in lower case. */
export function isSdkHeader(name: string, value: string): boolean {
  return name.startsWith("x-stainless-") && value.length <= valueLengthMax;
}
