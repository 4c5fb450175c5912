// Work that holds the event loop: in which order, how long for whom, and what is left out.
import { expect, test } from "bun:test";
import { createTurns } from "../../../src/telemetry/identity/turns.ts";
import { createHandClock } from "../hand-clock.ts";

const usedUp = "its sender has used up their share of time";

/** Turns on a clock that stands still but where a test or a piece of work lets time pass. */
function turnsByHand() {
  const clock = createHandClock();
  let nowMs = 0;
  const turns = createTurns({ now: () => nowMs, after: clock.after });
  const done: string[] = [];
  const dropped: string[] = [];
  return {
    done,
    dropped,
    close: turns.close,
    wait: (ms: number) => void (nowMs += ms),
    /** Offers a piece that takes so long. */
    offer: (owner: string, { name = owner, ms = 0, bytes = 1 } = {}) =>
      turns.offer({
        owner,
        bytes,
        run() {
          nowMs += ms;
          done.push(name);
        },
        drop: (why) => void dropped.push(`${name}: ${why}`),
      }),
    turn: () => clock.pass(0),
  };
}

test("pieces are run in their order, when the event loop has had its turn", () => {
  const { offer, turn, done } = turnsByHand();
  for (const name of ["a", "b", "c"]) offer("ada", { name });
  expect(done).toEqual([]);
  turn();
  expect(done).toEqual(["a", "b", "c"]);
  offer("ada", { name: "d" });
  turn();
  expect(done).toEqual(["a", "b", "c", "d"]);
});

test("after 5 ms the event loop has its turn again", () => {
  const { offer, turn, done } = turnsByHand();
  for (const name of ["a", "b", "c", "d"]) offer("ada", { name, ms: 2 });
  turn();
  expect(done).toEqual(["a", "b", "c"]);
  turn();
  expect(done).toEqual(["a", "b", "c", "d"]);
});

test("who has used up half a second waits for more, which comes at 50 ms a second; others do not", () => {
  const { offer, turn, wait, done, dropped } = turnsByHand();
  offer("ada", { ms: 510 });
  turn();
  offer("ada", { name: "early" });
  offer("bob");
  wait(200);
  offer("ada", { name: "still early" });
  expect(dropped).toEqual([`early: ${usedUp}`, `still early: ${usedUp}`]);
  wait(1);
  offer("ada", { name: "in time" });
  turn();
  expect(done).toEqual(["ada", "bob", "in time"]);
});

test("what was offered before the time was used up is dropped at its turn", () => {
  const { offer, turn, done, dropped } = turnsByHand();
  offer("ada", { name: "first", ms: 510 });
  offer("ada", { name: "second", ms: 510 });
  offer("bob");
  turn();
  turn();
  expect(done).toEqual(["first", "bob"]);
  expect(dropped).toEqual([`second: ${usedUp}`]);
});

test("what takes no time takes a quarter of a millisecond of it", () => {
  const { offer, turn, done, dropped } = turnsByHand();
  for (let count = 0; count < 2_001; count += 1) {
    offer("ada", { name: String(count) });
    turn();
  }
  expect(done).toHaveLength(2_000);
  expect(dropped).toEqual([`2000: ${usedUp}`]);
});

test("an allowance is never more than half a second, however long nothing came", () => {
  const { offer, turn, wait, dropped } = turnsByHand();
  offer("ada", { ms: 1 });
  turn();
  wait(3_600_000);
  offer("ada", { ms: 501 });
  turn();
  offer("ada");
  expect(dropped).toEqual([`ada: ${usedUp}`]);
});

test("of one owner no more than 16 pieces wait, and 8 MiB, which leaves others their places", () => {
  const many = turnsByHand();
  for (let count = 0; count < 17; count += 1) many.offer("ada", { name: String(count) });
  many.offer("bob");
  expect(many.dropped).toEqual(["16: too many wait"]);
  many.turn();
  many.offer("ada");
  expect(many.dropped).toHaveLength(1);

  const large = turnsByHand();
  large.offer("ada", { bytes: 8 * 1024 * 1024 });
  large.offer("ada", { bytes: 1 });
  large.offer("bob", { bytes: 8 * 1024 * 1024 });
  expect(large.dropped).toEqual(["ada: too many wait"]);
  large.turn();
  large.offer("ada", { bytes: 1 });
  expect(large.dropped).toHaveLength(1);
});

test("of everybody no more than 4,096 pieces wait, and 64 MiB", () => {
  const many = turnsByHand();
  for (let count = 0; count < 4_097; count += 1) many.offer(`p${count}`);
  expect(many.dropped).toEqual(["p4096: too many wait"]);
  const large = turnsByHand();
  for (let count = 0; count < 9; count += 1) large.offer(`p${count}`, { bytes: 8 * 1024 * 1024 });
  expect(large.dropped).toEqual(["p8: too many wait"]);
});

test("closing waits until what waits is run, or for so long, and drops the rest", async () => {
  const { offer, close, done, dropped, turn } = turnsByHand();
  for (const name of ["a", "b", "c"]) offer("ada", { name, ms: 40 });
  const closed = close(60);
  for (let turns = 0; turns < 3; turns += 1) {
    turn();
    await Promise.resolve();
  }
  await closed;
  turn();
  expect([...done, ...dropped]).toEqual(["a", "b", "c: the gateway stops"]);
  expect(close(60)).toBeUndefined();
});
