// The largest requests that are taken, in the shapes that cost most to read: whoever else asks meanwhile is answered. That it is
// one short turn after the other is test/upstream/reading.test.ts's; here it is the process, with all that it does to a body.
import { afterAll, afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { messageText } from "../support/clouds.ts";
import { modelOn } from "../support/every-provider.ts";
import { costly } from "../support/hostile-json.ts";
import { openOrdeal } from "../support/ordeal.ts";

/**
 * Milliseconds that /healthz may take meanwhile, on a machine that has much else to do. Alone it is some 60, for 30 MB in and out
 * again; it was more than 1,000 for some of these shapes while they were read in one go.
 */
const heldMsMax = 500;

const ordeal = await openOrdeal();
const { gateway, upstream } = ordeal.scene;
upstream.answer = () =>
  new Response(messageText, { headers: { "content-type": "application/json" } });
let told = (_worst: number): void => undefined;
const watch = Bun.spawn(
  [
    process.execPath,
    join(import.meta.dir, "..", "support", "watch-health.ts"),
    `${gateway.url}/healthz`,
  ],
  { ipc: (worst: number) => told(worst), stderr: "ignore" },
);
afterAll(async () => {
  watch.kill();
  await ordeal.scene.stop();
});
afterEach(() => ordeal.stood());

/** The longest that /healthz took since this was asked last. */
function longest(): Promise<number> {
  return new Promise((resolve) => {
    told = resolve;
    watch.send("longest");
  });
}

const million = 12_000_000;
test.each([
  ["many keys further inside", million, 200],
  ["many keys at the top", million, 400],
  ["one key, again and again", 30_000_000, 200],
  ["many models", 30_000_000, 200],
  ["many empty lists", 30_000_000, 200],
  ["a string of escaped quotes", 30_000_000, 200],
  ["many tools", 30_000_000, 200],
  ["a list of betas", 30_000_000, 400],
  ["lists in lists", 30_000_000, 400],
])("%s, in %d bytes, do not hold up /healthz", async (shape, bytes, expected) => {
  const body = Buffer.from(costly(modelOn("bedrock"), bytes)[shape] ?? "");
  await longest();
  const { status } = await ordeal.askAs({ method: "POST", path: "/v1/messages", body });
  expect(await longest()).toBeLessThan(heldMsMax);
  expect(status).toBe(expected);
});
