// Faults that nobody catches, in a running gateway: a line for each, in which no request can be read, and everybody's streams go on.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { entry, freePort, type GatewayProcess, startGateway } from "../support/gateway.ts";
import { readerOf } from "../support/metered-answers.ts";
import { eventStream, helloCall, openScene } from "../support/scene.ts";

const preload = join(import.meta.dir, "..", "support", "raise-faults.ts");
const scene = await openScene();
let gateway: GatewayProcess;

beforeAll(async () => {
  const listen = { ...(scene.config["listen"] as object), port: await freePort() };
  const command = [process.execPath, "--preload", preload, entry];
  gateway = await startGateway({ ...scene.config, listen }, {}, command);
});
afterAll(async () => {
  await gateway.stop("SIGKILL");
  await scene.stop();
});

test.each([
  ["SIGUSR1", "uncaughtException", [/Fault EFAULT_TEST at .*raise-faults\.ts:\d+/]],
  [
    "SIGUSR2",
    "unhandledRejection",
    [/Fault EFAULT_TEST at .*raise-faults\.ts:\d+/, /a thrown string/],
  ],
] as const)(
  "%s: %s is told by its class and place, and a stream under way ends well",
  async (signal, event, faults) => {
    let finish = () => {};
    const finished = new Promise<void>((resolve) => (finish = resolve));
    scene.upstream.answer = () =>
      new Response(
        async function* () {
          yield Buffer.from(eventStream([{ type: "message_start" }]));
          await finished;
          yield Buffer.from(eventStream([{ type: "message_stop" }]));
        },
        { headers: { "content-type": "text/event-stream" } },
      );
    const response = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { authorization: `Bearer ${await scene.bearer()}` },
      body: JSON.stringify({ ...helloCall, stream: true }),
    });
    const reader = readerOf(response);
    await reader.until("message_start");
    process.kill(gateway.pid, signal);
    for (const fault of faults)
      await gateway.waitForLog(new RegExp(`error ${event}: ${fault.source}`));
    finish();
    await reader.until("message_stop");
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
    expect(gateway.stderr()).not.toContain("canary");
  },
);

test("and the process still ends as it should", async () => {
  expect(await gateway.stop("SIGTERM")).toBe(0);
});
