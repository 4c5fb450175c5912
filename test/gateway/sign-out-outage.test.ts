// Sessions are ended while the database is away. It holds at once where it was asked for, whoever asked is told that the others
// have not heard, and they hear of it when the database is back. What had ended before stays so without it.
import { afterAll, expect, test } from "bun:test";
import { startOwnPostgres } from "../support/postgres.ts";
import { deviceFlow } from "../support/sign-in.ts";
import { untilTrue } from "../support/until-true.ts";
import { adminKey, openSpendScene } from "../support/spending.ts";

const postgres = await startOwnPostgres();
const databaseUrl = await postgres.createDatabase();
const scene = await openSpendScene((config) => {
  config.store = { postgres_url: databaseUrl };
});
const { gateway: one } = scene;
const other = await scene.replica();
afterAll(async () => {
  await scene.stop();
  await postgres.stop();
});

/** A look every 2 s, one that hangs for 2 s before it, and a client that has to connect. */
const heardMsMax = 10_000;

const statusAt = async ({ url }: typeof one, bearer: string) =>
  (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${bearer}` } })).status;
const revoke = (bearer: string) => deviceFlow(scene).post("/oauth/revoke", { token: bearer });
const signOut = (body: object) =>
  fetch(`${one.url}/v1/organizations/sign_outs`, {
    method: "POST",
    headers: { "x-api-key": adminKey },
    body: JSON.stringify(body),
  });

test("without the database sign-outs hold where they are asked for, and everywhere when it is back", async () => {
  const tokens = await deviceFlow(scene).signIn();
  const [early, late, bystander] = [
    await scene.bearer({ sub: "early" }),
    await scene.bearer({ sub: "late" }),
    await scene.bearer({ sub: "bystander" }),
  ];
  expect((await revoke(early)).status).toBe(200);

  await postgres.crash();
  const refused = await revoke(tokens.access_token);
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(await refused.json()).toEqual({ error: "temporarily_unavailable" });
  const unheard = await signOut({ user_id: "late" });
  expect([unheard.status, unheard.headers.get("retry-after")]).toEqual([503, "5"]);
  expect(((await unheard.json()) as { error: { message: string } }).error.message).toBe(
    "signed out at the replica that was asked, which tells the others as soon as it can write to the database",
  );
  expect((await signOut({ email: "late@example.com" })).status).toBe(503);
  await one.audited("session.revoke", { result: "unrecorded", token: "bearer", sub: "ada" });
  await one.audited("admin.sign_out", { result: "unrecorded", target: "late" });

  for (const bearer of [early, late, tokens.access_token])
    expect(await statusAt(one, bearer)).toBe(401);
  expect((await deviceFlow(scene).refresh(tokens.refresh_token ?? "")).status).toBe(401);
  expect(await statusAt(one, bystander)).toBe(200);
  // It knew of this one before, and has not heard of that.
  expect(await statusAt(other, late)).toBe(200);

  const failures = () => one.stderr().match(/cannot be exchanged with other replicas/g)?.length;
  await untilTrue(() => failures() === 1, heardMsMax);
  await postgres.restart();
  const deadline = Date.now() + heardMsMax;
  for (const bearer of [early, late, tokens.access_token]) {
    while ((await statusAt(other, bearer)) !== 401 && Date.now() < deadline) await Bun.sleep(50);
    expect(await statusAt(other, bearer)).toBe(401);
  }
  expect(await statusAt(other, bystander)).toBe(200);
  await one.waitForLog(/endings of sessions are exchanged with other replicas again/);
  expect(failures()).toBe(1);
}, 40_000);
