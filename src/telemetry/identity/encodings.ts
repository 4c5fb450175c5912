// What the headers of an export say its body is, and the body as a collector would decode it. How it is read from there is
// protobuf-edit.ts's and json-edit.ts's.
//
// Only what everybody decodes alike: gzip of one member without options, or nothing. `deflate` is two formats. Of other encodings
// collectors know some and take the rest for the body itself, which can be made to be an export of its own; gzip cannot: its
// first byte is no field in protobuf, and no JSON.
import { crc32, gzipSync, inflateRawSync } from "node:zlib";
import type { Export } from "../relay/delivery.ts";
import { decodedBytesMax, Unreadable } from "./bounds.ts";

export type Format = "protobuf" | "json";

const formats: ReadonlyMap<string, Format> = new Map([
  ["application/x-protobuf", "protobuf"],
  ["application/protobuf", "protobuf"],
  ["application/json", "json"],
]);

/** Magic, deflate, no options; then come a time and two bytes of no consequence. */
const gzipStart = [0x1f, 0x8b, 8, 0];
const gzipHeadBytes = 10;
/** Checksum and length. */
const gzipTailBytes = 8;

/** Fast, as whoever corrects pays on the event loop, and collectors are near. */
const gzipLevel = 1;

/** Node's `info: true`, which the types do not know for the functions that do not wait. */
type Inflated = { buffer: Buffer; engine: { bytesWritten: number } };

/**
 * The format that a content type names, in any case and with parameters. Not when they, or a second type, could make a lax
 * reader take it for the other one.
 *
 * @throws Unreadable
 */
export function formatOf(contentType: string): Format {
  const [type = "", ...parameters] = contentType.toLowerCase().split(";");
  const format = formats.get(type.trim());
  if (format === undefined || /,|json|protobuf/.test(parameters.join(";")))
    throw new Unreadable("is of a content type that is not OTLP's");
  return format;
}

/**
 * The body as it is under its content encoding.
 *
 * @throws Unreadable also when it is larger than `decodedBytesMax`.
 */
export function decodedBody({ body, contentEncoding }: Export): Uint8Array {
  const decoded = isGzip(contentEncoding) ? gunzipped(body) : body;
  if (decoded.length > decodedBytesMax) throw tooLarge();
  return decoded;
}

/** A corrected body under the content encoding that the export came in. */
export function encodedBody(decoded: Uint8Array, { contentEncoding }: Export): Uint8Array {
  return isGzip(contentEncoding) ? gzipSync(decoded, { level: gzipLevel }) : decoded;
}

function isGzip(contentEncoding: string | undefined): boolean {
  switch (contentEncoding?.trim().toLowerCase()) {
    case "gzip":
      return true;
    case undefined:
    case "":
    case "identity":
      return false;
    default:
      throw new Unreadable("is in a content encoding that not everybody reads");
  }
}

/** Of several members, or with anything behind the first, readers take all, the first, or none. */
function gunzipped(body: Uint8Array): Uint8Array {
  if (gzipStart.some((byte, index) => body[index] !== byte)) throw malformed();
  const { buffer, engine } = inflated(body.subarray(gzipHeadBytes));
  const tailStart = gzipHeadBytes + engine.bytesWritten;
  if (body.length !== tailStart + gzipTailBytes) throw malformed();
  const tail = new DataView(body.buffer, body.byteOffset + tailStart, gzipTailBytes);
  if (tail.getUint32(0, true) !== crc32(buffer) || tail.getUint32(4, true) !== buffer.length)
    throw malformed();
  return buffer;
}

function inflated(deflated: Uint8Array): Inflated {
  try {
    const options = { maxOutputLength: decodedBytesMax, info: true };
    return inflateRawSync(deflated, options) as unknown as Inflated;
  } catch (error) {
    throw (error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE" ? tooLarge() : malformed();
  }
}

function malformed(): Unreadable {
  return new Unreadable("is not gzip as it should be");
}

function tooLarge(): Unreadable {
  return new Unreadable(`is larger than ${decodedBytesMax} bytes`);
}
