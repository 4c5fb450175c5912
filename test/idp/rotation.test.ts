// Refresh tokens that the IdP replaces: the new one is not lost with an answer that nobody got.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createRotation } from "../../src/idp/rotation.ts";
import type { TokenAnswer } from "../../src/idp/token-endpoint.ts";
import { rejection } from "../support/idp.ts";

let now: number;
beforeEach(() => {
  now = 1_000_000;
});
afterEach(() => {
  family.length = 0;
});

const minuteMs = 60_000;
const open = () => createRotation({ now: () => now });
const answered = (refreshToken?: string): TokenAnswer => ({
  accessToken: "at",
  refreshToken,
  idToken: undefined,
});

/** An IdP that rotates strictly: a token serves once, and makes the next one. */
const family: string[] = [];
async function ask(refreshToken: string): Promise<TokenAnswer> {
  if (family.length > 0 && family.at(-1) !== refreshToken) throw new Error("invalid_grant");
  family.push(`rt-${family.length + 1}`);
  return answered(family.at(-1));
}

describe("a refresh token that was replaced", () => {
  test("leads to the newest one, however often it is tried", async () => {
    const rotation = open();
    for (const newest of ["rt-1", "rt-2", "rt-3"])
      expect((await rotation.exchange("rt-0", ask)).refreshToken).toBe(newest);
  });

  test("does so for half an hour", async () => {
    const rotation = open();
    await rotation.exchange("rt-0", ask);
    now += 30 * minuteMs - 1;
    expect((await rotation.exchange("rt-0", ask)).refreshToken).toBe("rt-2");
    now += 30 * minuteMs;
    expect((await rejection(rotation.exchange("rt-0", ask))).message).toBe("invalid_grant");
  });

  test("is the IdP's to refuse as soon as the newest one leaves for the client, and so are those between", async () => {
    const rotation = open();
    await rotation.exchange("rt-0", ask);
    await rotation.exchange("rt-0", ask);
    rotation.delivered("rt-0");
    for (const used of ["rt-0", "rt-1"])
      expect((await rejection(rotation.exchange(used, ask))).message).toBe("invalid_grant");
    expect((await rotation.exchange("rt-2", ask)).refreshToken).toBe("rt-3");
  });

  test("is not found in an answer that does not rotate", async () => {
    const rotation = open();
    for (const same of [undefined, "rt-0"]) {
      const asked: string[] = [];
      const answer = await rotation.exchange("rt-0", async (newest) => {
        asked.push(newest);
        return answered(same);
      });
      expect(answer.refreshToken).toBe("rt-0");
      expect(asked).toEqual(["rt-0"]);
    }
  });

  test("may come back as the newest: chains have an end", async () => {
    const rotation = open();
    const next: Record<string, string> = { a: "b", b: "c", c: "a" };
    const turn = async (refreshToken: string) => answered(next[refreshToken]);
    for (let count = 0; count < 10; count++)
      expect((await rotation.exchange("a", turn)).refreshToken).toMatch(/^[abc]$/);
  });

  test("is forgotten when ten thousand others came after it", async () => {
    const rotation = open();
    for (let person = 0; person <= 10_000; person++)
      await rotation.exchange(`${person}`, async () => answered(`${person}'`));
    const asked = async (person: string) => {
      let token = "";
      await rotation.exchange(person, async (newest) => answered((token = newest)));
      return token;
    };
    expect(await asked("0")).toBe("0");
    expect(await asked("10000")).toBe("10000'");
  });
});

describe("those who come at once with the same refresh token", () => {
  test("share one exchange", async () => {
    const rotation = open();
    const all = await Promise.all([1, 2, 3].map(() => rotation.exchange("rt-0", ask)));
    expect(all.map(({ refreshToken }) => refreshToken)).toEqual(["rt-1", "rt-1", "rt-1"]);
  });

  test("share its failure, and the next one asks anew", async () => {
    const rotation = open();
    const failing = async () => {
      throw new Error("down");
    };
    const all = [1, 2].map(() => rotation.exchange("rt-0", failing));
    for (const one of all) expect((await rejection(one)).message).toBe("down");
    expect((await rotation.exchange("rt-0", ask)).refreshToken).toBe("rt-1");
  });
});
