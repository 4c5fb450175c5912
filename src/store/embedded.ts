// The store without a server: PGlite, which is PostgreSQL compiled to WebAssembly, inside this process, on a directory. For
// one machine and one process. Loaded by a dynamic import, so that a gateway on PostgreSQL never pays for it.
//
// Durability: what was committed survives the end of the process, SIGKILL included. PGlite never flushes to the disk, so a
// power failure may lose or damage data; whoever needs more uses a server.
import { PGlite } from "@electric-sql/pglite";
import initdbWasm from "@electric-sql/pglite/initdb.wasm" with { type: "file" };
import fileSystem from "@electric-sql/pglite/pglite.data" with { type: "file" };
import pgliteWasm from "@electric-sql/pglite/pglite.wasm" with { type: "file" };
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../log.ts";
import { createDatabase } from "./database.ts";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import { migrate } from "./migrations.ts";
import { connectToBackend } from "./pglite-stream.ts";
import { createStore, type Store, type StoreOptions } from "./store.ts";

/** Everything runs in this process, so a statement that takes longer waits behind others. */
const statementMs = 5_000;

/** PostgreSQL's own default, 128 MB, would double the memory of a gateway whose tables fit in a few. */
const sharedBuffers = "16MB";

/**
 * Opens the database in the directory, creating both (mode 0700) if need be. The first time takes seconds, later ones
 * about half a second; the event loop stands still meanwhile.
 * @throws Error naming store.embedded: the directory is in use by another process, or cannot be used.
 */
export async function openEmbedded(
  directory: string,
  options: Pick<StoreOptions, "sweepIntervalMs" | "retention"> = {},
): Promise<Store> {
  const lock = lockOrExplain(directory);
  let backend: PGlite | undefined;
  try {
    backend = await openBackend(directory);
    return await openStore(backend, lock, options);
  } catch (error) {
    await backend?.close();
    lock.release();
    throw new Error(
      `store.embedded: cannot open the database in ${directory}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

function lockOrExplain(directory: string): DirectoryLock {
  try {
    return lockDirectory(directory);
  } catch (error) {
    throw new Error(
      `store.embedded: cannot use ${directory}: ${messageOf(error)}. One process at a time may use it; for several ` +
        "gateways use store.postgres_url",
      { cause: error },
    );
  }
}

async function openBackend(directory: string): Promise<PGlite> {
  // Given the files themselves: in the compiled executable there is no package directory to find them in.
  const [pgliteWasmModule, initdbWasmModule] = await Promise.all([
    compile(pgliteWasm),
    compile(initdbWasm),
  ]);
  const open = (dataDir: string) =>
    PGlite.create({
      dataDir,
      pgliteWasmModule,
      initdbWasmModule,
      fsBundle: Bun.file(fileSystem),
      startParams: [...PGlite.defaultStartParams, "-c", `shared_buffers=${sharedBuffers}`],
    });

  const dataDir = join(directory, "database");
  if (!existsSync(dataDir)) {
    // Made under another name, so that a process that ends half-way leaves no half database behind.
    const draft = join(directory, "database.new");
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { mode: 0o700 });
    await (await open(draft)).close();
    renameSync(draft, dataDir);
  }
  return open(dataDir);
}

async function compile(path: string): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await Bun.file(path).arrayBuffer());
}

async function openStore(
  backend: PGlite,
  lock: DirectoryLock,
  options: Pick<StoreOptions, "sweepIntervalMs" | "retention">,
): Promise<Store> {
  const database = createDatabase(
    {
      // PGlite has one session.
      max: 1,
      socket: () => connectToBackend(backend),
      user: "postgres",
      database: "postgres",
      connect_timeout: statementMs / 1000,
      max_lifetime: null,
      connection: { application_name: "claude-gateway" },
    },
    // A second connection beside a busy one would share its session.
    { statementMs, replaceWhenLate: false },
  );
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return createStore(database, {
    ...options,
    // A server's autovacuum and checkpointer do not exist here: without this, dead rows and the log of changes only grow.
    async maintain() {
      await database.script("vacuum");
      await database.script("checkpoint");
    },
    async afterClose() {
      try {
        await backend.close();
      } finally {
        lock.release();
      }
    },
  });
}
