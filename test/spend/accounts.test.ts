// What this process knows of spend, holds for requests under way, and who waits for that.
import { describe, expect, test } from "bun:test";
import { createAccounts, type Owner } from "../../src/spend/accounts.ts";

const ada: Owner = { kind: "principal", principal: "ada" };
const bob: Owner = { kind: "principal", principal: "bob" };
const eng: Owner = { kind: "group", group: "eng" };
const session: Owner = { kind: "session", principal: "ada", sessionId: "s1" };
const month = "2026-11";

describe("an account", () => {
  test("has nothing in it at first", () => {
    const account = createAccounts().of(ada);
    expect(account.spentIn(month)).toBe(0n);
    expect(account.reserved).toBe(0n);
  });

  test("has what was read, and what was settled since", () => {
    const account = createAccounts().of(ada);
    account.settle(month, 5n);
    account.read(month, 100n);
    account.settle(month, 1n);
    expect(account.spentIn(month)).toBe(101n);
    expect(account.spentIn("2026-12")).toBe(0n);
  });

  test("is one for each owner, whatever they are called", () => {
    const accounts = createAccounts();
    const owners: Owner[] = [
      ada,
      { kind: "group", group: "ada" },
      { kind: "principal", principal: "ada\0s1" },
      session,
      { kind: "session", principal: "ada", sessionId: "s2" },
      { kind: "session", principal: "bob", sessionId: "s1" },
    ];
    owners.forEach((owner, index) => accounts.of(owner).read(month, BigInt(index)));
    expect(owners.map((owner) => accounts.of(owner).spentIn(month))).toEqual(
      owners.map((_, index) => BigInt(index)),
    );
  });

  test("names the row that holds a sum", () => {
    const accounts = createAccounts();
    expect([ada, eng, session].map((owner) => accounts.of(owner).rowOf(month))).toEqual([
      { kind: "principal", principal: "ada", period: month },
      { kind: "group", group: "eng", period: month },
      { kind: "session", principal: "ada", sessionId: "s1", period: month },
    ]);
  });

  test("keeps the sum of a month through every day of it, also while nothing is read", () => {
    const account = createAccounts().of(ada);
    account.read(month, 100n);
    for (let day = 1; day <= 30; day += 1) {
      account.settle(`2026-11-${day}`, 1n);
      account.settle(`2026-W${40 + day / 7}`, 1n);
      account.settle(month, 1n);
    }
    expect(account.spentIn(month)).toBe(130n);
    expect(account.spentIn("2026-11-30")).toBe(1n);
  });

  test("forgets periods that have long ended", () => {
    const account = createAccounts().of(ada);
    for (let day = 10; day < 30; day += 1) account.read(`2026-11-${day}`, 1n);
    expect(account.spentIn("2026-11-10")).toBe(0n);
    expect(account.spentIn("2026-11-28")).toBe(1n);
  });
});

describe("a hold", () => {
  test("is on each account until it is given back", () => {
    const accounts = createAccounts();
    const [one, other] = [accounts.of(ada), accounts.of(eng)];
    const first = accounts.hold([one, other], 5n);
    const second = accounts.hold([one], 2n);
    expect([one.reserved, other.reserved]).toEqual([7n, 5n]);
    first.release();
    expect([one.reserved, other.reserved]).toEqual([2n, 0n]);
    second.release();
    expect(one.reserved).toBe(0n);
  });

  test("is given back once, however often it is released", () => {
    const accounts = createAccounts();
    const account = accounts.of(ada);
    const hold = accounts.hold([account], 5n);
    accounts.hold([account], 1n);
    hold.release();
    hold.release();
    expect(account.reserved).toBe(1n);
  });
});

