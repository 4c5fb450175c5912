// The framing of AWS event streams (`application/vnd.amazon.eventstream`): bytes, however they are split, into frames whose
// checksums hold. What the frames of a model's answer mean is in bedrock-events.ts.
//
//   total length · headers length · CRC-32 of these two | headers | payload | CRC-32 of all before it
//
// Lengths and checksums are 4 bytes each, big-endian. Source: https://smithy.io/2.0/aws/amazon-eventstream.html
import { crc32 } from "node:zlib";
import { UpstreamStreamError } from "../answer/stream-error.ts";
import { createTail } from "../answer/tail.ts";

export type Frame = {
  /** Those whose value is a string; all that a provider sends are. */
  readonly headers: ReadonlyMap<string, string>;
  /** Of these bytes the payload is a part. They are to be read before `take` returns. */
  readonly bytes: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
};

export type FrameReader = {
  /** Hands over the frames that are complete with this chunk. @throws UpstreamStreamError at the first that is damaged. */
  read(chunk: Uint8Array, take: (frame: Frame) => void): void;
  /** To be called when the stream is over. @throws UpstreamStreamError when it ended inside a frame. */
  end(): void;
};

const preludeBytes = 12;
const checksumBytes = 4;

/**
 * Longest frame, in bytes. The protocol allows 24 MB. Bedrock puts at most 1 MB into a chunk, in base64, and in fact below 1 KB.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_PayloadPart.html
 */
const frameBytesMax = 4 * 1024 * 1024;

/** Types of headers whose value comes with its length. */
const bytesType = 6;
const stringType = 7;

/** Bytes of a value of each other type: true, false, byte, short, integer, long, and from 8 on timestamp and UUID. */
const valueBytes = [0, 0, 1, 2, 4, 8, undefined, undefined, 8, 16];

/** What each byte adds to a CRC-32 (ISO 3309, reflected). */
const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

const utf8 = new TextDecoder();

/** A reader of one stream. A payload is part of the chunk, not a copy. */
export function createFrameReader(): FrameReader {
  const tail = createTail(frameBytesMax);
  // The headers of one answer's frames are nearly always the same bytes.
  let knownBlock: Uint8Array = new Uint8Array();
  let knownHeaders: Frame["headers"] = new Map();

  function headersIn(bytes: Uint8Array, start: number, end: number): Frame["headers"] {
    if (!isSame(knownBlock, bytes, start, end)) {
      knownBlock = bytes.slice(start, end);
      knownHeaders = readHeaders(knownBlock);
    }
    return knownHeaders;
  }

  return {
    read(chunk, take) {
      const bytes = tail.join(chunk);
      let at = 0;
      while (bytes.length - at >= preludeBytes) {
        const totalBytes = numberAt(bytes, at);
        const frameEnd = at + totalBytes;
        const payloadStart = at + preludeBytes + numberAt(bytes, at + 4);
        const payloadEnd = frameEnd - checksumBytes;
        // Before a length is believed: what one flipped bit makes of it may be awaited for ever.
        if (crc32OfLengths(bytes, at) !== numberAt(bytes, at + 8))
          throw damaged("the checksum of its lengths is wrong");
        if (totalBytes > frameBytesMax) throw damaged(`it is ${totalBytes} bytes long`);
        if (payloadStart > payloadEnd) throw damaged("its headers do not fit in it");
        if (frameEnd > bytes.length) break;
        if (crc32(bytes.subarray(at, payloadEnd)) !== numberAt(bytes, payloadEnd))
          throw damaged("its checksum is wrong");
        const headers = headersIn(bytes, at + preludeBytes, payloadStart);
        take({ headers, bytes, payloadStart, payloadEnd });
        at = frameEnd;
      }
      tail.keep(bytes.length - at);
    },
    end: () => tail.end(),
  };
}

/** CRC-32 of the 8 bytes from `at`. By hand: for so few of them a view to hand over costs more than the sum. */
function crc32OfLengths(bytes: Uint8Array, at: number): number {
  let sum = 0xffffffff;
  for (let index = at; index < at + 8; index++)
    sum = (sum >>> 8) ^ (crcTable[(sum ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
  return ~sum >>> 0;
}

/** Byte by byte: a view of them would cost more than the comparison. */
function isSame(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (known.length !== end - start) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[start + at]) return false;
  return true;
}

/** One after the other: length of the name (1 byte), name, type (1 byte), length of the value (2 bytes, not for all), value. */
function readHeaders(block: Uint8Array): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  // A byte behind the end is NaN, and so is what is computed from it.
  const byteAt = (at: number) => block[at] ?? Number.NaN;
  let at = 0;
  while (at < block.length) {
    const nameEnd = at + 1 + byteAt(at);
    const type = byteAt(nameEnd);
    const hasLength = type === bytesType || type === stringType;
    const valueStart = nameEnd + (hasLength ? 3 : 1);
    const length = hasLength ? byteAt(nameEnd + 1) * 256 + byteAt(nameEnd + 2) : valueBytes[type];
    const valueEnd = valueStart + (length ?? Number.NaN);
    if (!(valueEnd <= block.length)) throw damaged("its headers cannot be read");
    if (type === stringType) {
      const name = utf8.decode(block.subarray(at + 1, nameEnd));
      headers.set(name, utf8.decode(block.subarray(valueStart, valueEnd)));
    }
    at = valueEnd;
  }
  return headers;
}

/** A number of 4 bytes, all of which are there. */
function numberAt(bytes: Uint8Array, at: number): number {
  const byteAt = (index: number) => bytes[at + index] ?? 0;
  return ((byteAt(0) << 24) | (byteAt(1) << 16) | (byteAt(2) << 8) | byteAt(3)) >>> 0;
}

function damaged(how: string): UpstreamStreamError {
  return new UpstreamStreamError(`a frame of its event stream is damaged: ${how}`);
}
