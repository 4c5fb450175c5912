// A provider's own server-sent events (WHATWG HTML §9.2.6), passed through byte for byte, whole events at a time. Line ends are
// LF or CRLF; a lone CR, which the standard allows and nobody sends, is none.
import { type EventReader, UpstreamStreamError } from "./event-relay.ts";
import { createTail } from "./tail.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** Longest event. */
const eventBytesMax = 16 * 1024 * 1024;

const errorNames = ["event: error", "event:error"].map((line) => Buffer.from(line));
const errorData = ['data: {"type":"error"', 'data: {"type": "error"', 'data:{"type":"error"'].map(
  (line) => Buffer.from(line),
);

const utf8 = new TextDecoder();

/**
 * A reader of one answer. A chunk that ends with an event is given back as it is, not copied. An `error` event ends the stream:
 * its text speaks to the operator, so only UpstreamStreamError has it.
 */
export function createSseReader(): EventReader {
  const tail = createTail(eventBytesMax);
  // Of the event that is not whole yet, counted from its first byte, which is the first of the tail.
  let lineStart = 0;
  let searchFrom = 0;
  let isError = false;

  return {
    read(chunk) {
      const bytes = tail.join(chunk);
      let eventStart = 0;
      for (;;) {
        const lineEnd = bytes.indexOf(lineFeed, searchFrom);
        if (lineEnd === -1) break;
        const length = lineLength(bytes, lineStart, lineEnd);
        searchFrom = lineEnd + 1;
        if (length > 0) {
          isError ||= speaksOfError(bytes, lineStart, length);
        } else {
          if (isError) {
            const event = utf8.decode(bytes.subarray(eventStart, lineEnd)).trim();
            throw new UpstreamStreamError(event, bytes.subarray(0, eventStart));
          }
          eventStart = searchFrom;
        }
        lineStart = searchFrom;
      }
      const unfinished = bytes.length - eventStart;
      lineStart -= eventStart;
      searchFrom = unfinished;
      tail.keep(unfinished);
      return unfinished === 0 ? bytes : bytes.subarray(0, eventStart);
    },
    end: () => tail.end(),
  };
}

function lineLength(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === carriageReturn ? end - start - 1 : end - start;
}

/** An event is an error by its name, and to clients that go by the data only, by its type. */
function speaksOfError(bytes: Uint8Array, start: number, length: number): boolean {
  return (
    errorNames.some((name) => name.length === length && startsWith(bytes, start, name)) ||
    errorData.some((begin) => begin.length <= length && startsWith(bytes, start, begin))
  );
}

/** Byte by byte, as most lines differ soon: a view of them would cost more than the comparison. */
function startsWith(bytes: Uint8Array, start: number, prefix: Uint8Array): boolean {
  for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false;
  return true;
}
