// The process as an operator meets it: commands, exit codes, the boot log, readiness, shutdown.
import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";
import { runCommand } from "../support/gateway.ts";
import { eventStream, helloCall, jwtSecret, openScene, plainAnswer } from "../support/scene.ts";

const directory = await mkdtemp(join(tmpdir(), "gateway-process-"));
const scene = await openScene();
afterAll(async () => {
  await scene.stop();
  await rm(directory, { recursive: true, force: true });
});

async function write(text: string): Promise<string> {
  const path = join(directory, `${crypto.randomUUID()}.yaml`);
  await writeFile(path, text);
  return path;
}
const loopback = { CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1" };

test("--version and --help print and exit 0", async () => {
  expect(await runCommand(["--version"])).toMatchObject({ stdout: `${version}\n`, exitCode: 0 });
  expect((await runCommand(["--help"])).stdout).toContain("claude-gateway check --config");
});

test("a command line that makes no sense exits 2 and says why in its last line", async () => {
  for (const args of [[], ["nope"], ["--nope"], ["check", "extra", "--config", "x"]]) {
    const { exitCode, stderr } = await runCommand(args);
    expect(exitCode).toBe(2);
    expect(stderr).toStartWith("claude gateway: ");
  }
});

test("check accepts a good configuration without contacting anything", async () => {
  const path = await write(
    JSON.stringify({
      ...scene.config,
      store: { postgres_url: "postgres://nobody@127.0.0.1:1/x" },
      oidc: { issuer: "http://localhost:1", client_id: "a", client_secret: "b" },
    }),
  );
  expect(await runCommand(["check", "--config", path])).toMatchObject({
    exitCode: 0,
    stdout: `${path} is valid\n`,
  });
});

test("check names every mistake with its line, exits 1, and the last line names the first", async () => {
  const path = await write("listen:\n  prot: 1\nsession: { jwt_secret: short }\nstore: {}\n");
  const { exitCode, stderr } = await runCommand(["check", "--config", path]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`${path}:2:3  listen.prot: unknown key; did you mean "port"?`);
  expect(stderr).toContain(`${path}:3:12  session.jwt_secret`);
  expect(stderr.trimEnd().split("\n").at(-1)).toStartWith(`claude gateway: ${path} is not valid: `);
});

test("a configuration that is not there exits 1 and is named", async () => {
  const { exitCode, stderr } = await runCommand(["--config", "/nonexistent/gateway.yaml"]);
  expect(exitCode).toBe(1);
  expect(stderr).toContain("/nonexistent/gateway.yaml");
});

const failures: [string, (config: Record<string, any>) => void, RegExp][] = [
  [
    "an IdP that does not answer",
    (config) => (config.oidc.issuer = "http://localhost:1"),
    /oidc\.issuer.*ECONNREFUSED/s,
  ],
  [
    "a database that does not exist",
    (config) => (config.store.postgres_url += "_nope"),
    /does not exist/,
  ],
  [
    "a TLS file that is missing",
    (config) => (config.listen.tls = { cert: "/nonexistent.pem", key: "/nonexistent.pem" }),
    /listen\.tls\.cert.*nonexistent/,
  ],
  ["a port that is taken", () => undefined, /listen\.port.*in use/],
];
for (const [what, change, message] of failures) {
  test(`${what} stops the start with exit code 1, named in the last line`, async () => {
    const config = structuredClone(scene.config);
    change(config);
    const { exitCode, stderr } = await runCommand(
      ["--config", await write(JSON.stringify(config))],
      loopback,
    );
    expect(exitCode).toBe(1);
    expect(stderr.trimEnd().split("\n").at(-1)).toMatch(message);
    expect(stderr).not.toContain(jwtSecret);
  });
}

test("an IdP on loopback needs the environment variable that the error names", async () => {
  const path = await write(JSON.stringify(scene.config));
  const { exitCode, stderr } = await runCommand(["--config", path], {
    CLAUDE_GATEWAY_ALLOW_LOOPBACK: "",
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("CLAUDE_GATEWAY_ALLOW_LOOPBACK=1");
});

test("the boot log can be searched: config.load first, migrations, one listening line, a summary", () => {
  const lines = scene.gateway.stderr().trimEnd().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    evt: "config.load",
    sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
  const text = lines.join("\n");
  expect(text).toMatch(/info migration 1 applied/);
  expect(text).toMatch(/info claude gateway listening on http:\/\/127\.0\.0\.1:\d+\n/);
  expect(text).toContain("upstreams 1: anthropic(anthropic)");
});

test("health asks the running gateway and exits 0, or 1 when there is none", async () => {
  const path = await write(JSON.stringify(scene.config));
  // Whatever proxy the environment names: it would be asked, and not the gateway.
  const env = { HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" };
  expect((await runCommand(["health", "--config", path], env)).exitCode).toBe(0);
  const elsewhere = await write(
    JSON.stringify({ ...scene.config, listen: { host: "127.0.0.1", port: 1 } }),
  );
  expect((await runCommand(["health", "--config", elsewhere])).exitCode).toBe(1);
});

test("SIGTERM refuses new connections, lets an open stream finish, and exits 0", async () => {
  const { gateway, upstream, message, stop } = await openScene();
  upstream.answer = () =>
    new Response(
      async function* () {
        for (const event of [
          { type: "message_start" },
          { type: "ping" },
          { type: "message_stop" },
        ]) {
          yield Buffer.from(eventStream([event]));
          await Bun.sleep(150);
        }
      },
      { headers: { "content-type": "text/event-stream" } },
    );
  const response = await message({ ...helloCall, stream: true });
  const exited = gateway.stop("SIGTERM");
  await Bun.sleep(50);
  expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow();
  expect(await response.text()).toContain("message_stop");
  expect(await exited).toBe(0);
  expect(gateway.stderr()).toContain("every open request finished");
  await stop();
});

test("what is still open when the drain window is over is cut and counted", async () => {
  const env = { CLAUDE_GATEWAY_DRAIN_TIMEOUT_MS: "200" };
  const { gateway, upstream, message, stop } = await openScene(undefined, env);
  upstream.answer = () => new Promise(() => undefined);
  const cut = message().catch(() => "cut");
  await Bun.sleep(100);
  expect(await gateway.stop("SIGTERM")).toBe(0);
  expect(await cut).toBe("cut");
  expect(gateway.stderr()).toContain("drain window over after 0.2s: cut 1 request(s)");
  await stop();
});

test("a second signal ends the process without waiting", async () => {
  const { gateway, upstream, message, stop } = await openScene();
  upstream.answer = () => new Promise(() => undefined);
  const cut = message().catch(() => "cut");
  await Bun.sleep(100);
  process.kill(gateway.pid, "SIGTERM");
  await Bun.sleep(700);
  expect(await gateway.stop("SIGTERM")).toBe(1);
  expect(await cut).toBe("cut");
  await stop();
});

test("more requests than the bound are answered 529 with a time to come back", async () => {
  const env = { BUN_CONFIG_MAX_HTTP_REQUESTS: "2" };
  const { gateway, upstream, message, stop } = await openScene(undefined, env);
  upstream.answer = async () => {
    await Bun.sleep(300);
    return plainAnswer();
  };
  const answers = await Promise.all(Array.from({ length: 6 }, () => message()));
  const shed = answers.filter(({ status }) => status === 529);
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  expect(shed.length).toBeGreaterThan(0);
  expect(shed[0]?.headers.get("retry-after")).toBe("1");
  await gateway.waitForLog(/client requests are open/);
  await stop();
});