describe("accounts beyond the bound", () => {
  const names = (count: number) =>
    Array.from({ length: count }, (_, index): Owner => ({ kind: "group", group: `g${index}` }));

  test("are forgotten, those unused for longest first", () => {
    const accounts = createAccounts(10);
    for (const owner of names(10)) accounts.of(owner).read(month, 1n);
    accounts.of({ kind: "group", group: "g0" });
    accounts.of(ada);
    accounts.of(bob);
    const left = names(10).filter((owner) => accounts.of(owner).spentIn(month) === 1n);
    expect(left).not.toContainEqual({ kind: "group", group: "g1" });
    expect(accounts.of({ kind: "group", group: "g0" }).spentIn(month)).toBe(1n);
  });

  test("stay while something is held on them, or somebody waits for them", async () => {
    const accounts = createAccounts(4);
    const hold = accounts.hold([accounts.of(ada)], 5n);
    const { result, giveUp } = accounts.wait([accounts.of(bob)], () => undefined);
    for (const owner of names(50)) accounts.of(owner);
    accounts.of(ada).settle(month, 1n);
    accounts.of(bob).settle(month, 2n);
    for (const owner of names(50)) accounts.of(owner);
    expect(accounts.of(ada).reserved).toBe(5n);
    expect(accounts.of(ada).spentIn(month)).toBe(1n);
    expect(accounts.of(bob).spentIn(month)).toBe(2n);
    hold.release();
    giveUp();
    await result;
    for (const owner of names(50)) accounts.of(owner);
    expect(accounts.of(ada).spentIn(month)).toBe(0n);
    expect(accounts.of(bob).spentIn(month)).toBe(0n);
  });

  test("of sessions have a bound of their own, and take nobody else's place", () => {
    const accounts = createAccounts(4, 8);
    accounts.of(ada).read(month, 1n);
    accounts.of(eng).read(month, 2n);
    const sessionOf = (index: number) =>
      accounts.of({ kind: "session", principal: "ada", sessionId: `s${index}` });
    for (let index = 0; index < 50; index += 1) sessionOf(index).read(month, 3n);
    expect([49, 42, 41, 0].map((index) => sessionOf(index).spentIn(month))).toEqual([
      3n,
      3n,
      0n,
      0n,
    ]);
    expect(accounts.of(ada).spentIn(month)).toBe(1n);
    expect(accounts.of(eng).spentIn(month)).toBe(2n);
  });

  test("are never the one that was just asked for, should all others be held", () => {
    const accounts = createAccounts(2);
    for (const owner of names(5)) accounts.hold([accounts.of(owner)], 1n);
    accounts.of(ada).settle(month, 1n);
    expect(accounts.of(ada).spentIn(month)).toBe(1n);
    expect(names(5).map((owner) => accounts.of(owner).reserved)).toEqual([1n, 1n, 1n, 1n, 1n]);
  });
});

describe("whoever waits", () => {
  test("tries again after each hold that is given back, until something comes of it", async () => {
    const accounts = createAccounts();
    const account = accounts.of(ada);
    const holds = [1n, 2n, 3n].map((amount) => accounts.hold([account], amount));
    const seen: bigint[] = [];
    const { result } = accounts.wait([account], () => {
      seen.push(account.reserved);
      return account.reserved <= 3n ? "room" : undefined;
    });
    expect(seen).toEqual([]);
    for (const hold of holds) hold.release();
    expect(await result).toBe("room");
    expect(seen).toEqual([5n, 3n]);
  });

  test("takes what it takes before the next one looks, and in the order of waiting", () => {
    const accounts = createAccounts();
    const account = accounts.of(ada);
    const hold = accounts.hold([account], 10n);
    const took: string[] = [];
    for (const name of ["first", "second", "third"]) {
      void accounts.wait([account], () => {
        if (account.reserved + 4n > 10n) return undefined;
        took.push(name);
        return accounts.hold([account], 4n);
      });
    }
    hold.release();
    expect(took).toEqual(["first", "second"]);
    expect(account.reserved).toBe(8n);
  });

  test("hears of holds on any of the accounts, and no more once it is over", async () => {
    const accounts = createAccounts();
    const [one, other] = [accounts.of(ada), accounts.of(eng)];
    let attempts = 0;
    const attempt = () => ((attempts += 1) === 2 ? "done" : undefined);
    const { result, giveUp } = accounts.wait([one, other], attempt);
    accounts.hold([other], 1n).release();
    accounts.hold([one, other], 1n).release();
    accounts.hold([one, other], 1n).release();
    accounts.hold([accounts.of(bob)], 1n).release();
    giveUp();
    expect(await result).toBe("done");
    expect(attempts).toBe(2);
  });

  test("may give up", async () => {
    const accounts = createAccounts();
    const account = accounts.of(ada);
    let attempts = 0;
    const { result, giveUp } = accounts.wait([account], () => void (attempts += 1));
    giveUp();
    accounts.hold([account], 1n).release();
    expect(await result).toBe(undefined);
    expect(attempts).toBe(0);
  });

  test("hears of what its attempt threw, and nobody else does", async () => {
    const accounts = createAccounts();
    const account = accounts.of(ada);
    const failing = accounts.wait([account], () => {
      throw new Error("refused");
    });
    const other = accounts.wait([account], () => "done");
    accounts.hold([account], 1n).release();
    expect(await failing.result.catch(String)).toBe("Error: refused");
    expect(await other.result).toBe("done");
  });
});
