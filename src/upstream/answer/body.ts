// Reads an answer's body whole, within a bound.

/** The most that is held of one answer, in bytes, decoded: all of one that is not streamed, or one event of a stream. */
export const heldBytesMax = 16 * 1024 * 1024;

/**
 * The bytes of a body. A body that is longer is cut at the bound, and its connection let go.
 * @throws when the body breaks off.
 */
export async function readAtMost(
  response: Response,
  bytesMax: number,
): Promise<{ bytes: Uint8Array; cut: boolean }> {
  const { parts, size } = await partsOf(response, bytesMax);
  const cut = size > bytesMax;
  return { bytes: Buffer.concat(parts, Math.min(size, bytesMax)), cut };
}

/**
 * All bytes of a body.
 * @throws when it is longer, whose connection is let go, and when it breaks off.
 */
export async function readWhole(response: Response, bytesMax: number): Promise<Uint8Array> {
  const { headers } = response;
  const length = headers.get("content-length");
  // Nothing comes behind a length that is told, and the runtime puts it together faster.
  if (length !== null && Number(length) <= bytesMax && !headers.has("content-encoding"))
    return response.bytes();
  const { parts, size } = await partsOf(response, bytesMax);
  if (size > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

async function partsOf(
  response: Response,
  bytesMax: number,
): Promise<{ parts: Uint8Array[]; size: number }> {
  const reader = response.body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  if (reader === undefined) return { parts, size };
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size <= bytesMax) continue;
    reader.cancel().catch(() => undefined);
    break;
  }
  return { parts, size };
}
