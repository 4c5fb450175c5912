// What an observer of the store hears.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { observedStore } from "../../src/store/observed.ts";
import type { Store } from "../../src/store/store.ts";
import { type Opened, openedPostgres } from "./opened.ts";

let opened: Opened;
let store: Store;
let nowMs = 0;
let heard: [operation: string, seconds: number, isOk: boolean][] = [];

beforeAll(async () => {
  opened = await openedPostgres();
  // Each time it is read, a quarter of a second has passed.
  const now = () => (nowMs += 250);
  const observer = (...told: (typeof heard)[number]) => void heard.push(told);
  store = observedStore(opened.store, { now, observer });
}, 60_000);
afterAll(() => opened.close());
beforeEach(() => {
  heard = [];
});

test("operations do what they did, and are told by name with how long they took", async () => {
  expect(await store.kv.insert("a", "value", 60)).toBe(true);
  expect(await store.kv.get("a")).toBe("value");
  expect(await store.ledger.seqOf("nobody")).toBe(0);
  await store.probe();
  expect(heard).toEqual([
    ["kv.insert", 0.25, true],
    ["kv.get", 0.25, true],
    ["ledger.seqOf", 0.25, true],
    ["probe", 0.25, true],
  ]);
});

test("one that throws is not ok, and throws the same", async () => {
  const broken = opened.store.kv.put("b", "\0", 60).catch((error: Error) => error.message);
  const seen = store.kv.put("b", "\0", 60).catch((error: Error) => error.message);
  expect(await seen).toBe(await broken);
  expect(await seen).toBeString();
  expect(heard).toEqual([["kv.put", 0.25, false]]);
});

test("a compare-and-set that changed nothing is ok", async () => {
  expect(await store.kv.take("c", "value")).toBe(false);
  expect(heard).toEqual([["kv.take", 0.25, true]]);
});

test("it has every operation of the store", () => {
  const operationsOf = (one: Store) =>
    Object.entries(one).flatMap(([name, part]) =>
      typeof part === "function" ? [name] : Object.keys(part).map((verb) => `${name}.${verb}`),
    );
  expect(operationsOf(store)).toEqual(operationsOf(opened.store));
});
