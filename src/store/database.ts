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
  /** Fails what is under way with this error, has the server cancel it, and leaves the connections: later statements connect anew. */
  abandon(error: Error): void;
  /** Statements under way have `closeMs`, then they are cancelled and the connections are cut. Bounded. */
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
  /** How long a statement may take, connecting included, in milliseconds. Before, it waits half as long at most for its turn. */
  statementMs: number;
  /**
   * Whether a statement that is given up is cancelled on the server, where it may hold locks, and connections are made anew, so that
   * a dead one is not used again.
   */
  replaceWhenLate: boolean;
  /** Servers that connections are made to in turn; one where it is not said. A request to cancel must reach the right one. */
  hosts?: number;
};

/** The connections of one client, as many statements under way on them as there are connections, and what those wait for. */
type Pool = { readonly client: postgres.Sql; free: number; readonly underWay: Set<UnderWay> };
type UnderWay = { readonly sent: object; readonly fail: (error: Error) => void };
/** A statement that waits for its turn. */
type Waiting = { readonly take: (pool: Pool) => void; readonly fail: (error: Error) => void };

const closeMs = 2_000;
/** What has been cancelled has so long, in milliseconds, to end before its connection is cut. */
const cancelMs = 1_000;

/** A server that only takes reads (SQLSTATE): after a failover it is the one that connections were made to. */
const readOnly = "25006";
/** Connections are made anew for that so often at most, in milliseconds. */
const readOnlyRenewMs = 5_000;

/**
 * Opens nothing yet: the client connects at the first statement, and again whenever a connection has dropped.
 *
 * A connection that is given up is not let go before the server was asked to end what runs on it: a statement that waits for a lock
 * there does not notice that its client has gone, and its connection would stay. So there are never many more than `options.max`.
 */
