// An upstream of bare sockets, for answers that no server would write: every byte of them is a test's.
import net from "node:net";

export type SocketUpstream = {
  readonly url: string;
  /** What is written for each request, once all of it is there. Nothing, and the connection stays open, until a test says so. */
  answer: (socket: net.Socket, request: AskedBySocket) => void;
  /** Requests so far. */
  readonly asked: AskedBySocket[];
  /** Connections that are open. */
  readonly open: () => number;
  readonly stop: () => void;
};

export type AskedBySocket = { readonly path: string; readonly body: string };

export async function startSocketUpstream(): Promise<SocketUpstream> {
  const sockets = new Set<net.Socket>();
  const asked: AskedBySocket[] = [];
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    let received: Buffer = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      for (;;) {
        const headEnd = received.indexOf("\r\n\r\n");
        if (headEnd === -1) return;
        const head = received.toString("latin1", 0, headEnd);
        const end = headEnd + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
        if (received.length < end) return;
        const request = {
          path: decodeURIComponent(head.split(" ")[1] ?? ""),
          body: received.toString("utf8", headEnd + 4, end),
        };
        received = received.subarray(end);
        asked.push(request);
        upstream.answer(socket, request);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  const upstream: SocketUpstream = {
    url: `http://127.0.0.1:${port}`,
    answer: () => undefined,
    asked,
    open: () => sockets.size,
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
  return upstream;
}

/** The head of an answer. */
export function headOf(status: number | string, headers: Record<string, string | number>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`;
}

/** Bytes as one chunk of a body (RFC 9112 §7.1). */
export function chunkOfBody(bytes: string | Uint8Array): Buffer {
  const body = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")]);
}

export const lastChunk = "0\r\n\r\n";
