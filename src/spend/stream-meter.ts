// What a call used, from a streamed answer: finds the events that tell it among the server-sent events (WHATWG HTML §9.2.6) as
// their bytes go by. What they come to is stream-usage.ts's.
//
// It runs for every event of every stream. Of most, which carry a piece of the answer, only the characters are counted; only the
// few that tell usage are parsed.
import { memberOf } from "../config/mapping.ts";
import { createTail } from "../upstream/answer/tail.ts";
import { valueIn } from "../upstream/json.ts";
import { createStreamUsage } from "./stream-usage.ts";
import { type AnswerMeter, type Metered, noUsage } from "./usage.ts";
import { charactersIn, tokensOf } from "./usage-estimate.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const blank = 0x20;

/** As much of a line as is looked at. What tells usage is far shorter, and longer pieces of an answer count as this long. */
const lineBytesMax = 1024 * 1024;

/** Longest name of an event that is compared. */
const typeBytesMax = 64;

const byteOrderMark = Buffer.from("\ufeff");
const dataField = Buffer.from("data:");
const eventField = Buffer.from("event:");

/** How providers begin every event. */
const usualStart = /^\{"type": ?"([\w.-]{1,64})"/;
const usualStartBytesMax = 80;

/** How a stream may begin before its first event: with a comment, or a field that says nothing of one. */
const streamStart = /^(?:id|retry)?:/;

/** A piece of an answer with no text in it: what an event has beside the text. */
const bareDelta =
  '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}';

const utf8 = new TextDecoder();

/**
 * A meter of one answer. A stream that is cut counts as far as it came, the event that it was cut in included.
 *
 * Line ends are LF or CRLF; a lone CR, which the standard allows and nobody sends, is none. Of an event's data one line is read:
 * no provider writes more.
 *
 * What came under a stream's name and is none, as with a coding that nobody undid, has cost something all the same, and is
 * estimated by its bytes: it does not begin as streams do, and no line in it is one of an event. (The reference charges nothing.)
 * Streams of nothing but comments, pings and errors are free.
 * @param inputTokensEstimate what the call had the model read, should this be no stream
 */
export function createStreamMeter(inputTokensEstimate: number): AnswerMeter {
  const usage = createStreamUsage();
  const tail = createTail(lineBytesMax);
  /** Offset in the next chunk, with what is kept before it, up to which there is no line end. */
  let searchFrom = 0;
  let isFirstLine = true;
  let bytesRead = 0;
  /** Something in it that is not blank. */
  let isAnything = false;
  /** Of which something is as in an event stream. */
  let isEvents = false;
  /** The line that is arriving is longer than is looked at, and has been read. */
  let isRestOfLine = false;
  /** Of the event that is arriving. */
  let type: string | undefined;
  let hasData = false;
  /** Its `message_stop` is there. */
  let isOver = false;

  function readLine(bytes: Uint8Array, lineStart: number, lineEnd: number): void {
    let start = lineStart;
    let end = Math.min(lineEnd, lineStart + lineBytesMax);
    if (end > start && bytes[end - 1] === carriageReturn) end--;
    if (isFirstLine) {
      isFirstLine = false;
      if (startsWith(bytes, start, end, byteOrderMark)) start += byteOrderMark.length;
    }
    // Only where it begins: among the lines of bytes that are no text at all, some have a colon first, too.
    if (!isAnything && start < end) {
      isAnything = true;
      isEvents = streamStart.test(latin1Of(bytes, start, Math.min(end, start + typeBytesMax)));
    }
    if (start === end) {
      type = undefined;
      hasData = false;
    } else if (startsWith(bytes, start, end, dataField)) {
      if (!hasData) readData(bytes, valueStart(bytes, start + dataField.length), end);
      hasData = true;
      isEvents = true;
    } else if (startsWith(bytes, start, end, eventField)) {
      isEvents = true;
      const typeStart = start + eventField.length;
      type = latin1Of(bytes, typeStart, Math.min(end, typeStart + typeBytesMax)).trim();
    }
  }

  function readData(bytes: Uint8Array, start: number, end: number): void {
    const named = type ?? typeOf(bytes, start, end);
    if (named === "content_block_delta")
      return usage.wrote(Math.max(0, charactersIn(bytes, start, end) - bareDelta.length));
    if (named === "message_stop") isOver = true;
    if (named !== "message_start" && named !== "message_delta" && named !== "error") return;
    const event = valueIn(utf8.decode(bytes.subarray(start, end)));
    // An event that is not of the type that it is named after is none.
    if (memberOf(event, "type") !== named) return;
    if (named === "message_start") usage.start(event);
    else if (named === "message_delta") usage.delta(event);
    else usage.failed(event);
  }

  function estimate(): Metered {
    const outputTokens = tokensOf(bytesRead);
    return {
      usage: { ...noUsage, inputTokens: inputTokensEstimate, outputTokens },
      others: [],
      isEstimate: true,
      isUnreadable: false,
    };
  }

  return {
    read(chunk) {
      const bytes = tail.join(chunk);
      bytesRead += chunk.length;
      let lineStart = 0;
      let lineEnd = bytes.indexOf(lineFeed, searchFrom);
      while (lineEnd !== -1) {
        if (!isRestOfLine) readLine(bytes, lineStart, lineEnd);
        isRestOfLine = false;
        lineStart = lineEnd + 1;
        lineEnd = bytes.indexOf(lineFeed, lineStart);
      }
      if (!isRestOfLine && bytes.length - lineStart > lineBytesMax) {
        readLine(bytes, lineStart, bytes.length);
        isRestOfLine = true;
      }
      searchFrom = isRestOfLine ? 0 : bytes.length - lineStart;
      tail.keep(searchFrom);
      return isOver;
    },
    end() {
      const rest = tail.join(new Uint8Array());
      if (rest.length > 0) readLine(rest, 0, rest.length);
      return usage.sum() ?? (isAnything && !isEvents ? estimate() : undefined);
    },
    told: () => ({ ...usage.told(), isWhole: isOver }),
  };
}

/** The type of an event without a name. */
function typeOf(bytes: Uint8Array, start: number, end: number): unknown {
  const head = latin1Of(bytes, start, Math.min(end, start + usualStartBytesMax));
  return (
    usualStart.exec(head)?.[1] ?? memberOf(valueIn(utf8.decode(bytes.subarray(start, end))), "type")
  );
}

/** After the one blank that may follow a field's colon. */
function valueStart(bytes: Uint8Array, at: number): number {
  return bytes[at] === blank ? at + 1 : at;
}

function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let at = 0; at < prefix.length; at++) if (bytes[start + at] !== prefix[at]) return false;
  return true;
}

function latin1Of(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.prototype.latin1Slice.call(bytes, start, end);
}
