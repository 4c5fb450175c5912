// The model APIs of the benchmark, a process of its own: `bun upstream.ts '{"events":200,"gapMs":10}'` prints its port.
// A raw TCP server, so that it costs little beside what is measured: it reads a request by its content-length and answers
// one fixed JSON message or one event stream at a fixed gap. Below `/model/` it is Amazon Bedrock, where the path asks for a
// stream; elsewhere the Messages API, where a body that ends with `"stream":true}` does. It knows nothing of gateways; the
// bytes it answers are in answers.ts, what is sent to it is in requests.ts.
import type { Socket } from "bun";
import { type Answers, bedrockAnswers, messagesAnswers } from "./answers.ts";
import { streamBodyEnd } from "./requests.ts";

type Stream = {
  readonly socket: Socket<Connection>;
  readonly answers: Answers;
  eventsLeft: number;
};
/** What the head of a request says. */
type Asked = { readonly answers: Answers; readonly byPath: "stream" | "json" | undefined };
type Connection = {
  /** Bytes of a request head that has not ended yet. */
  head: Buffer;
  /** Bytes of the body still to come; `undefined` between requests. */
  bodyLeft: number | undefined;
  asked: Asked;
  /** The last bytes of the body so far. */
  bodyEnd: Buffer;
  stream: Stream | undefined;
  /** What the socket did not take yet. */
  unsent: Buffer;
};

const headBytesMax = 64 * 1024;
const nothing = Buffer.alloc(0);
const messagesAsked: Asked = { answers: messagesAnswers, byPath: undefined };

const options = readOptions(process.argv[2]);
// One wheel of `gapMs` slots turned by one timer: a stream gets its events at the millisecond it began in, so that a
// thousand streams cost one timer and their events are spread over the gap as those of independent streams would be.
const slots = Array.from({ length: options.gapMs }, () => new Set<Stream>());
let turnedTo = Math.floor(performance.now());
setInterval(turn, 1);

const listener = Bun.listen<Connection>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(socket) {
      socket.data = {
        head: nothing,
        bodyLeft: undefined,
        asked: messagesAsked,
        bodyEnd: nothing,
        stream: undefined,
        unsent: nothing,
      };
    },
    data: read,
    drain(socket) {
      const { unsent } = socket.data;
      socket.data.unsent = nothing;
      write(socket, unsent);
    },
    close: (socket) => stopStream(socket.data.stream),
    error: (socket) => stopStream(socket.data.stream),
  },
});
// The benchmark holds our stdin: when it dies in whatever way, we end too.
process.stdin.on("end", () => process.exit(0)).resume();
console.log(listener.port);

function read(socket: Socket<Connection>, bytes: Buffer): void {
  const connection = socket.data;
  let rest = bytes;
  do {
    if (connection.bodyLeft === undefined) {
      const head = connection.head.length > 0 ? Buffer.concat([connection.head, rest]) : rest;
      const headLength = head.indexOf("\r\n\r\n");
      if (headLength < 0) {
        connection.head = Buffer.from(head);
        if (head.length > headBytesMax) socket.end();
        return;
      }
      connection.head = nothing;
      connection.bodyEnd = nothing;
      const headText = head.toString("latin1", 0, headLength);
      const asked = askedBy(headText);
      connection.bodyLeft = contentLength(headText);
      rest = head.subarray(headLength + 4);
      if (asked === undefined || connection.bodyLeft === undefined) {
        const status = asked === undefined ? "403 Forbidden" : "411 Length Required";
        socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      connection.asked = asked;
    }
    const part = rest.subarray(0, connection.bodyLeft);
    rest = rest.subarray(part.length);
    connection.bodyLeft -= part.length;
    const ending = part.subarray(-streamBodyEnd.length);
    connection.bodyEnd = Buffer.concat([connection.bodyEnd, ending]).subarray(
      -streamBodyEnd.length,
    );
    if (connection.bodyLeft > 0) return;
    connection.bodyLeft = undefined;
    answer(socket);
  } while (rest.length > 0);
}

function answer(socket: Socket<Connection>): void {
  const { asked, bodyEnd } = socket.data;
  const { answers, byPath = bodyEnd.toString("latin1") === streamBodyEnd ? "stream" : "json" } =
    asked;
  if (byPath === "json") {
    write(socket, answers.json);
    return;
  }
  const stream = { socket, answers, eventsLeft: options.events };
  socket.data.stream = stream;
  // The slot turned last: the first event comes a whole gap from now.
  slots[turnedTo % options.gapMs]?.add(stream);
  write(socket, answers.streamHead);
}

function turn(): void {
  const now = Math.floor(performance.now());
  // Late by more than a turn: every stream gets one event now, and the gap grows. Nothing is sent twice as fast to catch up.
  for (turnedTo = Math.max(turnedTo, now - options.gapMs); turnedTo < now; turnedTo += 1) {
    for (const stream of slots[(turnedTo + 1) % options.gapMs] ?? []) sendEvent(stream);
  }
}

function sendEvent(stream: Stream): void {
  // A reader that is behind gets no more until it caught up.
  if (stream.socket.data.unsent.length > 0) return;
  const { delta, streamEnd } = stream.answers;
  stream.eventsLeft -= 1;
  if (stream.eventsLeft > 0) {
    write(stream.socket, delta);
    return;
  }
  stopStream(stream);
  write(stream.socket, Buffer.concat([delta, streamEnd]));
}

function stopStream(stream: Stream | undefined): void {
  if (stream === undefined) return;
  for (const slot of slots) slot.delete(stream);
  stream.socket.data.stream = undefined;
}

function write(socket: Socket<Connection>, bytes: Buffer): void {
  const written = Math.max(0, socket.write(bytes));
  if (written < bytes.length) socket.data.unsent = bytes.subarray(written);
}

/** Undefined for Bedrock without a signature: what signing costs would be missing from the figures. */
function askedBy(head: string): Asked | undefined {
  const operation = /^POST \/model\/[^/ ]+\/(invoke|invoke-with-response-stream) /.exec(head)?.[1];
  if (operation === undefined) return messagesAsked;
  if (!/\r\nauthorization: AWS4-HMAC-SHA256 /i.test(head)) return undefined;
  return { answers: bedrockAnswers, byPath: operation === "invoke" ? "json" : "stream" };
}

function contentLength(head: string): number | undefined {
  const digits = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function readOptions(text: string | undefined): { events: number; gapMs: number } {
  const given: { events?: number; gapMs?: number } = JSON.parse(text ?? "{}");
  return { events: given.events ?? 200, gapMs: given.gapMs ?? 10 };
}
