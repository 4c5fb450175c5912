// The reading side of the streaming benchmark, a process of its own so that its CPU is nobody else's. It takes a StreamJob
// as JSON on stdin, opens that many raw sockets evenly within the given time, sends each one request, counts events by a
// byte, and prints a StreamResult. No HTTP client: parsing would cost more than what is measured.
import type { Socket } from "bun";
import { countedByte } from "./requests.ts";

export type StreamJob = {
  readonly port: number;
  readonly streams: number;
  /** Events each stream must bring. */
  readonly events: number;
  readonly openWithinMs: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  /** Streams still open after this are given up and counted as failed. */
  readonly deadlineMs: number;
};

export type StreamResult = {
  /** Streams that brought every event and ended as a chunked body ends. */
  readonly done: number;
  readonly failed: number;
  readonly events: number;
  /** From the first connect to the end of the last stream. */
  readonly wallMs: number;
  /** How long opening all connections really took. */
  readonly openedWithinMs: number;
  /** From a stream's connect to the first byte of its answer, over the streams that got one. */
  readonly firstByteMs: { readonly p50: number; readonly p99: number };
};

type Stream = {
  readonly startedAt: number;
  answered: boolean;
  events: number;
  end: Buffer;
  over: boolean;
};

const lastChunk = "0\r\n\r\n";

if (import.meta.main) {
  const job: StreamJob = await Bun.stdin.json();
  console.log(JSON.stringify(await runStreams(job)));
}

/** Opens, reads and closes the streams of one job. Resolves when all ended or the deadline passed; never rejects. */
export function runStreams(job: StreamJob): Promise<StreamResult> {
  const head = Object.entries(job.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(
    `POST /v1/messages?beta=true HTTP/1.1\r\nhost: localhost:${job.port}\r\n${head.join("")}` +
      `content-length: ${Buffer.byteLength(job.body)}\r\n\r\n${job.body}`,
  );
  const counted = countedByte.charCodeAt(0);
  const firstBytes: number[] = [];
  const sockets = new Set<Socket<Stream>>();
  let [opened, done, failed, events, openedWithinMs] = [0, 0, 0, 0, 0];

  return new Promise((resolve) => {
    const startedAt = performance.now();
    const opener = setInterval(openDue, 1);
    const deadline = setTimeout(giveUp, job.deadlineMs);

    function openDue(): void {
      const elapsed = performance.now() - startedAt;
      const due = Math.min(job.streams, Math.ceil((job.streams * elapsed) / job.openWithinMs));
      for (; opened < due; opened += 1) open();
      if (opened < job.streams) return;
      clearInterval(opener);
      openedWithinMs = elapsed;
    }

    function open(): void {
      const stream = {
        startedAt: performance.now(),
        answered: false,
        events: 0,
        end: Buffer.alloc(0),
        over: false,
      };
      Bun.connect<Stream>({
        hostname: "127.0.0.1",
        port: job.port,
        data: stream,
        socket: {
          open(socket) {
            sockets.add(socket);
            if (socket.write(request) < request.length) finish(stream, false, socket);
          },
          data: (socket, bytes) => read(socket, bytes),
          close: (socket) => finish(stream, false, socket),
          error: (socket) => finish(stream, false, socket),
        },
      }).catch(() => finish(stream, false));
    }

    function read(socket: Socket<Stream>, bytes: Buffer): void {
      const stream = socket.data;
      if (stream.over) return;
      if (!stream.answered) {
        stream.answered = true;
        firstBytes.push(performance.now() - stream.startedAt);
        if (!bytes.toString("latin1", 0, 12).startsWith("HTTP/1.1 200")) {
          finish(stream, false, socket);
          return;
        }
      }
      for (let at = bytes.indexOf(counted); at >= 0; at = bytes.indexOf(counted, at + 1))
        stream.events += 1;
      if (stream.events < job.events) return;
      stream.end = Buffer.concat([stream.end, bytes.subarray(-lastChunk.length)]).subarray(
        -lastChunk.length,
      );
      if (stream.end.toString("latin1") === lastChunk)
        finish(stream, stream.events === job.events, socket);
    }

    function finish(stream: Stream, complete: boolean, socket?: Socket<Stream>): void {
      if (stream.over) return;
      stream.over = true;
      events += stream.events;
      if (complete) done += 1;
      else failed += 1;
      if (socket !== undefined) sockets.delete(socket);
      socket?.end();
      if (done + failed === job.streams) report();
    }

    function giveUp(): void {
      clearInterval(opener);
      for (const socket of sockets) events += socket.data.events;
      for (const socket of sockets) socket.data.over = true;
      failed = job.streams - done;
      report();
      for (const socket of sockets) socket.terminate();
    }

    function report(): void {
      clearTimeout(deadline);
      const sorted = firstBytes.toSorted((a, b) => a - b);
      const at = (share: number) =>
        sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
      const firstByteMs = { p50: at(0.5), p99: at(0.99) };
      resolve({
        done,
        failed,
        events,
        wallMs: performance.now() - startedAt,
        openedWithinMs,
        firstByteMs,
      });
    }
  });
}
