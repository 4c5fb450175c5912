// Both stores as the statements of src/store see them: the schema, with nothing in it, and the query function.
import { PGlite } from "@electric-sql/pglite";
import { createDatabase, type Database } from "../../src/store/database.ts";
import { createDialer } from "../../src/store/dial.ts";
import { migrate } from "../../src/store/migrations.ts";
import { connectToBackend } from "../../src/store/pglite-stream.ts";
import { startPostgres } from "../support/postgres.ts";

export type Migrated = Database;

const bounds = { statementMs: 10_000, replaceWhenLate: false };

/** A database of its own on the tests' PostgreSQL. */
export async function migratedPostgres(): Promise<Migrated> {
  const server = await startPostgres();
  const { hostname, port, pathname } = new URL(await server.createDatabase());
  return migrated(
    createDatabase(
      {
        max: 4,
        socket: createDialer([{ host: hostname, port: Number(port) }]),
        user: "postgres",
        database: pathname.slice(1),
        connection: {},
      },
      bounds,
    ),
  );
}

/** A PGlite in memory, which takes seconds to make. */
export async function migratedEmbedded(): Promise<Migrated> {
  const backend = await PGlite.create();
  const database = createDatabase(
    {
      max: 1,
      socket: () => connectToBackend(backend),
      user: "postgres",
      database: "postgres",
      max_lifetime: null,
      connection: {},
    },
    bounds,
  );
  return migrated({
    ...database,
    async close() {
      await database.close();
      await backend.close();
    },
  });
}

async function migrated(database: Database): Promise<Migrated> {
  await migrate(database);
  return database;
}
