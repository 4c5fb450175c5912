// Which answer a call ends with, decided on answers of our own making.
import { expect, test } from "bun:test";
import type { Send } from "../../src/inference/attempt.ts";
import { firstAnswer } from "../../src/inference/failover.ts";
import { createRouting, type Routing } from "../../src/inference/routing.ts";
import { answerOf, routeTo, stoppedClock } from "./attempts.ts";

type Reply = number | "hangs" | "refuses";

/** Tries upstreams named a, b, c… that reply as listed. */
async function tryInOrder(
  replies: Reply[],
  options: { configured?: number; clientGone?: AbortSignal; routing?: Routing } = {},
) {
  const tried: string[] = [];
  const cancelled: string[] = [];
  const names = replies.map((_, index) => String.fromCharCode(97 + index));
  const send: Send = ({ upstream: { name } }, signal) => {
    tried.push(name);
    const reply = replies[names.indexOf(name)];
    if (reply === "refuses")
      return Promise.reject(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }));
    if (reply === "hangs") {
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(new Error("aborted"))),
      );
    }
    const body = new ReadableStream({
      start: (c) => c.enqueue(Buffer.from(name)),
      cancel: () => void cancelled.push(name),
    });
    return Promise.resolve(answerOf(new Response(body, { status: reply ?? 200 })));
  };
  const answer = await firstAnswer(
    names.map((name) => routeTo(name)),
    send,
    {
      clientGone: new AbortController().signal,
      configured: replies.length,
      requestId: "r",
      ...options,
    },
  );
  return {
    answer,
    status: answer.outcome === "answered" ? answer.answer.response.status : undefined,
    upstream: answer.outcome === "answered" ? answer.route.upstream.name : undefined,
    tried: tried.join(""),
    cancelled,
  };
}

for (const status of [401, 403, 404, 429, 500, 501, 502, 503, 504, 529]) {
  test(`${status} goes on to the next upstream`, async () => {
    expect(await tryInOrder([status, 200])).toMatchObject({
      status: 200,
      upstream: "b",
      tried: "ab",
    });
  });
}
for (const status of [200, 204, 302, 400, 402, 405, 408, 409, 410, 413, 415, 422, 425, 451]) {
  test(`${status} is the answer at once`, async () => {
    expect(await tryInOrder([status, 200])).toMatchObject({ status, upstream: "a", tried: "a" });
  });
}

test("what an upstream calls final is the answer at once, whatever its status", async () => {
  const tried: string[] = [];
  const answer = await firstAnswer(
    [routeTo("a"), routeTo("b")],
    ({ upstream: { name } }) => {
      tried.push(name);
      return Promise.resolve({
        ...answerOf(new Response(null, { status: 429 })),
        final: true as const,
      });
    },
    { clientGone: new AbortController().signal, configured: 2, requestId: "r" },
  );
  expect([answer.outcome, tried]).toEqual(["answered", ["a"]]);
});

const finals: [Reply[], number, string][] = [
  [[429, 500], 429, "a"],
  [[500, 429], 429, "b"],
  [[429, 401], 429, "a"],
  [[401, 429], 429, "b"],
  [[429, 429], 429, "b"],
  [[401, 404], 401, "a"],
  [[404, 401], 401, "b"],
  [[403, 401], 401, "b"],
  [[401, 403], 403, "b"],
  [[404, 500], 404, "a"],
  [[501, 404], 404, "b"],
  [[404, 501], 404, "a"],
  [[501, 500], 501, "a"],
  [[501, "refuses"], 501, "a"],
];
for (const [replies, status, upstream] of finals) {
  test(`when all fail with ${replies.join(" and ")}, the client gets ${status} of ${upstream}`, async () => {
    expect(await tryInOrder(replies)).toMatchObject({ status, upstream });
  });
}

test("refusals that say nothing to the client end as all failed", async () => {
  for (const replies of [[500, 503], [529, 529], ["refuses"], ["hangs", 500]] satisfies Reply[][]) {
    expect((await tryInOrder(replies)).answer.outcome).toBe("all failed");
  }
});

