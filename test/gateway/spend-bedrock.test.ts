// Amazon Bedrock bills what it had read when a client hung up before the answer. AWS counts that free of charge, and that is what
// is charged; where it cannot be counted, what the size of the request suggests.
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chunkOf } from "../support/frames.ts";
import {
  fedStream,
  readerOf,
  started,
  stopped,
  used,
  whole,
  wrote,
} from "../support/metered-answers.ts";
import type { Seen } from "../support/scene.ts";
import { model, openSpendScene, person, roundPrices, setCap } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

const aws = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };
const openBedrock = () =>
  openSpendScene((config) => {
    const [{ base_url }] = config.upstreams;
    config.upstreams = [{ provider: "bedrock", base_url, region: "us-east-1", auth: aws }];
    config.pricing.overrides = [{ upstream: "bedrock", model, ...roundPrices }];
  });
const [scene, uncounted] = await Promise.all([openBedrock(), openBedrock()]);
afterAll(() => Promise.all([scene.stop(), uncounted.stop()]));

const never = new Promise<Response>(() => undefined);
const isCount = ({ url }: Seen) => url.endsWith("/count-tokens");
const inFull = () => whole({ input_tokens: 0, output_tokens: 1 });

beforeEach(() => {
  for (const { upstream } of [scene, uncounted]) upstream.seen.length = 0;
});

/** A call that reaches Bedrock, where nobody answers it until the client has gone. */
async function giveUp({ buy, upstream }: typeof scene, sub: string, fields: object = {}) {
  const hangUp = new AbortController();
  const call = buy(sub, 50, { signal: hangUp.signal, fields }).catch(() => "gone");
  await untilTrue(() => upstream.seen.length === 1);
  hangUp.abort();
  expect(await call).toBe("gone");
}

/** That somebody who asks later is charged, and this person still so much. */
async function expectOnly({ buy, upstream, tables }: typeof scene, sub: string, cents: number) {
  await tables.untilSpent(sub, cents);
  upstream.answer = inFull;
  const later = crypto.randomUUID();
  await (await buy(later, 1)).text();
  await tables.untilSpent(later, 1);
  expect(await tables.spent(sub)).toBe(String(cents));
}

describe("a call that is given up before its answer begins", () => {
  test.each([
    ["as a stream", { stream: true }],
    ["as a whole", {}],
  ])("is charged what AWS counts, once: %s", async (kind, fields) => {
    const sub = `given up ${kind}`;
    const { upstream } = scene;
    upstream.answer = (seen) => (isCount(seen) ? Response.json({ inputTokens: 700 }) : never);
    await giveUp(scene, sub, fields);
    await scene.tables.untilSpent(sub, 7);
    expect(upstream.seen.map(({ url }) => decodeURIComponent(url))).toEqual([
      expect.stringMatching(/\/invoke/),
      expect.stringMatching(/\/count-tokens$/),
    ]);
    await expectOnly(scene, sub, 7);
  });

  test("is charged by its bytes without the permission to count, and nothing is asked that is billed", async () => {
    const { upstream, gateway } = uncounted;
    await setCap(gateway, person("denied"), 40);
    upstream.answer = (seen) =>
      isCount(seen) ? Response.json({ message: "denied" }, { status: 403 }) : never;
    await giveUp(uncounted, "denied", { stream: true });
    await gateway.waitForLog(/count_tokens request_id=\S+: bedrock: \S+: 403; not counted/);
    expect(upstream.seen).toHaveLength(2);
    // The body is some hundred bytes, four of which are taken for a token, and 100 tokens cost a cent.
    while (Number(await uncounted.tables.spent("denied")) === 0) await Bun.sleep(5);
    expect(Number(await uncounted.tables.spent("denied"))).toBeLessThan(2);
    // Nor is anything held of it, for which this one would have to wait.
    upstream.answer = inFull;
    const answers = [uncounted.buy("denied", 1), Bun.sleep(1_500)] as const;
    expect(await Promise.race(answers)).toMatchObject({ status: 200 });
  });

  test("holds what it may cost until it is counted, and no longer", async () => {
    const { upstream, buy, gateway, tables } = scene;
    await setCap(gateway, person("held"), 40);
    const { promise: counted, resolve: count } = Promise.withResolvers<Response>();
    upstream.answer = (seen) => (isCount(seen) ? counted : never);
    await giveUp(scene, "held");
    await untilTrue(() => upstream.seen.some(isCount));
    upstream.answer = inFull;
    let isAnswered = false;
    const next = buy("held", 1).then((response) => {
      isAnswered = true;
      return response.status;
    });
    await Bun.sleep(200);
    expect(isAnswered).toBe(false);
    count(Response.json({ inputTokens: 700 }));
    expect(await next).toBe(200);
    await tables.untilSpent("held", 8);
  });
});

test("a stream that the client leaves is charged at the floor, and nothing is counted", async () => {
  const { upstream, buy } = scene;
  const stream = fedStream();
  const hangUp = new AbortController();
  upstream.answer = () =>
    new Response(stream.response.body?.pipeThrough(asFrames()) ?? null, {
      headers: { "content-type": "application/vnd.amazon.eventstream" },
    });
  stream.send(started(200));
  const response = await buy("left", 50, { fields: { stream: true }, signal: hangUp.signal });
  stream.send(wrote("x".repeat(28)));
  await readerOf(response).until("xxx");
  hangUp.abort();
  await expectOnly(scene, "left", 9);
  expect(upstream.seen.some(isCount)).toBe(false);
});

test("a stream that ends is charged in full", async () => {
  const { upstream, buy } = scene;
  const stream = fedStream();
  upstream.answer = () =>
    new Response(stream.response.body?.pipeThrough(asFrames()) ?? null, {
      headers: { "content-type": "application/vnd.amazon.eventstream" },
    });
  stream.send(started(200));
  const response = await buy("ended", 50, { fields: { stream: true } });
  stream.send(wrote("x".repeat(28)), used(30), stopped);
  stream.end();
  expect(await response.text()).toContain("message_stop");
  await expectOnly(scene, "ended", 32);
});

/** Server-sent events as Bedrock sends them: each in a frame of its own. */
function asFrames(): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      for (const [, json = ""] of Buffer.from(chunk)
        .toString()
        .matchAll(/^data: (.*)$/gm))
        controller.enqueue(chunkOf(json));
    },
  });
}
