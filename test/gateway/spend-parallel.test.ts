// Many requests at the same moment, close to a limit. A request is let through while what was spent and what the others under way
// may still cost leave room for it, so that of any number of them the limit is overshot by one at most.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  answerInFull,
  fedStream,
  slowly,
  started,
  stopped,
  used,
  whole,
} from "../support/metered-answers.ts";
import { eventStream } from "../support/scene.ts";
import {
  group,
  openSpendScene,
  person,
  refusal,
  setCap,
  utilizationIn,
} from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

const reserving = await openSpendScene();
const plain = await openSpendScene((config) => (config.enforcement = { reserve: false }));
afterAll(() => Promise.all([reserving.stop(), plain.stop()]));
beforeEach(() => {
  for (const { upstream } of [reserving, plain]) {
    upstream.seen.length = 0;
    upstream.answer = answerInFull;
  }
});

/** So many at once; how many were answered with each status once all of them are read to the end. */
async function atOnce(count: number, send: (index: number) => Promise<Response>) {
  const statuses: Record<number, number> = {};
  const sent = Array.from({ length: count }, async (_, index) => {
    const response = await send(index);
    await response.text();
    statuses[response.status] = (statuses[response.status] ?? 0) + 1;
  });
  await Promise.all(sent);
  return statuses;
}

describe.each([
  ["whole answers", false],
  ["streams", true],
])("a hundred requests at 99 %% of a cap: %s", (kind, stream) => {
  const sub = `hundred ${kind}`;

  test("go through while there is room for what those under way may cost", async () => {
    const { gateway, buy, upstream, tables } = reserving;
    await setCap(gateway, person(sub), 1_000);
    await (await buy(sub, 990)).text();
    upstream.answer = slowly(200);
    // Each may cost 4 cents and some hundredths: with two of them under way there is room for a third, and no more.
    expect(await atOnce(100, () => buy(sub, 4, { fields: { stream } }))).toEqual({
      200: 3,
      429: 97,
    });
    expect(upstream.seen).toHaveLength(4);
    await tables.untilSpent(sub, 1_002);
    expect(await refusal(await buy(sub, 4))).toEqual([
      429,
      "billing_error",
      expect.stringContaining("spend limit reached"),
    ]);
  });

  test("all go through with enforcement.reserve: false, since nothing was spent when they came", async () => {
    const { gateway, buy, upstream, tables } = plain;
    await setCap(gateway, person(sub), 1_000);
    await (await buy(sub, 990)).text();
    upstream.answer = slowly(500);
    expect(await atOnce(100, () => buy(sub, 4, { fields: { stream } }))).toEqual({ 200: 100 });
    await tables.untilSpent(sub, 1_390);
    expect((await buy(sub, 4)).status).toBe(429);
  });
});

test("what many people share holds for all of them together", async () => {
  const { gateway, buy, upstream, tables } = reserving;
  const members = Array.from({ length: 10 }, (_, index) => ({
    sub: `member ${index}`,
    groups: ["shared"],
  }));
  const member = (index: number) => members[index % members.length] ?? expect.unreachable();
  await setCap(gateway, group("shared"), 100_000, {
    pooled_budget: { amount: "1000", paused: false },
  });
  await (await buy(member(0), 990)).text();
  upstream.answer = slowly(200);
  expect(await atOnce(60, (index) => buy(member(index), 4))).toEqual({ 200: 3, 429: 57 });
  await tables.until(() => tables.pooled("shared"), 1_002);
});

test("of those who wait for one under way only as many go on as there is room for when it fails", async () => {
  const { gateway, buy, upstream, tables } = reserving;
  await setCap(gateway, person("herd"), 100);
  await (await buy("herd", 90)).text();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  upstream.answer = async () => {
    await held;
    return Response.json({ message: "no" }, { status: 400 });
  };
  const first = buy("herd", 20);
  await untilTrue(() => upstream.seen.length === 2);
  const others = atOnce(50, () => buy("herd", 4));
  await Bun.sleep(200);
  expect(upstream.seen).toHaveLength(2);
  upstream.answer = slowly(200);
  release();
  expect((await first).status).toBe(400);
  expect(await others).toEqual({ 200: 3, 429: 47 });
  await tables.untilSpent("herd", 102);
});

