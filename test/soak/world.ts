// What stands around the gateways of the soak: a PostgreSQL of its own, an IdP, two upstreams for failover, a collector; and two
// gateways from the built executable, of which one runs from the beginning to the end and the other may be stopped and killed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import postgresClient from "postgres";
import { createSessions } from "../../src/session.ts";
import { nothingEnded } from "../support/endings.ts";
import { type Collector, startCollector } from "../telemetry/collector.ts";
import { freePort, type GatewayProcess, startGateway } from "../support/gateway.ts";
import { type HostileIdp, startHostileIdp } from "../support/hostile-idp.ts";
import { type OwnPostgres, startOwnPostgres } from "../support/postgres.ts";
import { type BentUpstream, jwtSecret, startUpstream, upstreamKey } from "../support/scene.ts";
import { inTime } from "./upstream-answers.ts";
import { adminKey, model, openTables, roundPrices } from "../support/spending.ts";

export type World = {
  readonly postgres: OwnPostgres;
  readonly idp: HostileIdp;
  readonly collector: Collector;
  /** Asked first, and asked when the first fails. */
  readonly upstreams: { readonly first: BentUpstream; readonly second: BentUpstream };
  /** Runs throughout. */
  readonly steady: GatewayProcess;
  /** The other; undefined while it is not there, as a load balancer would see it. */
  other(): GatewayProcess | undefined;
  /** Takes the other out of the load balancer, ends it and starts it again. */
  restartOther(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  bearer(sub: string): Promise<string>;
  /** Runs statements as the database's superuser, and has the server read its settings anew. */
  administer(statements: string): Promise<void>;
  /** What the database says was spent that cannot be, once everything is written. */
  spendErrors(spent: ReadonlyMap<string, { atLeast: number; atMost: number }>): Promise<string[]>;
  /** Gateways that ended without being told to. */
  crashes(): string[];
  close(): Promise<void>;
};

/** How long what was spent may take to reach the database at the end, in milliseconds. */
const writtenMsMax = 60_000;

/** How long a gateway that is to end gets no new requests before, in milliseconds. */
const leavesMs = 500;

export async function openWorld(binary: string): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-soak-"));
  const [postgres, idp] = await Promise.all([startOwnPostgres(), startHostileIdp()]);
  const databaseUrl = await postgres.createDatabase();
  const [first, second, collector] = [startUpstream(), startUpstream(), startCollector()];
  for (const upstream of [first, second]) upstream.answer = inTime;
  const publicUrl = "http://localhost:8080";
  const command = [resolve(binary)];
  const tables = openTables(databaseUrl);
  const crashes: string[] = [];

  const configOf = (port: number, name: string) => ({
    listen: { host: "127.0.0.1", port, public_url: publicUrl },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret },
    session: { jwt_secret: jwtSecret },
    store: { postgres_url: databaseUrl, journal: join(directory, name) },
    upstreams: [
      { name: "first", provider: "anthropic", base_url: first.url, auth: { api_key: upstreamKey } },
      {
        name: "second",
        provider: "anthropic",
        base_url: second.url,
        auth: { api_key: upstreamKey },
      },
    ],
    failover: { set_aside_seconds: 1, set_aside_max_seconds: 5 },
    timeouts: { upstream_ttfb_ms: 2_000 },
    admin: { write_keys: [{ id: "ops", key: adminKey }] },
    pricing: {
      overrides: ["first", "second"].map((upstream) => ({ upstream, model, ...roundPrices })),
    },
    telemetry: { forward_to: [{ url: collector.url, requests: true }] },
    rate_limits: { device_authorization: { max: 1e6 }, device_verify: { max: 1e6 } },
  });
  const start = async (name: string) => startGateway(configOf(await freePort(), name), {}, command);

  const steady = await start("steady");
  let other: GatewayProcess | undefined = await start("other");
  const sessions = createSessions({
    secrets: [jwtSecret],
    issuer: publicUrl,
    ttlSeconds: 24 * 3600,
    endings: nothingEnded,
    now: Date.now,
  });

  async function spentBy(principal: string): Promise<number> {
    return Number(await tables.spent(principal));
  }

  return {
    postgres,
    idp,
    collector,
    upstreams: { first, second },
    steady,
    other: () => other,
    async restartOther(signal) {
      const leaving = other;
      other = undefined;
      // A load balancer stops sending before the gateway stops listening.
      await Bun.sleep(leavesMs);
      const code = await leaving?.stop(signal);
      if (signal === "SIGTERM" && code !== 0) crashes.push(`SIGTERM ended with ${code}`);
      other = await start("other");
    },
    bearer: async (sub) => (await sessions.mint({ sub, email: `${sub}@example.com` })).accessToken,
    async administer(statements) {
      const sql = postgresClient(postgres.url, { max: 1, onnotice: () => undefined });
      await sql.unsafe(statements).simple();
      await sql`select pg_reload_conf()`;
      await sql.end({ timeout: 1 });
    },
    async spendErrors(spent) {
      const deadline = Date.now() + writtenMsMax;
      const wrong: string[] = [];
      for (const [principal, { atLeast, atMost }] of spent) {
        let cents = await spentBy(principal);
        while ((cents < atLeast || cents > atMost) && Date.now() < deadline) {
          await Bun.sleep(200);
          cents = await spentBy(principal);
        }
        if (cents < atLeast || cents > atMost) {
          wrong.push(
            `${principal}: ${cents} cents in the database, between ${atLeast} and ${atMost} spent`,
          );
        }
      }
      return wrong;
    },
    crashes: () => crashes,
    async close() {
      await Promise.all([steady.stop("SIGTERM"), other?.stop("SIGTERM")]);
      await Promise.all([
        tables.close(),
        idp.close(),
        collector.stop(),
        first.stop(),
        second.stop(),
      ]);
      await postgres.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
