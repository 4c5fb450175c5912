// The executable's end by a fault of the runtime itself: no core dump, in which every credential would lie, and no report to
// anybody, however its environment asks for one.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { untilTrue } from "../support/until-true.ts";
import { executable } from "./executable.ts";

describe.skipIf(process.platform !== "linux")("a crash", () => {
  let path: string;
  let tools: string;
  let directory: string;
  let env: Record<string, string>;
  /** An IdP that never answers: the gateway waits for it, past everything that it does to its own process. */
  let isAsked: PromiseWithResolvers<void>;
  const idp = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch() {
      isAsked.resolve();
      return new Promise<Response>(() => undefined);
    },
  });

  beforeAll(async () => {
    path = await executable();
    tools = await mkdtemp(join(tmpdir(), "gateway-crash-"));
    directory = join(tools, "work");
    // Bun's crash handler reports by curl.
    const curl = join(tools, "curl");
    await writeFile(curl, `#!/bin/sh\necho "$@" > ${join(directory, "reported")}\n`);
    await chmod(curl, 0o755);
    await writeFile(
      join(tools, "sleep.js"),
      "console.error('awake'); setTimeout(() => {}, 10_000);",
    );
    await writeFile(join(tools, "gateway.yaml"), configFor(`http://localhost:${idp.port}`));
    env = {
      PATH: `${tools}:${process.env["PATH"]}`,
      BUN_ENABLE_CRASH_REPORTING: "1",
      BUN_CRASH_REPORT_URL: "http://127.0.0.1:9",
      CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1",
      JWT_SECRET: "canary-of-the-environment-0123456789",
    };
  }, 120_000);
  beforeEach(async () => {
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory);
    isAsked = Promise.withResolvers();
  });
  afterAll(async () => {
    await idp.stop(true);
    await rm(tools, { recursive: true, force: true });
  });

  const left = () => readdirSync(directory);
  /** Where core dumps may be of any size. */
  const start = (...command: string[]) =>
    Bun.spawn(["sh", "-c", 'ulimit -c unlimited 2>/dev/null; exec "$@"', "sh", ...command], {
      cwd: directory,
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });

  test("of the runtime alone is seen here: it reports, and dumps its core", async () => {
    const crashing = start(process.execPath, join(tools, "sleep.js"));
    await crashing.stderr.getReader().read();
    crashing.kill("SIGSEGV");
    await crashing.exited;
    await untilTrue(() => left().includes("reported"));
    // Elsewhere a handler takes it, or the machine allows none. That its memory is closed is shown in image.test.ts, too.
    if (!left().some((name) => name.startsWith("core")))
      console.log("crash: this machine writes no core dumps here, so none can be missed");
  });

  test.each(["SIGSEGV", "SIGABRT", "SIGILL"] as const)(
    "by %s leaves no core dump and reports nothing",
    async (signal) => {
      const gateway = start(path, "--config", join(tools, "gateway.yaml"));
      await isAsked.promise;
      gateway.kill(signal);
      const said = await gateway.stderr.text();
      await gateway.exited;
      expect(gateway.signalCode).toBe(signal);
      // A report is a process of its own.
      await Bun.sleep(200);
      expect(left()).toEqual([]);
      expect(said).not.toContain("canary");
    },
  );
});

const configFor = (issuer: string) => `
listen: { host: 127.0.0.1, port: 0 }
oidc: { issuer: "${issuer}", client_id: gateway, client_secret: canary-of-the-client }
session: { jwt_secret: "\${JWT_SECRET}" }
store: { postgres_url: "postgres://gateway:canary-of-the-store@127.0.0.1:1/gateway" }
upstreams: [{ provider: anthropic, auth: { api_key: canary-of-the-upstream } }]
`;