test("who waits for two seconds is told to try again, and that it is not the limit that is used up", async () => {
  const { gateway, buy, upstream } = reserving;
  await setCap(gateway, person("patient"), 100);
  const stream = fedStream();
  upstream.answer = () => stream.response;
  stream.send(started(0));
  const first = await buy("patient", 200, { fields: { stream: true } });
  const response = await buy("patient", 4, { headers: { "x-client-request-id": "waited" } });
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "retry-after": "5",
    "x-should-retry": "true",
  });
  expect([...response.headers.keys()].filter((name) => name.startsWith("anthropic-"))).toEqual([]);
  expect(await refusal(response)).toEqual([
    429,
    "rate_limit_error",
    "requests under way may use up the rest of the spend limit · try again when they have finished · ask",
  ]);
  await gateway.audited("spend.blocked", {
    request_id: "waited",
    sub: "patient",
    cause: "reserved",
    cap_cents: "100",
    source: "user",
    period: "monthly",
  });
  stream.send(used(5), stopped);
  stream.end();
  expect(await first.text()).toContain("message_stop");
  upstream.answer = answerInFull;
  expect((await buy("patient", 4)).status).toBe(200);
});

// The client is told of its standing as it was when the request came.
test("who had to wait is told of what was spent meanwhile", async () => {
  const { gateway, buy, upstream } = reserving;
  await setCap(gateway, person("told"), 100);
  upstream.answer = async () => {
    await Bun.sleep(300);
    return whole({ input_tokens: 0, output_tokens: 50 });
  };
  const first = buy("told", 120);
  await untilTrue(() => upstream.seen.length === 1);
  upstream.answer = answerInFull;
  expect(utilizationIn(await buy("told", 1))).toBe("0.5");
  expect(utilizationIn(await first)).toBe("0");
});

describe("nothing stays held of a request that", () => {
  const { promise: never } = Promise.withResolvers<Response>();
  const broken = () =>
    new Response(
      async function* () {
        yield Buffer.from(eventStream([started(0)]));
        await Bun.sleep(20);
        throw new Error("lost");
      },
      { headers: { "content-type": "text/event-stream" } },
    );

  test.each<[string, () => Response | Promise<Response>, { fields?: object; hangsUp?: boolean }]>([
    ["was refused upstream", () => Response.json({}, { status: 400 }), {}],
    ["no upstream answered", () => Response.json({}, { status: 500 }), {}],
    ["the client gave up", () => never, { hangsUp: true }],
    [
      "the client gave up while it streamed",
      () => slowly(60_000)({ body: streamAsked }),
      { hangsUp: true, fields: { stream: true } },
    ],
    ["broke off", broken, { fields: { stream: true } }],
    ["had an empty answer", () => new Response(""), {}],
    ["is refused for its model", answerNothing, { fields: { model: "nope" } }],
    ["was redirected", () => Response.redirect("http://localhost:1/"), {}],
  ])("%s", async (what, answer, { fields, hangsUp = false }) => {
    const { gateway, buy, upstream } = reserving;
    const sub = `holding, ${what}`;
    await setCap(gateway, person(sub), 100);
    upstream.answer = (seen) =>
      seen.url.endsWith("/count_tokens") ? Response.json({}, { status: 404 }) : answer();
    const hangUp = new AbortController();
    const request = (async () => {
      const response = await buy(sub, 200, { ...(fields && { fields }), signal: hangUp.signal });
      await response.text();
    })();
    const ended = request.catch(() => "broken");
    if (hangsUp) {
      await untilTrue(() => upstream.seen.length === 1);
      await Bun.sleep(50);
      hangUp.abort();
    }
    await ended;
    await gateway.audited("inference", { sub });

    // It would wait, and then be refused, if the other one's 200 cents were still spoken for.
    upstream.answer = answerInFull;
    const began = performance.now();
    expect((await buy(sub, 4)).status).toBe(200);
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});

const streamAsked = Buffer.from('{"max_tokens":1,"stream":true}');

function answerNothing(): never {
  throw new Error("asked");
}
