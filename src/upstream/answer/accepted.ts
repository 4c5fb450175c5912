// A successful answer, held back until it is one: a stream until its first event is there, any other one until it is whole. Up to
// then another upstream may be asked; what breaks later ends in an `event: error` (event-relay.ts). The same for every provider.
import { causeOf } from "../../http/egress.ts";
import { log, messageOf } from "../../log.ts";
import type { OutboundCall } from "../upstream.ts";
import { type TopLevel, topLevelFinder } from "../request/top-level.ts";
import { heldBytesMax, readWhole } from "./body.ts";
import { type EventReader, type EventRelay, relayEvents } from "./event-relay.ts";
import { withoutCredentials } from "./redaction.ts";
import { requestIdsOf } from "./request-ids.ts";
import { type StreamRefusal, UpstreamStreamError } from "./stream-error.ts";

/** Told how an answer comes along, by whoever reads it. */
export type StreamWatch = {
  /** The head is there. */
  readonly onHead?: () => void;
  /** @param isWhole false when it broke. Not told when the client let go of it. */
  readonly onStreamOver?: (isWhole: boolean) => void;
};

/** How a provider's successful answers are read. */
export type AnswerReading = {
  /** Whose they are, for the log: provider and name of the upstream. */
  readonly provider: string;
  readonly name: string;
  readonly eventReader: () => EventReader;
  /** As in `Dialect`. */
  readonly readJson?: ((body: Uint8Array, outbound: OutboundCall) => Uint8Array) | undefined;
  /** As in `RelayOptions`. */
  readonly hasPings: boolean;
};

/** The body for the client; or an error that the provider told in place of a first event, for the status that it stands for. */
export type AcceptedBody =
  | { readonly body: Uint8Array | EventRelay }
  | { readonly refusal: StreamRefusal; readonly cause: string };

/** As much of an error's text as is logged, in characters. */
const loggedTextMax = 1_000;

/** A media type as it may stand in the log. */
const mediaType = /^[\w.+-]{1,40}\/[\w.+-]{1,60}/;

const findMembers = topLevelFinder(["type", "input_tokens", "usage"]);

/**
 * Reads as much of a successful answer as shows that it is one.
 * @throws when it is none: of another kind than asked for, cut off, too long, no message, broken before its first event.
 */
export async function acceptedBody(
  answer: Response,
  reading: AnswerReading,
  outbound: OutboundCall & StreamWatch,
  signal: AbortSignal,
): Promise<AcceptedBody> {
  outbound.onHead?.();
  try {
    return isStreamAsked(outbound)
      ? await openedStream(answer, reading, outbound, signal)
      : { body: await wholeAnswer(answer, reading, outbound) };
  } catch (error) {
    answer.body?.cancel().catch(() => undefined);
    throw new Error(`${answer.status}, but ${causeOf(error)}${idsIn(answer)}`, { cause: error });
  }
}

/**
 * Lets go of an answer that nobody could be given.
 * @throws when its status is none that HTTP has for the end of a request.
 */
export function requireStatus(answer: Response): void {
  const { status } = answer;
  if (status >= 200 && status <= 599) return;
  // Asked for only here: a body that was looked at takes the runtime longer to read.
  answer.body?.cancel().catch(() => undefined);
  throw new Error(`answered ${status}, which is no status`);
}

function isStreamAsked({ path, call }: OutboundCall): boolean {
  return path === "/v1/messages" && call.stream;
}

async function openedStream(
  answer: Response,
  { provider, name, eventReader, hasPings }: AnswerReading,
  outbound: OutboundCall & StreamWatch,
  signal: AbortSignal,
): Promise<AcceptedBody> {
  const { requestId, onStreamOver } = outbound;
  if (answer.body === null || !isEventStream(answer.headers))
    throw new Error(`${mediaTypeOf(answer.headers)} where a stream was asked for`);
  const body = relayEvents(answer.body, eventReader(), {
    requestId,
    signal,
    hasPings,
    onOver(broke) {
      onStreamOver?.(broke === undefined);
      if (broke === undefined) return;
      const where = `${provider} upstream broke off request_id=${requestId}: ${name}: ${answer.status}`;
      log.warn(`${where} ${causeOf(broke)}${idsIn(answer)}`);
      const refusal = refusalIn(broke);
      if (refusal !== undefined)
        log.debug(`${where} ${withoutCredentials(refusal.text).slice(0, loggedTextMax)}`);
    },
  });
  try {
    await body.opened();
    return { body };
  } catch (error) {
    const refusal = refusalIn(error);
    if (refusal === undefined) throw error;
    return { refusal, cause: `${answer.status}, but ${messageOf(error)}` };
  }
}

async function wholeAnswer(
  answer: Response,
  { readJson }: AnswerReading,
  outbound: OutboundCall,
): Promise<Uint8Array> {
  const bytes = await readWhole(answer, heldBytesMax);
  const found = findMembers(bytes);
  if (found.kind !== "object") {
    const what = `${mediaTypeOf(answer.headers)} of ${bytes.length} bytes`;
    throw new Error(`${what} that is no JSON object`);
  }
  const body = readJson?.(bytes, outbound) ?? bytes;
  const { member, value, name } = asked[outbound.path];
  const told = valueOf(body, body === bytes ? found : findMembers(body), member);
  // A proxy that writes little is believed, as long as it says what was used and not that it is something else.
  const isPlain = told === "" && member === "type" && found.members.usage !== undefined;
  if (!isPlain && !value.test(told)) throw new Error(`a JSON object that is no ${name}`);
  return body;
}

/** What an answer has that is one. */
const asked = {
  "/v1/messages": { member: "type", value: /^"message"$/, name: "message" },
  "/v1/messages/count_tokens": { member: "input_tokens", value: /^\d{1,15}$/, name: "count" },
} as const;

/** The value of a member as its bytes spell it; empty when there is none. */
function valueOf<Name extends string>(body: Uint8Array, found: TopLevel<Name>, name: Name): string {
  const member = found.kind === "object" ? found.members[name] : undefined;
  if (member === undefined) return "";
  return Buffer.prototype.latin1Slice.call(body, member.valueStart, member.valueEnd);
}

/** Content types of streams; AWS's are frames. */
function isEventStream(headers: Headers): boolean {
  return /^(?:text\/event-stream|application\/vnd\.amazon\.eventstream)\b/i.test(
    headers.get("content-type") ?? "",
  );
}

function mediaTypeOf(headers: Headers): string {
  return mediaType.exec(headers.get("content-type") ?? "")?.[0] ?? "nothing of a known type";
}

/** What the provider calls the request, as a log line ends with it. */
function idsIn({ headers }: Response): string {
  const { requestId, cloudRequestId } = requestIdsOf(headers);
  const ids = [...new Set([requestId, cloudRequestId])].filter((id) => id !== null);
  return ids.length === 0 ? "" : ` upstream_request_id=${ids.join(",")}`;
}

function refusalIn(error: unknown): StreamRefusal | undefined {
  return error instanceof UpstreamStreamError ? error.refusal : undefined;
}
