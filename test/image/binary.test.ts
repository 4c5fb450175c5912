// The executable by itself: it obeys its arguments, its environment and the file that --config names, and nothing that happens to
// lie in the directory it is started from, nor what its environment says to the runtime inside. How it fares in the container image
// is in image.test.ts.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { executable } from "./executable.ts";

const config = `
listen: { host: 127.0.0.1 }
oidc: { issuer: https://idp.example.com, client_id: gateway, client_secret: "\${STRAY_SECRET}" }
session: { jwt_secret: 0123456789abcdef0123456789abcdef }
store: { postgres_url: postgres://gateway@db.example.com/gateway }
upstreams: [{ provider: anthropic, auth: { api_key: unused } }]
`;

describe("the executable", () => {
  let path: string;
  let directory: string;

  beforeAll(async () => {
    path = await executable();
    directory = await mkdtemp(join(tmpdir(), "gateway-stray-"));
    await writeFile(join(directory, "gateway.yaml"), config);
    await writeFile(join(directory, ".env"), "STRAY_SECRET=from-a-stray-file\n");
    await writeFile(join(directory, "bunfig.toml"), 'preload = ["./stray.ts"]\n');
    await writeFile(join(directory, "stray.ts"), 'console.log("a stray file ran");\n');
    await writeFile(join(directory, "package.json"), '{ "name": "stray", "version": "9.9.9" }\n');
  }, 120_000);
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const run = (args: string[], env: Record<string, string> = {}) => {
    const { exitCode, stdout, stderr } = Bun.spawnSync([path, ...args], { cwd: directory, env });
    return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };

  test("says its version, and runs nothing that a bunfig.toml beside it names", () => {
    const { exitCode, stdout } = run(["--version"]);
    expect({ exitCode, first: stdout.split(/[\n+]/)[0] }).toEqual({
      exitCode: 0,
      first: expect.stringContaining(version),
    });
    expect(stdout).not.toContain("stray");
  });

  test("explains its commands", () => {
    const { exitCode, stdout } = run(["--help"]);
    expect(exitCode).toBe(0);
    for (const word of ["--config", "check", "health", "demo"]) expect(stdout).toContain(word);
  });

  test("takes a variable from its environment", () => {
    expect(
      run(["check", "--config", "gateway.yaml"], { STRAY_SECRET: "from-the-environment" }),
    ).toMatchObject({ exitCode: 0 });
  });

  test("takes no variable from a .env beside it", () => {
    const { exitCode, stderr } = run(["check", "--config", "gateway.yaml"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("STRAY_SECRET");
  });

  test.each([
    ["BUN_OPTIONS", "--preload=./stray.ts"],
    ["BUN_INSPECT", "127.0.0.1:0"],
    ["BUN_INSPECT_PRELOAD", "./stray.ts"],
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ])("does not start with %s=%s, and says why in its last line", (name, value) => {
    for (const args of [["--config", "gateway.yaml"], ["demo"]]) {
      const { exitCode, stderr } = run(args, { [name]: value, STRAY_SECRET: "unused" });
      expect(exitCode).toBe(1);
      const last = stderr.trimEnd().split("\n").at(-1);
      expect(last).toStartWith(`claude gateway: ${name} is set in the environment, which `);
    }
  });

  test("runs nothing that NODE_OPTIONS names", () => {
    const { exitCode, stdout } = run(["--version"], { NODE_OPTIONS: "--require=./stray.ts" });
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain("stray");
  });

  test("runs the demo with nothing but itself, and ends it cleanly", async () => {
    const demo = Bun.spawn([path, "demo"], {
      cwd: directory,
      env: {},
      stdio: ["ignore", "pipe", "pipe"],
    });
    const output = demo.stdout.pipeThrough(new TextDecoderStream());
    let seen = "";
    try {
      // Its last line says how to stop it; by then one person is signed in and has her answer.
      for await (const text of output.values({ preventCancel: true }))
        if ((seen += text).includes("Ctrl-C stops everything")) break;
      const url = seen.match(/gateway +(http:\S+)/)?.[1];
      expect(await (await fetch(`${url}/healthz`)).text()).toBe("ok");
    } finally {
      demo.kill("SIGTERM");
    }
    expect(await demo.exited).toBe(0);
  }, 60_000);
});
