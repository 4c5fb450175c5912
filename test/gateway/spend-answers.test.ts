// What is charged and what is free, who is charged for it, and what the client is told: answers of every kind, errors, counts, and
// calls that more than one upstream was asked for.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { answerInFull, whole } from "../support/metered-answers.ts";
import { startUpstream } from "../support/scene.ts";
import { model, openSpendScene, person, roundPrices, setCap } from "../support/spending.ts";

const second = startUpstream();
const scene = await openSpendScene((config) => {
  const [first] = config.upstreams;
  config.upstreams = [
    { ...first, name: "first" },
    { ...first, name: "second", base_url: second.url },
  ];
  config.pricing.overrides = [
    { upstream: "first", model, ...roundPrices },
    { upstream: "second", model, ...roundPrices, output: 1_000 },
  ];
});
const { gateway, buy, upstream: first, tables } = scene;
afterAll(() => Promise.all([scene.stop(), second.stop()]));
beforeEach(() => {
  first.answer = second.answer = answerInFull;
});

const refusing = (status: number) => (): Response =>
  Response.json(
    { type: "error", error: { type: "api_error", message: "no" }, usage: { output_tokens: 50 } },
    { status },
  );

/** That nothing was charged, once something that came later is. */
async function expectNothing(sub: string): Promise<void> {
  first.answer = answerInFull;
  const later = crypto.randomUUID();
  await (await buy(later, 1)).text();
  await tables.untilSpent(later, 1);
  expect(await tables.spent(sub)).toBe("0");
}

const limitHeaders = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("anthropic-ratelimit-")));

describe("headers", () => {
  const endOfMonth = () => {
    const now = new Date();
    return String(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1) / 1000);
  };

  test.each([
    ["a whole answer", {}],
    ["a stream", { fields: { stream: true } }],
  ])("of %s tell of the fullest limit, and nothing of the upstream's own", async (kind, init) => {
    const sub = `told by ${kind}`;
    await setCap(gateway, person(sub), 100);
    await (await buy(sub, 96)).text();
    first.answer = (seen) => {
      const answer = answerInFull(seen);
      answer.headers.set("anthropic-ratelimit-tokens-remaining", "7");
      return answer;
    };
    const response = await buy(sub, 1, init);
    expect(limitHeaders(response)).toEqual({
      "anthropic-ratelimit-unified-status": "allowed_warning",
      "anthropic-ratelimit-unified-representative-claim": "overage",
      "anthropic-ratelimit-unified-overage-status": "allowed_warning",
      "anthropic-ratelimit-unified-overage-utilization": "0.96",
      "anthropic-ratelimit-unified-overage-surpassed-threshold": "0.95",
      "anthropic-ratelimit-unified-reset": endOfMonth(),
      "anthropic-ratelimit-unified-overage-reset": endOfMonth(),
    });
    await response.text();
    await tables.untilSpent(sub, 97);
  });

  test("of an answer that leads elsewhere tell nothing", async () => {
    await setCap(gateway, person("redirected"), 100);
    first.answer = () => Response.redirect(first.url);
    const response = await buy("redirected", 1, { redirect: "manual" });
    expect([response.status, limitHeaders(response)]).toEqual([302, {}]);
  });

  test("of who has no cap tell nothing", async () => {
    const response = await buy("without", 1);
    expect(limitHeaders(response)).toEqual({});
    await response.text();
    await tables.untilSpent("without", 1);
  });
});

describe("free of charge", () => {
  test.each([[400], [413]])("is what the upstream refuses with %i", async (status) => {
    const sub = `refused with ${status}`;
    await setCap(gateway, person(sub), 100);
    first.answer = refusing(status);
    const response = await buy(sub, 50);
    expect([response.status, limitHeaders(response)]).toEqual([status, {}]);
    await expectNothing(sub);
  });

  test.each([[429], [500]])("is what every upstream refuses with %i", async (status) => {
    const sub = `refused by all with ${status}`;
    first.answer = second.answer = refusing(status);
    expect((await buy(sub, 50)).status).toBe(status === 500 ? 502 : status);
    await expectNothing(sub);
  });

  test("is what the gateway refuses", async () => {
    expect((await buy("refused here", 50, { fields: { model: "nope" } })).status).toBe(400);
    expect((await buy("refused here", 50, { fields: { messages: 5, model: 5 } })).status).toBe(400);
    await expectNothing("refused here");
  });

  test("is counting, also for who has nothing left, and it tells nothing of limits", async () => {
    await setCap(gateway, person("counting"), 0);
    first.answer = () => Response.json({ input_tokens: 5_000, usage: { output_tokens: 50 } });
    const response = await fetch(`${gateway.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${await scene.bearer({ sub: "counting" })}` },
      body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
    });
    expect([response.status, limitHeaders(response)]).toEqual([200, {}]);
    await expectNothing("counting");
  });
});

describe("when an upstream fails", () => {
  test.each([[500], [429], [404]])(
    "with %i, what the next one answers is charged at its price",
    async (status) => {
      const sub = `failing over at ${status}`;
      first.answer = refusing(status);
      await (await buy(sub, 50)).text();
      // A tenth of a cent a token there.
      await tables.untilSpent(sub, 5);
    },
  );

  test("a request holds what it may cost at the dearest of the upstreams, until it is known which one answers", async () => {
    await setCap(gateway, person("dearest"), 100);
    second.seen.length = 0;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    first.answer = refusing(500);
    second.answer = async (seen) => {
      await held;
      return answerInFull(seen);
    };
    const all = Array.from({ length: 5 }, async () => {
      const response = await buy("dearest", 60);
      await response.text();
      return response.status;
    });
    await Bun.sleep(300);
    // The first upstream would take 60 cents for each, of which there is room for one, and one more.
    expect(second.seen).toHaveLength(2);
    release();
    expect(await Promise.all(all)).toEqual([200, 200, 200, 200, 200]);
    await tables.untilSpent("dearest", 30);
  });
});

// The input is estimated by the length of the body so far.
test("an answer that does not say what it used is charged by the provider's count and its length", async () => {
  const counted: string[] = [];
  first.answer = ({ url }) => {
    counted.push(url);
    return url.endsWith("/count_tokens")
      ? Response.json({ input_tokens: 300 })
      : new Response('{"type":"message"}', { headers: { "content-type": "application/json" } });
  };
  await (await buy("mute", 50)).text();
  await tables.untilSpent("mute", 8);
  expect(counted).toEqual(["/v1/messages", "/v1/messages/count_tokens"]);
});

test("every class of tokens has its price", async () => {
  first.answer = () =>
    whole({
      input_tokens: 100,
      output_tokens: 1,
      cache_read_input_tokens: 1_000,
      cache_creation_input_tokens: 100,
      cache_creation: { ephemeral_5m_input_tokens: 50, ephemeral_1h_input_tokens: 50 },
      server_tool_use: { web_search_requests: 3 },
    });
  await (await buy("everything", 50)).text();
  await tables.untilSpent("everything", 1 + 1 + 1 + 2 + 3);
});
