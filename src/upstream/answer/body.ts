// Reads an answer's body whole, within a bound.

/**
 * The bytes of a body. A body that is longer is cut at the bound, and its connection let go.
 * @throws when the body breaks off.
 */
export async function readAtMost(
  response: Response,
  bytesMax: number,
): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const reader = response.body?.getReader();
  if (reader === undefined) return { bytes: new Uint8Array(), cut: false };
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size > bytesMax) {
      reader.cancel().catch(() => undefined);
      return { bytes: Buffer.concat(parts).subarray(0, bytesMax), cut: true };
    }
  }
  return { bytes: Buffer.concat(parts), cut: false };
}
