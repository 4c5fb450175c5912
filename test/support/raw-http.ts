// Bytes sent to a port as they stand, for what no HTTP client would send, and what came back.
import { connect } from "node:net";

export type RawExchange = {
  /** Of each answer, in the order they came. */
  statuses: number[];
  /** All that came, byte for byte. */
  text: string;
  /** Whether the other side ended the connection. */
  closed: boolean;
};

/** What is waited for, at most three seconds; what else comes within some milliseconds after is seen too. */
type Awaited = {
  answers: number;
  closed: boolean;
  /** Says that nothing more will be sent, once all is. */
  end?: boolean;
};

/** @param bytes one character a byte */
export async function exchange(
  port: number,
  bytes: string,
  awaited: Awaited = { answers: 1, closed: false },
): Promise<RawExchange> {
  let text = "";
  let closed = false;
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
    socket.write(Buffer.from(bytes, "latin1"));
    if (awaited.end === true) socket.end();
  });
  socket.on("data", (part) => (text += part.toString("latin1")));
  socket.on("error", () => (closed = true));
  socket.on("end", () => (closed = true));
  socket.on("close", () => (closed = true));
  const statuses = () =>
    [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]));
  const isOver = () => closed || (statuses().length >= awaited.answers && !awaited.closed);
  const deadline = Date.now() + 3_000;
  while (!isOver() && Date.now() < deadline) await Bun.sleep(2);
  await Bun.sleep(20);
  socket.destroy();
  return { statuses: statuses(), text, closed };
}

/** The first answer's body, read by its Content-Length. */
export function bodyOf({ text }: RawExchange): string {
  const end = text.indexOf("\r\n\r\n") + 4;
  const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
  return text.slice(end, end + length);
}

/** The first answer's header, by its name in any case. */
export function headerOf({ text }: RawExchange, name: string): string | undefined {
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  return new RegExp(`^${name}: (.*)$`, "im").exec(head)?.[1]?.trim();
}
