// The connections that node:http makes for a library: to an address that was checked, under the host's name, so that nobody looks
// the name up a second time; https through the proxy that the environment names. Requests that we make ourselves are outbound.ts's.
import { Agent as HttpAgent, type AgentOptions } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Network } from "./outbound.ts";

/** `createConnection` of Node's agents: it returns the socket, or calls back with it when that takes longer, as a tunnel does. */
type Connect = (options: object, callback?: Callback) => unknown;
type Callback = (error: Error | null, socket?: unknown) => void;

/**
 * An agent for requests to one URL's host. They fail with EgressBlockedError where the rules forbid the host or one of its
 * addresses.
 */
export function createGuardedAgent(url: URL, network: Network): HttpAgent | HttpsAgent {
  const isSecure = url.protocol === "https:";
  const agent = agentOf(isSecure, {});
  const direct = connectOf(agent);
  const proxied = new Map<string, Connect>();

  /** Opens tunnels through a proxy. */
  function through(proxy: string): Connect {
    const known = proxied.get(proxy);
    if (known !== undefined) return known;
    const connect = connectOf(agentOf(isSecure, { proxyEnv: { HTTPS_PROXY: proxy } }));
    proxied.set(proxy, connect);
    return connect;
  }

  async function connected(options: object, callback: Callback): Promise<void> {
    try {
      const { hosts, proxy } = await network.wayTo(url);
      const to = { ...options, host: hosts[0], hostname: hosts[0] };
      // Plain http is for this machine, where no proxy leads; through one it would take another form of request.
      if (proxy === undefined || !isSecure) callback(null, direct(to));
      else through(proxy)(to, callback);
    } catch (error) {
      callback(error as Error);
    }
  }

  // What the library asks for names no address yet, so the connection is not there at once.
  return Object.assign(agent, {
    createConnection: (options: object, callback: Callback) => void connected(options, callback),
  });
}

function agentOf(isSecure: boolean, options: AgentOptions & { proxyEnv?: object }) {
  if (!isSecure) return new HttpAgent({ keepAlive: true, ...options });
  // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED=0 would switch it off otherwise.
  return new HttpsAgent({ keepAlive: true, rejectUnauthorized: true, ...options });
}

function connectOf(agent: HttpAgent | HttpsAgent): Connect {
  const { createConnection } = agent as unknown as { createConnection: Connect };
  return createConnection.bind(agent);
}
