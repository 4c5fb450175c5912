// Which answer a call ends with, decided on answers of our own making.
import { expect, test } from "bun:test";
import { firstAnswer, type Route } from "../../src/inference/failover.ts";
import type { Upstream } from "../../src/upstream/upstream.ts";

type Reply = number | "hangs" | "refuses";

/** Tries upstreams named a, b, c… that reply as listed. */
async function tryInOrder(
  replies: Reply[],
  options: { configured?: number; clientGone?: AbortSignal } = {},
) {
  const tried: string[] = [];
  const cancelled: string[] = [];
  const routes: Route[] = replies.map((_, index) => {
    const name = String.fromCharCode(97 + index);
    const upstream: Upstream = {
      name,
      provider: "anthropic",
      send: () => Promise.reject(new Error("unused")),
    };
    return { upstream, upstreamModel: "m" };
  });
  const send = ({ upstream: { name } }: Route, signal: AbortSignal) => {
    tried.push(name);
    const reply = replies[tried.length - 1];
    if (reply === "refuses")
      return Promise.reject(Object.assign(new Error("connect"), { code: "ECONNREFUSED" }));
    if (reply === "hangs") {
      return new Promise<Response>((_, reject) =>
        signal.addEventListener("abort", () => reject(new Error("aborted"))),
      );
    }
    const body = new ReadableStream({
      start: (c) => c.enqueue(Buffer.from(name)),
      cancel: () => void cancelled.push(name),
    });
    return Promise.resolve(new Response(body, { status: reply ?? 200 }));
  };
  const answer = await firstAnswer(routes, send, {
    ttfbMs: 30,
    clientGone: options.clientGone ?? new AbortController().signal,
    configured: options.configured ?? replies.length,
    requestId: "r",
  });
  const status = answer.outcome === "answered" ? answer.response.status : undefined;
  return {
    answer,
    status,
    upstream: answer.outcome === "answered" ? answer.upstream : undefined,
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
