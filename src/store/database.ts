// The one way SQL reaches a database: a tagged template that is one statement and therefore one transaction. Works the same
// on PostgreSQL, through pgbouncer in transaction mode, and on the embedded PGlite. Where the bytes go is in postgres.ts
// and embedded.ts; the statements are in kv.ts and migrations.ts.
//
// There is no begin/commit here on purpose. An operation that needs several writes is one statement with CTEs: one round
// trip, nothing to roll back when the connection drops half-way, nothing for a pooler to tear apart. (The client's own
// `begin` can end the process, or go on outside the transaction, when its connection drops; see porsager/postgres 1154, 1155.)
import type { Duplex } from "node:stream";
import postgres from "postgres";
import { within } from "./deadline.ts";

/**
 * What a statement may bind. Bound values are never spliced into the text. JSON is bound as
 * `${JSON.stringify(value)}::text::jsonb`: without the inner cast the client would quote the text once more.
 */
export type Value = string | number | boolean | Date | null;

/**
 * Runs one statement and resolves with its rows: query`select value from kv where key = ${key}`.
 * @throws PostgresError when the database refuses it, Error when the connection fails or the bound has passed.
 */
export type Query = <Row extends object = object>(
  text: TemplateStringsArray,
  ...values: Value[]
) => Promise<Row[]>;

export type Database = {
  query: Query;
  /**
   * Runs several statements in one message, which makes them one transaction, and resolves with the rows of the last.
   * The text binds nothing: it may hold no value from outside.
   */
  script<Row extends object = object>(text: string, timeoutMs?: number): Promise<Row[]>;
  /** Statements under way have `closeMs`, then the connections are cut. Bounded. */
  close(): Promise<void>;
};

type PostgresOptions = postgres.Options<Record<string, postgres.PostgresType>>;

/** The client's options that differ between stores, in its own words; `socket` is missing in its type declaration. */
export type ClientOptions = Pick<
  PostgresOptions,
  | "max"
  | "user"
  | "password"
  | "database"
  | "connect_timeout"
  | "idle_timeout"
  | "max_lifetime"
  | "ssl"
  | "target_session_attrs"
  | "connection"
> & {
  /** Gives a stream to the server; it may still be connecting. Must not reject: the client would lose a connection slot. */
  socket: () => Promise<Duplex> | Duplex;
};

export type DatabaseBounds = {
  /** How long a caller waits for a statement, connecting included, in milliseconds. */
  statementMs: number;
  /** Whether the client is replaced when a statement is late, so that a dead connection is not used again. */
  replaceWhenLate: boolean;
};

const closeMs = 2_000;

/** Opens nothing yet: the client connects at the first statement, and again whenever a connection has dropped. */
export function createDatabase(options: ClientOptions, bounds: DatabaseBounds): Database {
  let client = connect(options);
  let closing = false;
  const underWay = new Set<Promise<unknown>>();

  /** Runs a statement on the current client, within the bound. */
  async function run<T>(
    statement: (client: postgres.Sql) => Promise<T>,
    timeoutMs: number,
  ): Promise<T> {
    if (closing) throw new Error("the store is closed");
    const used = client;
    const replace = () => {
      if (!bounds.replaceWhenLate || used !== client || closing) return;
      // What else is under way may still end well; what is late stays behind.
      client = connect(options);
      void used.end({ timeout: closeMs / 1000 });
    };
    const late = `no answer from the database within ${timeoutMs / 1000}s`;
    const answer = within(timeoutMs, statement(used), late, replace);
    underWay.add(answer);
    try {
      return await answer;
    } finally {
      underWay.delete(answer);
    }
  }

  return {
    query: <Row extends object>(text: TemplateStringsArray, ...values: Value[]) =>
      run<Row[]>((sql) => sql<Row[]>(text, ...values), bounds.statementMs),
    async script<Row extends object>(text: string, timeoutMs = bounds.statementMs) {
      const results = await run((sql) => sql.unsafe<Row[]>(text).simple(), timeoutMs);
      // With several statements the client gives a list of row lists, with one the rows themselves.
      const last: unknown = results.at(-1);
      return Array.isArray(last) ? (last as Row[]) : results;
    },
    async close() {
      closing = true;
      // Waited for here and not by the client, which waits for connections that dropped as well.
      const finished = Promise.allSettled(underWay);
      await within(closeMs, finished, "statements are cut").catch(() => undefined);
      await client.end({ timeout: 0 });
    },
  };
}

function connect(options: ClientOptions): postgres.Sql {
  const settings: PostgresOptions & ClientOptions = {
    // Statements are parsed each time: through pgbouncer the next one may run on another server connection.
    prepare: false,
    // No statement here reads or binds an array, so the client need not ask for array types at each connect.
    fetch_types: false,
    // A quarter of a second after a drop, not the client's default that grows to 20 s: recovery should follow the server's.
    backoff: () => 0.25,
    onnotice: () => undefined,
    ...options,
  };
  return postgres(settings);
}