export function createDatabase(options: ClientOptions, bounds: DatabaseBounds): Database {
  let pool = openPool();
  /** `pool`, and those before it that have not ended yet. */
  const pools = new Set([pool]);
  /** In the order of their calls. Here and not at the client, where they would be left together with its connections. */
  const waiting = new Set<Waiting>();
  const owed = new Set<Promise<unknown>>();
  let closing = false;
  let isRenewedForWrites = false;

  /** Runs a statement on the current client, within the bounds. */
  async function run<Rows extends object[]>(
    statement: (client: postgres.Sql) => postgres.PendingQuery<Rows>,
    timeoutMs: number,
  ): Promise<Rows> {
    if (closing) throw new Error("the store is closed");
    const used = await turn(timeoutMs / 2);
    const { promise: failed, reject: fail } = Promise.withResolvers<never>();
    const sent = statement(used.client);
    const one = { sent, fail };
    used.underWay.add(one);
    const answer = sent.then(carriedOut);
    // Not when it is given up, but when the connection can take the next.
    const free = () => {
      used.underWay.delete(one);
      used.free += 1;
      serve();
    };
    answer.then(free, (error: unknown) => {
      if (hasDropped(sent, error)) renewAfterDrop(used);
      free();
    });
    const late = `no answer from the database within ${timeoutMs / 1000}s`;
    try {
      return await within<Rows>(timeoutMs, Promise.race([answer, failed]), late, () => {
        if (closing || !bounds.replaceWhenLate) return;
        // First, so that nothing is sent on the connection any more that the server might take for what is cancelled.
        if (used === pool) renew(closeMs);
        cancel(sent);
      });
    } catch (error) {
      if ((error as { code?: unknown }).code === readOnly && used === pool) renewForWrites();
      throw error;
    }
  }

  async function turn(waitMs: number): Promise<Pool> {
    const { promise, resolve: take, reject: fail } = Promise.withResolvers<Pool>();
    const one = { take, fail };
    waiting.add(one);
    serve();
    const late = `no connection to the database became free within ${waitMs / 1000}s`;
    return within(waitMs, promise, late, () => waiting.delete(one));
  }

  function serve(): void {
    for (const one of waiting) {
      if (pool.free === 0) return;
      pool.free -= 1;
      waiting.delete(one);
      one.take(pool);
    }
  }

  /** What is under way on the connections there are may still end well in that time. */
  function renew(graceMs: number): void {
    if (closing) return;
    const used = pool;
    pool = openPool();
    pools.add(pool);
    void leave(used, graceMs);
    serve();
  }

  function openPool(): Pool {
    const client = connect(options, () => renewAfterDrop(opened));
    const opened = { client, free: client.options.max, underWay: new Set<UnderWay>() };
    return opened;
  }

  /**
   * What the client has sent on a connection in the moment in which it dropped it does not fail, and it may send the half of it on the
   * next. So it is not given another.
   */
  function renewAfterDrop(used: Pool): void {
    if (used === pool && used.underWay.size > 0 && bounds.replaceWhenLate) renew(closeMs);
  }

  async function leave(left: Pool, graceMs: number): Promise<void> {
    const ended = left.client.end({ timeout: (graceMs + cancelMs) / 1000 });
    if (graceMs > 0) await within(graceMs, ended, "not all has ended").catch(() => undefined);
    if (bounds.replaceWhenLate) for (const { sent } of left.underWay) cancel(sent);
    await ended;
    pools.delete(left);
  }

  /**
   * Asks the server to end a statement. Nobody waits for it: it takes a connection, and the statement may be over. (A
   * `statement_timeout` would do the same, but poolers refuse it at the start of a session, and a pooled session is not ours to set.)
   */
  function cancel(sent: object): void {
    // What the client's own `cancel()` calls, and whose failure that leaves to nobody.
    const { canceller } = sent as { canceller?: ((sent: object) => Promise<void>) | null };
    // One that does not run the statement ignores it.
    for (let host = 0; host < (bounds.hosts ?? 1); host += 1)
      canceller?.(sent).catch(() => undefined);
  }

  function failAll(error: Error): void {
    for (const { fail } of waiting) fail(error);
    waiting.clear();
    for (const { underWay } of pools) for (const { fail } of underWay) fail(error);
  }

  /** The name of the server may have another address by now, which only a new connection asks for. */
  function renewForWrites(): void {
    if (isRenewedForWrites) return;
    isRenewedForWrites = true;
    setTimeout(() => (isRenewedForWrites = false), readOnlyRenewMs).unref();
    renew(closeMs);
  }

  /** So that closing waits for it. */
  function owe<T>(answer: Promise<T>): Promise<T> {
    const isOver = () => void owed.delete(answer);
    owed.add(answer);
    answer.then(isOver, isOver);
    return answer;
  }

  return {
    query: <Row extends object>(text: TemplateStringsArray, ...values: Value[]) =>
      owe(run<Row[]>((sql) => sql<Row[]>(text, ...values), bounds.statementMs)),
    async script<Row extends object>(text: string, timeoutMs = bounds.statementMs) {
      const results = await owe(run((sql) => sql.unsafe<Row[]>(text).simple(), timeoutMs));
      // With several statements the client gives a list of row lists, with one the rows themselves.
      const last: unknown = results.at(-1);
      return Array.isArray(last) ? (last as Row[]) : results;
    },
    abandon(error) {
      failAll(error);
      renew(0);
    },
    async close() {
      closing = true;
      // Waited for here and not by the client, which waits for connections that dropped as well.
      await within(closeMs, Promise.allSettled(owed), "not all has ended").catch(() => undefined);
      failAll(new Error("the store is closed"));
      await Promise.all([...pools].map((each) => leave(each, 0)));
    },
  };
}

/** The client answers with no rows what it sent on a connection that dropped at that moment, when it has connected again. */
function carriedOut<Rows extends object[]>(rows: postgres.RowList<Rows>): Rows {
  // The server's word for what it has done. Of several statements there is a list of answers, which has none.
  if ((rows.command as string | null) === null) throw new Error("the connection dropped");
  return rows;
}

/** Whether the statement was on a connection, and it is that which failed. */
function hasDropped(sent: object, error: unknown): boolean {
  const { state } = sent as { state?: object | null };
  return state !== null && !(error instanceof postgres.PostgresError);
}

function connect(options: ClientOptions, onclose: () => void): postgres.Sql {
  const settings: PostgresOptions & ClientOptions = {
    // Statements are parsed each time: through pgbouncer the next one may run on another server connection.
    prepare: false,
    // No statement here reads or binds an array, so the client need not ask for array types at each connect.
    fetch_types: false,
    // A quarter of a second after a drop, not the client's default that grows to 20 s: recovery should follow the server's.
    backoff: () => 0.25,
    onnotice: () => undefined,
    onclose,
    ...options,
  };
  return postgres(settings);
}
