// The store on a PostgreSQL server: what store.* in gateway.yaml means to the client, and the attempts to connect at boot.
// Reading the URL is in connection-url.ts, statements and their bounds in database.ts.
import postgres from "postgres";
import type { StoreConfig } from "../config/schema.ts";
import { log } from "../log.ts";
import { withBreaker } from "./breaker.ts";
import { type ConnectionTarget, parseConnectionUrl } from "./connection-url.ts";
import { type ClientOptions, createDatabase, type Database } from "./database.ts";
import { createDialer } from "./dial.ts";
import { migrate } from "./migrations.ts";
import { createStore, type Store, type StoreOptions } from "./store.ts";

export type PostgresOptions = Pick<StoreOptions, "sweepIntervalMs" | "retention"> & {
  /** Pause between attempts at boot, in milliseconds. */
  retryMs?: number;
};

const attemptsMax = 3;
const retryMsDefault = 2_000;
/** A statement on an open connection has this long; one that must connect first, the connect time-out and a second. */
const statementMsMin = 5_000;
/** Connections that idle longer are closed, before a NAT or load balancer forgets them (the shortest common limit is 350 s). */
const idleSeconds = 240;
/** One that the breaker asks on must not be dead itself, so that it is not kept for long. */
const askingIdleSeconds = 10;
/** While the breaker waits, connecting must not fail: it would take that for an answer. */
const askingConnectSecondsMin = 5;

/**
 * Connects, migrates, and resolves with the store. PostgreSQL 11 or newer, directly or through pgbouncer in any pool mode.
 * Connecting is tried three times; what waiting cannot mend (no such database, another encoding than UTF-8, no permission)
 * fails at once.
 * @throws Error naming store.postgres_url and the cause, without the password.
 */
export async function openPostgres(
  config: StoreConfig,
  { retryMs = retryMsDefault, ...options }: PostgresOptions = {},
): Promise<Store> {
  const timeoutSeconds = config.connect_timeout_seconds;
  const target = parseConnectionUrl(config.postgres_url ?? "");
  const open = (differing: Partial<ClientOptions> = {}) =>
    createDatabase(
      { ...clientOptions(config, target), ...differing },
      {
        statementMs: Math.max(statementMsMin, (timeoutSeconds + 1) * 1000),
        replaceWhenLate: true,
        hosts: target.endpoints.length,
      },
    );
  const database = open();
  try {
    await prepare(database, { retryMs, timeoutSeconds });
  } catch (error) {
    await database.close();
    throw error;
  }
  const asked = open({
    max: 1,
    idle_timeout: askingIdleSeconds,
    connect_timeout: Math.max(askingConnectSecondsMin, timeoutSeconds),
  });
  return createStore(withBreaker(database, asked), options);
}

function clientOptions(config: StoreConfig, target: ConnectionTarget): ClientOptions {
  const user = config.username ?? target.user ?? "postgres";
  return {
    max: config.max_connections,
    socket: createDialer(target.endpoints),
    user,
    password: config.password ?? target.password,
    database: target.database ?? user,
    connect_timeout: config.connect_timeout_seconds,
    idle_timeout: idleSeconds,
    ssl: target.ssl,
    target_session_attrs: target.targetSessionAttrs,
    connection: { application_name: "claude-gateway", ...target.parameters },
  };
}

/** Two queries on a migrated database, the first contact being the one that asks for its encoding. */
async function prepare(
  database: Database,
  { retryMs, timeoutSeconds }: { retryMs: number; timeoutSeconds: number },
): Promise<void> {
  let encoding = "";
  for (let attempt = 1; ; attempt += 1) {
    try {
      encoding = await encodingOf(database);
      if (!fittingEncodings.has(encoding)) break;
      return await migrate(database);
    } catch (error) {
      const cause = causeOf(error);
      if (!mayPass(error)) {
        throw new Error(`Postgres refused the gateway (store.postgres_url): ${cause}`, {
          cause: error,
        });
      }
      if (attempt === attemptsMax) {
        throw new Error(
          `could not connect to Postgres (store.postgres_url) in ${attemptsMax} attempts: ${cause}. ` +
            `Each attempt waits up to ${timeoutSeconds}s (store.connect_timeout_seconds)`,
          { cause: error },
        );
      }
      log.warn(
        `could not connect to Postgres at boot, attempt ${attempt} of ${attemptsMax}: ${cause}. Trying again in ${retryMs / 1000}s`,
      );
      await Bun.sleep(retryMs);
    }
  }
  throw new Error(
    `the database's encoding is ${encoding} (store.postgres_url), and names come in every script. The gateway needs ` +
      `UTF8: create the database with "create database … encoding 'UTF8' template template0"`,
  );
}

/**
 * Any other lacks characters, so that one person's group would fail a statement that many share. SQL_ASCII, which a cluster may
 * have that was made without a locale, keeps all bytes as they are.
 */
const fittingEncodings: ReadonlySet<string> = new Set(["UTF8", "SQL_ASCII"]);

async function encodingOf(database: Database): Promise<string> {
  const [row] = await database.query<{ encoding: string }>`
    select current_setting('server_encoding') as encoding`;
  return row?.encoding ?? "";
}

/**
 * Error classes of a server that is starting, restarting, full or out of reach behind its pooler (PostgreSQL manual,
 * appendix A). Every other answer of a server stays the same when asked again.
 */
const passingClasses = new Set(["08", "53", "57", "58"]);

/** What pgbouncer passes on from a server under its own code, 08P01, though it will not pass. */
const finalAnswer = /does not exist|authentication failed|no such (database|user)/;

function mayPass(error: unknown): boolean {
  if (!(error instanceof postgres.PostgresError)) return true;
  return passingClasses.has(error.code.slice(0, 2)) && !finalAnswer.test(error.message);
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code === "CONNECT_TIMEOUT"
    ? error.message.replace("write CONNECT_TIMEOUT", "no answer from")
    : error.message;
}
