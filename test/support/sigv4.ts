// The other end of AWS Signature Version 4: recomputes the signature of a request as it arrived, from AWS's description of it
// and without the library that signs. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
import { createHash, createHmac } from "node:crypto";

export type ArrivedRequest = {
  method: string;
  /** As it was on the wire: absolute, or from the path on. */
  url: string | URL;
  headers: Headers;
  body: Uint8Array;
};

/**
 * Whether an AWS service other than S3 would take the request for its own: signed with this secret, for this region and service,
 * with `host` and every `x-amz-*` header under the signature, and with the body that was signed.
 */
export function verifySigV4(
  request: ArrivedRequest,
  expected: { secretAccessKey: string; region: string; service: string },
): boolean {
  const { method, url, headers, body } = request;
  const claimed = claimOf(headers);
  const date = headers.get("x-amz-date") ?? "";
  if (claimed === undefined || !/^\d{8}T\d{6}Z$/.test(date)) return false;
  const { names, signature } = claimed;
  const scope = [date.slice(0, 8), expected.region, expected.service, "aws4_request"];
  if (claimed.scope !== scope.join("/")) return false;

  const mustBeSigned = [...headers.keys()].filter((name) => name.startsWith("x-amz-"));
  if (!["host", ...mustBeSigned].every((name) => names.includes(name))) return false;
  if (names.toSorted().join() !== names.join()) return false;

  const bodyHash = sha256(body);
  if ((headers.get("x-amz-content-sha256") ?? bodyHash) !== bodyHash) return false;

  const [path = "", query = ""] = String(url)
    .replace(/^[a-z]+:\/\/[^/]*/, "")
    .split("?", 2);
  const canonicalRequest = [
    method,
    canonicalPath(path),
    canonicalQuery(query),
    ...names.map((name) => `${name}:${(headers.get(name) ?? "").trim().replaceAll(/ +/g, " ")}`),
    "",
    names.join(";"),
    bodyHash,
  ].join("\n");
  const stringToSign = ["AWS4-HMAC-SHA256", date, scope.join("/"), sha256(canonicalRequest)];
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${expected.secretAccessKey}`);
  return hmac(key, stringToSign.join("\n")).toString("hex") === signature;
}

/** The access key that a request says it is signed with. */
export function accessKeyIdOf(headers: Headers): string | undefined {
  return claimOf(headers)?.accessKeyId;
}

/** Names of the headers that a request says are under its signature. */
export function signedHeadersOf(headers: Headers): string[] {
  return claimOf(headers)?.names ?? [];
}

function claimOf(headers: Headers) {
  const [, accessKeyId, scope, names, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.get("authorization") ?? "",
    ) ?? [];
  if (accessKeyId === undefined) return undefined;
  return { accessKeyId, scope, names: (names ?? "").split(";"), signature };
}

/** Without dots and doubled slashes (RFC 3986 §6), each segment escaped as it arrived: its own escapes once more. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") segments.pop();
    else if (segment !== "" && segment !== ".") segments.push(escaped(segment));
  }
  return `/${segments.join("/")}${segments.length > 0 && path.endsWith("/") ? "/" : ""}`;
}

function canonicalQuery(query: string): string {
  if (query === "") return "";
  return query
    .split("&")
    .map((pair) => pair.split("=", 2).map((part) => escaped(decodeURIComponent(part))))
    .map(([name, value = ""]) => `${name}=${value}`)
    .toSorted()
    .join("&");
}

/** Everything but RFC 3986's unreserved characters becomes `%XX` for each byte. */
function escaped(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => [byte, String.fromCharCode(byte)] as const)
    .map(([byte, character]) =>
      /[A-Za-z0-9._~-]/.test(character)
        ? character
        : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

function hmac(secret: string | Buffer, data: string): Buffer {
  return createHmac("sha256", secret).update(data).digest();
}
