// Of several addresses of one host, the first that takes a connection: Happy Eyeballs (RFC 8305) for a runtime that is told which
// one address to connect to. Nothing is sent.
import { connect, type Socket } from "node:net";

/** "Connection Attempt Delay" of RFC 8305 §5, in milliseconds. */
const staggerMs = 250;

/** Addresses tried, and how long one may take. */
const addressesMax = 8;
const timeoutMs = 3_000;

/** @returns the address, or undefined when none took a connection in time: the caller's request will say why. */
export function firstToAnswer(
  addresses: readonly string[],
  port: number,
): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const sockets: Socket[] = [];
  const waiting = addresses.slice(0, addressesMax);
  let failures = 0;
  let stagger: NodeJS.Timeout | undefined;
  const late = setTimeout(() => resolve(undefined), timeoutMs);

  function tryNext(): void {
    clearTimeout(stagger);
    const address = waiting.shift();
    if (address === undefined) return;
    const socket = connect({ host: address, port, autoSelectFamily: false });
    sockets.push(socket);
    socket.once("connect", () => resolve(address));
    socket.on("error", () => {
      failures += 1;
      if (failures === Math.min(addresses.length, addressesMax)) resolve(undefined);
      else tryNext();
    });
    stagger = setTimeout(tryNext, staggerMs);
  }

  tryNext();
  return promise.finally(() => {
    clearTimeout(stagger);
    clearTimeout(late);
    for (const socket of sockets) socket.destroy();
  });
}
