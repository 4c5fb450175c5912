// The database goes away under a running gateway, and comes back.
import { afterAll, expect, test } from "bun:test";
import { openScene } from "../support/scene.ts";
import { startOwnPostgres } from "../support/postgres.ts";
import { deviceFlow } from "../support/sign-in.ts";

const postgres = await startOwnPostgres();
const databaseUrl = await postgres.createDatabase();
const scene = await openScene((config) => {
  config.store = { postgres_url: databaseUrl };
});
afterAll(async () => {
  await scene.stop();
  await postgres.stop();
});

test("without the database inference and refresh go on, sign-in says to come back, and all recovers by itself", async () => {
  const { gateway } = scene;
  const flow = deviceFlow(scene);
  const { refresh_token = "" } = await flow.signIn();
  const statusOf = async (path: string) => (await fetch(gateway.url + path)).status;
  expect(await statusOf("/readyz")).toBe(200);

  await postgres.crash();
  expect(await statusOf("/healthz")).toBe(200);
  // What was found a moment ago holds for a fifth of a second.
  for (let waits = 0; waits < 20 && (await statusOf("/readyz")) === 200; waits++)
    await Bun.sleep(50);
  expect(await statusOf("/readyz")).toBe(503);
  expect((await scene.message()).status).toBe(200);
  expect((await flow.refresh(refresh_token)).status).toBe(200);
  const refused = await flow.post("/oauth/device_authorization", {});
  expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
    503,
    "temporarily_unavailable",
  ]);
  expect((await flow.poll("unknown")).status).toBe(503);
  expect(await statusOf("/device?user_code=BBBB-BBBB")).toBe(200);

  await postgres.restart();
  for (let waits = 0; waits < 100 && (await statusOf("/readyz")) !== 200; waits++)
    await Bun.sleep(100);
  expect((await flow.signIn()).token_type).toBe("Bearer");
}, 60_000);
