// The conformance suite as a program: a copy of its folder with its dependencies, its private PostgreSQL, and one run per
// area. It is no part of this repository; where it lies is said by CONFORMANCE_DIR, else it is looked for beside it.
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDirectory } from "../support/cache.ts";
import type { CaseResult } from "./ratchet.ts";

/** One area takes seconds to a minute; this is for one that hangs. */
const areaSecondsMax = 600;

export type Suite = {
  /** Runs one area, or the cases that a glob names (`oidc/denied*`), and returns what it reported. */
  run(
    only: string,
    options: { target: string; differences: string; verbose: boolean },
  ): Promise<CaseResult[]>;
  /** Stops the suite's PostgreSQL and removes its data. */
  close(): Promise<void>;
};

/** The folder of the suite, or `undefined` where there is none. */
export function findSuite(root: string): string | undefined {
  const directory = process.env["CONFORMANCE_DIR"] ?? join(root, "..", "shared", "conformance");
  return existsSync(join(directory, "run.mjs")) ? directory : undefined;
}

/** What this machine lacks to run the suite, in words; empty when nothing. */
export function missingTools(): string[] {
  const missing = ["node", "npm", "openssl", "psql"].filter((tool) => Bun.which(tool) === null);
  const servers = [
    ...new Bun.Glob("*/bin/initdb").scanSync({ cwd: "/usr/lib/postgresql", onlyFiles: false }),
  ];
  const directory = process.env["SUITE_PG_BIN"];
  if (servers.length === 0 && (directory === undefined || !existsSync(join(directory, "initdb")))) {
    missing.push("PostgreSQL's server binaries");
  }
  const asRoot = process.getuid?.() === 0;
  if (
    asRoot &&
    !Bun.spawnSync(["id", "postgres"], { stdout: "ignore", stderr: "ignore" }).success
  ) {
    missing.push("the system user postgres");
  }
  return missing;
}

/** Copies the suite (once per version of it), installs what it needs and starts its PostgreSQL on ports of this run's own. */
export async function openSuite(source: string): Promise<Suite> {
  const directory = await copyOf(source);
  const scratch = await mkdtemp(join(tmpdir(), "gateway-conformance-"));
  await chmod(scratch, 0o755); // the server runs as the system user postgres
  const env = {
    ...process.env,
    SUITE_PG_DIR: join(scratch, "pg"),
    SUITE_PG_PORT: String(freePort()),
  };
  const close = async () => {
    const stop = `import("./lib/pg.mjs").then((pg) => pg.stopCluster())`;
    await Bun.spawn(["node", "-e", stop], {
      cwd: directory,
      env,
      stdio: ["ignore", "ignore", "ignore"],
    }).exited;
    await rm(scratch, { recursive: true, force: true });
  };
  const setup = Bun.spawn(["npm", "run", "--silent", "setup"], {
    cwd: directory,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, complaint] = [
    new Response(setup.stdout).text(),
    new Response(setup.stderr).text(),
  ];
  if ((await setup.exited) !== 0) {
    await close();
    throw new Error(`the suite's setup failed:\n${await output}${await complaint}`);
  }
  return { run: (only, options) => run(only, options, { directory, scratch, env }), close };
}

async function run(
  only: string,
  options: { target: string; differences: string; verbose: boolean },
  place: { directory: string; scratch: string; env: Record<string, string | undefined> },
): Promise<CaseResult[]> {
  const report = join(place.scratch, "report.json");
  await rm(report, { force: true });
  const words = [
    "--target",
    options.target,
    "--only",
    only,
    "--differences",
    options.differences,
    "--json",
    report,
  ];
  const child = Bun.spawn(["node", "run.mjs", ...words], {
    cwd: place.directory,
    env: place.env,
    stdio: ["ignore", options.verbose ? "inherit" : "ignore", "inherit"],
    timeout: areaSecondsMax * 1000,
  });
  await child.exited;
  if (!(await Bun.file(report).exists())) return [];
  const { results }: { results: CaseResult[] } = await Bun.file(report).json();
  return results;
}

/** A writable copy in the cache, named by the content of what was copied, so that a newer suite is never mixed with an older. */
async function copyOf(source: string): Promise<string> {
  const paths = Array.from(new Bun.Glob("**/*").scanSync({ cwd: source }))
    .filter((path) => !path.includes("node_modules/"))
    .toSorted();
  const hash = new Bun.CryptoHasher("sha256");
  for (const path of paths)
    hash.update(`${path}\0`).update(await Bun.file(join(source, path)).bytes());
  const directory = join(cacheDirectory(), `conformance-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(directory)) return directory;
  await mkdir(cacheDirectory(), { recursive: true });
  const half = await mkdtemp(join(cacheDirectory(), ".conformance-"));
  for (const path of paths) await Bun.write(join(half, path), Bun.file(join(source, path)));
  await rename(half, directory);
  return directory;
}

function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
