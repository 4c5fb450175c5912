// How long work is waited for, and that the time in which nobody could have read its answer is no wait.
import { expect, test } from "bun:test";
import { within } from "../../src/store/deadline.ts";

test("work that takes too long is not waited for, and whoever must stop it is told first", async () => {
  const told: string[] = [];
  const begunAt = performance.now();
  const waiting = within(100, new Promise(() => undefined), "too late", () => told.push("late"));
  expect(await waiting.catch((error: Error) => [...told, error.message])).toEqual([
    "late",
    "too late",
  ]);
  expect(performance.now() - begunAt).toBeWithin(95, 1_000);
});

test("work that is done in time is not called late, nor is its failure lost", async () => {
  let late = 0;
  const count = () => (late += 1);
  expect(await within(20, Promise.resolve("done"), "too late", count)).toBe("done");
  const failed = within(20, Promise.reject(new Error("failed")), "too late", count);
  expect(await failed.catch(({ message }: Error) => message)).toBe("failed");
  await Bun.sleep(60);
  expect(late).toBe(0);
});

test("work whose answers come while this process stands still is not called late, however long that is and however often", async () => {
  const echo = Bun.spawn(["cat"], { stdin: "pipe", stdout: "pipe" });
  const read = echo.stdout.getReader();
  async function askedThreeTimes(): Promise<string> {
    for (let asked = 0; asked < 3; asked += 1) {
      void echo.stdin.write("asked");
      await read.read();
    }
    return "answered";
  }
  const work = askedThreeTimes();
  const seen = { isOver: false };
  const waiting = within(100, work, "too late").finally(() => (seen.isOver = true));
  // Not longer than the wait is worth, so that work which is never done would fail this test.
  for (let turns = 0; turns < 10 && !seen.isOver; turns += 1) {
    Bun.sleepSync(200);
    await new Promise(setImmediate);
  }
  expect(await waiting).toBe("answered");
  void echo.stdin.end();
  await echo.exited;
});
