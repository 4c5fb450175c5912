// A long outage does not fill the disk: a file that has grown large is written anew, as the sums that all its lines come to.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { backlogBounds, createBacklog } from "../../src/spend/backlog.ts";
import { openJournal } from "../../src/spend/journal.ts";
import { parseLine } from "../../src/spend/journal-lines.ts";
import { createJournaling } from "../../src/spend/journaling.ts";
import { createTally, rowKey } from "../../src/spend/tally.ts";
import { temporaryDirectory } from "../store/opened.ts";
import { createHandClock } from "../telemetry/hand-clock.ts";
import { monthOf } from "./ledger-scene.ts";

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => rmSync(directory, { recursive: true }));

const rewriteBytesMin = 4_000;
const path = () => join(directory, "writer.jsonl");

/** What a replay of the whole file would add to a principal's month. */
function sumInFile(principal: string): bigint {
  const tally = createTally();
  let last = 0;
  for (const text of readFileSync(path(), "utf8").trimEnd().split("\n")) {
    const line = parseLine(text);
    expect(line?.seq).toBeGreaterThan(last);
    last = line?.seq ?? 0;
    if (line !== undefined) tally.addAll(line.tally);
  }
  return tally.of(rowKey(monthOf(principal))) ?? 0n;
}

test("a file stays in proportion to the rows in it, however long the outage, and has all of them", async () => {
  const backlog = createBacklog({ ...backlogBounds, batchRowsMax: 2 });
  const journal = openJournal(directory);
  const file = journal.fileOf("writer");
  const journalFailed = (error: unknown) => expect(error).toBeUndefined();
  const { after } = createHandClock();
  const journaling = createJournaling(file, {
    backlog,
    report: { journalFailed },
    after,
    rewriteBytesMin,
  });
  // A batch that is under way all the time.
  backlog.add([monthOf("ada")], 1_000_000n, 0);
  backlog.seal([]);
  let largest = 0;
  for (let n = 1; n <= 300; n += 1) {
    backlog.add([monthOf("ada"), monthOf("bob"), monthOf("cyd")], 1n, n);
    expect(await journaling.keep()).toBe(true);
    largest = Math.max(largest, statSync(path()).size);
  }
  expect(largest).toBeGreaterThan(rewriteBytesMin);
  expect(largest).toBeLessThan(2 * rewriteBytesMin);
  expect(sumInFile("ada")).toBe(1_000_300n);
  expect(sumInFile("cyd")).toBe(300n);

  // The database is back: the batch, and then the rest.
  backlog.acknowledge();
  journaling.clear();
  expect(await journaling.keep()).toBe(true);
  expect(existsSync(path())).toBe(true);
  expect(backlog.seal([])).toBe(true);
  expect(await journaling.rewrite()).toBe(true);
  expect(sumInFile("bob")).toBe(300n);
  while (backlog.first() !== undefined) backlog.acknowledge();
  journaling.clear();
  await journaling.close();
  expect(existsSync(path())).toBe(false);
  journal.release();
});
