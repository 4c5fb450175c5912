// The container image, proved without a container engine: the executable in a root directory that holds only what the base
// image has, as an unprivileged uid on a read-only filesystem. Needs root; without it the tests are skipped and say so.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { executable } from "./executable.ts";
import { cannotRun, dockerfileCommands, type Image, layOut, nonroot } from "./distroless.ts";
import { version } from "../../package.json";

const reason = cannotRun();
if (reason !== undefined) console.log(`image: skipped, ${reason}`);

/** glibc of the base image, distroless/cc-debian12. */
const glibcMinorMax = 36;

describe.skipIf(reason !== undefined)("the image", () => {
  let image: Image;
  let idp: ReturnType<typeof startDiscovery>;
  let commands: { start: string[]; health: string[] };
  const env = {
    CLAUDE_GATEWAY_ALLOW_LOOPBACK: "1",
    JWT_SECRET: "0123456789abcdef0123456789abcdef",
    // There is neither.
    HOME: "/nonexistent",
    TMPDIR: "/nonexistent",
  };

  beforeAll(async () => {
    idp = startDiscovery();
    commands = await dockerfileCommands(join(import.meta.dir, "..", "..", "Dockerfile"));
    image = await layOut(await executable(), configFor(idp.url.origin, freePort()));
  }, 120_000);
  afterAll(async () => {
    await idp?.stop(true);
    await image?.remove();
  });

  test("starts with nothing but the base image's libraries", async () => {
    const asked = image.run(["/claude-gateway", "--version"]);
    expect(await asked.exited).toBe(0);
    expect(asked.stdout).toContain(version);
    expect(asked.stderr).toBe("");
  });

  test("asks for no newer glibc than the base image has", async () => {
    const text = Buffer.from(
      await Bun.file(join(image.root, "claude-gateway")).arrayBuffer(),
    ).toString("latin1");
    const minors = [...text.matchAll(/\0GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    expect(minors.length).toBeGreaterThan(0);
    expect(Math.max(...minors)).toBeLessThanOrEqual(glibcMinorMax);
  });

  test("checks its configuration", async () => {
    const check = ["/claude-gateway", "check", "--config", "/etc/claude-gateway/gateway.yaml"];
    const good = image.run(check, env);
    expect({ code: await good.exited, stderr: good.stderr }).toMatchObject({ code: 0 });
    const bad = image.run(check, { ...env, JWT_SECRET: "short" });
    expect(await bad.exited).toBe(1);
    expect(bad.stderr).toContain("session.jwt_secret");
  });

  test("is run as the unprivileged user, by a number that Kubernetes can verify", async () => {
    const dockerfile = await Bun.file(join(import.meta.dir, "..", "..", "Dockerfile")).text();
    expect(dockerfile).toContain(`\nUSER ${nonroot}:${nonroot}\n`);
  });

  test("boots with the embedded store, answers its own health check, writes nowhere but in /data, and keeps its memory to itself", async () => {
    const before = await contentOf(image.root);
    const gateway = image.run(commands.start, env);
    const sleeper = Bun.spawn([...asNonroot, "sleep", "60"]);
    try {
      await gateway.said(/listening on http/, 60);
      // Its own user could read a process that has not closed its memory: sleep has not.
      for (const file of ["environ", "maps", "auxv"]) {
        expect(readAsNonroot(`/proc/${sleeper.pid}/${file}`)).toBe(true);
        expect(readAsNonroot(`/proc/${gateway.pid}/${file}`)).toBe(false);
      }
      expect(statusOf(gateway.pid, "Uid")).toBe(String(nonroot));
      expect(statusOf(gateway.pid, "CapEff")).toBe("0000000000000000");
      const health = image.run(commands.health, env);
      expect({ code: await health.exited, stderr: health.stderr }).toMatchObject({ code: 0 });
      expect(await readdir(join(image.root, "data"))).not.toEqual([]);
    } finally {
      sleeper.kill();
      gateway.kill("SIGTERM");
    }
    expect(await gateway.exited).toBe(0);
    expect(gateway.stderr).not.toContain("core dumps");
    expect(await contentOf(image.root)).toEqual(before);
    const health = image.run(commands.health, env);
    expect(await health.exited).toBe(1);
  }, 120_000);
});

const asNonroot = ["chroot", `--userspec=${nonroot}:${nonroot}`, `--groups=${nonroot}`, "/"];

function readAsNonroot(path: string): boolean {
  const read = Bun.spawnSync([...asNonroot, "cat", path], { stdout: "pipe", stderr: "ignore" });
  return read.success && read.stdout.length > 0;
}

/** The first value of a line of /proc/<pid>/status. */
function statusOf(pid: number, name: string): string | undefined {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(status)?.[1];
}

/** Every file outside of /data (and of what a mount covers) with its size and time of change. */
async function contentOf(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const path of new Bun.Glob("**/*").scanSync({ cwd: root, onlyFiles: false, dot: true })) {
    if (path === "data" || path.startsWith("data/")) continue;
    const { size, mtimeMs } = await stat(join(root, path));
    found[path] = `${size} ${mtimeMs}`;
  }
  return found;
}

function configFor(issuer: string, port: number): string {
  return [
    `listen: { host: 127.0.0.1, port: ${port} }`,
    `oidc: { issuer: "${issuer}", client_id: gateway, client_secret: secret }`,
    "session: { jwt_secret: '${JWT_SECRET}' }",
    "store: { embedded: /data }",
    "upstreams: [{ provider: anthropic, auth: { api_key: unused } }]",
    "",
  ].join("\n");
}

/** Just enough of an IdP to boot against: its discovery document. */
function startDiscovery() {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request, server) {
      const issuer = server.url.origin;
      if (new URL(request.url).pathname !== "/.well-known/openid-configuration")
        return new Response("", { status: 404 });
      return Response.json({
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ["code"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["RS256"],
      });
    },
  });
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
