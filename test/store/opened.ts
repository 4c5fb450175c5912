// Both stores, opened for a test on something empty and cleaned up after it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StoreConfig } from "../../src/config/schema.ts";
import { openEmbedded } from "../../src/store/embedded.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { startPostgres } from "../support/postgres.ts";

export type Opened = { store: Store; close(): Promise<void> };

/** What the configuration gives for `store: { postgres_url }`. */
export function storeConfig(url: string, overrides: Partial<StoreConfig> = {}): StoreConfig {
  return {
    postgres_url: url,
    max_connections: 5,
    connect_timeout_seconds: 5,
    readiness_grace_seconds: 0,
    ...overrides,
  };
}

export async function openedPostgres(): Promise<Opened> {
  const server = await startPostgres();
  const store = await openPostgres(storeConfig(await server.createDatabase()));
  return { store, close: () => store.close() };
}

export async function openedEmbedded(): Promise<Opened> {
  const directory = temporaryDirectory();
  const store = await openEmbedded(directory);
  return {
    store,
    async close() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "gateway-test-store-"));
}
