// What the frames of Bedrock's InvokeModelWithResponseStream mean: each chunk holds one event of the Messages API, which becomes
// the server-sent event that it is elsewhere; an exception ends the stream. The framing is in event-stream.ts.
import { createFrameReader, type Frame } from "./event-stream.ts";
import type { EventReader } from "../answer/event-relay.ts";
import { toldError, UpstreamStreamError } from "../answer/stream-error.ts";
import { topLevelFinder } from "../request/top-level.ts";

/** How Bedrock begins every event. A name of other characters could end the line that it is written on. */
const usualStart = /^\{"type":"([\w.-]{1,64})"/;
/** How Bedrock writes the payload of a chunk: only base64 that is whole is taken this way. */
const usualPayload =
  /^\{"bytes":"((?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)"/;
const typeName = /^"([\w.-]{1,64})"$/;

const findType = topLevelFinder(["type"]);
const utf8 = new TextDecoder();

/**
 * A reader of one answer. The bytes of an event stay as they are but for line breaks, which JSON has only between its tokens:
 * there they become blanks, because the data of a server-sent event is one line. Pings are dropped; the relay has its own. An
 * `error` event ends the stream as an exception does: its text speaks to the operator, so only UpstreamStreamError has it.
 */
export function createBedrockEventReader(): EventReader {
  const frames = createFrameReader();
  return {
    read(chunk) {
      let events = "";
      try {
        frames.read(chunk, (frame) => {
          events += eventOf(frame);
        });
      } catch (error) {
        if (!(error instanceof UpstreamStreamError)) throw error;
        const { message, refusal } = error;
        throw new UpstreamStreamError(message, { completed: bytesOf(events), refusal });
      }
      return bytesOf(events);
    },
    end: () => frames.end(),
  };
}

/** The event in a frame, a character for each of its bytes; empty when there is none for the client. */
function eventOf(frame: Frame): string {
  const { headers } = frame;
  const kind = headers.get(":message-type");
  switch (kind) {
    case "event":
      return headers.get(":event-type") === "chunk" ? eventOfChunk(frame) : "";
    case "exception":
      throw toldError(textOf(frame), { type: headers.get(":exception-type") });
    case "error":
      throw toldError(headers.get(":error-message") ?? "", { type: headers.get(":error-code") });
    default:
      throw new UpstreamStreamError("a frame of it is neither event nor exception");
  }
}

function eventOfChunk(frame: Frame): string {
  const json = jsonIn(frame);
  const type = usualStart.exec(json)?.[1] ?? typeOf(json);
  if (type === "ping") return "";
  if (type === "error") throw toldError(utf8.decode(bytesOf(json)));
  return `event: ${type}\ndata: ${isOneLine(json) ? json : json.replaceAll(/[\r\n]/g, " ")}\n\n`;
}

/** `{"bytes":"<the JSON in base64>","p":"<padding, which hides the length>"}` */
function jsonIn(frame: Frame): string {
  const usual = usualPayload.exec(latin1Of(frame))?.[1];
  if (usual !== undefined) return atob(usual);
  try {
    const { bytes } = JSON.parse(textOf(frame)) as { bytes?: unknown };
    if (typeof bytes === "string") return atob(bytes);
  } catch {
    // Said below.
  }
  throw new UpstreamStreamError("a chunk of it cannot be read");
}

function textOf({ bytes, payloadStart, payloadEnd }: Frame): string {
  return utf8.decode(bytes.subarray(payloadStart, payloadEnd));
}

function latin1Of({ bytes, payloadStart, payloadEnd }: Frame): string {
  return Buffer.prototype.latin1Slice.call(bytes, payloadStart, payloadEnd);
}

function isOneLine(json: string): boolean {
  return !json.includes("\n") && !json.includes("\r");
}

function typeOf(json: string): string {
  const bytes = bytesOf(json);
  const found = findType(bytes);
  const member = found.kind === "object" ? found.members.type : undefined;
  const type = member && typeName.exec(json.slice(member.valueStart, member.valueEnd))?.[1];
  if (type === undefined) throw new UpstreamStreamError("a chunk of it is no event");
  return type;
}

function bytesOf(characters: string): Uint8Array {
  return Buffer.from(characters, "latin1");
}
