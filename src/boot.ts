// From the text of gateway.yaml to a gateway that listens: everything that can fail fails here, before the first connection.
// Reads as the boot log does. Commands, signals and exit codes are in main.ts.
import { audit } from "./audit.ts";
import { isLoopbackHost } from "./config/addresses.ts";
import { loadConfig, type LoadedConfig, type Sources } from "./config/load.ts";
import { firstOf } from "./config/problems.ts";
import type { Config } from "./config/schema.ts";
import { type Endings, openEndings } from "./endings/endings.ts";
import { createGateway } from "./gateway.ts";
import { createAdmission } from "./http/admission.ts";
import { createEgress } from "./http/egress.ts";
import { type Listener, listen } from "./http/listener.ts";
import { createOutbound } from "./http/outbound.ts";
import { openNetworks } from "./networks.ts";
import { describeClientAssertion } from "./idp/client-assertion.ts";
import { discoverIdentityProvider } from "./idp/provider.ts";
import { log, messageOf } from "./log.ts";
import { modelWarnings } from "./models/warnings.ts";
import { describePolicies } from "./policy/boot-log.ts";
import { createPolicies, type Policies } from "./policy/policy.ts";
import { policyWarnings } from "./policy/warnings.ts";
import { periodsAt } from "./spend/periods.ts";
import { openSpending, type Spending } from "./spend/spending.ts";
import type { Store } from "./store/store.ts";
import { describeRelay } from "./telemetry/relay/relay.ts";
import { openTelemetry } from "./telemetry/telemetry.ts";
import { createUpstreams } from "./upstream/upstreams.ts";

/** Bounds of a call to the IdP. A discovery document or JWK set is tens of KB at most. */
const idpBounds = { timeoutMs: 10_000, responseBytesMax: 1024 * 1024 };

/**
 * How long the gateway takes, in milliseconds, when it stops and requests are finished: until what was spent is written, and
 * then until the telemetry that waits has left.
 */
const patience = { settleMs: 5_000, flushMs: 3_000 };
const noPatience = { settleMs: 0, flushMs: 0 };

export type RunningGateway = {
  /** Finishes open requests within the time-out, then closes. Resolves with how many requests were cut. */
  stop(drainTimeoutMs: number): Promise<number>;
};

export type BootOptions = Sources & {
  version: string;
  /** Requests to upstreams at once; Bun's own cap, which was set before the process started. */
  openRequestsMax: number;
  now: () => number;
};

/**
 * Boots from the text of a configuration.
 * @param path as the operator gave it, for the audit event and for error messages.
 * @throws ConfigError for the configuration, Error naming the setting for everything else.
 */
export async function bootGateway(
  text: string,
  path: string,
  options: BootOptions,
): Promise<RunningGateway> {
  const loaded = loadConfig(text, options);
  audit({ evt: "config.load", path, sha256: loaded.sha256 });
  const { config } = loaded;
  const policies = createPolicies(config);
  warnOf(loaded, policies);
  const tls = readTls(config.listen.tls, options.readFile);
  const userAgent = `claude-gateway/${options.version}`;
  const ways = openNetworks(config, options);
  const upstreams = await createUpstreams(config, {
    userAgent,
    fetch: createOutbound(ways.configured),
    providerFetch: createOutbound(ways.providers),
    now: options.now,
  });
  const { ca_cert_pem: caPem } = config.oidc;
  const egress = createEgress(createOutbound(ways.identityProvider, { caPem }), idpBounds);
  // Google and Microsoft are on the public internet: a CA of the house does not vouch for them.
  const directoryEgress = createEgress(createOutbound(ways.providers), idpBounds);

  const telemetry = await openTelemetry(config, {
    version: options.version,
    network: ways.configured,
    userAgent,
    log,
    after,
    now: options.now,
  });
  // Side by side: neither needs the other, and boot waits for the slower one only.
  const opening = openStore(config, options.now);
  const discovering = discoverIdentityProvider(config.oidc, {
    egress,
    directoryEgress,
    log,
    after,
    now: options.now,
  });
  discovering.catch(() => undefined);
  let opened: Store | undefined;
  let endings: Endings | undefined;
  let spending: Spending | undefined;
  const close = async ({ settleMs, flushMs }: typeof patience) => {
    await spending?.close(settleMs);
    await endings?.close();
    await opened?.close();
    // Last, for it is told of what the others do.
    await telemetry.close(flushMs);
  };
  try {
    opened = await opening;
    const store = telemetry.observedStore(opened);
    const ended = await openEndings({
      store: store.endings,
      bearerTtlSeconds: config.session.ttl_hours * 3600,
      log,
      after,
      now: options.now,
    });
    endings = ended;
    spending =
      config.admin && openSpending(config, config.admin, { store, after, log, now: options.now });
    const identityProvider = await discovering;
    const { notes, warnings } = describeClientAssertion(config.oidc, options.now());
    for (const note of notes) log.info(note);
    for (const warning of warnings) log.warn(warning);
    const listener: Listener = listen({
      listen: config.listen,
      limits: config.limits,
      tls,
      admission: createAdmission(config),
      handler: (connections) =>
        createGateway(
          {
            config,
            store,
            endings: ended,
            identityProvider,
            upstreams,
            telemetry,
            spending,
            policies,
            version: options.version,
            now: options.now,
            after,
            openRequestsMax: options.openRequestsMax,
            openRequests: () => listener.openRequests(),
          },
          connections,
        ),
    });
    telemetry.observe({
      openRequests: () => listener.openRequests(),
      ...(spending !== undefined && { unwritten: spending.unwritten }),
    });
    logSummary(config, policies, listener.url, options.openRequestsMax);
    return {
      async stop(drainTimeoutMs) {
        const cut = await listener.drain(drainTimeoutMs);
        await close(patience);
        return cut;
      },
    };
  } catch (error) {
    await close(noPatience);
    throw error;
  }
}

