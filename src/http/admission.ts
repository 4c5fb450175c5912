// The door: which client a request comes from and whether access_control lets it in, with the audit events and the
// once-only warnings that go with it. The address arithmetic is in client-address.ts.
import { audit } from "../audit.ts";
import type { Config } from "../config/schema.ts";
import { log } from "../log.ts";
import { type ClientAddress, createAddresses, isPublicAddress } from "./client-address.ts";
import { ApiError } from "./errors.ts";

export type Admission = {
  /** @param peer address of the TCP peer, `undefined` when the socket is already gone. */
  clientOf(headers: Headers, peer: string | undefined): ClientAddress;
  /** @throws ApiError 403 `permission_error` when access_control refuses the client; audited. */
  check(client: ClientAddress, requestId: string, isHealthPath: boolean): void;
};

/** Public client addresses remembered, so that each is audited once. */
const publicClientsMax = 1_000;

/** The door that access_control and listen.trusted_proxies describe. Remembers at most a thousand public clients. */
export function createAdmission(config: Pick<Config, "access_control" | "listen">): Admission {
  const { allow_cidrs: allowCidrs, deny_cidrs: denyCidrs } = config.access_control;
  const trustedProxies = config.listen.trusted_proxies;
  const addresses = createAddresses({ trustedProxies, allowCidrs, denyCidrs });
  const publicClients = new Set<string>();
  let warnedOfIgnoredHeader = false;

  function clientOf(headers: Headers, peer: string | undefined): ClientAddress {
    const forwardedFor = headers.get("x-forwarded-for");
    if (forwardedFor !== null && trustedProxies.length === 0 && !warnedOfIgnoredHeader) {
      warnedOfIgnoredHeader = true;
      log.warn(
        `X-Forwarded-For from ${peer ?? "an unknown peer"} is ignored: listen.trusted_proxies is empty. If that is your load balancer, ` +
          "list its address there, or rate limits and access_control apply to it and not to the developers behind it.",
      );
    }
    return addresses.resolve(peer, forwardedFor);
  }

  function check(client: ClientAddress, requestId: string, isHealthPath: boolean): void {
    const reason = addresses.refusal(client, isHealthPath);
    if (reason !== undefined) {
      audit({
        evt: "access.denied",
        request_id: requestId,
        reason,
        client_ip: client.ip ?? "unknown",
      });
      throw new ApiError("permission_error", "forbidden");
    }
    if (client.forwarded && allowCidrs.length === 0) notePublicClient(client.ip, requestId);
  }

  function notePublicClient(ip: string | undefined, requestId: string): void {
    if (
      ip === undefined ||
      publicClients.has(ip) ||
      publicClients.size >= publicClientsMax ||
      !isPublicAddress(ip)
    )
      return;
    if (publicClients.size === 0) {
      log.warn(
        `a client came from the public address ${ip}: this gateway can push settings that run commands on developers' machines; ` +
          "keep it on a private network, or list your networks in access_control.allow_cidrs",
      );
    }
    publicClients.add(ip);
    audit({ evt: "access.public_client", request_id: requestId, client_ip: ip });
  }

  return { clientOf, check };
}
