// Texts that a lenient decoder of base64url takes for the same as another.

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** A token's last part with its spare bits set, with padding, with blanks in it, and in the alphabet of base64. */
export function otherSpellings(token: string): string[] {
  const at = token.lastIndexOf(".") + 1;
  const [rest, last] = [token.slice(0, at), token.slice(at)];
  const digit = alphabet.indexOf(last.at(-1) ?? "");
  return [
    ...[1, 2, 3].map((bits) => last.slice(0, -1) + alphabet[digit ^ bits]),
    ...["=", "==", "\n", "\0"].map((more) => last + more),
    ...Array.from(last, (_, index) => `${last.slice(0, index)} ${last.slice(index)}`),
    last.replaceAll("-", "+").replaceAll("_", "/"),
  ]
    .filter((spelling) => spelling !== last)
    .map((spelling) => rest + spelling);
}
