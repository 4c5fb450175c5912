// The store on a directory: one process at a time, nothing lost when that process dies. The statements are in kv.test.ts.
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { lockDirectory } from "../../src/store/directory-lock.ts";
import { openEmbedded } from "../../src/store/embedded.ts";
import { temporaryDirectory } from "./opened.ts";

const root = temporaryDirectory();
afterAll(() => rmSync(root, { recursive: true }));
/** Created by the first test and opened again by the others: creating a database takes seconds. */
const directory = join(root, "not/there/yet");

/** A Bun process that opens the directory as `store` and runs a line of code. */
function otherProcess(code: string, path = directory) {
  const program = `
    import { openEmbedded } from ${JSON.stringify(join(import.meta.dir, "../../src/store/embedded.ts"))};
    const store = await openEmbedded(${JSON.stringify(path)}).catch((error) => {
      console.log("refused:", error.message);
      process.exit(1);
    });
    ${code}`;
  return Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "ignore" });
}

test("a directory is created for its owner only, and keeps its rows from one opening to the next", async () => {
  const first = await openEmbedded(directory);
  await first.kv.put("key", "value", 60);
  await first.close();
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "database")).mode & 0o777).toBe(0o700);

  const second = await openEmbedded(directory);
  expect(await second.kv.get("key")).toBe("value");
  await second.close();
}, 60_000);

test("a process that is killed while it creates the database leaves nothing that stops the next", async () => {
  const interrupted = join(root, "interrupted");
  const other = otherProcess(`console.log("opened");`, interrupted);
  while (!existsSync(join(interrupted, "database.new/base"))) await Bun.sleep(5);
  other.kill("SIGKILL");
  await other.exited;
  const store = await openEmbedded(interrupted);
  await store.probe();
  await store.close();
}, 60_000);

test("a second process on the directory is refused, and told who has it", async () => {
  const store = await openEmbedded(directory);
  const other = otherProcess(`console.log("opened");`);
  expect((await new Response(other.stdout).text()).trim()).toBe(
    `refused: store.embedded: cannot use ${directory}: in use by process ${process.pid} on ${hostname()}. ` +
      "One process at a time may use it; for several gateways use store.postgres_url",
  );
  await store.kv.put("key", "still works", 60);
  expect(await store.kv.get("key")).toBe("still works");
  await store.close();
}, 30_000);

test("a second opening in the same process is refused", async () => {
  const store = await openEmbedded(directory);
  expect(await openEmbedded(directory).catch((error: Error) => error.message)).toContain(
    "in use by process",
  );
  await store.close();
});

test("what a process had committed when it was killed is there for the next, which takes its lock over", async () => {
  const other = otherProcess(`
    for (let n = 0; n < 50; n += 1) await store.kv.put("killed:" + n, "committed", 60);
    process.kill(process.pid, "SIGKILL");`);
  await other.exited;
  expect(other.signalCode).toBe("SIGKILL");

  const store = await openEmbedded(directory);
  expect(await store.kv.get("killed:49")).toBe("committed");
  await store.close();
}, 30_000);

test("statements that were under way at close are finished, later ones are refused", async () => {
  const store = await openEmbedded(directory);
  const underWay = Array.from({ length: 20 }, (_, n) => store.kv.put(`closing:${n}`, "value", 60));
  await Promise.all([store.close(), store.close(), ...underWay]);
  expect(await store.kv.get("key").catch((error: Error) => error.message)).toBe(
    "the store is closed",
  );
  const again = await openEmbedded(directory);
  expect(await again.kv.get("closing:19")).toBe("value");
  await again.close();
});

test("the sweep deletes expired rows by itself and keeps the log of changes short", async () => {
  const store = await openEmbedded(directory, { sweepIntervalMs: 300 });
  const walFiles = () =>
    readdirSync(join(directory, "database/pg_wal")).filter((name) => /^[0-9A-F]{24}$/.test(name))
      .length;
  const before = walFiles();
  // About 48 MB of changes: three segments of 16 MB.
  for (let n = 0; n < 48; n += 1) {
    await store.kv.put("large", crypto.getRandomValues(Buffer.alloc(500_000)).toString("hex"), 0.1);
  }
  await Bun.sleep(700);
  expect(await store.kv.prune()).toBe(0);
  await store.close();
  expect(walFiles()).toBeLessThanOrEqual(before + 2);
}, 30_000);

test("a path that is no directory fails, naming the setting", async () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  expect(await openEmbedded(file).catch((error: Error) => error.message)).toMatch(
    /^store\.embedded: cannot use .*file/,
  );
});

test("a directory that holds something else than a database fails and is not left locked", async () => {
  const strange = join(root, "strange");
  mkdirSync(join(strange, "database"), { recursive: true });
  writeFileSync(join(strange, "database/PG_VERSION"), "9.6\n");
  expect(await openEmbedded(strange).catch((error: Error) => error.message)).toStartWith(
    `store.embedded: cannot open the database in ${strange}`,
  );
  lockDirectory(strange).release();
}, 30_000);
