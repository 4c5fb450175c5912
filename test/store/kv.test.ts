// The contract of the key-value table, the same on both stores.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { KeyValue } from "../../src/store/kv.ts";
import { type Opened, openedEmbedded, openedPostgres } from "./opened.ts";

const longSeconds = 600;
const shortSeconds = 0.2;
const parallel = 50;

let keys = 0;
const newKey = () => `test:${(keys += 1)}`;

describe.each([
  ["PostgreSQL", openedPostgres],
  ["the embedded store", openedEmbedded],
])("key-value rows on %s", (_name, open) => {
  let opened: Opened;
  let kv: KeyValue;
  beforeAll(async () => {
    opened = await open();
    ({ kv } = opened.store);
  }, 60_000);
  afterAll(() => opened.close());

  const atOnce = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: parallel }, work));

  test("the store answers its probe", async () => {
    await opened.store.probe();
  });

  test("a value comes back as it was written, whatever is in it", async () => {
    const key = newKey();
    const value = `'; drop table kv; -- \\ "{}" é 漢字 🙂 \n\t`;
    await kv.put(key, value, longSeconds);
    expect(await kv.get(key)).toBe(value);
    expect(await kv.get(`${key}x`)).toBeUndefined();
  });

  test("put overwrites value and expiry", async () => {
    const key = newKey();
    await kv.put(key, "first", longSeconds);
    await kv.put(key, "second", shortSeconds);
    expect(await kv.get(key)).toBe("second");
    await Bun.sleep(shortSeconds * 1000 + 50);
    expect(await kv.get(key)).toBeUndefined();
  });

  test("an expired row is not read, replaced or taken", async () => {
    const key = newKey();
    await kv.put(key, "value", shortSeconds);
    await Bun.sleep(shortSeconds * 1000 + 50);
    expect(await kv.get(key)).toBeUndefined();
    expect(await kv.replace(key, "value", "other")).toBe(false);
    expect(await kv.take(key, "value")).toBe(false);
  });

  test("insert gives a key to exactly one of many callers, and again after it expired", async () => {
    const key = newKey();
    const inserted = await atOnce(() => kv.insert(key, "mine", shortSeconds));
    expect(inserted.filter(Boolean)).toHaveLength(1);
    await Bun.sleep(shortSeconds * 1000 + 50);
    const again = await atOnce(() => kv.insert(key, "next", longSeconds));
    expect(again.filter(Boolean)).toHaveLength(1);
    expect(await kv.get(key)).toBe("next");
  });

  test("insert leaves an unexpired row as it is", async () => {
    const key = newKey();
    await kv.put(key, "old", longSeconds);
    expect(await kv.insert(key, "new", longSeconds)).toBe(false);
    expect(await kv.get(key)).toBe("old");
  });

  test("replace needs the expected value, and succeeds for exactly one of many callers", async () => {
    const key = newKey();
    await kv.put(key, "pending", longSeconds);
    expect(await kv.replace(key, "other", "x")).toBe(false);
    const replaced = await atOnce(() => kv.replace(key, "pending", "approved"));
    expect(replaced.filter(Boolean)).toHaveLength(1);
    expect(await kv.get(key)).toBe("approved");
  });

  test("replace keeps the expiry", async () => {
    const key = newKey();
    await kv.put(key, "pending", shortSeconds);
    expect(await kv.replace(key, "pending", "approved")).toBe(true);
    await Bun.sleep(shortSeconds * 1000 + 50);
    expect(await kv.get(key)).toBeUndefined();
  });

  test("take needs the expected value", async () => {
    const key = newKey();
    await kv.put(key, "approved", longSeconds);
    expect(await kv.take(key, "pending")).toBe(false);
    expect(await kv.get(key)).toBe("approved");
  });

  test(`take delivers to exactly one of ${parallel} callers, every time`, async () => {
    for (let round = 0; round < 10; round += 1) {
      const key = newKey();
      await kv.put(key, "approved", longSeconds);
      const taken = await atOnce(() => kv.take(key, "approved"));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await kv.get(key)).toBeUndefined();
    }
  });

  test("count gives every one of many callers its own number", async () => {
    const key = newKey();
    const counts = await atOnce(() => kv.count(key, longSeconds));
    expect(counts.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: parallel }, (_, n) => n + 1),
    );
  });

  test("a window of count closes a fixed time after its first hit, not after its last", async () => {
    const key = newKey();
    const windowSeconds = 0.4;
    expect(await kv.count(key, windowSeconds)).toBe(1);
    await Bun.sleep(250);
    expect(await kv.count(key, windowSeconds)).toBe(2);
    await Bun.sleep(250);
    expect(await kv.count(key, windowSeconds)).toBe(1);
  });

  test("prune deletes expired rows and no others", async () => {
    const [expired, kept] = [newKey(), newKey()];
    await kv.prune();
    await kv.put(expired, "value", shortSeconds);
    await kv.put(kept, "value", longSeconds);
    await Bun.sleep(shortSeconds * 1000 + 50);
    expect(await kv.prune()).toBe(1);
    expect(await kv.prune()).toBe(0);
    expect(await kv.get(kept)).toBe("value");
  });
});
