// Which processes hold a directory: one that lives does, wherever it runs, and one that has ended does not, however it ended.
import { afterAll, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { lockDirectory } from "../../src/store/directory-lock.ts";
import { temporaryDirectory } from "./opened.ts";

const root = temporaryDirectory();
const holders: Bun.Subprocess[] = [];
afterAll(() => {
  // Those of a test that failed as well: they would live for ever.
  for (const child of holders) child.kill("SIGKILL");
  rmSync(root, { recursive: true });
});
let directories = 0;
const newDirectory = () => join(root, `${(directories += 1)}`);

/** As containers have it: a namespace in which the process has an id of its own, and everybody else's means nothing. */
const inContainer = [
  "unshare",
  "--user",
  "--map-root-user",
  "--pid",
  "--fork",
  "--kill-child",
  "--mount-proc",
];
const hasContainers = Bun.spawnSync([...inContainer, "true"]).success;

/** A process that locks the directory, says whether it has it, and keeps it until it is killed. */
async function holder(directory: string, within: string[] = []) {
  const program = `
    import { lockDirectory } from ${JSON.stringify(join(import.meta.dir, "../../src/store/directory-lock.ts"))};
    try { lockDirectory(${JSON.stringify(directory)}); console.log("locked"); } catch (error) { console.log(error.message); }
    setInterval(() => {}, 1000);`;
  const child = Bun.spawn([...within, process.execPath, "-e", program], { stdout: "pipe" });
  holders.push(child);
  const { value } = await child.stdout.getReader().read();
  return { child, said: new TextDecoder().decode(value).trim() };
}

test("one that lives is named to whoever comes second, in another process or in its own", async () => {
  const directory = newDirectory();
  const lock = lockDirectory(directory);
  const inUse = `in use by process ${process.pid} on ${hostname()}`;
  expect(() => lockDirectory(directory)).toThrow(inUse);
  const { child, said } = await holder(directory);
  expect(said).toBe(inUse);
  child.kill("SIGKILL");
  lock.release();
  lock.release();
  lockDirectory(directory).release();
});

test("one that was killed holds nothing, whatever the file says", async () => {
  const directory = newDirectory();
  const { child, said } = await holder(directory);
  expect(said).toBe("locked");
  expect(() => lockDirectory(directory)).toThrow(`in use by process ${child.pid} on `);
  child.kill("SIGKILL");
  await child.exited;
  writeFileSync(join(directory, "lock"), `${process.ppid} on ${hostname()}`);
  lockDirectory(directory).release();
});

test.skipIf(!hasContainers)("containers with one volume see each other's locks", async () => {
  const directory = newDirectory();
  const first = await holder(directory, inContainer);
  expect(first.said).toBe("locked");
  const second = await holder(directory, inContainer);
  // Its id is the same as that of the first: 1, or close to it.
  expect(second.said).toMatch(/^in use by process \d{1,2} on /);
  expect(() => lockDirectory(directory)).toThrow("in use by process");
  for (const { child } of [first, second]) child.kill("SIGKILL");
  await Promise.all([first.child.exited, second.child.exited]);
});
