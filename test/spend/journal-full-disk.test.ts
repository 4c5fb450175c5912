// The disk of the journal is full while the database is away: nothing fails, nothing is lost that need not be, and when there is room
// again everything that waits is on the disk. On a file system of 512 KB that only the processes of this test see.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { migrate } from "../../src/store/migrations.ts";
import { temporaryDirectory } from "../store/opened.ts";
import { startPostgres } from "../support/postgres.ts";
import { databaseAt } from "./ledger-scene.ts";

const inPrivate = ["unshare", "--user", "--map-root-user", "--mount"];
const canMount = Bun.spawnSync([...inPrivate, "mount", "-t", "tmpfs", "none", "/mnt"]).success;

const directory = temporaryDirectory();
let url: string;
beforeAll(async () => {
  url = await (await startPostgres()).createDatabase();
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.skipIf(!canMount)(
  "a full disk keeps spend in memory, and a kill after it had room again loses nothing",
  async () => {
    const database = databaseAt(url);
    await migrate(database);
    // Both processes in one namespace: the second finds the disk as the first left it.
    const script = `mount -t tmpfs -o size=512k none "$1" || exit 1; "$2" "$3" "$4" "$1" fill; "$2" "$3" "$4" "$1" replay`;
    const program = fileURLToPath(import.meta.resolve("./full-disk-process.ts"));
    const command = [...inPrivate, "sh", "-c", script, "sh", directory];
    const child = Bun.spawn([...command, process.execPath, program, url], {
      stdout: "pipe",
      stderr: "ignore",
    });
    const said = (await child.stdout.text()).trimEnd().split("\n");
    expect(said).toEqual([
      "failed before: 0",
      expect.stringMatching(
        /^spend journal failed \(store\.journal\): ENOSPC: .* What waits to be recorded is in memory only$/,
      ),
      "drafts left: 0",
      "waiting: 500",
      expect.stringMatching(/^spend of 500 cents that an earlier process settled is recorded$/),
      "left: 0",
    ]);
    const [sum] = await database.query<{
      cents: string;
    }>`select sum(cents)::int::text as cents from spend`;
    expect(sum?.cents).toBe("500");
    await database.close();
  },
  20_000,
);
