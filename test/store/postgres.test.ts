// What an operator meets at boot and in an outage: attempts, messages, passwords that stay secret, recovery without a restart.
import { afterAll, beforeAll, describe, expect, spyOn, test } from "bun:test";
import { createServer, type Server } from "node:net";
import postgres from "postgres";
import { flushLog, log } from "../../src/log.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import {
  type OwnPostgres,
  rolePasswordChecked,
  startOwnPostgres,
  startPostgres,
  type TestPostgres,
} from "../support/postgres.ts";
import { stallingProxyTo } from "../support/stalling-proxy.ts";
import { storeConfig } from "./opened.ts";

let server: TestPostgres;
const escaped: unknown[] = [];
const noteEscaped = (error: unknown) => escaped.push(error);
beforeAll(async () => {
  process.on("unhandledRejection", noteEscaped);
  process.on("uncaughtException", noteEscaped);
  server = await startPostgres();
}, 60_000);
afterAll(() => {
  process.off("unhandledRejection", noteEscaped);
  process.off("uncaughtException", noteEscaped);
});

/** The message of the error that opening ends with. */
async function failureOf(...args: Parameters<typeof openPostgres>): Promise<string> {
  try {
    await (await openPostgres(...args)).close();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error("expected the store not to open");
}

/** Warnings written while `work` ran. */
async function warningsDuring(work: () => Promise<unknown>): Promise<string[]> {
  const warn = spyOn(log, "warn");
  try {
    await work();
    return warn.mock.calls.map(([message]) => message);
  } finally {
    warn.mockRestore();
    flushLog();
  }
}

async function listen(onConnection: Parameters<typeof createServer>[1]): Promise<[Server, number]> {
  const listener = createServer(onConnection);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return [listener, address.port];
}

describe("connecting at boot", () => {
  test("is tried three times when nobody listens, then fails naming the setting, the cause and the time-out", async () => {
    const url = "postgres://someone:hunter2@127.0.0.1:1/db";
    let message = "";
    const warnings = await warningsDuring(async () => {
      message = await failureOf(storeConfig(url), { retryMs: 10 });
    });
    expect(warnings).toEqual([
      "could not connect to Postgres at boot, attempt 1 of 3: connect ECONNREFUSED 127.0.0.1:1. Trying again in 0.01s",
      "could not connect to Postgres at boot, attempt 2 of 3: connect ECONNREFUSED 127.0.0.1:1. Trying again in 0.01s",
    ]);
    expect(message).toBe(
      "could not connect to Postgres (store.postgres_url) in 3 attempts: connect ECONNREFUSED 127.0.0.1:1. " +
        "Each attempt waits up to 5s (store.connect_timeout_seconds)",
    );
  });

  test("gives up on a server that accepts and stays silent after the connect time-out", async () => {
    const [silent, port] = await listen(() => undefined);
    const url = `postgres://someone@127.0.0.1:${port}/db`;
    const startedAt = performance.now();
    const message = await failureOf(storeConfig(url, { connect_timeout_seconds: 1 }), {
      retryMs: 10,
    });
    expect(message).toContain(`no answer from 127.0.0.1:${port}`);
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    silent.close();
  });

  test("meets a server that accepts and hangs up with three attempts, not with a tight loop", async () => {
    let dials = 0;
    const [rude, port] = await listen((socket) => {
      dials += 1;
      socket.end();
    });
    const url = `postgres://someone@127.0.0.1:${port}/db`;
    const message = await failureOf(storeConfig(url), { retryMs: 10 });
    expect(message).toContain(`in 3 attempts: 127.0.0.1:${port} hung up.`);
    expect(dials).toBe(3);
    rude.close();
  });

  test("goes on to the next host of the URL when one is down", async () => {
    const url = server.url.replace("127.0.0.1", "127.0.0.1:1,127.0.0.1");
    await (await openPostgres(storeConfig(url), { retryMs: 10 })).close();
  });

  test("succeeds when the server comes up between attempts", async () => {
    const own = await startOwnPostgres();
    await own.crash();
    const opening = openPostgres(storeConfig(own.url), { retryMs: 2_000 });
    opening.catch(() => undefined);
    await own.restart();
    const store = await opening;
    await store.probe();
    await store.close();
    await own.stop();
  }, 40_000);

  test.each([
    [
      "a missing database",
      () => server.url.replace(/postgres$/, "nowhere"),
      'database "nowhere" does not exist',
    ],
    [
      "a missing role",
      () => server.url.replace("postgres@", "nobody_here@"),
      'role "nobody_here" does not exist',
    ],
  ])("fails at once for %s", async (_case, url, cause) => {
    let message = "";
    const warnings = await warningsDuring(async () => {
      message = await failureOf(storeConfig(url()));
    });
    expect(message).toBe(`Postgres refused the gateway (store.postgres_url): ${cause}`);
    expect(warnings).toEqual([]);
  });

  /** A database in an encoding of its own. */
  async function databaseIn(encoding: string): Promise<string> {
    const name = `test_${encoding.toLowerCase()}_${process.pid}`;
    const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
    await sql.unsafe(
      `create database ${name} encoding '${encoding}' locale 'C' template template0`,
    );
    await sql.end();
    return server.url.replace(/postgres$/, name);
  }

  test("fails at once for a database whose encoding lacks characters, and leaves nothing in it", async () => {
    const url = await databaseIn("LATIN1");
    let message = "";
    const warnings = await warningsDuring(async () => {
      message = await failureOf(storeConfig(url), { retryMs: 10 });
    });
    expect(warnings).toEqual([]);
    expect(message).toBe(
      "the database's encoding is LATIN1 (store.postgres_url), and names come in every script. The gateway needs " +
        `UTF8: create the database with "create database … encoding 'UTF8' template template0"`,
    );
    const inside = postgres(url, { max: 1 });
    expect(await inside`select from pg_tables where schemaname = 'public'`).toHaveLength(0);
    await inside.end();
  });

  test("opens one that takes all bytes for what they are, and reads names in it", async () => {
    const store = await openPostgres(storeConfig(await databaseIn("SQL_ASCII")));
    const asked = { principals: ["漢 😀"], groups: ["é"], sessions: [], periods: ["2026-11"] };
    const { principals } = await store.standings.read({ ...asked, month: "2026-11", writer: "w" });
    expect(principals).toEqual([{ principal: "漢 😀", period: "2026-11", cents: "0" }]);
    await store.close();
  });

  test("fails at once for a role that may not create tables, with PostgreSQL's own words", async () => {
    const url = await server.createDatabase();
    const sql = postgres(url, { max: 1 });
    await sql`create role no_ddl login`;
    await sql`revoke create on schema public from public`;
    const message = await failureOf(storeConfig(url, { username: "no_ddl" }));
    await sql`drop role no_ddl`;
    await sql.end();
    expect(message).toMatch(/Postgres.*store\.postgres_url.*permission denied for schema public/);
  });
});

describe("credentials", () => {
  const password = "p@ss/w:rd#% ?&é";
  let url: string;
  beforeAll(async () => {
    url = await server.createDatabase();
    const sql = postgres(url, { max: 1 });
    await sql.unsafe(`create role ${rolePasswordChecked} login password '${password}'`);
    await sql.unsafe(`grant create on schema public to ${rolePasswordChecked}`);
    await sql.end();
  });
  const withUser = (userinfo: string) => url.replace("postgres@", `${userinfo}@`);
  const opens = async (...args: Parameters<typeof storeConfig>) =>
    (await openPostgres(storeConfig(...args))).close();

  test("of store.username and store.password go before those in the URL", async () => {
    await opens(withUser("nobody:bad"), { username: rolePasswordChecked, password });
  });

  test("in the URL may be percent-encoded", async () => {
    await opens(withUser(`${rolePasswordChecked}:${encodeURIComponent(password)}`));
  });

  test("in the URL may have special characters that nobody encoded", async () => {
    await opens(withUser(`${rolePasswordChecked}:${password}`));
  });

  test("that are wrong fail at once, and the password is in no message", async () => {
    const message = await failureOf(storeConfig(withUser(`${rolePasswordChecked}:hunter2`)));
    expect(message).toContain(`password authentication failed for user "${rolePasswordChecked}"`);
    expect(message).not.toContain("hunter2");
  });
});

describe("an outage", () => {
  let own: OwnPostgres;
  beforeAll(async () => {
    own = await startOwnPostgres();
  }, 60_000);
  afterAll(() => own.stop());

  test("fails what is under way, and is over by itself when the server is back", async () => {
    const store = await openPostgres(storeConfig(own.url));
    await store.kv.put("key", "value", 60);
    const underWay = Promise.allSettled(
      Array.from({ length: 40 }, () => store.kv.count("counter", 60)),
    );
    await own.crash();
    await underWay;
    // Statements that queued up may have made it look silent for a moment.
    const failures = new Set<string>();
    for (let asked = 0; asked < 20; asked += 1) {
      failures.add(await store.probe().then(String, (error: Error) => error.message));
      await Bun.sleep(20);
    }
    expect([...failures].at(-1)).toContain("ECONNREFUSED");
    expect(await store.kv.get("key").catch((error: Error) => error.message)).toContain(
      "ECONNREFUSED",
    );
    await own.restart();
    const recovered = await until(() => store.kv.get("key"), 3_000);
    expect(recovered).toBe("value");
    await store.probe();
    await store.close();
  }, 40_000);

  test("of idle connections alone is not noticed", async () => {
    const store = await openPostgres(storeConfig(own.url));
    await store.kv.put("key", "value", 60);
    const sql = postgres(own.url, { max: 1 });
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'claude-gateway'`;
    await sql.end();
    await Bun.sleep(100);
    expect(await store.kv.get("key")).toBe("value");
    await store.close();
  });

  test("in the middle of many statements, again and again, leaves no error without an owner", async () => {
    const store = await openPostgres(storeConfig(own.url));
    const sql = postgres(own.url, { max: 1 });
    for (let round = 0; round < 8; round += 1) {
      const work = Promise.allSettled(
        Array.from({ length: 30 }, (_, n) => store.kv.count(`storm:${n % 3}`, 60)),
      );
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'claude-gateway'`;
      await work;
    }
    await sql.end();
    expect(await until(() => store.kv.count("storm:after", 60), 3_000)).toBeGreaterThan(0);
    await store.close();
    await Bun.sleep(50);
    expect(escaped).toEqual([]);
  }, 40_000);

  test("that shows as silence fails everything under way after two seconds and the rest at once, and close does not wait", async () => {
    const proxy = await stallingProxyTo(Number(new URL(own.url).port));
    const store = await openPostgres(storeConfig(own.url.replace(/:\d+\//, `:${proxy.port}/`)));
    proxy.stall();
    const startedAt = performance.now();
    const silence = "the database does not answer, for 2s or longer";
    const failure = (error: Error) => error.message;
    const underWay = [store.probe(), store.kv.count("silent", 60), store.ledger.seqOf("w")];
    expect(await Promise.all(underWay.map((each) => each.catch(failure)))).toEqual(
      underWay.map(() => silence),
    );
    expect(performance.now() - startedAt).toBeWithin(1_900, 3_500);
    const refusedAt = performance.now();
    expect(await store.kv.get("key").catch(failure)).toBe(silence);
    expect(performance.now() - refusedAt).toBeLessThan(100);

    proxy.goOn();
    expect(await until(() => store.kv.count("over", 60), 3_000)).toBe(1);
    proxy.stall();
    const closingAt = performance.now();
    const left = store.kv.get("key").catch(failure);
    await store.close();
    expect(performance.now() - closingAt).toBeLessThan(3_500);
    proxy.close();
    expect(await left).toBeString();
  }, 20_000);

  test("of connections alone is over once a statement was late, though old ones stay silent", async () => {
    const proxy = await proxyTo(own.url);
    const target = own.url.replace(/:\d+\//, `:${proxy.port}/`);
    const store = await openPostgres(
      storeConfig(target, { max_connections: 1, connect_timeout_seconds: 1 }),
    );
    proxy.stall();
    const late = await store.kv.get("key").catch((error: Error) => error.message);
    expect(late).toBe("no answer from the database within 5s");
    await until(() => store.kv.put("key", "over", 60), 3_000);
    expect(await store.kv.get("key")).toBe("over");
    await store.close();
    proxy.close();
  }, 20_000);

  test("is not what a process sees that stands still itself, again and again", async () => {
    const store = await openPostgres(storeConfig(own.url));
    const asking = Array.from({ length: 20 }, () => store.kv.count("standstill", 60));
    const seen = { isOver: false };
    const answers = Promise.all(asking).finally(() => (seen.isOver = true));
    for (let turns = 0; turns < 8 && !seen.isOver; turns += 1) {
      Bun.sleepSync(700);
      await new Promise(setImmediate);
    }
    expect(Math.max(...(await answers))).toBe(20);
    await store.close();
  }, 20_000);

  test("of one row leaves nothing on the server that was given up here, and what else is asked goes on", async () => {
    const store = await openPostgres(storeConfig(own.url, { connect_timeout_seconds: 1 }));
    await store.kv.put("locked", "value", 60);
    const sql = postgres(own.url, { max: 2 });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: taken, resolve: hasTaken } = Promise.withResolvers<void>();
    const locking = sql.begin(async (transaction) => {
      await transaction`select from kv where key = 'locked' for update`;
      hasTaken();
      await released;
    });
    await taken;
    const late = store.kv.put("locked", "late", 60).catch((error: Error) => error.message);
    const waiting = () => sql`
      select from pg_stat_activity
      where application_name = 'claude-gateway' and wait_event_type = 'Lock'`;
    while ((await waiting()).length === 0) await Bun.sleep(10);
    for (let asked = 0; asked < 10; asked += 1) {
      await store.kv.count("others", 60);
      await Bun.sleep(300);
    }
    expect(await late).toBe("no answer from the database within 5s");
    while ((await waiting()).length > 0) await Bun.sleep(10);
    release();
    await locking;
    expect(await store.kv.get("locked")).toBe("value");
    await store.close();
    await sql.end();
    expect(escaped).toEqual([]);
  }, 20_000);
});

/** Calls until it succeeds or the time is up. */
async function until<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await Bun.sleep(20);
    }
  }
}

/** A TCP proxy that can stop passing bytes on the connections it has, as a network that drops packets does. */
async function proxyTo(url: string): Promise<{ port: number; stall(): void; close(): void }> {
  const { connect } = await import("node:net");
  const upstreamPort = Number(new URL(url).port);
  const open = new Set<() => void>();
  const [listener, port] = await listen((client) => {
    const upstream = connect(upstreamPort, "127.0.0.1");
    let stalled = false;
    client.on("data", (bytes) => stalled || upstream.write(bytes));
    upstream.on("data", (bytes) => stalled || client.write(bytes));
    for (const socket of [client, upstream]) {
      socket.on("error", () => undefined);
      socket.on("close", () => stalled || (client.destroy(), upstream.destroy()));
    }
    open.add(() => {
      stalled = true;
    });
  });
  return {
    port,
    stall() {
      for (const stallOne of open) stallOne();
    },
    close: () => listener.close(),
  };
}
