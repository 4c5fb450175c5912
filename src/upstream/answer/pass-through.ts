// An upstream's answer on its way to the client: the body's bytes untouched and unbuffered, the headers less those that
// speak of another connection, another origin or another customer.

/**
 * Headers that stay behind. Hop by hop (RFC 9110 §7.6.1) and coding, since the body is decoded here; the provider's edge
 * (date, via, cf-ray, alt-svc) and its transport policy, which are not ours to announce; its cookies, which would make the
 * gateway a way to set cookies on the company's domain; its request id, which is kept in the audit event.
 */
const withheld = new Set([
  "alt-svc",
  "cf-ray",
  "connection",
  "content-encoding",
  "content-length",
  "date",
  "keep-alive",
  "proxy-authenticate",
  "request-id",
  "set-cookie",
  "strict-transport-security",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "via",
  "x-request-id",
]);

/** The provider's quota is the organisation's; read as the developer's own it would be wrong. */
const withheldPrefix = "anthropic-ratelimit-";

/**
 * The response for the client. The body is handed over as the stream it is, so that Bun moves the bytes natively: back-pressure
 * reaches the upstream, a client that hangs up cancels it, and an upstream that breaks off breaks the client's connection.
 */
export function passThrough(upstream: Response): Response {
  const headers = new Headers();
  for (const [name, value] of upstream.headers) {
    if (!withheld.has(name) && !name.startsWith(withheldPrefix)) headers.append(name, value);
  }
  return new Response(upstream.body, { status: upstream.status, headers });
}
