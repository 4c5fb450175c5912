// PostgreSQL's wire protocol to a PGlite in this process, as a stream that the PostgreSQL client takes for a socket. That way
// one client, with one set of types and error objects, serves both stores. (@electric-sql/pglite-socket does the same over a
// real socket; its queue stands still for good after one failed message, and a socket needs a path and permissions.)
import { Duplex } from "node:stream";

/** The part of PGlite that is used here. Each call runs one message to its end; PGlite holds one session. */
export type Backend = {
  execProtocolRawStream(
    message: Uint8Array,
    options: { onRawData: (data: Uint8Array) => void },
  ): Promise<void>;
};

/** First byte of Terminate. PGlite's session outlives the connection, so it is not told. */
const terminate = 0x58;

/** One connection. Only one may be open at a time. A failure inside PGlite destroys the stream with that error. */
export function connectToBackend(backend: Backend): Duplex {
  let received: Buffer = Buffer.alloc(0);
  let started = false;

  /** The next whole message: type, length (of itself and the body), body; the very first one has no type (manual, 54.7). */
  function nextMessage(): Uint8Array | undefined {
    const typeBytes = started ? 1 : 0;
    if (received.length < typeBytes + 4) return undefined;
    const length = typeBytes + received.readUInt32BE(typeBytes);
    if (received.length < length) return undefined;
    const message = Uint8Array.from(received.subarray(0, length));
    received = received.subarray(length);
    return message;
  }

  async function answer(chunk: Buffer): Promise<void> {
    // The client must not see an answer before its write has returned: it would write again inside that write.
    await Promise.resolve();
    received = Buffer.concat([received, chunk]);
    for (let message = nextMessage(); message !== undefined; message = nextMessage()) {
      started = true;
      if (message[0] === terminate) return;
      await backend.execProtocolRawStream(message, {
        onRawData: (data) => {
          stream.push(Buffer.from(data));
        },
      });
    }
  }

  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      answer(chunk).then(() => done(), done);
    },
    final: (done) => {
      done();
      stream.destroy();
    },
  });
  // The client asks a socket for its state before it says goodbye.
  return Object.defineProperty(stream, "readyState", {
    get: () => (stream.destroyed ? "closed" : "open"),
  });
}
