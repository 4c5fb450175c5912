// A provider's own server-sent events (WHATWG HTML §9.2.6), passed through byte for byte, whole events at a time. Line ends are
// LF or CRLF; a lone CR, which the standard allows and nobody sends, is none.
import { heldBytesMax } from "./body.ts";
import type { EventReader } from "./event-relay.ts";
import { toldError, UpstreamStreamError } from "./stream-error.ts";
import { createTail } from "./tail.ts";

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** How a line of an event begins: a comment, or one of the fields. */
const streamStart = /^(?:\u00ef\u00bb\u00bf)?[\r\n]*(?:event|data|id|retry)?:/;
const streamStartBytesMax = 64;

const errorWord = Buffer.from("error");
const errorNames = ["event: error", "event:error"].map((line) => Buffer.from(line));
const errorData = ['data: {"type":"error"', 'data: {"type": "error"', 'data:{"type":"error"'].map(
  (line) => Buffer.from(line),
);
const dataLine = /^data: ?(.*)$/m;

const utf8 = new TextDecoder();
const latin1 = (bytes: Uint8Array): string => Buffer.prototype.latin1Slice.call(bytes);
const nothing: Uint8Array = new Uint8Array();

/**
 * A reader of one answer. A chunk that ends with an event is given back as it is, not copied. What does not begin as events do is
 * no stream. An `error` event ends the stream: its text speaks to the operator, so only UpstreamStreamError has it.
 *
 * @param options.passesErrors for a provider whose words are the developer's: its error events are given out as any other, but
 *   for one that comes first, which stands for an answer of another status.
 */
export function createSseReader({ passesErrors = false } = {}): EventReader {
  const tail = createTail(heldBytesMax);
  /** How much is kept: it has no whole event in it, and need not be looked at again. */
  let kept = 0;
  let isBegun = false;

  return {
    read(chunk) {
      const bytes = tail.join(chunk);
      const end = endOfEvents(bytes, kept);
      kept = bytes.length - end;
      tail.keep(kept);
      if (end === 0) return nothing;
      const events = kept === 0 ? bytes : bytes.subarray(0, end);
      if (!isBegun) requireBegin(events);
      if (!passesErrors || !isBegun) requireNoError(events, passesErrors);
      isBegun = true;
      return events;
    },
    end: () => tail.end(),
  };
}

/** Behind the last blank line; 0 where there is none. @param from no blank line ends up to there. */
function endOfEvents(bytes: Uint8Array, from: number): number {
  // Most chunks end with an event.
  if (isBlankBefore(bytes, bytes.length)) return bytes.length;
  const unseen = from === 0 ? bytes : bytes.subarray(from);
  let at = unseen.lastIndexOf(lineFeed);
  while (at !== -1 && !isBlankBefore(bytes, from + at + 1))
    at = at === 0 ? -1 : unseen.lastIndexOf(lineFeed, at - 1);
  return at === -1 ? 0 : from + at + 1;
}

/** Whether a blank line ends there: after a line's end, or where all begins. */
function isBlankBefore(bytes: Uint8Array, end: number): boolean {
  if (end === 0 || bytes[end - 1] !== lineFeed) return false;
  const start = bytes[end - 2] === carriageReturn ? end - 2 : end - 1;
  return start === 0 || bytes[start - 1] === lineFeed;
}

function requireBegin(events: Uint8Array): void {
  const start = latin1(events.subarray(0, streamStartBytesMax));
  if (!streamStart.test(start) && start.trim() !== "")
    throw new UpstreamStreamError("its stream does not begin with an event");
}

/** @param onlyFirst looks at the first event alone. @throws UpstreamStreamError at an error event. */
function requireNoError(events: Uint8Array, onlyFirst: boolean): void {
  if (Buffer.prototype.indexOf.call(events, errorWord) === -1) return;
  let eventStart = 0;
  let lineStart = 0;
  let isError = false;
  for (;;) {
    const lineEnd = events.indexOf(lineFeed, lineStart);
    if (lineEnd === -1) return;
    const length = lineLength(events, lineStart, lineEnd);
    if (length > 0) {
      isError ||= speaksOfError(events, lineStart, length);
    } else {
      if (isError) throw errorIn(events, eventStart, lineEnd);
      // A blank line alone is no event.
      if (onlyFirst && lineStart > eventStart) return;
      eventStart = lineEnd + 1;
    }
    lineStart = lineEnd + 1;
  }
}

function errorIn(events: Uint8Array, start: number, end: number): UpstreamStreamError {
  const text = dataLine.exec(utf8.decode(events.subarray(start, end)))?.[1]?.trimEnd() ?? "";
  return toldError(text, { completed: events.subarray(0, start) });
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
