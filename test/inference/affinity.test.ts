// Which upstream a session is known to have been served by.
import { expect, test } from "bun:test";
import { createAffinity, sessionKeyOf } from "../../src/inference/affinity.ts";
import { stoppedClock } from "./attempts.ts";

const hourMs = 60 * 60_000;
const sessionHeaders = (id: string) => new Headers({ "x-claude-code-session-id": id });

test("a session is known by person, id and model: another of any of them is another session", () => {
  const keys = [
    sessionKeyOf(sessionHeaders("s1"), { sub: "ada" }, "opus"),
    sessionKeyOf(sessionHeaders("s1"), { sub: "bob" }, "opus"),
    sessionKeyOf(sessionHeaders("s2"), { sub: "ada" }, "opus"),
    sessionKeyOf(sessionHeaders("s1"), { sub: "ada" }, "haiku"),
    sessionKeyOf(sessionHeaders("s1,opus"), { sub: "ada" }, ""),
    sessionKeyOf(sessionHeaders("opus"), { sub: 'ada","s1' }, ""),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys[0]).toBe(sessionKeyOf(sessionHeaders("s1"), { sub: "ada" }, "opus"));
});

test("a call without a session id, or with one too long to be kept, has no session", () => {
  const keyOf = (headers: Headers) => sessionKeyOf(headers, { sub: "ada" }, "opus");
  expect(keyOf(new Headers())).toBeNull();
  expect(keyOf(sessionHeaders(""))).toBeNull();
  expect(keyOf(sessionHeaders("s".repeat(129)))).toBeNull();
  expect(keyOf(sessionHeaders("s".repeat(128)))).not.toBeNull();
});

test("the upstream that served the session last is the one it is known by", () => {
  const affinity = createAffinity(stoppedClock());
  affinity.bind("s", "a");
  affinity.bind("s", "b");
  affinity.bind("t", "a");
  expect(affinity.upstreamOf("s")).toBe("b");
  expect(affinity.upstreamOf("never seen")).toBeUndefined();
});

test("an hour after its last use a session is forgotten, and not before", () => {
  const clock = stoppedClock();
  const affinity = createAffinity(clock);
  affinity.bind("s", "a");
  clock.pass(hourMs - 1);
  expect(affinity.upstreamOf("s")).toBe("a");
  clock.pass(hourMs - 1);
  expect(affinity.upstreamOf("s")).toBe("a");
  clock.pass(hourMs);
  expect(affinity.upstreamOf("s")).toBeUndefined();
});

test("20,000 sessions are remembered; one more costs the one unused for longest its place", () => {
  const affinity = createAffinity(stoppedClock());
  for (let session = 0; session < 20_000; session++) affinity.bind(`s${session}`, "a");
  affinity.upstreamOf("s0");
  affinity.bind("s1", "b");
  affinity.bind("one more", "a");
  expect(affinity.upstreamOf("s2")).toBeUndefined();
  expect(affinity.upstreamOf("s0")).toBe("a");
  expect(affinity.upstreamOf("s1")).toBe("b");
  expect(affinity.upstreamOf("s3")).toBe("a");
  expect(affinity.upstreamOf("one more")).toBe("a");
});

test("a session that is bound again takes no other one's place", () => {
  const affinity = createAffinity(stoppedClock());
  for (let session = 0; session < 20_000; session++) affinity.bind(`s${session}`, "a");
  affinity.bind("s19999", "b");
  expect(affinity.upstreamOf("s0")).toBe("a");
});
