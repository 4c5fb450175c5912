// A TCP proxy in front of a server that can stand still, as a machine that is suspended does: connections are accepted and kept,
// nothing passes, and when it goes on everything arrives that was sent meanwhile.
import { connect, createServer, type Socket } from "node:net";
import { portOf } from "./idp.ts";

export type StallingProxy = {
  port: number;
  stall(): void;
  goOn(): void;
  close(): void;
};

export async function stallingProxyTo(port: number): Promise<StallingProxy> {
  const sockets = new Set<Socket>();
  let isStalled = false;
  let held: (() => void)[] = [];
  const pass = (run: () => void) => void (isStalled ? held.push(run) : run());

  const listener = createServer((client) => {
    const server = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (bytes) => pass(() => to.write(bytes)));
      from.on("close", () => {
        sockets.delete(from);
        pass(() => to.destroy());
      });
    }
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(listener),
    stall() {
      isStalled = true;
    },
    goOn() {
      isStalled = false;
      const waiting = held;
      held = [];
      for (const run of waiting) run();
    },
    close() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
