// The real client: the executable inside npm's Claude Code package for this platform, pinned, kept in the cache. Only the
// platform package is fetched and no install script runs.
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../support/cache.ts";

const version = "2.1.330";
const platformPackage = `@anthropic-ai/claude-code-linux-${process.arch}`;

/** Path of the client's executable; fetched from the npm registry when the cache does not hold it. */
export async function realClient(): Promise<string> {
  const directory = join(cacheDirectory(), `claude-code-${version}`);
  const executable = join(directory, "node_modules", platformPackage, "claude");
  if (existsSync(executable)) return executable;
  const half = `${directory}.${process.pid}`;
  await mkdir(half, { recursive: true });
  await Bun.write(join(half, "package.json"), '{ "private": true }\n');
  const add = [
    process.execPath,
    "add",
    "--ignore-scripts",
    "--exact",
    "--silent",
    `${platformPackage}@${version}`,
  ];
  const { success, stderr } = Bun.spawnSync(add, { cwd: half, stdout: "ignore", stderr: "pipe" });
  if (!success) {
    await rm(half, { recursive: true, force: true });
    throw new Error(`fetching ${platformPackage}@${version} failed: ${stderr.toString()}`);
  }
  await rename(half, directory);
  return executable;
}
