// TCP (or unix socket) connections for the PostgreSQL client: hosts in turn, keep-alive, and a hang-up that counts as an
// error. TLS and the protocol are the client's.
import { Socket } from "node:net";

/** Where a server listens: a host name or address, or an absolute path for the directory of a unix socket. */
export type Endpoint = { host: string; port: number };

/** Silence before TCP asks whether the peer is still there, in milliseconds; NATs and load balancers forget after minutes. */
const keepAliveMs = 30_000;

/**
 * A function that gives the next socket, already connecting, to the next of the endpoints. It never throws: failures come
 * as the socket's `error` event, which is what the client expects.
 */
export function createDialer(endpoints: readonly [Endpoint, ...Endpoint[]]): () => Socket {
  let dialled = 0;
  return () => {
    const endpoint = endpoints[dialled % endpoints.length] ?? endpoints[0];
    dialled += 1;
    const socket = new Socket();
    // To a hang-up without error, as of a load balancer that has no server left, the client's answer is to connect again at
    // once, for ever, while the statement waits. An error ends the statement.
    socket.once("end", () =>
      socket.destroy(new Error(`${endpoint.host}:${endpoint.port} hung up`)),
    );
    socket.setKeepAlive(true, keepAliveMs);
    if (endpoint.host.startsWith("/")) {
      socket.connect(`${endpoint.host}/.s.PGSQL.${endpoint.port}`);
    } else {
      socket.connect(endpoint.port, endpoint.host);
    }
    // The client reads these for the server name in TLS and for its error messages.
    return Object.assign(socket, endpoint);
  };
}
