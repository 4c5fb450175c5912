// The ways out of a gateway: which of its requests may go through the proxy that the environment names, and who looks names up. How
// a connection is made is http/outbound.ts's. What is decided here, the boot log says.
import { allowsLoopback } from "./config/addresses.ts";
import type { Sources } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import { firstToAnswer } from "./http/first-to-answer.ts";
import { createNetwork, type Network } from "./http/outbound.ts";
import { describeBoundary, noProxies, type Proxies, readProxies } from "./http/proxies.ts";
import { log } from "./log.ts";

export type Networks = {
  /** To hosts that the configuration names. */
  readonly configured: Network;
  /** To hosts that a provider's name stands for, which a proxy may look up. */
  readonly providers: Network;
  /** To the IdP and what its discovery document names. */
  readonly identityProvider: Network;
};

/** @throws Error naming the variable when a proxy's URL cannot be read. */
export function openNetworks(
  { oidc }: Pick<Config, "oidc">,
  { env, now }: Pick<Sources, "env"> & { now: () => number },
): Networks {
  const proxies = readProxies(env);
  const boundary = describeBoundary(env);
  if (boundary !== undefined) log[boundary.level](boundary.text);
  const options = { allowLoopback: allowsLoopback(env), now, prefer: firstToAnswer };
  const configured = createNetwork({ ...options, proxies });
  return {
    configured,
    providers: createNetwork({ ...options, proxies, namesToProxy: true }),
    identityProvider: asksProxy(oidc, proxies)
      ? configured
      : createNetwork({ ...options, proxies: noProxies }),
  };
}

/** Whether requests to the IdP go through the proxy: when it is asked for, or everything has to. */
function asksProxy({ use_proxy: wanted, issuer }: Config["oidc"], proxies: Proxies): boolean {
  const { proxyHost, isBoundary } = proxies;
  if (proxyHost === undefined) {
    if (wanted) {
      log.warn("oidc.use_proxy is set but no HTTPS_PROXY or HTTP_PROXY is; IdP requests go direct");
    }
    return false;
  }
  if (wanted ?? isBoundary) {
    log.info(`oidc: IdP requests use proxy ${proxyHost}; hosts in NO_PROXY go direct`);
    return true;
  }
  if (wanted === undefined && proxies.urlFor(new URL(issuer), []) !== undefined) {
    log.warn(
      "oidc: a proxy is set (HTTPS_PROXY/HTTP_PROXY) but IdP requests go direct; set oidc.use_proxy: true to send them " +
        "through it, or false to keep them direct and silence this warning",
    );
  }
  return false;
}
