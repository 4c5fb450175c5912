import { expect, test } from "bun:test";
import { createTickets } from "../../src/demo/tickets.ts";

const clock = () => {
  const time = { nowMs: 0 };
  return { time, now: () => time.nowMs };
};

test("a ticket is read as often as one likes and redeemed once", () => {
  const tickets = createTickets<string>({ ttlMs: 10, entriesMax: 10, now: () => 0 });
  const key = tickets.issue("value");
  expect([tickets.read(key), tickets.read(key)]).toEqual(["value", "value"]);
  expect([tickets.redeem(key), tickets.redeem(key)]).toEqual(["value", undefined]);
});

test("a ticket is gone when its time is over, for reading and for redeeming", () => {
  const { time, now } = clock();
  const tickets = createTickets<string>({ ttlMs: 10, entriesMax: 10, now });
  const key = tickets.issue("value");
  time.nowMs = 9;
  expect(tickets.read(key)).toBe("value");
  time.nowMs = 10;
  expect([tickets.read(key), tickets.redeem(key)]).toEqual([undefined, undefined]);
});

test("one ticket too many costs the oldest one its place", () => {
  const tickets = createTickets<number>({ ttlMs: 10, entriesMax: 2, now: () => 0 });
  const keys = [tickets.issue(1), tickets.issue(2), tickets.issue(3)];
  expect(keys.map((key) => tickets.read(key))).toEqual([undefined, 2, 3]);
});

test("keys are 256 bits long and never the same", () => {
  const tickets = createTickets<number>({ ttlMs: 10, entriesMax: 100, now: () => 0 });
  const keys = Array.from({ length: 100 }, () => tickets.issue(1));
  expect(new Set(keys).size).toBe(100);
  expect(keys.every((key) => /^[\w-]{43}$/.test(key))).toBe(true);
});