/** The store the configuration names. Each is loaded when it is used, so that PostgreSQL users do not pay for PGlite. */
async function openStore({ store, admin }: Config, now: () => number): Promise<Store> {
  const retention = admin && {
    spendMonths: admin.spend_retention_months,
    auditDays: admin.audit_retention_days,
    identityDays: admin.identity_retention_days,
    currentPeriods: () => Object.values(periodsAt(now())).map(({ key }) => key),
  };
  if (store.embedded !== undefined)
    return (await import("./store/embedded.ts")).openEmbedded(store.embedded, { retention });
  return (await import("./store/postgres.ts")).openPostgres(store, { retention });
}

function readTls(tls: Config["listen"]["tls"], readFile: Sources["readFile"]) {
  if (tls === undefined) return undefined;
  const read = (setting: string, path: string) => {
    try {
      return readFile(path);
    } catch (error) {
      throw new Error(`listen.tls.${setting}: ${messageOf(error)}`, { cause: error });
    }
  };
  return { cert: read("cert", tls.cert), key: read("key", tls.key) };
}

/** What a configuration says and hardly means, everywhere in it: the first of it, and how much more there is. */
export function warningsOf(
  { config, warnings }: LoadedConfig,
  policies = createPolicies(config),
): string[] {
  const all = [...warnings, ...modelWarnings(config), ...policyWarnings(policies, config)];
  return firstOf(all, (left) => `… and ${left} more`);
}

function warnOf(loaded: LoadedConfig, policies: Policies): void {
  const { config } = loaded;
  for (const warning of warningsOf(loaded, policies)) log.warn(warning);
  if (!isLoopbackHost(config.listen.host) && config.access_control.allow_cidrs.length === 0) {
    log.warn(
      "access_control.allow_cidrs is empty: every address that reaches this port may use the gateway. Keep it on a private " +
        "network, or list your networks, for example 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7.",
    );
  }
}

/** As in `east(bedrock)`, and who alone is sent there. */
function described({ name, provider, groups }: Config["upstreams"][number]): string {
  return groups === undefined
    ? `${name}(${provider})`
    : `${name}(${provider}, groups: ${groups.join(", ")})`;
}

function logSummary(
  config: Config,
  policies: Policies,
  url: string,
  openRequestsMax: number,
): void {
  const { listen: listening, oidc, upstreams } = config;
  const orUnrestricted = (list: readonly string[]) =>
    list.length > 0 ? list.join(", ") : "(unrestricted)";
  log.info(`claude gateway listening on ${url}`);
  log.info(
    `public_url ${listening.public_url ?? "(from each request's Host header: loopback only)"}`,
  );
  log.info(
    `client IPs: ${listening.trusted_proxies.length > 0 ? `X-Forwarded-For from ${listening.trusted_proxies.join(", ")}` : "TCP peer address (listen.trusted_proxies empty)"}`,
  );
  log.info(`oidc issuer ${oidc.issuer}`);
  log.info(`email domains ${orUnrestricted(oidc.allowed_email_domains)}`);
  log.info(`allowed groups ${orUnrestricted(oidc.allowed_groups)}`);
  log.info(`upstreams ${upstreams.length}: ${upstreams.map(described).join(", ")}`);
  log.info(`telemetry relay: ${describeRelay(config.telemetry)}`);
  for (const line of describePolicies(policies, config)) log.info(line);
  log.info(
    `upstream requests: at most ${openRequestsMax} at once per process (set BUN_CONFIG_MAX_HTTP_REQUESTS to change)`,
  );
}

function after(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
