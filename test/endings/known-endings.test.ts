// What a process remembers of what has ended.
import { expect, test } from "bun:test";
import { createKnownEndings, issuedTo } from "../../src/endings/known-endings.ts";

const nowSeconds = 1_795_000_000;
const held = 100;
const knownUpTo = (max: number) =>
  createKnownEndings({ max, heldSeconds: held, now: () => nowSeconds * 1000 });
const sessionEnded = (id: string, ageSeconds: number) => ({
  sessions: [[id, ageSeconds]] as const,
  principals: [],
});
const principalEnded = (principal: string, throughSeconds: number) => ({
  sessions: [],
  principals: [[principal, throughSeconds]] as const,
});

test("somebody's sessions stay ended when an earlier ending is heard of later", () => {
  const known = knownUpTo(10);
  known.learn(principalEnded("ada", 9));
  known.learn(principalEnded("ada", 5));
  expect(known.endedThrough("ada")).toBe(9);
  expect(known.hasEnded(issuedTo("ada", { id: "s", beganAtSeconds: 9 }))).toBe(true);
  expect(known.hasEnded(issuedTo("ada", { id: "s", beganAtSeconds: 10 }))).toBe(false);
});

test("beyond the bound old endings are forgotten, sessions first, and it is known that not all are known", () => {
  const known = knownUpTo(3);
  known.learn(principalEnded("p", nowSeconds - held - 1));
  for (const id of ["a", "b", "a"]) known.learn(sessionEnded(id, held + 1));
  expect(known.isComplete).toBe(true);
  known.learn(sessionEnded("c", held + 1));
  expect(known.isComplete).toBe(false);
  expect(["a", "b", "c"].map(known.hasSession)).toEqual([true, false, true]);
  for (const id of ["d", "e", "f"]) known.learn(sessionEnded(id, 0));
  expect(["a", "c", "d", "e", "f"].map(known.hasSession)).toEqual([false, false, true, true, true]);
  expect(known.endedThrough("p")).toBe(-1);
});

test("old endings are forgotten also when newer ones were learned before them", () => {
  const known = knownUpTo(100);
  known.learn(sessionEnded("fresh", 0));
  for (let index = 0; index < 500; index++) known.learn(sessionEnded(`s${index}`, held + 1));
  const remembered = Array.from({ length: 500 }, (_, index) => `s${index}`).filter(
    known.hasSession,
  );
  expect(remembered.length).toBeWithin(99, 112);
  expect(known.hasSession("fresh")).toBe(true);
  expect(known.isComplete).toBe(false);
});

test("endings of which there may still be bearers are never forgotten, however many there are", () => {
  const known = knownUpTo(3);
  const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
  for (const name of names) {
    known.learn(sessionEnded(name, held - 1));
    known.learn(principalEnded(name, nowSeconds - held + 1));
  }
  expect(names.every(known.hasSession)).toBe(true);
  expect(names.every((name) => known.endedThrough(name) > 0)).toBe(true);
  expect(known.isComplete).toBe(true);
});

test("an ending that is heard of again counts from when it was recorded last", () => {
  const known = knownUpTo(1);
  known.learn(sessionEnded("a", held - 1));
  known.learn(sessionEnded("a", held + 1));
  known.learn(sessionEnded("b", 0));
  expect(known.hasSession("a")).toBe(true);
});
