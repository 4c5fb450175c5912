// The model API of the benchmark, a process of its own: `bun upstream.ts '{"events":200,"gapMs":10}'` prints its port.
// A raw TCP server, so that it costs little beside what is measured: it reads a request by its content-length and answers
// one fixed JSON message, or, when the body ends with `"stream":true}`, one event stream at a fixed gap. It knows nothing
// of gateways; the bytes it answers are in answers.ts, what is sent to it is in requests.ts.
import type { Socket } from "bun";
import { deltaChunk, jsonAnswer, streamEnd, streamHead } from "./answers.ts";
import { streamBodyEnd } from "./requests.ts";

type Stream = { readonly socket: Socket<Connection>; eventsLeft: number };
type Connection = {
  /** Bytes of a request head that has not ended yet. */
  head: Buffer;
  /** Bytes of the body still to come; `undefined` between requests. */
  bodyLeft: number | undefined;
  /** The last bytes of the body so far. */
  bodyEnd: Buffer;
  stream: Stream | undefined;
  /** What the socket did not take yet. */
  unsent: Buffer;
};

const headBytesMax = 64 * 1024;
const nothing = Buffer.alloc(0);

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
      connection.bodyLeft = contentLength(head.toString("latin1", 0, headLength));
      rest = head.subarray(headLength + 4);
      if (connection.bodyLeft === undefined) {
        socket.end("HTTP/1.1 411 Length Required\r\ncontent-length: 0\r\n\r\n");
        return;
      }
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
  if (socket.data.bodyEnd.toString("latin1") !== streamBodyEnd) {
    write(socket, jsonAnswer);
    return;
  }
  const stream = { socket, eventsLeft: options.events };
  socket.data.stream = stream;
  // The slot turned last: the first event comes a whole gap from now.
  slots[turnedTo % options.gapMs]?.add(stream);
  write(socket, streamHead);
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
  stream.eventsLeft -= 1;
  if (stream.eventsLeft > 0) {
    write(stream.socket, deltaChunk);
    return;
  }
  stopStream(stream);
  write(stream.socket, Buffer.concat([deltaChunk, streamEnd]));
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

function contentLength(head: string): number | undefined {
  const digits = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function readOptions(text: string | undefined): { events: number; gapMs: number } {
  const given: { events?: number; gapMs?: number } = JSON.parse(text ?? "{}");
  return { events: given.events ?? 200, gapMs: given.gapMs ?? 10 };
}