test("a lone upstream's 529 stays 529, one of several configured does not", async () => {
  expect((await tryInOrder([529])).status).toBe(529);
  expect((await tryInOrder([529], { configured: 2 })).answer.outcome).toBe("all failed");
});

test("an upstream that is silent past the time to first byte is left for the next", async () => {
  expect(await tryInOrder(["hangs", 200])).toMatchObject({ status: 200, upstream: "b" });
});

test("answers that are not passed on are let go", async () => {
  const { cancelled } = await tryInOrder([500, 429, 200]);
  expect(cancelled.toSorted()).toEqual(["a", "b"]);
});

test("a client that hangs up ends the tries, and nothing more is sent", async () => {
  const client = new AbortController();
  setTimeout(() => client.abort(), 5);
  expect(await tryInOrder(["hangs", 200], { clientGone: client.signal })).toMatchObject({
    answer: { outcome: "client gone" },
    tried: "a",
  });
});

test("each upstream has its own time to first byte", async () => {
  const waited: string[] = [];
  await firstAnswer(
    [routeTo("slow", "m", 60_000), routeTo("b")],
    ({ upstream: { name } }, signal) => {
      waited.push(name);
      if (name === "b") return Promise.resolve(answerOf(new Response()));
      // Longer than b would be given.
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(new Error("aborted")));
        setTimeout(() => resolve(answerOf(new Response())), 60);
      });
    },
    { clientGone: new AbortController().signal, configured: 2, requestId: "r" },
  );
  expect(waited).toEqual(["slow"]);
});

/** What `failover: {}` stands for. */
const byDefault = {
  unhealthy_after: 3,
  set_aside_seconds: 5,
  set_aside_max_seconds: 300,
  session_affinity: true,
};
const remembering = (clock = stoppedClock()) =>
  createRouting(byDefault, [{ name: "a" }, { name: "b" }], {
    path: "/v1/messages",
    now: clock.now,
    random: () => 0.5,
  });

test("after three time-outs of a primary that hangs, requests go straight to the second", async () => {
  const routing = remembering();
  const tried: string[] = [];
  for (let request = 0; request < 5; request++)
    tried.push((await tryInOrder(["hangs", 200], { routing })).tried);
  expect(tried).toEqual(["ab", "ab", "ab", "b", "b"]);
});

test("without memory, a primary that hangs is asked first every time", async () => {
  const tried: string[] = [];
  for (let request = 0; request < 5; request++)
    tried.push((await tryInOrder(["hangs", 200])).tried);
  expect(tried).toEqual(["ab", "ab", "ab", "ab", "ab"]);
});

test("when everything is set aside it is tried all the same, and what the client gets is chosen as ever", async () => {
  const routing = remembering();
  for (let request = 0; request < 5; request++) {
    expect(await tryInOrder([429, 503], { routing })).toMatchObject({ status: 429, upstream: "a" });
  }
  expect(await tryInOrder([429, 503], { routing })).toMatchObject({ tried: "ab" });
  expect((await tryInOrder([500, 503], { routing })).answer.outcome).toBe("all failed");
});

test("one client finds out whether the primary is back, and may hang up over it: the next one finds out", async () => {
  const clock = stoppedClock();
  const routing = remembering(clock);
  for (let request = 0; request < 3; request++) await tryInOrder(["refuses", 200], { routing });
  clock.pass(5_000);
  const client = new AbortController();
  const probing = tryInOrder(["hangs", 200], { routing, clientGone: client.signal });
  expect(await tryInOrder([200, 200], { routing })).toMatchObject({ tried: "b" });
  client.abort();
  expect(await probing).toMatchObject({ answer: { outcome: "client gone" }, tried: "a" });
  expect(await tryInOrder([200, 200], { routing })).toMatchObject({ tried: "a" });
});

test("a client that has hung up before its probe began leaves the probe to the next one", async () => {
  const clock = stoppedClock();
  const routing = remembering(clock);
  for (let request = 0; request < 3; request++) await tryInOrder(["refuses", 200], { routing });
  clock.pass(5_000);
  expect(await tryInOrder([200, 200], { routing, clientGone: AbortSignal.abort() })).toMatchObject({
    tried: "",
  });
  expect(await tryInOrder([200, 200], { routing })).toMatchObject({ tried: "a" });
});
