// The gateway's own records of calls that Amazon Bedrock answers, whose streams are written anew on the way, and who bills what it had
// read when a client hung up.
import { afterAll, expect, test } from "bun:test";
import { startRecordCollector } from "../support/collector-of-records.ts";
import { chunkOf } from "../support/frames.ts";
import { readerOf, started, wrote } from "../support/metered-answers.ts";
import { always, givenUp, recordsTo, send, usedTokens } from "../support/recorded-calls.ts";
import { model, openSpendScene, roundPrices } from "../support/spending.ts";
import { untilTrue } from "../support/until-true.ts";

const collector = startRecordCollector();
const scene = await openSpendScene((config) => {
  config.telemetry = recordsTo(collector);
  const [{ base_url }] = config.upstreams;
  const auth = { aws_access_key_id: "AKIATEST", aws_secret_access_key: "aws-secret" };
  config.upstreams = [{ provider: "bedrock", base_url, region: "us-east-1", auth }];
  config.pricing.overrides = [{ upstream: "bedrock", model, ...roundPrices }];
});
const { upstream, tables } = scene;
afterAll(() => Promise.all([scene.stop(), collector.stop()]));

test("a call that Bedrock bills though it was given up has what that came to", async () => {
  upstream.answer = ({ url }) =>
    url.endsWith("/count-tokens")
      ? Response.json({ inputTokens: 700 })
      : new Promise(() => undefined);
  await givenUp(scene, "billed", () => upstream.seen.length === 1);
  expect((await collector.recordOf("billed")).attributes).toEqual({
    ...always("billed"),
    ...usedTokens(700, 0, 7),
    "claude_gateway.usage.estimated": true,
    "http.response.status_code": 499,
    "claude_gateway.ending": "abandoned",
    "error.type": "abandoned",
  });
  await tables.untilSpent("billed", 7);
});

test.each([
  ["leaves", "abandoned", "abandoned"],
  ["is told of a break in", "broken", "api_error"],
] as const)("a stream of Bedrock's that the client %s is %s", async (end, ending, errorType) => {
  const id = `bedrock-${ending}`;
  const { promise: isTime, resolve: breakOff } = Promise.withResolvers<void>();
  upstream.answer = () =>
    new Response(
      async function* () {
        for (const event of [started(200), wrote("x".repeat(28))])
          yield chunkOf(JSON.stringify(event));
        await isTime;
        throw new Error("lost");
      },
      { headers: { "content-type": "application/vnd.amazon.eventstream" } },
    );
  const hangUp = new AbortController();
  const fields = { stream: true };
  const response = await send(scene, id, { fields, signal: hangUp.signal });
  const reader = readerOf(response);
  await reader.until("xxx");
  if (end === "leaves") hangUp.abort();
  else {
    breakOff();
    await reader.until("event: error");
  }
  expect((await collector.recordOf(id)).attributes).toMatchObject({
    ...always(id),
    ...usedTokens(200, 7, 9),
    "gen_ai.provider.name": "aws.bedrock",
    "claude_gateway.upstream.provider": "bedrock",
    "claude_gateway.usage.estimated": true,
    "claude_gateway.ending": ending,
    "error.type": errorType,
  });
  await tables.untilSpent(id, 9);
});

test("a call whose count is waited for when the gateway stops is told of when it is there", async () => {
  const { promise: counting, resolve: count } = Promise.withResolvers<Response>();
  upstream.seen.length = 0;
  upstream.answer = ({ url }) =>
    url.endsWith("/count-tokens") ? counting : new Promise(() => undefined);
  await givenUp(scene, "late", () => upstream.seen.length === 1);
  await untilTrue(() => upstream.seen.length === 2);
  const stopping = scene.gateway.stop();
  await scene.gateway.waitForLog(/SIGTERM received/);
  await Bun.sleep(100);
  expect(collector.records().map(({ attributes }) => attributes["request_id"])).not.toContain(
    "late",
  );
  count(Response.json({ inputTokens: 700 }));
  expect(await stopping).toBe(0);
  expect((await collector.recordOf("late")).attributes).toMatchObject(usedTokens(700, 0, 7));
  // As of all: neither two of one, nor none.
  const recorded = collector.records().map(({ attributes }) => attributes["request_id"]);
  expect(recorded).toEqual(["billed", "bedrock-abandoned", "bedrock-broken", "late"]);
});
