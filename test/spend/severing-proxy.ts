// A TCP proxy in front of PostgreSQL that can lose an answer: the server has carried the statement out, and the client's
// connection ends without a word of it.
import { connect, createServer, type Socket } from "node:net";
import { portOf } from "../support/idp.ts";

export type SeveringProxy = {
  port: number;
  /** The next answers to statements, so many of them, are lost. */
  loseAnswers(count: number): void;
  /** How many were lost. */
  readonly lost: number;
  close(): void;
};

/** Message CommandComplete of a `select` (manual, 54.7). The server sends it together with ReadyForQuery, after the commit. */
const selectCompleted = "SELECT ";

export async function severingProxyTo(port: number): Promise<SeveringProxy> {
  const sockets = new Set<Socket>();
  let toLose = 0;
  let lost = 0;
  const listener = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        client.destroy();
        server.destroy();
      });
    }
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes: Buffer) => {
      if (toLose === 0 || !bytes.includes(selectCompleted)) return client.write(bytes);
      toLose -= 1;
      lost += 1;
      client.destroy();
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(listener),
    loseAnswers(count) {
      toLose = count;
    },
    get lost() {
      return lost;
    },
    close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
