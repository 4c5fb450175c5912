import { describe, expect, test } from "bun:test";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { decodedBytesMax, Unreadable } from "../../../src/telemetry/identity/bounds.ts";
import { decodedBody, encodedBody, formatOf } from "../../../src/telemetry/identity/encodings.ts";
import { exportOf } from "./exports.ts";

const plain = Buffer.from("an export ".repeat(50));
const zipped = gzipSync(plain);
const gzip = (body: Uint8Array, contentEncoding = "gzip") =>
  decodedBody(exportOf(body, { contentEncoding }));

describe("the content type", () => {
  test.each([
    ["application/x-protobuf", "protobuf"],
    ["application/protobuf", "protobuf"],
    ["application/json", "json"],
    ["Application/JSON; charset=utf-8", "json"],
    [" application/X-Protobuf ;x=y", "protobuf"],
  ] as const)("%j is %s", (contentType, format) => {
    expect(formatOf(contentType)).toBe(format);
  });

  test.each([
    "",
    "text/plain",
    "application/grpc",
    "application/jsonp",
    "application/x-protobuf, application/json",
    "application/json;a=b, application/x-protobuf",
    "application/json; like=application/x-protobuf",
    "application/x-protobuf;application/json",
    "constructor",
    "__proto__",
  ])("%j is not one that everybody reads alike", (contentType) => {
    expect(() => formatOf(contentType)).toThrow(Unreadable);
  });
});

describe("the content encoding", () => {
  test.each([undefined, "", "identity", "Identity"])(
    "%j leaves the body as it is",
    (contentEncoding) => {
      expect(decodedBody(exportOf(plain, { contentEncoding }))).toBe(plain);
    },
  );

  test.each(["gzip", "GZIP", " gzip "])("%j is read", (contentEncoding) => {
    expect(gzip(zipped, contentEncoding)).toEqual(plain);
  });

  test("gzip is gzip again when the body is another", () => {
    const item = exportOf(zipped, { contentEncoding: "gzip" });
    expect(gzip(encodedBody(Buffer.from("another"), item))).toEqual(Buffer.from("another"));
    expect(encodedBody(plain, exportOf(plain))).toBe(plain);
  });

  test.each([
    ["deflate", deflateSync(plain)],
    ["deflate", deflateRawSync(plain)],
    ["br", brotliCompressSync(plain)],
    ["zstd", zstdCompressSync(plain)],
    ["x-gzip", zipped],
    ["gzip, gzip", gzipSync(zipped)],
    ["gzip, identity", zipped],
    ["none", plain],
  ])("%j is not one that everybody reads alike", (contentEncoding, body) => {
    expect(() => gzip(body, contentEncoding)).toThrow(Unreadable);
  });
});

describe("gzip is refused that", () => {
  const altered = (offset: number) => {
    const copy = Buffer.from(zipped);
    copy.writeUInt8((copy.at(offset) ?? 0) ^ 1, offset < 0 ? copy.length + offset : offset);
    return copy;
  };
  test.each([
    ["has a second member", Buffer.concat([zipped, gzipSync("more")])],
    ["has an empty second member", Buffer.concat([zipped, gzipSync("")])],
    ["has a second member with the tail of the first", Buffer.concat([zipped, zipped])],
    ["has something behind it", Buffer.concat([zipped, Buffer.from([0])])],
    ["has another checksum", altered(-8)],
    ["has another length", altered(-4)],
    ["has options", altered(3)],
    ["has another method", altered(2)],
    ["has no magic", altered(0)],
    ["has no tail", zipped.subarray(0, -8)],
    ["is cut", zipped.subarray(0, 20)],
    ["is only a head", zipped.subarray(0, 10)],
    ["is empty", new Uint8Array()],
    ["is not compressed", plain],
  ])("%s", (_, body) => {
    expect(() => gzip(body)).toThrow("is not gzip as it should be");
  });
});

describe("a body is too large", () => {
  const largest = new Uint8Array(decodedBytesMax);
  const larger = new Uint8Array(decodedBytesMax + 1);

  test("as it comes", () => {
    expect(decodedBody(exportOf(largest))).toBe(largest);
    expect(() => decodedBody(exportOf(larger))).toThrow(`is larger than ${decodedBytesMax} bytes`);
  });

  test("once it is inflated", () => {
    expect(gzip(gzipSync(largest)).length).toBe(decodedBytesMax);
    expect(() => gzip(gzipSync(larger))).toThrow(`is larger than ${decodedBytesMax} bytes`);
  });

  test("before all of it is inflated, so that what the rest would be does not matter", () => {
    const cut = gzipSync(new Uint8Array(2 * decodedBytesMax)).subarray(0, -100);
    expect(() => gzip(cut)).toThrow(`is larger than ${decodedBytesMax} bytes`);
  });
});
