// The URL the gateway is reached at, from which every URL it hands out is built.

export type PublicBase = {
  /** listen.public_url without trailing slash, where it is set. */
  readonly fixed: string | undefined;
  /** Without trailing slash. From listen.public_url, or, where that is absent (loopback only), from the Host header. */
  of(request: Request): string;
  /** Scheme, host and port of the same, as browsers send it in Origin. */
  originOf(request: Request): string;
};

/** @param publicUrl listen.public_url, checked by the configuration to be there unless only loopback is listened on. */
export function createPublicBase(
  publicUrl: string | undefined,
  options: { tls: boolean },
): PublicBase {
  const fixed = publicUrl?.replace(/\/+$/, "");
  const of = (request: Request) =>
    fixed ?? `${options.tls ? "https" : "http"}://${request.headers.get("host") ?? "localhost"}`;
  return { fixed, of, originOf: (request) => URL.parse(of(request))?.origin ?? "" };
}
