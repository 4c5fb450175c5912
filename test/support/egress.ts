// Egress as a gateway with nothing else around it has it: direct, and to this machine unless the test says otherwise.
import { createEgress, type Egress, type EgressBounds } from "../../src/http/egress.ts";
import { readProxies } from "../../src/http/proxies.ts";
import {
  createNetwork,
  createOutbound,
  type Network,
  type NetworkOptions,
} from "../../src/http/outbound.ts";

export type EgressOptions = Partial<EgressBounds> & Partial<NetworkOptions> & { caPem?: string };

/** The network of this machine, loopback included. */
export function openNetwork(options: Partial<NetworkOptions> = {}): Network {
  return createNetwork({ allowLoopback: true, now: Date.now, ...options });
}

/** The way out of a gateway on this machine. */
export const fetchHere = createOutbound(openNetwork());

/** The way to providers out of a process that lives behind a proxy. */
export const fetchAsEnvironment = createOutbound(
  openNetwork({ proxies: readProxies(process.env), namesToProxy: true }),
);

export function egressFor({
  timeoutMs = 5_000,
  responseBytesMax = 1_000,
  caPem,
  ...network
}: EgressOptions = {}): Egress {
  const outbound = createOutbound(openNetwork(network), { caPem });
  return createEgress(outbound, { timeoutMs, responseBytesMax });
}
