// Undoes the coding of an answer (RFC 9110 §8.4.1) as it is read, and no faster: the runtime's own way inflates all that has
// arrived at once, and what arrived in one piece may be a thousand times as long.

/** What is undone, by its name in `content-encoding`. */
const formats: ReadonlyMap<string, string> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "brotli"],
  ["zstd", "zstd"],
]);

/**
 * An answer whose body was not decoded, as one whose body is. One in a coding that is not known, or in several, stays as it is:
 * whoever reads it finds no answer in it.
 */
export function decoded(answer: Response): Response {
  const coding = answer.headers.get("content-encoding");
  if (coding === null || answer.body === null) return answer;
  const format = formats.get(coding.trim().toLowerCase());
  if (format === undefined) return answer;
  const { status, statusText } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  // Bun knows more formats than the type does, which has no brotli and no zstd.
  const body = answer.body.pipeThrough(new DecompressionStream(format as "gzip"));
  return new Response(body, { status, statusText, headers });
}
